// SPDX-License-Identifier: MIT
/*
 * A file system in user space, by the protocol alone: see linux/fuse.h.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/fuse.h>

#include "igt.h"
#include "svm_fuse.h"
#include "svm_lib.h"

#define FILE_NODE	2
#define FOR_EVER	3600

/* A file system that is gone takes no answers. */
static void reply(struct svm_fuse *fuse, uint64_t unique, int err, const void *data, size_t size)
{
	struct fuse_out_header out = {
		.len = sizeof(out) + size, .error = err, .unique = unique,
	};
	struct iovec iov[] = { { &out, sizeof(out) }, { (void *)data, size } };

	if (writev(fuse->dev, iov, size ? 2 : 1) < 0)
		igt_debug("FUSE: %s\n", strerror(errno));
}

static void reply_page(struct svm_fuse *fuse, uint64_t unique)
{
	char page[4096];

	memset(page, SVM_FUSE_BYTE, sizeof(page));
	reply(fuse, unique, 0, page, sizeof(page));
}

static struct fuse_attr node_attr(uint64_t node)
{
	return (struct fuse_attr) {
		.ino = node, .size = 4096, .blocks = 8, .nlink = 1, .blksize = 4096,
		.mode = node == FILE_NODE ? S_IFREG | 0444 : S_IFDIR | 0755,
	};
}

static void serve_read(struct svm_fuse *fuse, const struct fuse_in_header *in)
{
	bool now;

	pthread_mutex_lock(&fuse->lock);
	fuse->nreads++;
	now = fuse->answers || fuse->nheld == SVM_FUSE_HELD;
	if (!now)
		fuse->held[fuse->nheld++] = in->unique;
	pthread_mutex_unlock(&fuse->lock);
	if (now)
		reply_page(fuse, in->unique);
}

static void serve(struct svm_fuse *fuse, const struct fuse_in_header *in)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096,
	};
	struct fuse_entry_out entry = {
		.nodeid = FILE_NODE, .attr = node_attr(FILE_NODE),
		.attr_valid = FOR_EVER, .entry_valid = FOR_EVER,
	};
	struct fuse_attr_out attr = { .attr = node_attr(in->nodeid), .attr_valid = FOR_EVER };
	struct fuse_open_out opened = { .fh = 1 };

	switch (in->opcode) {
	case FUSE_INIT:
		reply(fuse, in->unique, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		reply(fuse, in->unique, 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
		reply(fuse, in->unique, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		reply(fuse, in->unique, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		serve_read(fuse, in);
		break;
	case FUSE_RELEASE:
		__atomic_add_fetch(&fuse->nreleases, 1, __ATOMIC_SEQ_CST);
		reply(fuse, in->unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		reply(fuse, in->unique, -EOPNOTSUPP, NULL, 0);
	}
}

static void *server_thread(void *arg)
{
	static char buffer[1 << 16];
	struct svm_fuse *fuse = arg;
	ssize_t n;

	while ((n = read(fuse->dev, buffer, sizeof(buffer))) > 0 || errno == EINTR) {
		if (n > 0)
			serve(fuse, (const struct fuse_in_header *)buffer);
	}
	return NULL;
}

void svm_fuse_start(struct svm_fuse *fuse)
{
	char options[96];

	*fuse = (struct svm_fuse) { .lock = PTHREAD_MUTEX_INITIALIZER };
	if (access("/dev/fuse", F_OK) && system("modprobe -q fuse"))
		igt_skip("no FUSE\n");
	fuse->dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	igt_require(fuse->dev >= 0);
	strcpy(fuse->dir, "/tmp/svm-fuse-XXXXXX");
	igt_assert(mkdtemp(fuse->dir));
	snprintf(fuse->path, sizeof(fuse->path), "%s/file", fuse->dir);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse->dev);
	igt_assert_eq(mount("svm", fuse->dir, "fuse", MS_NOSUID | MS_NODEV, options), 0);
	igt_assert_eq(pthread_create(&fuse->server, NULL, server_thread, fuse), 0);
}

void svm_fuse_answer(struct svm_fuse *fuse)
{
	unsigned int i, n;

	pthread_mutex_lock(&fuse->lock);
	fuse->answers = true;
	n = fuse->nheld;
	fuse->nheld = 0;
	pthread_mutex_unlock(&fuse->lock);
	for (i = 0; i < n; i++)
		reply_page(fuse, fuse->held[i]);
}

void svm_fuse_stop(struct svm_fuse *fuse)
{
	svm_fuse_answer(fuse);
	igt_assert_eq(umount2(fuse->dir, MNT_DETACH), 0);
	pthread_join(fuse->server, NULL);
	close(fuse->dev);
	rmdir(fuse->dir);
}
