// SPDX-License-Identifier: MIT
/*
 * The generator of svm_fuzz: a table of the ioctls, their fields and their errors. Each
 * field gets a value that is good, and some a value from the border of what is good.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_fuzz.h"
#include "svm_job.h"
#include "svm_lib.h"

enum kind {
	FLAGS,		/* .known: the bits that have a meaning */
	PAD,
	OUT,
	ADDR,		/* the first of some pages */
	SIZE,
	OUT_PTR,
	NUM_COUNTERS,
	NUM_EVENTS,
	NUM_RUNS,
	IN_SYNCS,
	OUT_SYNCS,
	NUM_SYNCS,
	CMDS_PTR,
	NUM_CMDS,
	LOCATION,
	ENGINE,
	ENGINE_CLASS,
	PRIORITY,
	QUEUE,
	LIMIT,
	VM,
	FENCE_ADDR,
	FENCE_VALUE,
	REPORT,
	FENCES_PTR,
	NUM_FENCES,
	EVENTFD,
	JOB,
	TIMEOUT,
	HANDLE,
	BO_ADDR,
	BO_SIZE,
	BO_OFFSET,
};

struct field {
	uint16_t offset, size;
	enum kind kind;
	uint32_t known;
};

#define MAX_FIELDS	14
#define MAX_ERRORS	14

struct fuzz_call {
	const char *name;
	unsigned long request;
	struct field fields[MAX_FIELDS];
	int errors[MAX_ERRORS];
	bool shares;	/* not for a file that is not attached */
};

