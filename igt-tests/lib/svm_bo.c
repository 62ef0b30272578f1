// SPDX-License-Identifier: MIT
/*
 * Buffer objects of drm_svm_test_dev.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_hw.h"
#include "svm_job.h"
#include "svm_lib.h"

uint32_t svm_bo_create(int fd, uint64_t size, uint32_t flags)
{
	uint32_t handle;

	igt_assert_eq(client_bo_create(fd, size, flags, &handle), 0);
	igt_assert_neq_u32(handle, 0);
	return handle;
}

void svm_bo_close(int fd, uint32_t handle)
{
	igt_assert_eq(client_bo_close(fd, handle), 0);
}

void *svm_bo_map(int fd, uint32_t handle, size_t size)
{
	uint64_t offset;
	void *map;

	igt_assert_eq(client_bo_offset(fd, handle, &offset), 0);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	igt_assert(map != MAP_FAILED);
	return map;
}

void *svm_bo_bind(int fd, uint32_t handle, uint64_t addr, uint64_t size)
{
	igt_assert_eq(client_bo_bind(fd, handle, addr, 0, size), 0);
	return (void *)(uintptr_t)addr;
}

void svm_bo_unbind(int fd, const void *addr, uint64_t size)
{
	igt_assert_eq(client_bo_unbind(fd, (uintptr_t)addr, size), 0);
}

uint64_t svm_bo_start(int fd)
{
	struct drm_svm_test_info info;

	svm_info(fd, &info);
	igt_require_f(info.out_bo_start < 1ull << info.out_va_bits,
		      "no GPU addresses for buffer objects\n");
	return info.out_bo_start;
}

#define BUF_SLOT	(64ull << 20)
#define BUF_SLOTS	4096

struct svm_buf svm_buf(int fd, size_t size, uint32_t flags)
{
	static unsigned int used;
	uint64_t addr = svm_bo_start(fd) + (1 + used++ % BUF_SLOTS) * BUF_SLOT;
	struct svm_buf buf = { .fd = fd, .size = size };

	igt_assert_lte_u64(size, BUF_SLOT - svm_page_size());
	buf.handle = svm_bo_create(fd, size, flags);
	buf.gpu = svm_bo_bind(fd, buf.handle, addr, size);
	buf.cpu = svm_bo_map(fd, buf.handle, size);
	return buf;
}

void svm_buf_unmap(struct svm_buf *buf)
{
	igt_assert_eq(munmap(buf->cpu, buf->size), 0);
	buf->cpu = NULL;
}

void svm_buf_free(struct svm_buf *buf)
{
	if (buf->cpu)
		svm_buf_unmap(buf);
	if (buf->gpu)
		svm_bo_unbind(buf->fd, buf->gpu, buf->size);
	if (buf->handle)
		svm_bo_close(buf->fd, buf->handle);
	buf->gpu = NULL;
	buf->handle = 0;
}

struct svm_hold svm_hold_start(int fd, uint32_t queue, const struct drm_svm_test_sync *out)
{
	struct svm_hold hold = { .buf = svm_buf(fd, svm_page_size(), 0) };
	struct drm_svm_test_cmd add = svm_cmd_add64(hold.buf.gpu, 1, UINT64_MAX);
	struct drm_svm_test_submit args = svm_submit_synced(queue, &add, 1, NULL, out);

	hold.job = svm_submit_ioctl(fd, &args);
	igt_assert(svm_until(READ_ONCE(*hold.buf.cpu), 30000));
	svm_buf_unmap(&hold.buf);
	return hold;
}

void svm_hold_end(struct svm_hold *hold)
{
	igt_assert_eq(client_cancel_job(hold->buf.fd, hold->job, 0), 0);
	svm_wait_failed(hold->buf.fd, hold->job, DRM_SVM_TEST_STATUS_CANCELLED, ECANCELED);
	svm_buf_free(&hold->buf);
}

uint64_t svm_vram_size(int fd)
{
	struct drm_svm_test_info info;

	svm_info(fd, &info);
	igt_require_f(info.out_vram_size, "no VRAM\n");
	return info.out_vram_size;
}

int __svm_evict_vram(int fd)
{
	return __svm_hw_write(fd, "evict_vram", "1");
}

void svm_evict_vram(int fd)
{
	int err = 0;

	/* a page that somebody holds for a moment is busy */
	igt_assert_f(svm_until((err = __svm_evict_vram(fd)) != -EBUSY, 1000) && !err,
		     "evict_vram: %s\n", strerror(-err));
}

uint64_t svm_fdinfo_bytes(int fd, const char *key)
{
	char path[64], line[128], unit[8];
	uint64_t value = 0;
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	igt_assert(file);
	while (!found && fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)) || line[strlen(key)] != ':')
			continue;
		unit[0] = '\0';
		found = sscanf(line + strlen(key) + 1, "%" SCNu64 " %7s", &value, unit) >= 1;
		if (!strcmp(unit, "KiB"))
			value <<= 10;
		else if (!strcmp(unit, "MiB"))
			value <<= 20;
	}
	fclose(file);
	igt_assert_f(found, "no %s in fdinfo\n", key);
	return value;
}
