// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * How an engine works through the commands of a job.
 *
 * A command is done in units. A unit touches at most a page of each operand,
 * all in one access section: either every operand is there, then the unit is
 * executed and the progress of the command moves on, or nothing happened and
 * the operands that are missing are noted. So a job can be put aside at any
 * unit and resumed, and no effect takes place twice. Values are kept in the
 * job until their own unit, after the last one of the command, wrote them.
 *
 * Like the many lanes of a GPU, a command that misses looks ahead: what its
 * next units will miss is noted as well, so that faults come in batches. The
 * job does not wait for those.
 *
 * All of this runs on the thread of the engine; there is nothing to lock.
 */

#include <linux/align.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include <drm/drm_svm.h>
#include <drm/drm_svm_test.h>

#include "svm_test_cmd.h"
#include "svm_test_device.h"
#include "svm_test_job.h"
#include "svm_test_mmu.h"
#include "svm_test_queue.h"
#include "svm_test_vm.h"
#include "svm_test_wait.h"

/**
 * svm_test_cmd_validate() - check a command before it is queued
 * @cmd: the command
 *
 * Finds what is malformed whatever the addresses are.
 *
 * Return: 0 or -EINVAL.
 */
int svm_test_cmd_validate(const struct drm_svm_test_cmd *cmd)
{
	const u64 fields[] = {
		cmd->dst, cmd->src, cmd->size, cmd->count,
		cmd->arg0, cmd->arg1, cmd->result,
	};
	const struct svm_test_op *op = svm_test_op_find(cmd->op);
	unsigned int i;

	if (!op || cmd->flags & ~op->flags)
		return -EINVAL;

	/* In the order of SVM_TEST_FIELD_DST and the others */
	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		if (fields[i] && !(op->fields & BIT(i)))
			return -EINVAL;
		if (fields[i] > U32_MAX && op->elements & BIT(i) &&
		    !(cmd->flags & DRM_SVM_TEST_CMD_64))
			return -EINVAL;
	}

	return op->check ? op->check(cmd) : 0;
}

/**
 * svm_test_cmd_spans() - what memory does a command reach for?
 * @cmd: the command, validated
 * @spans: the memory
 *
 * Return: 0, or -EINVAL when that is not known before the command is executed.
 */
int svm_test_cmd_spans(const struct drm_svm_test_cmd *cmd,
		       struct svm_test_span spans[SVM_TEST_CMD_SPANS])
{
	const struct svm_test_op *op = svm_test_op_find(cmd->op);
	u64 size = cmd->flags & DRM_SVM_TEST_CMD_64 ? sizeof(u64) : sizeof(u32);

	if (!op->buffers)
		return -EINVAL;
	/* Else it is of one element. */
	if (op->fields & SVM_TEST_FIELD_SIZE)
		size = cmd->size;
	spans[0].addr = cmd->dst;
	spans[0].size = op->fields & SVM_TEST_FIELD_DST ? size : 0;
	spans[1].addr = cmd->src;
	spans[1].size = op->fields & SVM_TEST_FIELD_SRC ? size : 0;
	spans[2].addr = cmd->result;
	spans[2].size = cmd->result ? op->values * sizeof(u64) : 0;
	return 0;
}

/**
 * svm_test_cmd_check_range() - can the GPU address a range?
 * @cur: the command
 * @addr: first address
 * @size: bytes, may be zero
 *
 * Return: 0, or -EFAULT with the first address that it cannot.
 */
int svm_test_cmd_check_range(struct svm_test_cursor *cur, u64 addr, u64 size)
{
	u64 va_end = BIT_ULL(cur->job->vm->gpu->config.va_bits);

	if (!size || (addr < va_end && size <= va_end - addr))
		return 0;

	cur->bad_addr = max(addr, va_end);
	return -EFAULT;
}

