// SPDX-License-Identifier: MIT
/*
 * What a worker of svm_soak can do. Each operation does something to the memory, tells
 * the model, and says whether all was right. What it chooses must not depend on what
 * the kernel answered: the seed alone decides.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_prefetch.h"
#include "svm_soak.h"

#define MAX_PAGES	(SOAK_RANGES * 512)
#define CHILD_STEPS	10

static void *page_at(const struct soak_worker *w, size_t page)
{
	return w->model.base + page * svm_page_size();
}

static uint32_t random_word(struct soak_worker *w)
{
	return svm_rng_next(&w->rng);
}

static bool failed(struct soak_worker *w, const char *call, struct soak_span span)
{
	return soak_bad(w, "%s of %zu pages at %p: %s", call, span.n, page_at(w, span.first),
			strerror(errno));
}

/* Mappings */

static bool op_map(void *data)
{
	struct soak_worker *w = data;
	struct soak_span span = soak_pick(w, soak_is_any, MAX_PAGES);
	bool fill = svm_rng_one_in(&w->rng, 4);
	size_t size = span.n * svm_page_size();

	if (!span.n)
		return true;
	if (mmap(page_at(w, span.first), size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | (fill ? MAP_POPULATE : 0),
		 -1, 0) == MAP_FAILED)
		return failed(w, "mmap", span);
	svm_model_protect(&w->model, span.first, span.n, SVM_MODEL_WRITE);
	svm_model_zero(&w->model, span.first, span.n);
	return true;
}

static bool op_unmap(void *data)
{
	struct soak_worker *w = data;
	struct soak_span span = soak_pick(w, soak_is_mapped, MAX_PAGES);

	if (!span.n)
		return true;
	if (munmap(page_at(w, span.first), span.n * svm_page_size()))
		return failed(w, "munmap", span);
	svm_model_protect(&w->model, span.first, span.n, SVM_MODEL_GONE);
	svm_model_zero(&w->model, span.first, span.n);
	return true;
}

static bool op_move(void *data)
{
	struct soak_worker *w = data;
	struct soak_span to, from = soak_pick_two(w, soak_is_mapped, soak_is_any, MAX_PAGES, &to);
	size_t size = from.n * svm_page_size();

	if (!from.n)
		return true;
	if (mremap(page_at(w, from.first), size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
		   page_at(w, to.first)) == MAP_FAILED)
		return failed(w, "mremap", from);
	svm_model_move(&w->model, to.first, from.first, from.n);
	return true;
}

static bool op_protect(void *data)
{
	static const struct {
		enum svm_model_prot model;
		int prot;
	} kinds[] = {
		{ SVM_MODEL_NONE, PROT_NONE },
		{ SVM_MODEL_READ, PROT_READ },
		{ SVM_MODEL_READ, PROT_READ },
		{ SVM_MODEL_WRITE, PROT_READ | PROT_WRITE },
		{ SVM_MODEL_WRITE, PROT_READ | PROT_WRITE },
		{ SVM_MODEL_WRITE, PROT_READ | PROT_WRITE },
	};
	struct soak_worker *w = data;
	struct soak_span span = soak_pick(w, soak_is_mapped, MAX_PAGES);
	size_t kind = svm_rng_below(&w->rng, ARRAY_SIZE(kinds));

	if (!span.n)
		return true;
	if (mprotect(page_at(w, span.first), span.n * svm_page_size(), kinds[kind].prot))
		return failed(w, "mprotect", span);
	svm_model_protect(&w->model, span.first, span.n, kinds[kind].model);
	return true;
}

static bool advise(struct soak_worker *w, struct soak_span span, int advice)
{
	return !madvise(page_at(w, span.first), span.n * svm_page_size(), advice);
}

static bool op_drop(void *data)
{
	struct soak_worker *w = data;
	struct soak_span span = soak_pick(w, soak_is_mapped, MAX_PAGES);

	if (span.n && !advise(w, span, MADV_DONTNEED))
		return failed(w, "MADV_DONTNEED", span);
	svm_model_zero(&w->model, span.first, span.n);
	return true;
}

