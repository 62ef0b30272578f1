// SPDX-License-Identifier: MIT
/*
 * A worker of svm_soak, its memory, and how CPU and GPU reach it.
 *
 * What the GPU may reach lies far from all that the C library and the kernel place:
 * there it is certain that what is not mapped stays so, and no page of the program
 * itself gets to VRAM as a neighbour.
 */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "igt.h"
#include "svm_job.h"
#include "svm_mem.h"
#include "svm_soak.h"

#define PLACE		0x100000000000ull
#define PLACE_SIZE	0x4000000ull		/* of each worker */
#define BUF_AT		(PLACE_SIZE / 2)
#define WAIT_NS		(100ll * NSEC_PER_SEC)
#define TRIES		200

bool soak_bad(struct soak_worker *w, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	/* not by IGT, which would end a thread here, or a child in silence */
	dprintf(STDOUT_FILENO, "SVM_SOAK_SEED=%#llx: worker %u%s, step %llu, %s: %s\n",
		(unsigned long long)w->team->seed, w->index, w->child ? "'s child" : "",
		(unsigned long long)w->step, w->what, text);
	WRITE_ONCE(w->team->stop, true);
	w->ok = false;
	return false;
}

static void *map_at(uintptr_t addr, size_t size)
{
	return svm_mmap_fixed((void *)addr, size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

void soak_worker_init(struct soak_worker *w, struct soak_team *team, unsigned int index)
{
	uintptr_t place = PLACE + (index + 1) * PLACE_SIZE;
	size_t page = svm_page_size();

	memset(w, 0, sizeof(*w));
	w->team = team;
	w->index = index;
	w->rng = svm_rng(team->seed, index);
	w->what = "start";
	w->ok = true;
	svm_model_init(&w->model, place, SOAK_RANGES * svm_range_size() / page);
	w->buf = map_at(place + BUF_AT, (SOAK_BUF_PAGES + 1) * page);
	w->result = (uint64_t *)(w->buf + SOAK_BUF_PAGES * page);
	w->page = malloc(page);
	igt_assert(w->page);
}

void soak_worker_fini(struct soak_worker *w)
{
	svm_model_fini(&w->model);
	munmap(w->buf, (SOAK_BUF_PAGES + 1) * svm_page_size());
	free(w->page);
}

void soak_shared_init(struct soak_team *team)
{
	team->shared = map_at(PLACE, svm_range_size());
	if (team->seed & 1)
		madvise(team->shared, svm_range_size(), MADV_HUGEPAGE);
}

void soak_shared_fini(struct soak_team *team)
{
	munmap(team->shared, svm_range_size());
}

uint64_t *soak_word(struct soak_team *team, unsigned int i)
{
	return (uint64_t *)(team->shared + i * (svm_range_size() / SOAK_WORDS));
}

/* Places */

bool soak_is_any(const struct svm_model *m, size_t page)
{
	return true;
}

bool soak_is_mapped(const struct svm_model *m, size_t page)
{
	return m->prot[page] >= SVM_MODEL_NONE;
}

bool soak_is_readable(const struct svm_model *m, size_t page)
{
	return m->prot[page] >= SVM_MODEL_READ;
}

bool soak_is_writable(const struct svm_model *m, size_t page)
{
	return m->prot[page] == SVM_MODEL_WRITE;
}

bool soak_is_sure(const struct svm_model *m, size_t page)
{
	return soak_is_readable(m, page) && m->lazy[page] == SVM_MODEL_SURE;
}

bool soak_is_unsettled(const struct svm_model *m, size_t page)
{
	return soak_is_mapped(m, page) && m->lazy[page] != SVM_MODEL_SETTLED;
}

static bool is_busy(const struct soak_worker *w, size_t page)
{
	return page - w->busy.first < w->busy.n;
}

/*
 * Single pages, some, many, and whole ranges, which may be huge pages. Often where the
 * last operation was: many mistakes take several that meet.
 */
static struct soak_span random_span(struct soak_worker *w, size_t max)
{
	static const size_t sizes[] = { 1, 4, 4, 16, 64 };
	size_t range = svm_range_size() / svm_page_size(), pages = w->model.pages;
	struct soak_span span = w->last;

	if (w->stay)
		return span;
	if (svm_rng_one_in(&w->rng, 3))
		span.first = svm_rng_below(&w->rng, pages);
	span.n = 1 + svm_rng_below(&w->rng, svm_rng_of(&w->rng, sizes));
	if (svm_rng_one_in(&w->rng, 12) && max >= range) {
		span.first -= span.first % range;
		span.n = range;
	}
	if (span.n > max)
		span.n = max;
	w->last = span;
	return span;
}

struct soak_span soak_pick(struct soak_worker *w, soak_fits fits, size_t max)
{
	struct soak_span want = random_span(w, max), got = { want.first, 0 };

	while (got.first < w->model.pages &&
	       (is_busy(w, got.first) || !fits(&w->model, got.first)))
		got.first++;
	while (got.n < want.n && got.first + got.n < w->model.pages &&
	       !is_busy(w, got.first + got.n) && fits(&w->model, got.first + got.n))
		got.n++;
	return got;
}

struct soak_span soak_pick_two(struct soak_worker *w, soak_fits fits_from, soak_fits fits_to,
			       size_t max, struct soak_span *to)
{
	struct soak_span from = soak_pick(w, fits_from, max);

	w->last.first = svm_rng_below(&w->rng, w->model.pages);
	*to = soak_pick(w, fits_to, from.n ? from.n : 1);
	if (to->n < from.n)
		from.n = to->n;
	to->n = from.n;
	if (soak_overlap(from, *to))
		from.n = 0;
	return from;
}

/* The CPU */

static __thread sigjmp_buf bus_env;
static __thread volatile bool bus_expected;

static void on_bus(int sig)
{
	if (bus_expected)
		siglongjmp(bus_env, 1);
	signal(SIGBUS, SIG_DFL);
}

void soak_catch_bus(void)
{
	struct sigaction action = { .sa_handler = on_bus };

	igt_assert(!sigaction(SIGBUS, &action, NULL));
}

static void access_memory(enum soak_access access, void *mem, void *own, size_t size)
{
	if (access == SOAK_GET)
		memcpy(own, mem, size);
	else if (access == SOAK_PUT)
		memcpy(mem, own, size);
	else if (access == SOAK_ADD32)
		__atomic_fetch_add((uint32_t *)mem, *(uint32_t *)own, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_add((uint64_t *)mem, *(uint64_t *)own, __ATOMIC_SEQ_CST);
}

bool soak_cpu(struct soak_worker *w, enum soak_access access, void *mem, void *own, size_t size)
{
	volatile int tries = 0;

	if (sigsetjmp(bus_env, 1) && (!w->team->inject || ++tries > TRIES)) {
		bus_expected = false;
		return soak_bad(w, "SIGBUS at %p", mem);
	}
	bus_expected = true;
	access_memory(access, mem, own, size);
	bus_expected = false;
	return true;
}

/* The GPU */

int soak_fd(struct soak_worker *w)
{
	return w->team->fds[svm_rng_below(&w->rng, w->team->devices)];
}

/* Where failures are injected some errors are right */
bool soak_may_fail(const struct soak_worker *w, int err)
{
	return w->team->inject && (err == EIO || err == EFAULT || err == EBUSY ||
				   err == EAGAIN || err == ENOMEM || err == ENOSPC);
}

/* A command that failed has done nothing, or may be done again as it is */
bool soak_gpu_on(struct soak_worker *w, int fd, struct drm_svm_test_cmd *cmds, uint32_t n)
{
	struct drm_svm_test_wait result = {};
	int err;

	for (int tries = 0; tries < TRIES; tries++) {
		err = client_run(fd, cmds, n, WAIT_NS, &result);
		if (err)
			return soak_bad(w, "a job: %s", strerror(-err));
		if (!result.out_errno)
			return true;
		cmds += result.out_cmd;
		n -= result.out_cmd;
		if (!soak_may_fail(w, result.out_errno))
			break;
	}
	return soak_bad(w, "op %u at %#llx, size %#llx: %s at %#llx", cmds->op,
			(unsigned long long)cmds->dst, (unsigned long long)cmds->size,
			strerror(result.out_errno), (unsigned long long)result.out_addr);
}

bool soak_gpu(struct soak_worker *w, struct drm_svm_test_cmd *cmds, uint32_t n)
{
	return soak_gpu_on(w, soak_fd(w), cmds, n);
}

/* Checks */

static bool check_page(struct soak_worker *w, size_t page, void *at, bool gpu)
{
	struct svm_model *m = &w->model;
	size_t size = svm_page_size(), byte;

	/* reclaim may drop a page that was freed while it is read, but once only */
	for (int tries = 0; tries < 2; tries++) {
		if (!soak_cpu(w, SOAK_GET, tries ? m->base + page * size : at, w->page, size))
			return false;
		if (svm_model_check(m, page, w->page))
			return true;
		if (m->lazy[page] != SVM_MODEL_LAZY)
			break;
	}
	byte = svm_model_differs(m, page, w->page) & ~(size_t)3;
	return soak_bad(w, "page %zu (%p), lazy %u, byte %#zx: %#x for the %s, not %#x", page,
			m->base + page * size, m->lazy[page], byte,
			*(uint32_t *)(w->page + byte), gpu ? "GPU" : "CPU",
			*(uint32_t *)(m->now + page * size + byte));
}

bool soak_check(struct soak_worker *w, struct soak_span span, bool gpu)
{
	size_t page = svm_page_size();
	char *from = w->model.base + span.first * page;
	struct drm_svm_test_cmd cmd = svm_cmd_copy(w->buf, from, span.n * page);

	__atomic_fetch_add(w->team->pulse, 1, __ATOMIC_RELAXED);
	if (!span.n)
		return true;
	if (gpu && !soak_gpu(w, &cmd, 1))
		return false;
	for (size_t i = 0; i < span.n; i++)
		if (!check_page(w, span.first + i, (gpu ? w->buf : from) + i * page, gpu))
			return false;
	return true;
}

bool soak_check_all(struct soak_worker *w, bool gpu)
{
	size_t pages = w->model.pages;
	struct soak_span span = {};

	for (size_t i = 0; i <= pages; i++) {
		bool fits = i < pages && soak_is_readable(&w->model, i) && !is_busy(w, i);

		if (span.n && (!fits || span.n == SOAK_BUF_PAGES)) {
			if (!soak_check(w, span, gpu))
				return false;
			span.n = 0;
		}
		if (fits && !span.n++)
			span.first = i;
	}
	return true;
}

bool soak_unprotect(struct soak_worker *w)
{
	size_t page = svm_page_size(), i, n;
	struct svm_model *m = &w->model;

	for (i = 0; i < m->pages; i += n + 1) {
		n = 0;
		while (i + n < m->pages && soak_is_mapped(m, i + n))
			n++;
		if (n && mprotect(m->base + i * page, n * page, PROT_READ | PROT_WRITE))
			return soak_bad(w, "mprotect: %s", strerror(errno));
		svm_model_protect(m, i, n, SVM_MODEL_WRITE);
	}
	return true;
}