/**
 * svm_test_cmd_check_element() - find the address of an element
 * @cur: the command
 * @base: where its array or structure begins
 * @offset: bytes from there
 * @size: bytes of the element, a power of two
 * @addr: the address
 *
 * Return: 0, -EFAULT when the GPU cannot address it, -EINVAL when it is not
 * aligned.
 */
int svm_test_cmd_check_element(struct svm_test_cursor *cur, u64 base, u64 offset,
			       u32 size, u64 *addr)
{
	int err;

	if (check_add_overflow(base, offset, addr))
		return svm_test_cmd_check_range(cur, U64_MAX, size);

	err = svm_test_cmd_check_range(cur, *addr, size);
	if (err)
		return err;
	return IS_ALIGNED(*addr, size) ? 0 : -EINVAL;
}

/**
 * svm_test_cmd_read_u32() - read memory that says where other memory is
 * @cur: the command
 * @addr: address of the word
 * @value: the word
 *
 * An access section of its own.
 *
 * Return: false when the access misses.
 */
bool svm_test_cmd_read_u32(struct svm_test_cursor *cur, u64 addr, u32 *value)
{
	u32 *ptr;

	svm_test_mmu_enter(cur->mmu);
	ptr = svm_test_mmu_get(cur->mmu, cur->job->vm, addr,
			       DRM_SVM_ACCESS_READ);
	if (ptr) {
		*value = READ_ONCE(*ptr);
		svm_test_mmu_put(ptr);
	}
	svm_test_mmu_leave(cur->mmu);
	return ptr;
}

/* A program that does not ask for the last count of a prefetch has no room for it. */
static u32 result_count(const struct drm_svm_test_cmd *cmd, const struct svm_test_op *op)
{
	if (!cmd->result)
		return 0;
	if (op->moves && !(cmd->arg1 & DRM_SVM_PREFETCH_COUNT_DENIED))
		return op->values - 1;
	return op->values;
}

static int result_unit(struct svm_test_cursor *cur, u64 pos,
		       struct svm_test_unit *unit)
{
	unit->acc[0].addr = cur->cmd->result + pos * sizeof(u64);
	unit->acc[0].access = DRM_SVM_ACCESS_WRITE;
	unit->n = 1;
	unit->len = 1;
	return 0;
}

static void result_exec(struct svm_test_cursor *cur,
			const struct svm_test_unit *unit)
{
	u64 *ptr = unit->acc[0].ptr;

	WRITE_ONCE(*ptr, cur->progress->value[cur->progress->pos]);
}

/* What follows each command: write its values, a unit each. */
static const struct svm_test_op result_op = {
	.unit = result_unit,
	.exec = result_exec,
	.ahead = true,
};

static int result_check(struct svm_test_cursor *cur, const struct svm_test_op *op)
{
	u64 addr;
	u32 i;

	for (i = 0; i < result_count(cur->cmd, op); i++) {
		int err = svm_test_cmd_check_element(cur, cur->cmd->result,
						     i * sizeof(u64),
						     sizeof(u64), &addr);

		if (err)
			return err;
	}
	return 0;
}

static int cmd_begin(struct svm_test_cursor *cur)
{
	const struct svm_test_op *op = svm_test_op_find(cur->cmd->op);
	int err;

	if (cur->job->stage == SVM_TEST_STAGE_REPORT)
		op = &svm_test_report_op;

	err = result_check(cur, op);
	if (!err)
		err = op->begin(cur);
	if (!err)
		cur->progress->op = op;
	return err;
}

/* Whether the command, or the writing of its values, is done. */
static bool cmd_is_over(const struct svm_test_progress *progress)
{
	return progress->pos >= progress->total || progress->stop;
}

/* From the command to its values, and from there to the next command. */
static void cmd_next(struct svm_test_cursor *cur)
{
	struct svm_test_progress *progress = cur->progress;
	struct svm_test_job *job = cur->job;

	if (progress->op != &result_op) {
		progress->total = result_count(cur->cmd, progress->op);
		progress->pos = 0;
		progress->stop = false;
		progress->op = &result_op;
		return;
	}

	if (job->stage == SVM_TEST_STAGE_CMDS && ++job->cmd < job->num_cmds)
		memset(progress, 0, sizeof(*progress));
	else
		svm_test_job_next_stage(job);
}