static bool op_free(void *data)
{
	struct soak_worker *w = data;
	struct soak_span span = soak_pick(w, soak_is_unsettled, MAX_PAGES);

	if (span.n && !advise(w, span, MADV_FREE))
		return failed(w, "MADV_FREE", span);
	svm_model_free_lazily(&w->model, span.first, span.n);
	return true;
}

/* What keeps the content, and may say that it could not do what it was asked for */
static bool op_advise(void *data)
{
	static const int advices[] = {
		MADV_HUGEPAGE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLLAPSE,
		MADV_POPULATE_READ, MADV_POPULATE_WRITE,
	};
	struct soak_worker *w = data;
	struct soak_span span = soak_pick(w, soak_is_mapped, MAX_PAGES);

	if (span.n)
		advise(w, span, svm_rng_of(&w->rng, advices));
	return true;
}

/* To swap, if there is any; what was freed lazily is dropped in any case */
static bool op_pageout(void *data)
{
	struct soak_worker *w = data;
	struct soak_span span = soak_pick(w, soak_is_mapped, MAX_PAGES);

	svm_lru_drain();
	if (span.n)
		advise(w, span, MADV_PAGEOUT);
	return true;
}

/* Children */

/* A file of its own, or only the CPU */
static bool child_open(struct soak_worker *w)
{
	struct soak_team *team = w->team;
	struct drm_svm_attach attach = {};
	uint64_t job;
	struct drm_svm_test_cmd cmd = svm_cmd_touch(w->result, 8, 8, false);

	if (client_submit_cmds(team->fds[0], &cmd, 1, &job) != -EPERM)
		return soak_bad(w, "the parent's file works");
	for (unsigned int i = 0; i < team->devices; i++) {
		team->fds[i] = __svm_open(i);
		if (team->fds[i] < 0 || client_attach(team->fds[i], &attach))
			return soak_bad(w, "cannot open device %u", i);
	}
	return true;
}

/* What the parent's job was writing at the moment of the fork nobody knows: left out */
static bool child_main(struct soak_worker *w)
{
	bool gpu = svm_rng_one_in(&w->rng, 2);

	w->child = true;
	w->what = "child";
	w->bo = 0;
	w->pid = 0;
	if (!gpu)
		return soak_check_all(w, false);
	if (!child_open(w))
		return false;
	for (int i = 0; i < CHILD_STEPS; i++)
		if (!soak_step(w))
			return false;
	w->what = "child";
	return soak_check_all(w, svm_rng_one_in(&w->rng, 2)) && soak_check_all(w, false);
}

static bool reap(struct soak_worker *w)
{
	int status = 0;

	if (!w->pid)
		return true;
	if (waitpid(w->pid, &status, 0) != w->pid)
		return soak_bad(w, "no child: %s", strerror(errno));
	w->pid = 0;
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		return !status || soak_bad(w, "a child ended with status %#x", status);
	return true;
}

static bool op_fork(void *data)
{
	struct soak_worker *w = data;
	bool killed = svm_rng_one_in(&w->rng, 2), ok;

	if (w->child)
		return true;
	if (!reap(w))
		return false;
	w->pid = fork();
	if (w->pid < 0)
		return soak_bad(w, "fork: %s", strerror(errno));
	if (w->pid)
		return true;
	ok = child_main(w);
	if (ok && killed)
		kill(getpid(), SIGKILL);
	_exit(!ok);
}

/* VRAM */

static bool op_evict(void *data)
{
	struct soak_worker *w = data;
	int err = __svm_evict_vram(soak_fd(w));

	if (!err || err == -EBUSY || (err == -EIO && w->team->inject))
		return true;
	return soak_bad(w, "evict_vram: %s", strerror(-err));
}

