// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What each operation of drm_svm_test_cmd does: a row of the table and its
 * functions. See struct svm_test_op for who calls them, and svm_test_cmd.c for
 * how units are resumed.
 *
 * Memory is read and written with single accesses where the CPU may see them
 * in between: elements, pointers and indices are read once.
 */

#include <linux/align.h>
#include <linux/atomic.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include <drm/drm_svm.h>
#include <drm/drm_svm_test.h>

#include "svm_test_cmd.h"
#include "svm_test_gpusvm.h"
#include "svm_test_job.h"
#include "svm_test_vm.h"

/* Atomics of a unit: keeps access sections as short as a page of others */
#define ATOMICS_PER_UNIT	64

static u32 element_size(const struct drm_svm_test_cmd *cmd)
{
	return cmd->flags & DRM_SVM_TEST_CMD_64 ? sizeof(u64) : sizeof(u32);
}

static u64 element_read(const struct drm_svm_test_cmd *cmd, const void *ptr)
{
	if (cmd->flags & DRM_SVM_TEST_CMD_64)
		return READ_ONCE(*(const u64 *)ptr);
	return READ_ONCE(*(const u32 *)ptr);
}

static void element_write(const struct drm_svm_test_cmd *cmd, void *ptr,
			  u64 value)
{
	if (cmd->flags & DRM_SVM_TEST_CMD_64)
		WRITE_ONCE(*(u64 *)ptr, value);
	else
		WRITE_ONCE(*(u32 *)ptr, value);
}

static u64 page_left(u64 addr)
{
	return PAGE_SIZE - offset_in_page(addr);
}

static void unit_add(struct svm_test_unit *unit, u64 addr, u32 access)
{
	unit->acc[unit->n].addr = addr;
	unit->acc[unit->n].access = access;
	unit->n++;
}

/* The range of an array of elements of @size bytes */
static int check_array(struct svm_test_cursor *cur, u64 addr, u64 count, u32 size)
{
	u64 bytes;

	if (check_mul_overflow(count, size, &bytes))
		bytes = U64_MAX;
	return svm_test_cmd_check_range(cur, addr, bytes) ?:
	       IS_ALIGNED(addr, size) ? 0 : -EINVAL;
}

/* FILL */

static int fill_check(const struct drm_svm_test_cmd *cmd)
{
	return IS_ALIGNED(cmd->size, element_size(cmd)) ? 0 : -EINVAL;
}

static int fill_begin(struct svm_test_cursor *cur)
{
	const struct drm_svm_test_cmd *cmd = cur->cmd;
	u32 size = element_size(cmd);

	cur->progress->total = cmd->size;
	return check_array(cur, cmd->dst, cmd->size / size, size);
}

static int fill_unit(struct svm_test_cursor *cur, u64 pos,
		     struct svm_test_unit *unit)
{
	u64 addr = cur->cmd->dst + pos;

	unit_add(unit, addr, DRM_SVM_ACCESS_WRITE);
	unit->len = min(page_left(addr), cur->progress->total - pos);
	return 0;
}

static void fill_exec(struct svm_test_cursor *cur,
		      const struct svm_test_unit *unit)
{
	if (cur->cmd->flags & DRM_SVM_TEST_CMD_64)
		memset64(unit->acc[0].ptr, cur->cmd->arg0,
			 unit->len / sizeof(u64));
	else
		memset32(unit->acc[0].ptr, cur->cmd->arg0,
			 unit->len / sizeof(u32));
}

/* COPY, COMPARE */

static int pair_begin(struct svm_test_cursor *cur)
{
	const struct drm_svm_test_cmd *cmd = cur->cmd;

	cur->progress->total = cmd->size;
	/* Of COMPARE: the value when there is no difference */
	cur->progress->value[0] = cmd->size;
	return svm_test_cmd_check_range(cur, cmd->src, cmd->size) ?:
	       svm_test_cmd_check_range(cur, cmd->dst, cmd->size);
}

static void pair_unit(struct svm_test_cursor *cur, u64 pos, u32 dst_access,
		      struct svm_test_unit *unit)
{
	u64 src = cur->cmd->src + pos, dst = cur->cmd->dst + pos;

	unit_add(unit, src, DRM_SVM_ACCESS_READ);
	unit_add(unit, dst, dst_access);
	unit->len = min3(page_left(src), page_left(dst),
			 cur->progress->total - pos);
}

static int copy_unit(struct svm_test_cursor *cur, u64 pos,
		     struct svm_test_unit *unit)
{
	pair_unit(cur, pos, DRM_SVM_ACCESS_WRITE, unit);
	return 0;
}

