// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/export.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

#include "drm_svm_vram.h"

/**
 * drm_svm_ioctl_attach() - body of an attach ioctl
 * @ctx: see drm_svm_context_attach()
 * @sdev: see drm_svm_context_attach()
 * @ops: see drm_svm_context_attach()
 * @args: the payload
 *
 * Return: 0, -EINVAL for a malformed payload, or an error of
 * drm_svm_context_attach().
 */
int drm_svm_ioctl_attach(struct drm_svm_context *ctx,
			 struct drm_svm_device *sdev,
			 const struct drm_svm_context_ops *ops,
			 struct drm_svm_attach *args)
{
	int err;

	if (args->flags || args->pad)
		return -EINVAL;
	err = drm_svm_context_attach(ctx, sdev, ops);
	if (err)
		return err;

	args->out_va_start = 0;
	args->out_va_end = drm_svm_context_va_end(ctx);
	args->out_page_size = PAGE_SIZE;
	args->out_range_size = DRM_SVM_RANGE_SIZE;
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_ioctl_attach);

/**
 * drm_svm_ioctl_counters() - body of a counters ioctl
 * @ctx: the context
 * @args: the payload
 *
 * Context: process context, no lock held.
 * Return: 0, -EINVAL, -ENXIO, -EPERM, or -EFAULT when the array cannot be
 * written to.
 */
int drm_svm_ioctl_counters(struct drm_svm_context *ctx,
			   struct drm_svm_counters *args)
{
	unsigned int i, n = min_t(unsigned int, args->count, DRM_SVM_COUNTER_NUM);
	u64 __user *values = u64_to_user_ptr(args->values);
	u64 value[DRM_SVM_COUNTER_NUM];
	int err;

	if (args->flags || args->pad || args->count > DRM_SVM_COUNTERS_MAX)
		return -EINVAL;
	err = drm_svm_context_check_mm(ctx);
	if (err)
		return err;

	for (i = 0; i < n; i++)
		value[i] = drm_svm_counter_read(ctx, i);
	if (copy_to_user(values, value, n * sizeof(*values)) ||
	    clear_user(values + n, (args->count - n) * sizeof(*values)))
		return -EFAULT;
	args->out_count = DRM_SVM_COUNTER_NUM;
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_ioctl_counters);

/**
 * drm_svm_ioctl_events() - body of an ioctl that opens a file of events
 * @ctx: the context
 * @args: the payload
 *
 * The driver keeps @ctx attached. The file may outlive it, and the driver's
 * module as well.
 *
 * Context: process context, no lock held.
 * Return: 0, -EINVAL, -ENXIO, -EPERM, -EMFILE, -ENFILE or -ENOMEM.
 */
int drm_svm_ioctl_events(struct drm_svm_context *ctx,
			 struct drm_svm_events *args)
{
	int fd, err;

	if (args->flags || !args->entries || args->entries > DRM_SVM_EVENTS_MAX)
		return -EINVAL;
	err = drm_svm_context_check_mm(ctx);
	if (err)
		return err;
	fd = drm_svm_events_open(ctx->stats, args->entries);
	if (fd < 0)
		return fd;
	args->out_fd = fd;
	args->out_size = sizeof(struct drm_svm_event);
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_ioctl_events);

/**
 * drm_svm_ioctl_prefetch() - body of a prefetch ioctl
 * @ctx: the context
 * @args: the payload
 *
 * The driver keeps @ctx attached. After drm_dev_unplug() the call returns soon.
 *
 * Context: process context, no lock held that eviction takes.
 * Return: 0, or an error of struct drm_svm_prefetch.
 */
int drm_svm_ioctl_prefetch(struct drm_svm_context *ctx,
			   struct drm_svm_prefetch *args)
{
	int err;

	err = drm_svm_context_check_mm(ctx);
	if (err)
		return err;
	err = drm_svm_prefetch_check(ctx, args);
	if (err)
		return err;
	err = drm_svm_prefetch_work(ctx, args, NULL);
	/* only the call that follows an interruption goes on from there */
	if (err != -ERESTARTSYS)
		args->progress = 0;
	return err;
}
EXPORT_SYMBOL_GPL(drm_svm_ioctl_prefetch);

/**
 * drm_svm_ioctl_vram_info() - body of a VRAM info ioctl
 * @ctx: the context; one that is not attached has nothing
 * @sdev: the GPU
 * @args: the payload
 *
 * Context: process context, no lock held that eviction takes. The driver keeps
 * drm_svm_vram_fini() from running at the same time.
 * Return: 0, -EINVAL, or -EPERM when the context is attached to the memory of
 * another process.
 */
int drm_svm_ioctl_vram_info(struct drm_svm_context *ctx,
			    struct drm_svm_device *sdev,
			    struct drm_svm_vram_info *args)
{
	struct drm_svm_vram *vram = READ_ONCE(sdev->vram);
	int err;

	if (args->flags || args->pad)
		return -EINVAL;
	err = drm_svm_context_check_mm(ctx);
	if (err && err != -ENXIO)
		return err;
	memset(args, 0, sizeof(*args));
	if (!vram)
		return 0;
	/* an allocation would get what was given up a moment ago */
	flush_work(&vram->free_work);
	args->out_size = (u64)vram->npages << PAGE_SHIFT;
	args->out_free = (u64)drm_svm_vram_free_pages(vram) << PAGE_SHIFT;
	if (!err)
		args->out_own = drm_svm_counter_read(ctx, DRM_SVM_COUNTER_CUR_VRAM_RESERVED) <<
				PAGE_SHIFT;
	return 0;
}
EXPORT_SYMBOL_GPL(drm_svm_ioctl_vram_info);