static bool op_prefetch(void *data)
{
	struct soak_worker *w = data;
	struct soak_span span = soak_pick(w, soak_is_mapped, MAX_PAGES);
	struct drm_svm_prefetch args;
	int fd = soak_fd(w), err;

	args = svm_prefetch_args(page_at(w, span.first), span.n * svm_page_size(),
				 svm_rng_one_in(&w->rng, 3) ? DRM_SVM_LOCATION_SYSTEM :
							      DRM_SVM_LOCATION_VRAM);
	if (!span.n)
		return true;
	err = __svm_prefetch(fd, &args);
	if (err)
		return soak_bad(w, "prefetch: %s", strerror(-err));
	if (args.out_moved + args.out_resident + args.out_busy + args.out_unsupported +
	    args.out_no_space + args.out_failed != span.n)
		return soak_bad(w, "the counts of a prefetch do not add up");
	return true;
}

static char *bo_addr(const struct soak_worker *w)
{
	return w->team->bo_start + w->index * svm_range_size();
}

static bool bo_end(struct soak_worker *w)
{
	size_t part = SOAK_BUF_PAGES * svm_page_size();
	char *addr = bo_addr(w);
	struct drm_svm_test_cmd cmd = svm_cmd_copy(w->buf, addr, part < w->bo_size ?
						   part : w->bo_size);
	bool ok;

	/* the GPU of the file that has it */
	ok = soak_gpu_on(w, w->bo_fd, &cmd, 1) &&
	     soak_cpu(w, SOAK_GET, w->buf + cmd.size - svm_page_size(), w->page,
		      svm_page_size());
	if (ok && !svm_cpu_all32(w->page, svm_page_size(), w->bo_word))
		ok = soak_bad(w, "a buffer object has lost its content");
	if (ok && client_bo_unbind(w->bo_fd, client_ptr(addr), w->bo_size))
		ok = soak_bad(w, "cannot unbind a buffer object");
	svm_bo_close(w->bo_fd, w->bo);
	w->bo = 0;
	return ok;
}

/* A buffer object comes, and goes the next time */
static bool op_bo(void *data)
{
	struct soak_worker *w = data;
	struct drm_svm_test_cmd cmd;
	int err;

	if (w->bo)
		return bo_end(w);
	w->bo_fd = soak_fd(w);
	w->bo_size = (16 + svm_rng_below(&w->rng, 497)) * svm_page_size();
	w->bo_word = random_word(w);
	err = client_bo_create(w->bo_fd, w->bo_size, DRM_SVM_TEST_BO_VRAM, &w->bo);
	if (!err)
		err = client_bo_bind(w->bo_fd, w->bo, client_ptr(bo_addr(w)), 0, w->bo_size);
	if (err && w->bo)
		svm_bo_close(w->bo_fd, w->bo);
	if (err) {
		w->bo = 0;
		return soak_may_fail(w, -err) ||
		       soak_bad(w, "a buffer object: %s", strerror(-err));
	}
	cmd = svm_cmd_fill(bo_addr(w), w->bo_size, w->bo_word);
	return soak_gpu_on(w, w->bo_fd, &cmd, 1);
}

static bool op_inject(void *data)
{
	struct soak_worker *w = data;
	int fd = soak_fd(w);

	if (!w->team->inject || w->child)
		return true;
	svm_hw_write(fd, "inject/fail_copy_skip", svm_rng_below(&w->rng, 4));
	svm_hw_write(fd, "inject/fail_copy", svm_rng_below(&w->rng, 4));
	svm_hw_write(fd, "inject/fail_alloc", svm_rng_below(&w->rng, 4));
	return true;
}

/* The GPU */

static bool op_gpu_fill(void *data)
{
	struct soak_worker *w = data;
	struct soak_span span = soak_pick(w, soak_is_writable, MAX_PAGES);
	uint32_t word = random_word(w);
	struct drm_svm_test_cmd cmd = svm_cmd_fill(page_at(w, span.first),
						   span.n * svm_page_size(), word);

	if (!span.n)
		return true;
	if (!soak_gpu(w, &cmd, 1))
		return false;
	svm_model_fill(&w->model, span.first * svm_page_size(), word, cmd.size);
	return true;
}

/* Any bytes of a place */
static void trim(struct soak_worker *w, struct soak_span span, size_t *at, size_t *size)
{
	size_t head = svm_rng_below(&w->rng, svm_page_size());
	size_t tail = svm_rng_below(&w->rng, svm_page_size() - head);

	*at = span.first * svm_page_size() + head;
	*size = span.n * svm_page_size() - head - tail;
}