static void copy_exec(struct svm_test_cursor *cur,
		      const struct svm_test_unit *unit)
{
	/* Operands that overlap break the rules, but not the kernel. */
	memmove(unit->acc[1].ptr, unit->acc[0].ptr, unit->len);
}

static int compare_unit(struct svm_test_cursor *cur, u64 pos,
			struct svm_test_unit *unit)
{
	pair_unit(cur, pos, DRM_SVM_ACCESS_READ, unit);
	return 0;
}

static void compare_exec(struct svm_test_cursor *cur,
			 const struct svm_test_unit *unit)
{
	const u8 *src = unit->acc[0].ptr, *dst = unit->acc[1].ptr;
	u64 i;

	if (!memcmp(dst, src, unit->len))
		return;
	/* If the CPU made them equal meanwhile there is no difference. */
	for (i = 0; i < unit->len; i++) {
		if (READ_ONCE(dst[i]) != READ_ONCE(src[i])) {
			cur->progress->value[0] = cur->progress->pos + i;
			cur->progress->stop = true;
			return;
		}
	}
}

/* TOUCH: the position is the offset of an element */

static int touch_check(const struct drm_svm_test_cmd *cmd)
{
	if (cmd->arg0 < element_size(cmd))
		return -EINVAL;
	if (cmd->arg1 && !(cmd->flags & DRM_SVM_TEST_CMD_WRITE))
		return -EINVAL;
	return 0;
}

static int touch_begin(struct svm_test_cursor *cur)
{
	const struct drm_svm_test_cmd *cmd = cur->cmd;
	u32 size = element_size(cmd);
	u64 last, bytes;

	cur->progress->total = cmd->size;
	if (!cmd->size)
		return 0;

	last = (cmd->size - 1) / cmd->arg0 * cmd->arg0;
	if (check_add_overflow(last, size, &bytes))
		bytes = U64_MAX;
	return svm_test_cmd_check_range(cur, cmd->dst, bytes) ?:
	       IS_ALIGNED(cmd->dst | (last ? cmd->arg0 : 0), size) ? 0 : -EINVAL;
}

/* Elements from @pos on that are in the same page */
static u64 touch_count(const struct svm_test_cursor *cur, u64 pos)
{
	u64 bytes = min(page_left(cur->cmd->dst + pos),
			cur->progress->total - pos);

	return (bytes - 1) / cur->cmd->arg0 + 1;
}

static int touch_unit(struct svm_test_cursor *cur, u64 pos,
		      struct svm_test_unit *unit)
{
	const struct drm_svm_test_cmd *cmd = cur->cmd;

	unit_add(unit, cmd->dst + pos, cmd->flags & DRM_SVM_TEST_CMD_WRITE ?
		 DRM_SVM_ACCESS_WRITE : DRM_SVM_ACCESS_READ);
	if (check_mul_overflow(touch_count(cur, pos), cmd->arg0, &unit->len))
		unit->len = U64_MAX;
	return 0;
}

static void touch_exec(struct svm_test_cursor *cur,
		       const struct svm_test_unit *unit)
{
	const struct drm_svm_test_cmd *cmd = cur->cmd;
	u64 n = touch_count(cur, cur->progress->pos);
	void *ptr = unit->acc[0].ptr;
	u64 sum = 0, i;

	for (i = 0; i < n; i++) {
		if (cmd->flags & DRM_SVM_TEST_CMD_WRITE)
			element_write(cmd, ptr + i * cmd->arg0, cmd->arg1);
		else
			sum += element_read(cmd, ptr + i * cmd->arg0);
	}
	cur->progress->value[0] += sum;
}

/* ATOMIC_ADD, ATOMIC_CMPXCHG */

static int atomic_begin(struct svm_test_cursor *cur, u64 total)
{
	u64 addr;

	cur->progress->total = total;
	if (!total)
		return 0;
	return svm_test_cmd_check_element(cur, cur->cmd->dst, 0,
					  element_size(cur->cmd), &addr);
}

static int add_begin(struct svm_test_cursor *cur)
{
	return atomic_begin(cur, cur->cmd->count);
}

static int cmpxchg_begin(struct svm_test_cursor *cur)
{
	return atomic_begin(cur, 1);
}

static int atomic_unit(struct svm_test_cursor *cur, u64 pos,
		       struct svm_test_unit *unit)
{
	unit_add(unit, cur->cmd->dst,
		 DRM_SVM_ACCESS_READ | DRM_SVM_ACCESS_WRITE);
	unit->len = min_t(u64, ATOMICS_PER_UNIT, cur->progress->total - pos);
	return 0;
}

