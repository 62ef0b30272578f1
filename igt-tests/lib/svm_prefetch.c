// SPDX-License-Identifier: MIT
/*
 * C library of the tests: where pages are, and are to be.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "igt.h"
#include "svm_lib.h"
#include "svm_prefetch.h"

struct drm_svm_prefetch svm_prefetch_args(const void *addr, size_t size, uint32_t location)
{
	return (struct drm_svm_prefetch) {
		.start = (uintptr_t)addr,
		.size = size,
		.location = location,
	};
}

/* Not client_prefetch(), which would hide from the tests that a signal interrupted it. */
int __svm_prefetch(int fd, struct drm_svm_prefetch *args)
{
	return ioctl(fd, DRM_IOCTL_SVM_TEST_PREFETCH, args) ? -errno : 0;
}

uint64_t svm_prefetch_counts(int fd, struct drm_svm_prefetch *args)
{
	int err;

	do {
		err = __svm_prefetch(fd, args);
	} while (err == -EINTR);
	igt_assert_eq(err, 0);
	igt_assert(args->out_moved + args->out_resident + args->out_busy +
		   args->out_unsupported + args->out_no_space + args->out_failed +
		   args->out_denied ==
		   args->size / svm_page_size());
	return args->out_moved;
}

uint64_t svm_prefetch(int fd, const void *addr, size_t size, uint32_t location)
{
	struct drm_svm_prefetch args = svm_prefetch_args(addr, size, location);

	return svm_prefetch_counts(fd, &args);
}

void svm_residence(int fd, const void *addr, size_t size, uint32_t *pages)
{
	igt_assert_eq(client_query(fd, client_ptr(addr), size, DRM_SVM_QUERY_RESIDENCE, pages), 0);
}

void svm_details(int fd, const void *addr, size_t size, uint64_t *pages)
{
	igt_assert_eq(client_query_details(fd, client_ptr(addr), size, pages), 0);
}

uint64_t svm_detail(int fd, const void *addr)
{
	uintptr_t page = (uintptr_t)addr & ~(svm_page_size() - 1);
	uint64_t word;

	svm_details(fd, (void *)page, svm_page_size(), &word);
	return word;
}

static unsigned int kind_of(uint64_t word)
{
	return (word & DRM_SVM_PAGE_KIND_MASK) >> DRM_SVM_PAGE_KIND_SHIFT;
}

unsigned int svm_page_kind(int fd, const void *addr)
{
	return kind_of(svm_detail(fd, addr));
}

size_t svm_count_kind(int fd, const void *addr, size_t size, unsigned int kind)
{
	size_t n = size / svm_page_size(), found = 0;
	uint64_t *pages = calloc(n, sizeof(*pages));

	igt_assert(pages);
	svm_details(fd, addr, size, pages);
	for (size_t i = 0; i < n; i++)
		found += kind_of(pages[i]) == kind;
	free(pages);
	return found;
}

size_t svm_resident(int fd, const void *addr, size_t size, uint32_t location)
{
	size_t n = size / svm_page_size(), found = 0;
	uint32_t *pages = calloc(n, sizeof(*pages));

	igt_assert(pages);
	svm_residence(fd, addr, size, pages);
	location <<= DRM_SVM_PAGE_LOCATION_SHIFT;
	for (size_t i = 0; i < n; i++)
		found += (pages[i] & DRM_SVM_PAGE_LOCATION_MASK) == location;
	free(pages);
	return found;
}

size_t svm_folio(int fd, const void *addr)
{
	uintptr_t page = (uintptr_t)addr & ~(svm_page_size() - 1);
	uint32_t state;

	svm_residence(fd, (void *)page, svm_page_size(), &state);
	state = (state & DRM_SVM_PAGE_FOLIO_MASK) >> DRM_SVM_PAGE_FOLIO_SHIFT;
	return state ? (size_t)1 << state : 0;
}