/* Do a unit if all of its operands are there. */
static bool unit_exec(struct svm_test_cursor *cur, struct svm_test_unit *unit)
{
	struct svm_test_vm *vm = cur->job->vm;
	unsigned int i;
	bool hit;

	svm_test_mmu_enter(cur->mmu);
	for (i = 0; i < unit->n; i++) {
		struct svm_test_access *acc = &unit->acc[i];

		acc->ptr = svm_test_mmu_get(cur->mmu, vm, acc->addr,
					    acc->access);
		if (!acc->ptr)
			break;
	}
	hit = i == unit->n;
	if (hit && !unit->partial)
		cur->progress->op->exec(cur, unit);
	while (i--)
		svm_test_mmu_put(unit->acc[i].ptr);
	svm_test_mmu_leave(cur->mmu);
	return hit;
}

static void miss_add(struct svm_test_job *job,
		     const struct svm_test_access *acc)
{
	struct svm_test_slot *slot;
	unsigned int i;

	/* One fault is enough for a page, unless it asks for less. */
	for (i = 0; i < job->num_slots; i++) {
		slot = &svm_test_job_slots(job)[i];
		if (slot->addr >> PAGE_SHIFT == acc->addr >> PAGE_SHIFT &&
		    !(acc->access & ~slot->access))
			return;
	}

	slot = &svm_test_job_slots(job)[job->num_slots++];
	slot->addr = acc->addr;
	slot->access = acc->access;
	slot->err = 0;
}

/* Note the operands of a unit that are missing. */
static void miss_collect(struct svm_test_cursor *cur,
			 const struct svm_test_unit *unit, unsigned int max)
{
	struct svm_test_job *job = cur->job;
	unsigned int i;

	for (i = 0; i < unit->n && job->num_slots < max; i++)
		if (!svm_test_mmu_probe(cur->mmu, job->vm, unit->acc[i].addr,
					unit->acc[i].access))
			miss_add(job, &unit->acc[i]);
}

/* The position after a unit of @len at @pos; saturates. */
static u64 pos_after(const struct svm_test_progress *progress, u64 pos, u64 len)
{
	return len < progress->total - pos ? pos + len : progress->total;
}

/*
 * A unit misses: note that, and look ahead for as many units as there are
 * lanes. An error ahead is no error: the job may never come there.
 */
static enum svm_test_step cmd_miss(struct svm_test_cursor *cur,
				   const struct svm_test_unit *missed)
{
	struct svm_test_progress *progress = cur->progress;
	struct svm_test_job *job = cur->job;
	unsigned int lanes = svm_test_queue_free_slots(job), lane;
	struct svm_test_unit unit = *missed;
	u64 pos = progress->pos;

	miss_collect(cur, missed, lanes);
	/* The CPU, or another engine, may have been faster. */
	if (!job->num_slots)
		return SVM_TEST_STEP_MORE;

	for (lane = 1; progress->op->ahead && lane < lanes; lane++) {
		pos = pos_after(progress, pos, unit.len);
		if (pos == progress->total)
			break;
		memset(&unit, 0, sizeof(unit));
		if (progress->op->unit(cur, pos, &unit))
			break;
		miss_collect(cur, &unit, lanes);
	}
	return SVM_TEST_STEP_MISS;
}

static enum svm_test_step cmd_fail(struct svm_test_cursor *cur, int err)
{
	if (err == -EFAULT)
		svm_test_job_fail(cur->job, DRM_SVM_TEST_STATUS_FAULT, err,
				  cur->bad_addr);
	else
		svm_test_job_fail(cur->job, DRM_SVM_TEST_STATUS_INVALID, err, 0);
	return SVM_TEST_STEP_MORE;
}