static void add_exec(struct svm_test_cursor *cur, const struct svm_test_unit *unit)
{
	const struct drm_svm_test_cmd *cmd = cur->cmd;
	void *ptr = unit->acc[0].ptr;
	u64 old = 0, i;

	for (i = 0; i < unit->len; i++) {
		if (cmd->flags & DRM_SVM_TEST_CMD_64)
			old = atomic64_fetch_add(cmd->arg0, (atomic64_t *)ptr);
		else
			old = (u32)atomic_fetch_add(cmd->arg0, (atomic_t *)ptr);
	}
	cur->progress->value[0] = old;
}

static void cmpxchg_exec(struct svm_test_cursor *cur,
			 const struct svm_test_unit *unit)
{
	const struct drm_svm_test_cmd *cmd = cur->cmd;
	void *ptr = unit->acc[0].ptr;

	if (cmd->flags & DRM_SVM_TEST_CMD_64)
		cur->progress->value[0] =
			cmpxchg((u64 *)ptr, cmd->arg0, cmd->arg1);
	else
		cur->progress->value[0] =
			cmpxchg((u32 *)ptr, (u32)cmd->arg0, (u32)cmd->arg1);
}

/* CHASE: the position is the number of nodes visited */

static int chase_begin(struct svm_test_cursor *cur)
{
	cur->progress->total = cur->cmd->count;
	cur->progress->node = cur->cmd->src;
	cur->progress->stop = !cur->cmd->src;
	return 0;
}

static int chase_unit(struct svm_test_cursor *cur, u64 pos,
		      struct svm_test_unit *unit)
{
	const struct drm_svm_test_cmd *cmd = cur->cmd;
	u64 node = cur->progress->node, next, value;
	int err;

	err = svm_test_cmd_check_element(cur, node, cmd->arg0, sizeof(u64),
					 &next);
	if (!err)
		err = svm_test_cmd_check_element(cur, node, cmd->arg1,
						 element_size(cmd), &value);
	if (err)
		return err;

	unit_add(unit, next, DRM_SVM_ACCESS_READ);
	unit_add(unit, value, DRM_SVM_ACCESS_READ);
	unit->len = 1;
	return 0;
}

static void chase_exec(struct svm_test_cursor *cur,
		       const struct svm_test_unit *unit)
{
	struct svm_test_progress *progress = cur->progress;

	progress->value[0] += element_read(cur->cmd, unit->acc[1].ptr);
	progress->value[1]++;
	progress->node = READ_ONCE(*(const u64 *)unit->acc[0].ptr);
	progress->stop = !progress->node;
}

/* GATHER, SCATTER: one of @cmd's arrays is linear, the other is indexed */

static int indexed_begin(struct svm_test_cursor *cur, u64 linear, u64 indexed)
{
	const struct drm_svm_test_cmd *cmd = cur->cmd;
	u32 size = element_size(cmd);

	cur->progress->total = cmd->count;
	if (!IS_ALIGNED(indexed, size))
		return -EINVAL;
	return check_array(cur, cmd->arg0, cmd->count, sizeof(u32)) ?:
	       check_array(cur, linear, cmd->count, size);
}

static int gather_begin(struct svm_test_cursor *cur)
{
	return indexed_begin(cur, cur->cmd->dst, cur->cmd->src);
}

static int scatter_begin(struct svm_test_cursor *cur)
{
	return indexed_begin(cur, cur->cmd->src, cur->cmd->dst);
}

/* One element. Without its index there is only the index to ask for. */
static int indexed_unit(struct svm_test_cursor *cur, u64 pos,
			struct svm_test_unit *unit)
{
	const struct drm_svm_test_cmd *cmd = cur->cmd;
	bool gather = cmd->op == DRM_SVM_TEST_OP_GATHER;
	u64 index_addr = cmd->arg0 + pos * sizeof(u32);
	u64 src = cmd->src, dst = cmd->dst;
	u32 size = element_size(cmd), index;
	int err;

	unit->len = 1;
	if (!svm_test_cmd_read_u32(cur, index_addr, &index)) {
		unit_add(unit, index_addr, DRM_SVM_ACCESS_READ);
		unit->partial = true;
		return 0;
	}

	err = svm_test_cmd_check_element(cur, src,
					 (gather ? index : pos) * size, size,
					 &src);
	if (!err)
		err = svm_test_cmd_check_element(cur, dst,
						 (gather ? pos : index) * size,
						 size, &dst);
	if (err)
		return err;

	unit_add(unit, src, DRM_SVM_ACCESS_READ);
	unit_add(unit, dst, DRM_SVM_ACCESS_WRITE);
	return 0;
}