/* A pattern from the buffer, which differs in each word */
static bool op_gpu_write(void *data)
{
	struct soak_worker *w = data;
	struct soak_span span = soak_pick(w, soak_is_writable, SOAK_BUF_PAGES);
	size_t at, size, page = svm_page_size();
	struct drm_svm_test_cmd cmd;

	if (!span.n)
		return true;
	trim(w, span, &at, &size);
	for (size_t done = 0; done < size; done += page) {
		svm_pattern(w->page, page, random_word(w));
		if (!soak_cpu(w, SOAK_PUT, w->buf + done, w->page, page))
			return false;
		svm_model_write(&w->model, at + done, w->page,
				size - done < page ? size - done : page);
	}
	cmd = svm_cmd_copy(w->model.base + at, w->buf, size);
	return soak_gpu(w, &cmd, 1);
}

static bool op_gpu_copy(void *data)
{
	struct soak_worker *w = data;
	struct soak_span to, from = soak_pick_two(w, soak_is_sure, soak_is_writable,
						  MAX_PAGES, &to);
	size_t at, size, page = svm_page_size();
	struct drm_svm_test_cmd cmd;

	if (!from.n)
		return true;
	trim(w, from, &at, &size);
	cmd = svm_cmd_copy(page_at(w, to.first), w->model.base + at, size);
	if (!soak_gpu(w, &cmd, 1))
		return false;
	svm_model_write(&w->model, to.first * page, w->model.now + at, size);
	return true;
}

static bool op_gpu_touch(void *data)
{
	struct soak_worker *w = data;
	struct soak_span span = soak_pick(w, soak_is_writable, MAX_PAGES);
	size_t page = svm_page_size(), at = svm_rng_below(&w->rng, page / 4) * 4;
	uint32_t word = random_word(w);
	struct drm_svm_test_cmd cmd = svm_cmd_touch(page_at(w, span.first), span.n * page - at,
						    page, true);

	if (!span.n)
		return true;
	cmd.dst += at;
	cmd.arg1 = word;
	if (!soak_gpu(w, &cmd, 1))
		return false;
	for (size_t i = 0; i < span.n; i++)
		svm_model_write(&w->model, (span.first + i) * page + at, &word, sizeof(word));
	return true;
}

/* The sum of a word of each page */
static bool op_gpu_sum(void *data)
{
	struct soak_worker *w = data;
	struct soak_span span = soak_pick(w, soak_is_sure, MAX_PAGES);
	size_t page = svm_page_size();
	struct drm_svm_test_cmd cmd = svm_cmd_touch(page_at(w, span.first), span.n * page,
						    page, false);
	uint64_t sum = 0, got;

	if (!span.n)
		return true;
	for (size_t i = 0; i < span.n; i++)
		sum += *(uint32_t *)(w->model.now + (span.first + i) * page);
	cmd.result = client_ptr(w->result);
	if (!soak_gpu(w, &cmd, 1) || !soak_cpu(w, SOAK_GET, w->result, &got, sizeof(got)))
		return false;
	return got == sum || soak_bad(w, "sum of %zu pages at %p: %#llx, not %#llx", span.n,
				      page_at(w, span.first), (unsigned long long)got,
				      (unsigned long long)sum);
}

/*
 * Several words in a job. The count is that of one unit of work: of an addition that
 * failed nothing was done, so that it can be tried again.
 */
static bool op_gpu_add(void *data)
{
	struct soak_worker *w = data;
	struct soak_span span = soak_pick(w, soak_is_writable, 32);
	struct drm_svm_test_cmd cmds[32];
	size_t page = svm_page_size();

	if (!span.n)
		return true;
	for (size_t i = 0; i < span.n; i++) {
		size_t at = (span.first + i) * page + svm_rng_below(&w->rng, page / 4) * 4;
		uint32_t value = random_word(w), count = 1 + svm_rng_below(&w->rng, 64);

		cmds[i] = svm_cmd_add32(w->model.base + at, value, count);
		svm_model_add32(&w->model, at, value * count);
	}
	return soak_gpu(w, cmds, span.n);
}

