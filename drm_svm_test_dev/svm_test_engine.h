/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_ENGINE_H_
#define _SVM_TEST_ENGINE_H_

#include <linux/list.h>
#include <linux/types.h>

struct svm_test_device;
struct svm_test_engine;
struct svm_test_job;
struct svm_test_mmu;
struct svm_test_slot;

/**
 * struct svm_test_queue - the jobs of one address space on one engine
 *
 * Under the lock of the engine, but for the two fields of the fences.
 */
struct svm_test_queue {
	/** @jobs: in the order of submission; the first one can run. */
	struct list_head jobs;
	/** @link: link in a list of the engine, if any. */
	struct list_head link;
	/** @running: the engine works on the first job. */
	bool running;
	/** @closing: jobs are cancelled, with @err. */
	bool closing;
	/** @err: negative errno. */
	int err;
	/** @ahead: faults of the first job in flight, for accesses ahead. */
	unsigned int ahead;
	/** @fence_context: of the fences of the jobs; constant. */
	u64 fence_context;
	/** @fence_seqno: of the last one, under svm_test_vm.submit_lock. */
	u64 fence_seqno;
};

struct svm_test_engine *svm_test_engine_create(struct svm_test_device *gpu,
					       unsigned int index);
void svm_test_engine_destroy(struct svm_test_engine *engine);
struct svm_test_mmu *svm_test_engine_mmu(struct svm_test_engine *engine);
unsigned int svm_test_engine_load(struct svm_test_engine *engine);
void svm_test_engine_pause(struct svm_test_engine *engine);
void svm_test_engine_resume(struct svm_test_engine *engine);

void svm_test_queue_init(struct svm_test_queue *queue);
void svm_test_queue_close(struct svm_test_engine *engine,
			  struct svm_test_queue *queue, int err);
void svm_test_queue_wait_idle(struct svm_test_engine *engine,
			      struct svm_test_queue *queue);

void svm_test_engine_submit(struct svm_test_job *job);
void svm_test_engine_job_ready(struct svm_test_job *job);
unsigned int svm_test_engine_free_slots(struct svm_test_job *job);
void svm_test_engine_fault_done(struct svm_test_slot *slot, int err);
void svm_test_engine_unstall(struct svm_test_engine *engine);

#endif