static void indexed_exec(struct svm_test_cursor *cur,
			 const struct svm_test_unit *unit)
{
	element_write(cur->cmd, unit->acc[1].ptr,
		      element_read(cur->cmd, unit->acc[0].ptr));
}

/* TIMESTAMP: no unit, only a value */

static int timestamp_begin(struct svm_test_cursor *cur)
{
	cur->progress->value[0] = ktime_get_ns();
	return 0;
}

/* WAIT and SIGNAL: one has @src, the other @dst */

static u64 fence_addr(const struct drm_svm_test_cmd *cmd)
{
	return cmd->op == DRM_SVM_TEST_OP_WAIT ? cmd->src : cmd->dst;
}

static int fence_check(const struct drm_svm_test_cmd *cmd)
{
	return IS_ALIGNED(fence_addr(cmd), sizeof(u64)) ? 0 : -EINVAL;
}

static int fence_begin(struct svm_test_cursor *cur)
{
	cur->progress->total = 1;
	return svm_test_cmd_check_range(cur, fence_addr(cur->cmd), sizeof(u64));
}

static int wait_unit(struct svm_test_cursor *cur, u64 pos, struct svm_test_unit *unit)
{
	unit_add(unit, cur->cmd->src, DRM_SVM_ACCESS_READ);
	unit->len = 1;
	return 0;
}

static void wait_exec(struct svm_test_cursor *cur, const struct svm_test_unit *unit)
{
	/* Acquire, for what the job reads next: a job that signals writes the fence last. */
	cur->waits = smp_load_acquire((u64 *)unit->acc[0].ptr) < cur->cmd->arg0;
}

static int signal_unit(struct svm_test_cursor *cur, u64 pos, struct svm_test_unit *unit)
{
	unit_add(unit, cur->cmd->dst, DRM_SVM_ACCESS_WRITE);
	unit->len = 1;
	return 0;
}

static void signal_exec(struct svm_test_cursor *cur, const struct svm_test_unit *unit)
{
	/* After all that the job wrote before */
	smp_store_release((u64 *)unit->acc[0].ptr, cur->cmd->arg0);
}

/* PREFETCH: no unit, but values */

static int prefetch_check(const struct drm_svm_test_cmd *cmd)
{
	if (!cmd->size || !PAGE_ALIGNED(cmd->dst | cmd->size) ||
	    cmd->arg1 & ~(u64)DRM_SVM_PREFETCH_COUNT_DENIED)
		return -EINVAL;
	return cmd->arg0 == DRM_SVM_LOCATION_VRAM ||
	       cmd->arg0 == DRM_SVM_LOCATION_SYSTEM ? 0 : -EINVAL;
}

static int prefetch_begin(struct svm_test_cursor *cur)
{
	cur->progress->total = 1;
	/* The second manager moves memory in an ioctl alone. */
	if (svm_test_on_gpusvm(cur->job->vm->gpu))
		return -EOPNOTSUPP;
	return svm_test_cmd_check_range(cur, cur->cmd->dst, cur->cmd->size);
}

/* The report of a job, which is no command of its own */

static int report_begin(struct svm_test_cursor *cur)
{
	cur->progress->total = 1;
	return svm_test_cmd_check_range(cur, cur->cmd->dst,
					sizeof(struct drm_svm_test_report));
}

static void report_exec(struct svm_test_cursor *cur, const struct svm_test_unit *unit)
{
	struct svm_test_job *job = cur->job;
	const struct drm_svm_test_report report = {
		.job = job->id,
		.addr = job->addr,
		.status = job->status ?: DRM_SVM_TEST_STATUS_OK,
		.error = -job->err,
		.cmd = job->cmd,
	};

	memcpy(unit->acc[0].ptr, &report, sizeof(report));
}

const struct svm_test_op svm_test_report_op = {
	.begin = report_begin,
	.unit = signal_unit,
	.exec = report_exec,
};

#define FIELDS2(a, b)	(SVM_TEST_FIELD_##a | SVM_TEST_FIELD_##b)
#define FIELDS3(a, b, c)	(FIELDS2(a, b) | SVM_TEST_FIELD_##c)
#define FIELDS4(a, b, c, d)	(FIELDS2(a, b) | FIELDS2(c, d))
#define FIELDS5(a, b, c, d, e)	(FIELDS3(a, b, c) | FIELDS2(d, e))