/* A job that is to fail at its first page, and to change nothing */
static bool op_gpu_bad(void *data)
{
	struct soak_worker *w = data;
	size_t page = svm_rng_below(&w->rng, w->model.pages);
	enum svm_model_prot prot = w->model.prot[page];
	struct drm_svm_test_cmd cmd = svm_cmd_fill(page_at(w, page), svm_page_size(), 0xbad);
	struct drm_svm_test_wait result;
	int fd = soak_fd(w), err, want = prot == SVM_MODEL_GONE ? ENOENT : EACCES;

	if (prot == SVM_MODEL_WRITE)
		return true;
	err = client_run(fd, &cmd, 1, 60ll * NSEC_PER_SEC, &result);
	if (err)
		return soak_bad(w, "a job: %s", strerror(-err));
	if ((int)result.out_errno != want || result.out_addr != cmd.dst)
		return soak_bad(w, "write to page %zu, protection %u: %s at %#llx", page, prot,
				strerror(result.out_errno),
				(unsigned long long)result.out_addr);
	return true;
}

/* A job that is under way while the worker goes on */
static bool op_gpu_start(void *data)
{
	struct soak_worker *w = data;
	struct soak_span span;
	struct drm_svm_test_cmd cmd;
	int err;

	if (w->busy.n)
		return true;
	span = soak_pick(w, soak_is_writable, MAX_PAGES);
	w->job_fd = soak_fd(w);
	w->job_word = random_word(w);
	if (!span.n)
		return true;
	cmd = svm_cmd_fill(page_at(w, span.first), span.n * svm_page_size(), w->job_word);
	err = client_submit_cmds(w->job_fd, &cmd, 1, &w->job);
	if (err)
		return soak_bad(w, "a job: %s", strerror(-err));
	w->busy = span;
	svm_model_fill(&w->model, span.first * svm_page_size(), w->job_word, cmd.size);
	return true;
}

static bool op_gpu_finish(void *data)
{
	struct soak_worker *w = data;
	struct soak_span span = w->busy;
	struct drm_svm_test_cmd cmd = svm_cmd_fill(page_at(w, span.first),
						   span.n * svm_page_size(), w->job_word);
	struct drm_svm_test_wait result;
	int err;

	if (!span.n || w->child)
		return true;
	err = client_wait(w->job_fd, w->job, 60000000000ll, &result);
	if (err)
		return soak_bad(w, "a job: %s", strerror(-err));
	w->busy.n = 0;
	if (result.out_errno && !w->team->inject)
		return soak_bad(w, "a job: %s at %#llx", strerror(result.out_errno),
				(unsigned long long)result.out_addr);
	if (result.out_errno && !soak_gpu(w, &cmd, 1))
		return false;
	return soak_check(w, (struct soak_span) { span.first, span.n < 16 ? span.n : 16 },
			  svm_rng_one_in(&w->rng, 2));
}

/* The CPU */

static bool op_cpu_write(void *data)
{
	struct soak_worker *w = data;
	struct soak_span span = soak_pick(w, soak_is_writable, 32);
	size_t at, size;

	for (size_t i = 0; i < span.n; i++) {
		trim(w, (struct soak_span) { span.first + i, 1 }, &at, &size);
		svm_pattern(w->page, svm_page_size(), random_word(w));
		if (!soak_cpu(w, SOAK_PUT, w->model.base + at, w->page, size))
			return false;
		svm_model_write(&w->model, at, w->page, size);
	}
	return true;
}

static bool op_cpu_add(void *data)
{
	struct soak_worker *w = data;
	struct soak_span span = soak_pick(w, soak_is_writable, 32);
	size_t page = svm_page_size();

	for (size_t i = 0; i < span.n; i++) {
		size_t at = (span.first + i) * page + svm_rng_below(&w->rng, page / 4) * 4;
		uint32_t value = random_word(w);

		if (!soak_cpu(w, SOAK_ADD32, w->model.base + at, &value, sizeof(value)))
			return false;
		svm_model_add32(&w->model, at, value);
	}
	return true;
}

