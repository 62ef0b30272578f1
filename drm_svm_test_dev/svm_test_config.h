/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_CONFIG_H_
#define _SVM_TEST_CONFIG_H_

#include <linux/types.h>

/* Limits that other files size arrays by. */
#define SVM_TEST_MAX_DEVICES	8
#define SVM_TEST_MAX_ENGINES	128
#define SVM_TEST_MAX_LANES	16

/**
 * struct svm_test_config - what a device is made of
 *
 * Data alone, so that it can be checked, and tested, with no device. Constant
 * once svm_test_config_validate() has passed it.
 */
struct svm_test_config {
	/** @num_devices: devices to make. */
	unsigned int num_devices;
	/** @engines: engines of a device. */
	unsigned int engines;
	/** @tlb_entries: entries of the TLB of an engine, a power of two. */
	unsigned int tlb_entries;
	/** @fault_entries: entries of the fault buffer of a device. */
	unsigned int fault_entries;
	/** @va_bits: bits of a GPU virtual address. */
	unsigned int va_bits;
	/** @timeslice: units of work, a page at most each, before a job yields. */
	unsigned int timeslice;
	/** @lanes: accesses of one command that can miss at the same time. */
	unsigned int lanes;
	/** @max_jobs: jobs that a file can have. */
	unsigned int max_jobs;
	/** @look: jobs that wait look at their fences for what the CPU signals. */
	bool look;
	/** @vram_mb: MiB of VRAM; none if zero. */
	unsigned int vram_mb;
	/** @peer: devices reach the VRAM of each other. */
	bool peer;
	/** @gpusvm: drm_gpusvm manages shared memory, and not drm_svm. */
	bool gpusvm;
	/** @copy_latency_us: microseconds that any copy takes. */
	unsigned int copy_latency_us;
	/** @copy_mbps: MB that are copied in a second; no limit if zero. */
	unsigned int copy_mbps;
};

int svm_test_config_validate(const struct svm_test_config *config);
u64 svm_test_config_vram_size(const struct svm_test_config *config);
u64 svm_test_config_bind_start(const struct svm_test_config *config);

#endif