static const struct svm_test_op ops[] = {
	[DRM_SVM_TEST_OP_FILL] = {
		.buffers = true,
		.flags = DRM_SVM_TEST_CMD_64,
		.fields = FIELDS3(DST, SIZE, ARG0),
		.elements = SVM_TEST_FIELD_ARG0,
		.ahead = true,
		.check = fill_check,
		.begin = fill_begin,
		.unit = fill_unit,
		.exec = fill_exec,
	},
	[DRM_SVM_TEST_OP_COPY] = {
		.buffers = true,
		.fields = FIELDS3(DST, SRC, SIZE),
		.ahead = true,
		.begin = pair_begin,
		.unit = copy_unit,
		.exec = copy_exec,
	},
	[DRM_SVM_TEST_OP_COMPARE] = {
		.buffers = true,
		.fields = FIELDS4(DST, SRC, SIZE, RESULT),
		.values = 1,
		.ahead = true,
		.begin = pair_begin,
		.unit = compare_unit,
		.exec = compare_exec,
	},
	[DRM_SVM_TEST_OP_TOUCH] = {
		.buffers = true,
		.flags = DRM_SVM_TEST_CMD_64 | DRM_SVM_TEST_CMD_WRITE,
		.fields = FIELDS5(DST, SIZE, ARG0, ARG1, RESULT),
		.elements = SVM_TEST_FIELD_ARG1,
		.values = 1,
		.ahead = true,
		.check = touch_check,
		.begin = touch_begin,
		.unit = touch_unit,
		.exec = touch_exec,
	},
	[DRM_SVM_TEST_OP_ATOMIC_ADD] = {
		.buffers = true,
		.flags = DRM_SVM_TEST_CMD_64,
		.fields = FIELDS4(DST, COUNT, ARG0, RESULT),
		.elements = SVM_TEST_FIELD_ARG0,
		.values = 1,
		.signals = true,
		.begin = add_begin,
		.unit = atomic_unit,
		.exec = add_exec,
	},
	[DRM_SVM_TEST_OP_ATOMIC_CMPXCHG] = {
		.buffers = true,
		.flags = DRM_SVM_TEST_CMD_64,
		.fields = FIELDS4(DST, ARG0, ARG1, RESULT),
		.elements = FIELDS2(ARG0, ARG1),
		.values = 1,
		.signals = true,
		.begin = cmpxchg_begin,
		.unit = atomic_unit,
		.exec = cmpxchg_exec,
	},
	[DRM_SVM_TEST_OP_CHASE] = {
		.flags = DRM_SVM_TEST_CMD_64,
		.fields = FIELDS5(SRC, COUNT, ARG0, ARG1, RESULT),
		.values = 2,
		.begin = chase_begin,
		.unit = chase_unit,
		.exec = chase_exec,
	},
	[DRM_SVM_TEST_OP_GATHER] = {
		.flags = DRM_SVM_TEST_CMD_64,
		.fields = FIELDS4(DST, SRC, COUNT, ARG0),
		.ahead = true,
		.begin = gather_begin,
		.unit = indexed_unit,
		.exec = indexed_exec,
	},
	[DRM_SVM_TEST_OP_SCATTER] = {
		.flags = DRM_SVM_TEST_CMD_64,
		.fields = FIELDS4(DST, SRC, COUNT, ARG0),
		.ahead = true,
		.begin = scatter_begin,
		.unit = indexed_unit,
		.exec = indexed_exec,
	},
	[DRM_SVM_TEST_OP_TIMESTAMP] = {
		.buffers = true,
		.fields = SVM_TEST_FIELD_RESULT,
		.values = 1,
		.begin = timestamp_begin,
	},
	[DRM_SVM_TEST_OP_WAIT] = {
		.fields = FIELDS2(SRC, ARG0),
		.check = fence_check,
		.begin = fence_begin,
		.unit = wait_unit,
		.exec = wait_exec,
	},
	[DRM_SVM_TEST_OP_SIGNAL] = {
		.fields = FIELDS2(DST, ARG0),
		.signals = true,
		.check = fence_check,
		.begin = fence_begin,
		.unit = signal_unit,
		.exec = signal_exec,
	},
	[DRM_SVM_TEST_OP_PREFETCH] = {
		.fields = FIELDS5(DST, SIZE, ARG0, ARG1, RESULT),
		.values = 7,
		.moves = true,
		.check = prefetch_check,
		.begin = prefetch_begin,
	},
};

/**
 * svm_test_op_find() - look up an operation
 * @op: enum drm_svm_test_op, from user space
 *
 * Return: the operation, or NULL when there is none of that number.
 */
const struct svm_test_op *svm_test_op_find(u32 op)
{
	if (op >= ARRAY_SIZE(ops))
		return NULL;
	op = array_index_nospec(op, ARRAY_SIZE(ops));
	return ops[op].begin ? &ops[op] : NULL;
}