#define FIELD(type, member, kind, ...) \
	{ offsetof(struct type, member), sizeof(((struct type *)0)->member), kind, ##__VA_ARGS__ }
#define OUTPUTS(type, from) \
	{ offsetof(struct type, from), sizeof(struct type) - offsetof(struct type, from), OUT }

static const struct fuzz_call calls[] = {
	{ "attach", DRM_IOCTL_SVM_TEST_ATTACH, {
		FIELD(drm_svm_attach, flags, FLAGS),
		FIELD(drm_svm_attach, pad, PAD),
		OUTPUTS(drm_svm_attach, out_va_start),
	}, { EINVAL, EEXIST, ENOMEM } },
	{ "query", DRM_IOCTL_SVM_TEST_QUERY, {
		FIELD(drm_svm_query, start, ADDR),
		FIELD(drm_svm_query, size, SIZE),
		FIELD(drm_svm_query, pages, OUT_PTR),
		FIELD(drm_svm_query, flags, FLAGS, DRM_SVM_QUERY_RESIDENCE |
		      DRM_SVM_QUERY_DETAILS | DRM_SVM_QUERY_RUNS),
		FIELD(drm_svm_query, pad, PAD),
		FIELD(drm_svm_query, count, NUM_RUNS),
		OUTPUTS(drm_svm_query, out_count),
	}, { EINVAL, EFAULT, ENOMEM, EINTR }, true },
	{ "counters", DRM_IOCTL_SVM_TEST_COUNTERS, {
		FIELD(drm_svm_counters, flags, FLAGS),
		FIELD(drm_svm_counters, count, NUM_COUNTERS),
		FIELD(drm_svm_counters, values, OUT_PTR),
		FIELD(drm_svm_counters, out_count, OUT),
		FIELD(drm_svm_counters, pad, PAD),
	}, { EINVAL, EFAULT }, true },
	{ "info", DRM_IOCTL_SVM_TEST_INFO, {
		FIELD(drm_svm_test_info, flags, FLAGS),
		FIELD(drm_svm_test_info, pad, PAD),
		OUTPUTS(drm_svm_test_info, out_index),
	}, { EINVAL } },
	{ "submit", DRM_IOCTL_SVM_TEST_SUBMIT, {
		FIELD(drm_svm_test_submit, cmds, CMDS_PTR),
		FIELD(drm_svm_test_submit, num_cmds, NUM_CMDS),
		FIELD(drm_svm_test_submit, queue, QUEUE),
		FIELD(drm_svm_test_submit, in_syncs, IN_SYNCS),
		FIELD(drm_svm_test_submit, out_syncs, OUT_SYNCS),
		FIELD(drm_svm_test_submit, num_in_syncs, NUM_SYNCS),
		FIELD(drm_svm_test_submit, num_out_syncs, NUM_SYNCS),
		FIELD(drm_svm_test_submit, flags, FLAGS,
		      DRM_SVM_TEST_SUBMIT_NO_RESULT | DRM_SVM_TEST_SUBMIT_EVENTFD),
		FIELD(drm_svm_test_submit, eventfd, EVENTFD),
		FIELD(drm_svm_test_submit, signal.addr, FENCE_ADDR),
		FIELD(drm_svm_test_submit, signal.value, FENCE_VALUE),
		FIELD(drm_svm_test_submit, report, REPORT),
		FIELD(drm_svm_test_submit, out_job, OUT),
	}, { EINVAL, EBADF, EFAULT, ENOENT, EBUSY, ENOMEM, EINTR }, true },
	{ "wait", DRM_IOCTL_SVM_TEST_WAIT, {
		FIELD(drm_svm_test_wait, job, JOB),
		FIELD(drm_svm_test_wait, timeout, TIMEOUT),
		FIELD(drm_svm_test_wait, flags, FLAGS),
		OUTPUTS(drm_svm_test_wait, out_status),
	}, { EINVAL, EBADF, ETIME, EINTR } },
	{ "bo_create", DRM_IOCTL_SVM_TEST_BO_CREATE, {
		FIELD(drm_svm_test_bo_create, size, BO_SIZE),
		FIELD(drm_svm_test_bo_create, flags, FLAGS, DRM_SVM_TEST_BO_VRAM),
		FIELD(drm_svm_test_bo_create, out_handle, OUT),
	}, { EINVAL, ENOMEM, EINTR } },
	{ "bo_mmap", DRM_IOCTL_SVM_TEST_BO_MMAP, {
		FIELD(drm_svm_test_bo_mmap, handle, HANDLE),
		FIELD(drm_svm_test_bo_mmap, flags, FLAGS),
		FIELD(drm_svm_test_bo_mmap, out_offset, OUT),
	}, { EINVAL, EBADF } },
	{ "bo_bind", DRM_IOCTL_SVM_TEST_BO_BIND, {
		FIELD(drm_svm_test_bo_bind, addr, BO_ADDR),
		FIELD(drm_svm_test_bo_bind, size, BO_SIZE),
		FIELD(drm_svm_test_bo_bind, offset, BO_OFFSET),
		FIELD(drm_svm_test_bo_bind, handle, HANDLE),
		FIELD(drm_svm_test_bo_bind, flags, FLAGS),
	}, { EINVAL, EBADF, EEXIST, ENOMEM, EINTR } },
	{ "bo_unbind", DRM_IOCTL_SVM_TEST_BO_UNBIND, {
		FIELD(drm_svm_test_bo_unbind, addr, BO_ADDR),
		FIELD(drm_svm_test_bo_unbind, size, BO_SIZE),
		FIELD(drm_svm_test_bo_unbind, flags, FLAGS),
		FIELD(drm_svm_test_bo_unbind, pad, PAD),
	}, { EINVAL, ENOENT, ENOMEM, EINTR } },
	{ "prefetch", DRM_IOCTL_SVM_TEST_PREFETCH, {
		FIELD(drm_svm_prefetch, start, ADDR),
		FIELD(drm_svm_prefetch, size, SIZE),
		FIELD(drm_svm_prefetch, location, LOCATION),
		FIELD(drm_svm_prefetch, flags, FLAGS, DRM_SVM_PREFETCH_COUNT_DENIED),
		OUTPUTS(drm_svm_prefetch, out_moved),
		/* no counts of ours fit to any */
		FIELD(drm_svm_prefetch, progress, PAD),
		FIELD(drm_svm_prefetch, out_denied, OUT),
	}, { EINVAL, ENOENT, ENOSPC, ENOMEM, EINTR }, true },
	{ "vm", DRM_IOCTL_SVM_TEST_VM, {
		FIELD(drm_svm_test_vm, vm, VM),
		FIELD(drm_svm_test_vm, flags, FLAGS),
		FIELD(drm_svm_test_vm, pad, PAD),
		FIELD(drm_svm_test_vm, out_vm, OUT),
	}, { EINVAL, EBADF, ENXIO, EEXIST, EPERM } },
	{ "queue_create", DRM_IOCTL_SVM_TEST_QUEUE_CREATE, {
		FIELD(drm_svm_test_queue_create, engine_class, ENGINE_CLASS),
		FIELD(drm_svm_test_queue_create, engine, ENGINE),
		FIELD(drm_svm_test_queue_create, priority, PRIORITY),
		FIELD(drm_svm_test_queue_create, flags, FLAGS),
		FIELD(drm_svm_test_queue_create, time_limit_ns, LIMIT),
		FIELD(drm_svm_test_queue_create, out_queue, OUT),
		FIELD(drm_svm_test_queue_create, pad, PAD),
	}, { EINVAL, EBUSY, ENOMEM } },
	{ "queue_destroy", DRM_IOCTL_SVM_TEST_QUEUE_DESTROY, {
		FIELD(drm_svm_test_queue_destroy, queue, QUEUE),
		FIELD(drm_svm_test_queue_destroy, flags, FLAGS),
	}, { EINVAL, EBADF } },
	{ "cancel", DRM_IOCTL_SVM_TEST_CANCEL, {
		FIELD(drm_svm_test_cancel, job, JOB),
		FIELD(drm_svm_test_cancel, queue, QUEUE),
		FIELD(drm_svm_test_cancel, flags, FLAGS, DRM_SVM_TEST_CANCEL_FORCE),
	}, { EINVAL, EBADF } },
	{ "fence_wait", DRM_IOCTL_SVM_TEST_FENCE_WAIT, {
		FIELD(drm_svm_test_fence_wait, fences, FENCES_PTR),
		FIELD(drm_svm_test_fence_wait, count, NUM_FENCES),
		FIELD(drm_svm_test_fence_wait, flags, FLAGS, DRM_SVM_TEST_FENCE_WAIT_ANY),
		FIELD(drm_svm_test_fence_wait, timeout, TIMEOUT),
		FIELD(drm_svm_test_fence_wait, out_first, OUT),
		FIELD(drm_svm_test_fence_wait, pad, PAD),
	}, { EINVAL, EFAULT, ENOMEM, ETIME, EINTR }, true },
	{ "events", DRM_IOCTL_SVM_TEST_EVENTS, {
		FIELD(drm_svm_events, flags, FLAGS),
		FIELD(drm_svm_events, entries, NUM_EVENTS),
		OUTPUTS(drm_svm_events, out_fd),
	}, { EINVAL, EMFILE, ENOMEM }, true },
	{ "vram_info", DRM_IOCTL_SVM_TEST_VRAM_INFO, {
		FIELD(drm_svm_vram_info, flags, FLAGS),
		FIELD(drm_svm_vram_info, pad, PAD),
		OUTPUTS(drm_svm_vram_info, out_size),
	}, { EINVAL } },
};

#define SUBMIT	(&calls[4])

static const int job_errors[] = {
	EINVAL, ENOENT, EACCES, EFAULT, EOPNOTSUPP, ENOMEM, ECANCELED, ETIME,
};

/* Values */

static uint64_t below(struct fuzz_gen *gen, uint64_t n)
{
	return svm_rng_below(&gen->rng, n);
}

static bool one_in(struct fuzz_gen *gen, uint64_t n)
{
	return svm_rng_one_in(&gen->rng, n);
}

static uint64_t random_page(struct fuzz_gen *gen)
{
	return client_ptr(gen->place.base) +
	       below(gen, gen->place.size / svm_page_size()) * svm_page_size();
}

/* What is not even near the place, and not of the process either */
static uint64_t odd_addr(struct fuzz_gen *gen)
{
	const struct fuzz_place *place = &gen->place;
	uint64_t page = svm_page_size(), end = gen->file.va_end;
	const uint64_t odd[] = {
		0, 1, page, client_ptr(place->base) - 1, client_ptr(place->base) - 64 * page,
		client_ptr(place->base) + place->size, client_ptr(place->base) + place->size - 1,
		client_ptr(place->base) + place->size + 64 * page, client_ptr(place->base) / 2,
		end - page, end - 1, end, end + page, gen->file.info.out_bo_start - 8,
		gen->file.info.out_bo_start, (1ull << gen->file.info.out_va_bits) - 4,
		1ull << gen->file.info.out_va_bits, 0xffff888000000000ull,
		0x8000000000000000ull, -page, -1ull,
	};

	return svm_rng_of(&gen->rng, odd);
}

static uint64_t border(struct fuzz_gen *gen, uint64_t value)
{
	uint64_t page = svm_page_size();
	const uint64_t values[] = {
		0, 1, value - 1, value + 1, value ^ 1ull << below(gen, 64), value + page,
		page - 1, page + 1, INT32_MAX, UINT32_MAX, 1ull << 32, INT64_MAX,
		1ull << 63, -page, UINT64_MAX - 1, UINT64_MAX, svm_rng_next(&gen->rng),
	};

	return svm_rng_of(&gen->rng, values);
}

static uint64_t random_size(struct fuzz_gen *gen)
{
	static const uint64_t pages[] = { 1, 2, 16, 17, 64, 512, 513 };

	return (1 + below(gen, svm_rng_of(&gen->rng, pages))) * svm_page_size();
}

/* Commands */

/* So much is bound from the start, at the first address for buffer objects. */
static uint64_t prepared_size(void)
{
	return svm_range_size() / 4;
}

/* Of a page: its first or last bytes, or any */
static uint64_t cmd_addr(struct fuzz_gen *gen)
{
	static const int offsets[] = { 0, 0, 0, 8, 4, -4, -8, -1, 1, 2044 };

	if (gen->buffers && !one_in(gen, 24))
		return gen->file.info.out_bo_start + below(gen, prepared_size() / 8) * 8;
	if (one_in(gen, 12))
		return odd_addr(gen);
	if (one_in(gen, 10))
		return gen->file.info.out_bo_start + below(gen, 1024) * svm_page_size();
	return random_page(gen) + svm_rng_of(&gen->rng, offsets);
}

/* Mostly short, or jobs would take all the time there is */
static uint64_t cmd_size(struct fuzz_gen *gen)
{
	if (one_in(gen, 20))
		return border(gen, 64);
	if (one_in(gen, 3))
		return random_size(gen) / 2;
	return below(gen, 64) * 4;
}

static uint64_t cmd_count(struct fuzz_gen *gen)
{
	return one_in(gen, 60) ? border(gen, 64) : below(gen, 100);
}

static uint64_t cmd_value(struct fuzz_gen *gen)
{
	return one_in(gen, 10) ? border(gen, 8) : below(gen, UINT32_MAX);
}

static struct drm_svm_test_cmd cmd_elements(struct fuzz_gen *gen, uint32_t op)
{
	struct drm_svm_test_cmd cmd = {
		.op = op,
		.flags = below(gen, 2) * DRM_SVM_TEST_CMD_64,
		.dst = cmd_addr(gen),
		.src = cmd_addr(gen),
		.count = cmd_count(gen),
		.arg0 = one_in(gen, 10) ? cmd_value(gen) : cmd_addr(gen),
	};

	return cmd;
}

static uint32_t cmd_op(struct fuzz_gen *gen)
{
	static const uint32_t of_buffers[] = {
		DRM_SVM_TEST_OP_FILL, DRM_SVM_TEST_OP_COPY, DRM_SVM_TEST_OP_COMPARE,
		DRM_SVM_TEST_OP_TOUCH, DRM_SVM_TEST_OP_ATOMIC_ADD,
		DRM_SVM_TEST_OP_ATOMIC_CMPXCHG, DRM_SVM_TEST_OP_TIMESTAMP,
	};

	if (gen->buffers && !one_in(gen, 32))
		return svm_rng_of(&gen->rng, of_buffers);
	return 1 + below(gen, DRM_SVM_TEST_OP_PREFETCH);
}

/* One that is well formed, whatever its addresses are */
static struct drm_svm_test_cmd make_cmd(struct fuzz_gen *gen)
{
	struct drm_svm_test_cmd cmd = {
		.op = cmd_op(gen),
		.dst = cmd_addr(gen),
		.size = cmd_size(gen),
	};

	switch (cmd.op) {
	case DRM_SVM_TEST_OP_FILL:
		cmd.arg0 = below(gen, UINT32_MAX);
		break;
	case DRM_SVM_TEST_OP_COPY:
	case DRM_SVM_TEST_OP_COMPARE:
		cmd.src = cmd_addr(gen);
		break;
	case DRM_SVM_TEST_OP_TOUCH:
		cmd.flags = below(gen, 2) * DRM_SVM_TEST_CMD_WRITE;
		cmd.arg0 = one_in(gen, 2) ? svm_page_size() : 4 + below(gen, 8192);
		break;
	case DRM_SVM_TEST_OP_ATOMIC_ADD:
		cmd = cmd_elements(gen, cmd.op);
		cmd.src = 0;
		cmd.arg0 = below(gen, UINT32_MAX);
		break;
	case DRM_SVM_TEST_OP_ATOMIC_CMPXCHG:
		cmd.size = 0;
		cmd.arg1 = cmd_value(gen);
		break;
	case DRM_SVM_TEST_OP_CHASE:
		cmd = cmd_elements(gen, cmd.op);
		cmd.dst = 0;
		cmd.arg0 = below(gen, 4) * 8;
		cmd.arg1 = cmd.arg0 + 8;
		break;
	case DRM_SVM_TEST_OP_GATHER:
	case DRM_SVM_TEST_OP_SCATTER:
		cmd = cmd_elements(gen, cmd.op);
		break;
	case DRM_SVM_TEST_OP_WAIT:
		/* most of them end at once, for their queue does not go on before */
		cmd.src = cmd.dst & ~7ull;
		cmd.dst = 0;
		cmd.size = 0;
		cmd.arg0 = one_in(gen, 10) ? cmd_value(gen) : 0;
		break;
	case DRM_SVM_TEST_OP_PREFETCH:
		cmd.dst &= -svm_page_size();
		cmd.size = random_size(gen);
		cmd.arg0 = one_in(gen, 2) ? DRM_SVM_LOCATION_SYSTEM : DRM_SVM_LOCATION_VRAM;
		cmd.arg1 = one_in(gen, 2) ? DRM_SVM_PREFETCH_COUNT_DENIED : 0;
		cmd.result = one_in(gen, 2) ? cmd_addr(gen) & ~7ull : 0;
		break;
	case DRM_SVM_TEST_OP_SIGNAL:
		cmd.dst &= ~7ull;
		cmd.size = 0;
		cmd.arg0 = cmd_value(gen);
		break;
	default:
		cmd.dst = 0;
		cmd.size = 0;
	}
	if (cmd.op >= DRM_SVM_TEST_OP_COMPARE && cmd.op < DRM_SVM_TEST_OP_GATHER)
		cmd.result = one_in(gen, 2) ? cmd_addr(gen) & ~7ull : 0;
	return cmd;
}

static void spoil_cmd(struct fuzz_gen *gen, struct drm_svm_test_cmd *cmd)
{
	__u64 *const fields[] = {
		&cmd->dst, &cmd->src, &cmd->size, &cmd->count, &cmd->arg0, &cmd->arg1,
		&cmd->result,
	};

	if (one_in(gen, 4))
		cmd->flags ^= 1u << below(gen, 32);
	else if (one_in(gen, 4))
		cmd->op = border(gen, cmd->op);
	else
		*svm_rng_of(&gen->rng, fields) = border(gen, cmd->dst);
}

static void make_cmds(struct fuzz_gen *gen)
{
	for (int i = 0; i < FUZZ_CMDS; i++)
		gen->cmds[i] = make_cmd(gen);
	if (one_in(gen, 4))
		spoil_cmd(gen, &gen->cmds[below(gen, FUZZ_CMDS)]);
}

/* Syncobjs */

static struct drm_svm_test_sync make_sync(struct fuzz_gen *gen, bool in)
{
	unsigned int i = below(gen, FUZZ_SYNCS);
	struct drm_svm_test_sync sync = { .handle = gen->file.syncs[i] };

	if (i & 1) {
		sync.flags = DRM_SVM_TEST_SYNC_TIMELINE;
		sync.point = in ? 1 + below(gen, 4) : 1 + below(gen, 1000);
	}
	if (!one_in(gen, 16))
		return sync;
	if (one_in(gen, 2))
		sync.handle = border(gen, sync.handle);
	else if (one_in(gen, 2))
		sync.flags = border(gen, sync.flags);
	else
		sync.point = border(gen, sync.point);
	return sync;
}

static uint64_t make_syncs(struct fuzz_gen *gen, bool in)
{
	struct drm_svm_test_sync *syncs = in ? gen->in : gen->out;

	for (int i = 0; i < FUZZ_SYNCS; i++)
		syncs[i] = make_sync(gen, in);
	return client_ptr(syncs);
}

/* User fences */

static uint64_t fence_addr(struct fuzz_gen *gen)
{
	return cmd_addr(gen) & ~7ull;
}

static uint64_t make_fences(struct fuzz_gen *gen)
{
	for (int i = 0; i < FUZZ_SYNCS; i++) {
		gen->fences[i].addr = one_in(gen, 16) ? cmd_addr(gen) : fence_addr(gen);
		gen->fences[i].value = one_in(gen, 4) ? cmd_value(gen) : 0;
	}
	return client_ptr(gen->fences);
}

static uint64_t random_queue(struct fuzz_gen *gen)
{
	if (gen->buffers ? !one_in(gen, 8) : one_in(gen, 16))
		return gen->file.buffer_queues[below(gen, FUZZ_QUEUES)];
	if (one_in(gen, 2))
		return gen->file.queues[below(gen, FUZZ_QUEUES)];
	return one_in(gen, 2) ? DRM_SVM_TEST_QUEUE_ANY : below(gen, gen->file.info.out_engines);
}

/* A job on buffer objects may have neither a user fence nor a report. */
static bool has_memory(struct fuzz_gen *gen)
{
	return one_in(gen, gen->buffers ? 16 : 2);
}

/* Fields */

static uint64_t timeout(struct fuzz_gen *gen)
{
	if (one_in(gen, 4))
		return 0;
	return (svm_now_ms() + below(gen, 50)) * NSEC_PER_MSEC;
}

static uint64_t good(struct fuzz_gen *gen, const struct field *field)
{
	switch (field->kind) {
	case FLAGS:
		return svm_rng_next(&gen->rng) & field->known;
	case PAD:
		return 0;
	case OUT:
		return svm_rng_next(&gen->rng);
	case ADDR:
		return random_page(gen);
	case SIZE:
		return random_size(gen);
	case OUT_PTR:
		return client_ptr(gen->place.out);
	case NUM_COUNTERS:
		return below(gen, 2 * DRM_SVM_COUNTER_NUM);
	case NUM_EVENTS:
		return 1 + below(gen, 64);
	case NUM_RUNS:
		/* wrong for half of the flags */
		return one_in(gen, 2) ? 0 : 1 + below(gen, one_in(gen, 2) ? 4 : 1000);
	case IN_SYNCS:
		return make_syncs(gen, true);
	case OUT_SYNCS:
		return make_syncs(gen, false);
	case NUM_SYNCS:
		return one_in(gen, gen->buffers ? 2 : 16) ? below(gen, FUZZ_SYNCS + 1) : 0;
	case CMDS_PTR:
		make_cmds(gen);
		return client_ptr(gen->cmds);
	case NUM_CMDS:
		/* one that is refused is enough to have all of them refused */
		return 1 + below(gen, gen->buffers ? 4 : FUZZ_CMDS);
	case LOCATION:
		return one_in(gen, 3) ? DRM_SVM_LOCATION_SYSTEM : DRM_SVM_LOCATION_VRAM;
	case ENGINE:
		return one_in(gen, 2) ? DRM_SVM_TEST_ENGINE_ANY :
			below(gen, gen->buffers ? 1 : gen->file.info.out_engines);
	case ENGINE_CLASS:
		return gen->buffers ? DRM_SVM_TEST_ENGINE_CLASS_BUFFER :
				      DRM_SVM_TEST_ENGINE_CLASS_COMPUTE;
	case PRIORITY:
		return below(gen, DRM_SVM_TEST_PRIORITY_NUM);
	case QUEUE:
		return random_queue(gen);
	case LIMIT:
		/* a wait for fences is a wait for all jobs before them */
		return one_in(gen, gen->buffers ? 16 : 2) ? 0 : below(gen, 50 * NSEC_PER_MSEC);
	case VM:
		return one_in(gen, 2) ? 0 : below(gen, 100);
	case FENCE_ADDR:
		return has_memory(gen) ? fence_addr(gen) : 0;
	case FENCE_VALUE:
		return has_memory(gen) ? cmd_value(gen) : 0;
	case REPORT:
		return has_memory(gen) ? cmd_addr(gen) & ~31ull : 0;
	case FENCES_PTR:
		return make_fences(gen);
	case NUM_FENCES:
		return 1 + below(gen, FUZZ_SYNCS);
	case EVENTFD:
		return 0;
	case JOB:
		return gen->file.jobs[below(gen, FUZZ_JOBS)];
	case TIMEOUT:
		return timeout(gen);
	case HANDLE:
		return gen->file.bos[below(gen, FUZZ_BOS)];
	case BO_ADDR:
		return gen->file.info.out_bo_start + below(gen, 8) * svm_range_size() / 2;
	case BO_SIZE:
		return svm_range_size() >> below(gen, 6);
	case BO_OFFSET:
		return one_in(gen, 3) ? below(gen, 8) * svm_page_size() : 0;
	}
	return 0;
}

/* Of buffers only such sizes as are refused: memory is not what is tested */
static uint64_t bad_bo_size(struct fuzz_gen *gen)
{
	uint64_t page = svm_page_size();
	const uint64_t sizes[] = {
		0, 1, page - 1, page + 1, gen->file.info.out_bo_size + page, 1ull << 63,
		-page, UINT64_MAX,
	};

	return svm_rng_of(&gen->rng, sizes);
}

/* A pointer from which the kernel reads, or where it writes: never one to our own data */
static uint64_t bad_pointer(struct fuzz_gen *gen)
{
	return one_in(gen, 2) ? odd_addr(gen) : random_page(gen) + svm_page_size() - 4;
}

static uint64_t bad(struct fuzz_gen *gen, const struct field *field, uint64_t value)
{
	switch (field->kind) {
	case FLAGS:
	case PAD:
		return value | 1ull << below(gen, field->size * 8);
	case ADDR:
	case BO_ADDR:
		return one_in(gen, 2) ? odd_addr(gen) : border(gen, value);
	case OUT_PTR:
	case IN_SYNCS:
	case OUT_SYNCS:
	case CMDS_PTR:
	case FENCES_PTR:
		return bad_pointer(gen);
	case NUM_COUNTERS:
		return one_in(gen, 2) ? DRM_SVM_COUNTERS_MAX + 1 : UINT32_MAX;
	case NUM_EVENTS:
		return one_in(gen, 2) ? 0 : DRM_SVM_EVENTS_MAX + below(gen, 2);
	case NUM_SYNCS:
		/* not one that is too large for our array, but not for the kernel */
		return one_in(gen, 2) ? 65 : UINT32_MAX;
	case NUM_FENCES:
		return one_in(gen, 2) ? 0 : 65;
	case NUM_CMDS:
		return gen->file.info.out_max_cmds + 1 + below(gen, 2);
	case BO_SIZE:
		return bad_bo_size(gen);
	default:
		return border(gen, value);
	}
}

static void put(struct fuzz_try *t, const struct field *field, uint64_t value)
{
	memcpy(t->args + field->offset, &value,
	       field->size < sizeof(value) ? field->size : sizeof(value));
}

static uint64_t get(const struct fuzz_try *t, const struct field *field)
{
	uint64_t value = 0;

	memcpy(&value, t->args + field->offset,
	       field->size < sizeof(value) ? field->size : sizeof(value));
	return value;
}

/* Flags and padding that the kernel sees, of a structure that may be cut */
static bool is_invalid(const struct fuzz_try *t, const struct field *field)
{
	if (field->kind != FLAGS && field->kind != PAD)
		return false;
	return field->offset + field->size <= t->size && get(t, field) & ~(uint64_t)field->known;
}

static void make(struct fuzz_gen *gen, struct fuzz_try *t, const struct fuzz_call *call)
{
	bool spoil = one_in(gen, 2);
	const struct field *field;

	memset(t, 0, sizeof(*t));
	gen->buffers = one_in(gen, 4);
	t->call = call;
	t->size = _IOC_SIZE(call->request);
	if (one_in(gen, 40))
		t->size = below(gen, 400);
	t->request = call->request & ~((unsigned long)_IOC_SIZEMASK << _IOC_SIZESHIFT);
	t->request |= t->size << _IOC_SIZESHIFT;
	for (field = call->fields; field->size; field++) {
		uint64_t value = good(gen, field);

		if (spoil && one_in(gen, 6))
			value = bad(gen, field, value);
		put(t, field, value);
		t->invalid |= is_invalid(t, field);
	}
}

void fuzz_prepare(struct fuzz_gen *gen)
{
	struct fuzz_file *file = &gen->file;

	file->bos[0] = svm_bo_create(file->fd, prepared_size(),
				     one_in(gen, 2) ? DRM_SVM_TEST_BO_VRAM : 0);
	svm_bo_bind(file->fd, file->bos[0], file->info.out_bo_start, prepared_size());
	for (int i = 0; i < FUZZ_QUEUES / 2; i++)
		file->buffer_queues[i] = svm_buffer_queue(file->fd, 50 * NSEC_PER_MSEC);
}

void fuzz_make_call(struct fuzz_gen *gen, struct fuzz_try *t)
{
	make(gen, t, &svm_rng_of(&gen->rng, calls));
}

void fuzz_make_submit(struct fuzz_gen *gen, struct fuzz_try *t)
{
	make(gen, t, SUBMIT);
}

/* Judgement */

const char *fuzz_name(const struct fuzz_try *t)
{
	return t->call->name;
}

static bool is_of(int err, const int *errors, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (errors[i] == err)
			return true;
	return false;
}

bool fuzz_may_return(const struct fuzz_gen *gen, const struct fuzz_try *t, int err)
{
	const struct fuzz_call *call = t->call;

	if (!gen->file.attached && call->shares && err == ENXIO)
		return true;
	/* an attached file is for its own process, but for what concerns no memory */
	if (gen->file.foreign && err == EPERM)
		return call->request != DRM_IOCTL_SVM_TEST_INFO &&
		       call->request != DRM_IOCTL_SVM_TEST_ATTACH;
	if (t->invalid)
		return err == EINVAL;
	if (!gen->file.attached && call->shares)
		return err == EINVAL;
	return !err || is_of(err, call->errors, MAX_ERRORS);
}

bool fuzz_job_may_fail(const struct drm_svm_test_wait *result)
{
	if (result->out_status < DRM_SVM_TEST_STATUS_OK ||
	    result->out_status > DRM_SVM_TEST_STATUS_TIMEOUT)
		return false;
	if (result->out_status == DRM_SVM_TEST_STATUS_OK)
		return !result->out_errno;
	return is_of(result->out_errno, job_errors, ARRAY_SIZE(job_errors));
}

static void forget_job(struct fuzz_gen *gen, uint64_t job)
{
	for (int i = 0; i < FUZZ_JOBS; i++)
		if (gen->file.jobs[i] == job)
			gen->file.jobs[i] = 0;
}

/* Small files, so most of them are full. Each record has a type and a cause that exist. */
void fuzz_close_events(int events)
{
	struct drm_svm_event e[16];
	ssize_t len;

	igt_assert_eq(fcntl(events, F_SETFL, O_NONBLOCK), 0);
	while ((len = read(events, e, sizeof(e))) > 0)
		for (size_t i = 0; i < len / sizeof(e[0]); i++) {
			igt_assert_lt_u32(0, e[i].type);
			igt_assert_lte_u32(e[i].type, DRM_SVM_EVENT_LOST);
			igt_assert_lte_u32(e[i].cause, DRM_SVM_CAUSE_BAD_PAGE);
			igt_assert_lte_u64(e[i].pages, e[i].size / svm_page_size());
			igt_assert_lte(e[i].err, 0);
		}
	igt_assert(!len || errno == EAGAIN);
	close(events);
}

static void note_events(struct fuzz_gen *gen, int events)
{
	int *slot = &gen->file.events[below(gen, FUZZ_EVENTS)];

	if (*slot)
		fuzz_close_events(*slot);
	*slot = events;
}

void fuzz_note(struct fuzz_gen *gen, const struct fuzz_try *t)
{
	const struct drm_svm_events *events = (const void *)t->args;
	const struct drm_svm_test_bo_create *create = (const void *)t->args;
	const struct drm_svm_test_submit *submit = (const void *)t->args;
	const struct drm_svm_test_wait *wait = (const void *)t->args;
	const struct drm_svm_test_queue_create *queue = (const void *)t->args;
	const struct drm_svm_test_vm *vm = (const void *)t->args;
	uint32_t *bo = &gen->file.bos[below(gen, FUZZ_BOS)];

	if (t->call->request == DRM_IOCTL_SVM_TEST_ATTACH)
		gen->file.attached = true;
	/* what a shorter payload has no room for was not said */
	if (t->size < _IOC_SIZE(t->call->request))
		return;
	if (t->call->request == DRM_IOCTL_SVM_TEST_BO_CREATE) {
		if (*bo)
			svm_bo_close(gen->file.fd, *bo);
		*bo = create->out_handle;
	} else if (t->call == SUBMIT) {
		gen->file.jobs[below(gen, FUZZ_JOBS)] = submit->out_job;
	} else if (t->call->request == DRM_IOCTL_SVM_TEST_QUEUE_CREATE) {
		if (queue->engine_class == DRM_SVM_TEST_ENGINE_CLASS_BUFFER)
			gen->file.buffer_queues[below(gen, FUZZ_QUEUES)] = queue->out_queue;
		else
			gen->file.queues[below(gen, FUZZ_QUEUES)] = queue->out_queue;
	} else if (t->call->request == DRM_IOCTL_SVM_TEST_VM && vm->vm) {
		gen->file.attached = true;
	} else if (t->call->request == DRM_IOCTL_SVM_TEST_EVENTS) {
		note_events(gen, events->out_fd);
	} else if (t->call->request == DRM_IOCTL_SVM_TEST_WAIT) {
		igt_assert_f(fuzz_job_may_fail(wait), "a job: status %u, errno %u\n",
			     wait->out_status, wait->out_errno);
		forget_job(gen, wait->job);
	}
}

void fuzz_print(const struct fuzz_try *t)
{
	const struct field *field;

	dprintf(STDOUT_FILENO, "%s, %zu bytes:", t->call->name, t->size);
	for (field = t->call->fields; field->size; field++)
		if (field->kind != OUT)
			dprintf(STDOUT_FILENO, " %#llx", (unsigned long long)get(t, field));
	dprintf(STDOUT_FILENO, "\n");
}
