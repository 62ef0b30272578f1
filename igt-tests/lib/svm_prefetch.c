// SPDX-License-Identifier: MIT
/*
 * C library of the tests: where pages are, and are to be.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <xf86drm.h>

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

/* Not drmIoctl(), which would hide an interruption. */
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
		   args->out_unsupported + args->out_no_space + args->out_failed ==
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
	struct drm_svm_query args = {
		.start = (uintptr_t)addr,
		.size = size,
		.pages = (uintptr_t)pages,
		.flags = DRM_SVM_QUERY_RESIDENCE,
	};

	igt_assert_eq(drmIoctl(fd, DRM_IOCTL_SVM_TEST_QUERY, &args), 0);
}

size_t svm_resident(int fd, const void *addr, size_t size, uint32_t location)
{
	size_t n = size / svm_page_size(), found = 0;
	uint32_t *pages = calloc(n, sizeof(*pages));

	igt_assert(pages);
	svm_residence(fd, addr, size, pages);
	for (size_t i = 0; i < n; i++)
		found += (pages[i] & DRM_SVM_PAGE_LOCATION_MASK) >>
			 DRM_SVM_PAGE_LOCATION_SHIFT == location;
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

static int debugfs_open(int fd, const char *name, int flags)
{
	struct stat st;
	char path[96];
	int file;

	igt_assert_eq(fstat(fd, &st), 0);
	snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%u/%s", minor(st.st_rdev), name);
	file = open(path, flags | O_CLOEXEC);
	igt_require_f(file >= 0, "%s: %s\n", path, strerror(errno));
	return file;
}

int __svm_debugfs_write(int fd, const char *name, uint64_t value)
{
	int file = debugfs_open(fd, name, O_WRONLY), err = 0;
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	if (write(file, text, strlen(text)) < 0)
		err = -errno;
	close(file);
	return err;
}

void svm_debugfs_write(int fd, const char *name, uint64_t value)
{
	igt_assert_eq(__svm_debugfs_write(fd, name, value), 0);
}

uint64_t svm_debugfs_read(int fd, const char *name)
{
	int file = debugfs_open(fd, name, O_RDONLY);
	char text[32] = "";

	igt_assert(read(file, text, sizeof(text) - 1) > 0);
	close(file);
	return strtoull(text, NULL, 0);
}

uint64_t svm_vram_offset(int fd, const void *addr)
{
	svm_debugfs_write(fd, "inject/offset", (uintptr_t)addr);
	return svm_debugfs_read(fd, "inject/offset");
}