/* How a job ends whose prefetch failed */
static u32 move_status(int err)
{
	switch (err) {
	case -EINVAL:
		return DRM_SVM_TEST_STATUS_INVALID;
	case -ECANCELED:
		return DRM_SVM_TEST_STATUS_CANCELLED;
	default:
		return DRM_SVM_TEST_STATUS_FAULT;
	}
}

/* Hand a prefetch to a thread of the process, and take its end up. */
static enum svm_test_step cmd_move(struct svm_test_cursor *cur)
{
	struct drm_svm_prefetch *args = &cur->job->prefetch.args;
	struct svm_test_job *job = cur->job;
	int err;

	if (svm_test_job_move(job) == SVM_TEST_MOVE_NONE) {
		memset(args, 0, sizeof(*args));
		args->start = cur->cmd->dst;
		args->size = cur->cmd->size;
		args->location = cur->cmd->arg0;
		args->flags = cur->cmd->arg1;
		err = svm_test_queue_move(job);
		if (!err)
			return SVM_TEST_STEP_MOVE;
	} else {
		err = job->move_err;
	}

	job->move = SVM_TEST_MOVE_NONE;
	if (job->stop) {
		svm_test_job_fail(job, job->stop, svm_test_stop_errno(job->stop), 0);
	} else if (err) {
		svm_test_job_fail(job, move_status(err), err, cur->cmd->dst);
	} else {
		const u64 values[] = {
			args->out_moved, args->out_resident, args->out_busy,
			args->out_unsupported, args->out_no_space, args->out_failed,
			args->out_denied,
		};

		memcpy(cur->progress->value, values, sizeof(values));
		cur->progress->pos = cur->progress->total;
	}
	return SVM_TEST_STEP_MORE;
}

static enum svm_test_step cmd_unit(struct svm_test_cursor *cur)
{
	struct svm_test_progress *progress = cur->progress;
	struct svm_test_unit unit = {};
	int err;

	err = progress->op->unit(cur, progress->pos, &unit);
	if (err)
		return cmd_fail(cur, err);
	if (!unit_exec(cur, &unit))
		return cmd_miss(cur, &unit);
	if (cur->waits)
		return SVM_TEST_STEP_WAIT;
	if (progress->op->signals)
		svm_test_wait_wake(cur->job->vm->mm, cur->cmd->dst);
	if (!unit.partial)
		progress->pos = pos_after(progress, progress->pos, unit.len);
	return SVM_TEST_STEP_MORE;
}

/**
 * svm_test_cmd_step() - do the next thing of a job
 * @job: the job, with no miss noted
 * @mmu: MMU of the calling engine
 *
 * Return: whether there is more, the job has to wait, or it is over.
 */
enum svm_test_step svm_test_cmd_step(struct svm_test_job *job,
				     struct svm_test_mmu *mmu)
{
	struct svm_test_progress *progress = &job->progress;
	struct svm_test_cursor cur = {
		.job = job,
		.mmu = mmu,
		.cmd = job->stage == SVM_TEST_STAGE_CMDS ? &job->cmds[job->cmd] : &job->last,
		.progress = progress,
	};
	enum svm_test_step step;
	int err;

	if (job->stage == SVM_TEST_STAGE_OVER)
		return SVM_TEST_STEP_DONE;
	if (job->cmd == job->num_cmds && job->stage == SVM_TEST_STAGE_CMDS) {
		svm_test_job_next_stage(job);
		return SVM_TEST_STEP_MORE;
	}
	if (!progress->op) {
		err = cmd_begin(&cur);
		return err ? cmd_fail(&cur, err) : SVM_TEST_STEP_MORE;
	}
	if (!cmd_is_over(progress)) {
		step = progress->op->moves ? cmd_move(&cur) : cmd_unit(&cur);
		if (step != SVM_TEST_STEP_MORE)
			return step;
	}
	/* In the same step: a job that has executed its last command is not stopped in it. */
	while (progress->op && cmd_is_over(progress))
		cmd_next(&cur);
	return SVM_TEST_STEP_MORE;
}
