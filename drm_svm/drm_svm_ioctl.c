// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/export.h>
#include <linux/mm.h>
#include <linux/overflow.h>

#include "drm_svm_internal.h"

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
 * drm_svm_ioctl_check_interval() - check addresses that a caller gave
 * @ctx: the context, attached
 * @start: first address
 * @size: bytes
 *
 * Return: 0, or -EINVAL when it is empty, not of whole pages, or not within the
 * shared window.
 */
int drm_svm_ioctl_check_interval(struct drm_svm_context *ctx, u64 start,
				 u64 size)
{
	u64 end;

	if (!size || !PAGE_ALIGNED(start | size) ||
	    check_add_overflow(start, size, &end) ||
	    end > drm_svm_context_va_end(ctx))
		return -EINVAL;
	return 0;
}
