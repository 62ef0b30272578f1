// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The configuration of the virtual GPU: limits and their check.
 *
 * One table row for each parameter. The check is pure: it needs no device and
 * changes nothing.
 */

#define pr_fmt(fmt)	KBUILD_MODNAME ": " fmt

#include <kunit/visibility.h>

#include <linux/array_size.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/sizes.h>
#include <linux/stddef.h>

#include "svm_test_config.h"

struct svm_test_limit {
	const char *name;
	size_t offset;
	unsigned int min;
	unsigned int max;
	bool power_of_two;
};

#define SVM_TEST_LIMIT(member, low, high, pow2) { \
	.name = #member, \
	.offset = offsetof(struct svm_test_config, member), \
	.min = low, \
	.max = high, \
	.power_of_two = pow2, \
}

/*
 * Fewer than 40 bits would not need the fourth level of page table, more than
 * 57 would need a sixth.
 */
static const struct svm_test_limit limits[] = {
	SVM_TEST_LIMIT(num_devices, 1, SVM_TEST_MAX_DEVICES, false),
	SVM_TEST_LIMIT(engines, 1, SVM_TEST_MAX_ENGINES, false),
	SVM_TEST_LIMIT(tlb_entries, 1, 65536, true),
	SVM_TEST_LIMIT(fault_entries, 1, 65536, false),
	SVM_TEST_LIMIT(va_bits, 40, 57, false),
	SVM_TEST_LIMIT(timeslice, 1, 1000000, false),
	SVM_TEST_LIMIT(lanes, 1, SVM_TEST_MAX_LANES, false),
	SVM_TEST_LIMIT(max_jobs, 1, 1000000, false),
	SVM_TEST_LIMIT(vram_mb, 0, 65536, false),
	SVM_TEST_LIMIT(copy_latency_us, 0, 10000000, false),
	SVM_TEST_LIMIT(copy_mbps, 0, 1000000, false),
};

static int svm_test_limit_check(const struct svm_test_limit *limit,
				const struct svm_test_config *config)
{
	unsigned int value = *(const unsigned int *)((const char *)config +
						     limit->offset);

	if (value < limit->min || value > limit->max) {
		pr_err("%s=%u is not in %u..%u\n",
		       limit->name, value, limit->min, limit->max);
		return -EINVAL;
	}
	if (limit->power_of_two && !is_power_of_2(value)) {
		pr_err("%s=%u is not a power of two in %u..%u\n",
		       limit->name, value, limit->min, limit->max);
		return -EINVAL;
	}
	return 0;
}

/**
 * svm_test_config_validate() - check a configuration
 * @config: what is asked for
 *
 * Names the first parameter that is out of its limits in the kernel log.
 *
 * Return: 0 or -EINVAL.
 */
int svm_test_config_validate(const struct svm_test_config *config)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		int err = svm_test_limit_check(&limits[i], config);

		if (err)
			return err;
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(svm_test_config_validate);

/**
 * svm_test_config_vram_size() - how much VRAM a device has
 * @config: the configuration
 *
 * Return: bytes.
 */
u64 svm_test_config_vram_size(const struct svm_test_config *config)
{
	return (u64)config->vram_mb * SZ_1M;
}
EXPORT_SYMBOL_IF_KUNIT(svm_test_config_vram_size);

/**
 * svm_test_config_bind_start() - where the GPU addresses of buffer objects are
 * @config: the configuration
 *
 * The upper half is theirs, if the lower half has the addresses that a process
 * gets without asking for others. Else there are none.
 *
 * Return: the first one; the end is that of all GPU addresses.
 */
u64 svm_test_config_bind_start(const struct svm_test_config *config)
{
	u64 half = BIT_ULL(config->va_bits - 1);

	return half >= DEFAULT_MAP_WINDOW ? half : BIT_ULL(config->va_bits);
}
EXPORT_SYMBOL_IF_KUNIT(svm_test_config_bind_start);
