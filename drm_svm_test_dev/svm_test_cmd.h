/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_CMD_H_
#define _SVM_TEST_CMD_H_

#include <linux/bits.h>
#include <linux/types.h>

struct drm_svm_test_cmd;
struct svm_test_job;
struct svm_test_mmu;
struct svm_test_progress;

/**
 * enum svm_test_step - what came of a step of a job
 */
enum svm_test_step {
	/** @SVM_TEST_STEP_MORE: there is more to do. */
	SVM_TEST_STEP_MORE,
	/** @SVM_TEST_STEP_MISS: accesses missed, svm_test_job.slots has them. */
	SVM_TEST_STEP_MISS,
	/** @SVM_TEST_STEP_WAIT: the user fence of the present command is to be waited for. */
	SVM_TEST_STEP_WAIT,
	/** @SVM_TEST_STEP_MOVE: a prefetch is under way, svm_test_job.move. */
	SVM_TEST_STEP_MOVE,
	/** @SVM_TEST_STEP_DONE: the job is over, well or not. */
	SVM_TEST_STEP_DONE,
};

/* The most accesses of a unit of work. */
#define SVM_TEST_UNIT_ACCESSES	3

/**
 * struct svm_test_access - one operand of a unit of work
 */
struct svm_test_access {
	/** @addr: address; the operand ends in the same page. */
	u64 addr;
	/** @access: DRM_SVM_ACCESS_READ, DRM_SVM_ACCESS_WRITE or both. */
	u32 access;
	/** @ptr: the memory, while the unit is executed. */
	void *ptr;
};

/**
 * struct svm_test_unit - what a command does in one access section
 *
 * The operand that is written comes last: operands are translated in order,
 * which marks their pages as used, up to the first that misses. A page may be
 * marked as accessed without that, but as dirty only if it is written.
 */
struct svm_test_unit {
	/** @acc: the operands. */
	struct svm_test_access acc[SVM_TEST_UNIT_ACCESSES];
	/** @n: length of @acc. */
	unsigned int n;
	/** @len: how far svm_test_progress.pos moves. */
	u64 len;
	/**
	 * @partial: the address of other operands depends on memory that is
	 * not there yet: @acc is only that.
	 */
	bool partial;
};

/**
 * struct svm_test_cursor - a command that an engine works on
 */
struct svm_test_cursor {
	/** @job: the job. */
	struct svm_test_job *job;
	/** @mmu: of the engine. */
	struct svm_test_mmu *mmu;
	/** @cmd: the command. */
	const struct drm_svm_test_cmd *cmd;
	/** @progress: how far it is. */
	struct svm_test_progress *progress;
	/** @bad_addr: with -EFAULT: the address. */
	u64 bad_addr;
	/** @waits: the unit did nothing: the value that it waits for is not there. */
	bool waits;
};

/* Fields of struct drm_svm_test_cmd */
#define SVM_TEST_FIELD_DST	BIT(0)
#define SVM_TEST_FIELD_SRC	BIT(1)
#define SVM_TEST_FIELD_SIZE	BIT(2)
#define SVM_TEST_FIELD_COUNT	BIT(3)
#define SVM_TEST_FIELD_ARG0	BIT(4)
#define SVM_TEST_FIELD_ARG1	BIT(5)
#define SVM_TEST_FIELD_RESULT	BIT(6)

/**
 * struct svm_test_op - an operation
 *
 * The functions return 0, -EINVAL when the command is malformed, or -EFAULT,
 * with svm_test_cursor.bad_addr set, when an address is outside of the GPU's.
 */
struct svm_test_op {
	/** @flags: flags that are allowed. */
	u32 flags;
	/** @fields: fields that are used, SVM_TEST_FIELD_DST and so on. */
	u32 fields;
	/** @elements: of @fields those that hold the value of an element. */
	u32 elements;
	/** @values: how many values it returns at most. */
	u32 values;
	/** @buffers: what it reaches for is known before: jobs on buffers may use it. */
	bool buffers;
	/** @moves: it is a prefetch, which has no units. */
	bool moves;
	/** @signals: what it writes at @dst may be a user fence that somebody waits for. */
	bool signals;
	/** @ahead: units ahead can be known, so their misses are posted too. */
	bool ahead;

	/** @check: what can be told without memory; optional. */
	int (*check)(const struct drm_svm_test_cmd *cmd);
	/** @begin: check addresses, set svm_test_progress.total. */
	int (*begin)(struct svm_test_cursor *cur);
	/** @unit: describe the unit at @pos; must change nothing. */
	int (*unit)(struct svm_test_cursor *cur, u64 pos,
		    struct svm_test_unit *unit);
	/** @exec: do it; all operands are there. Cannot fail or sleep. */
	void (*exec)(struct svm_test_cursor *cur, const struct svm_test_unit *unit);
};

/**
 * struct svm_test_span - memory that a command reaches for
 */
struct svm_test_span {
	/** @addr: first address. */
	u64 addr;
	/** @size: bytes; nothing if zero. */
	u64 size;
};

/* The most spans of a command */
#define SVM_TEST_CMD_SPANS	3

int svm_test_cmd_validate(const struct drm_svm_test_cmd *cmd);
int svm_test_cmd_spans(const struct drm_svm_test_cmd *cmd,
		       struct svm_test_span spans[SVM_TEST_CMD_SPANS]);
enum svm_test_step svm_test_cmd_step(struct svm_test_job *job,
				     struct svm_test_mmu *mmu);

int svm_test_cmd_check_range(struct svm_test_cursor *cur, u64 addr, u64 size);
int svm_test_cmd_check_element(struct svm_test_cursor *cur, u64 base, u64 offset,
			       u32 size, u64 *addr);
bool svm_test_cmd_read_u32(struct svm_test_cursor *cur, u64 addr, u32 *value);

const struct svm_test_op *svm_test_op_find(u32 op);
extern const struct svm_test_op svm_test_report_op;

#endif