/* Words that are everybody's */
static bool op_shared(void *data)
{
	struct soak_worker *w = data;
	unsigned int i = svm_rng_below(&w->rng, SOAK_WORDS);
	uint64_t value = svm_rng_below(&w->rng, 1000), count = 1;
	struct drm_svm_test_cmd cmd;
	bool ok;

	if (w->child)
		return true;
	if (svm_rng_one_in(&w->rng, 2)) {
		ok = soak_cpu(w, SOAK_ADD64, soak_word(w->team, i), &value, sizeof(value));
	} else {
		count = 1 + svm_rng_below(&w->rng, 64);
		cmd = svm_cmd_add64(soak_word(w->team, i), value, count);
		ok = soak_gpu(w, &cmd, 1);
	}
	w->added[i] += value * count;
	return ok;
}

static bool op_check(void *data)
{
	struct soak_worker *w = data;
	bool gpu = svm_rng_one_in(&w->rng, 2);

	return soak_check(w, soak_pick(w, soak_is_readable, SOAK_BUF_PAGES), gpu);
}

static bool op_check_all(void *data)
{
	struct soak_worker *w = data;

	return soak_check_all(w, svm_rng_one_in(&w->rng, 2));
}

/*
 * Pages are given back, used by the GPU alone, come home and are reclaimed: only in this
 * order can it be seen whether somebody forgot that the GPU wrote to them.
 */
static bool op_reuse(void *data)
{
	static bool (*const order[])(void *data) = {
		op_cpu_add, op_free, op_gpu_touch, op_evict, op_pageout, op_check,
	};
	struct soak_worker *w = data;
	bool ok = true;

	w->last = soak_pick(w, soak_is_writable, 16);
	w->stay = true;
	for (size_t i = 0; ok && i < ARRAY_SIZE(order); i++)
		ok = order[i](w);
	w->stay = false;
	return ok;
}

static const struct svm_op ops[] = {
	{ "map", 5, op_map },
	{ "unmap", 3, op_unmap },
	{ "move", 4, op_move },
	{ "protect", 6, op_protect },
	{ "drop", 3, op_drop },
	{ "free", 4, op_free },
	{ "advise", 6, op_advise },
	{ "pageout", 5, op_pageout },
	{ "fork", 1, op_fork },
	{ "evict", 1, op_evict },
	{ "prefetch", 4, op_prefetch },
	{ "bo", 2, op_bo },
	{ "inject", 2, op_inject },
	{ "gpu-fill", 4, op_gpu_fill },
	{ "gpu-write", 6, op_gpu_write },
	{ "gpu-copy", 5, op_gpu_copy },
	{ "gpu-touch", 4, op_gpu_touch },
	{ "gpu-sum", 4, op_gpu_sum },
	{ "gpu-add", 4, op_gpu_add },
	{ "gpu-bad", 2, op_gpu_bad },
	{ "gpu-start", 5, op_gpu_start },
	{ "gpu-finish", 2, op_gpu_finish },
	{ "cpu-write", 6, op_cpu_write },
	{ "cpu-add", 4, op_cpu_add },
	{ "reuse", 3, op_reuse },
	{ "shared", 6, op_shared },
	{ "check", 8, op_check },
	{ "check-all", 1, op_check_all },
};

bool soak_step(struct soak_worker *w)
{
	const struct svm_op *op = svm_op_pick(&w->rng, ops, ARRAY_SIZE(ops));

	w->what = op->name;
	if (w->team->trace)
		dprintf(STDOUT_FILENO, "worker %u%s, step %llu: %s\n", w->index,
			w->child ? "'s child" : "", (unsigned long long)w->step, w->what);
	return op->fn(w);
}

bool soak_end(struct soak_worker *w)
{
	w->what = "end";
	return op_gpu_finish(w) && reap(w) && (!w->bo || bo_end(w)) && soak_unprotect(w) &&
	       soak_check_all(w, true) && soak_check_all(w, false);
}
