// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/cleanup.h>
#include <linux/highmem.h>
#include <linux/hmm.h>
#include <linux/memremap.h>
#include <linux/migrate.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_svm_floor.h>

/**
 * DOC: The floor
 *
 * What a benchmark measures a library against: the same work by bare loops round
 * the functions that the kernel has for it, without ranges, views, buffer objects,
 * DMA mappings or anything else that a driver needs. It shows how much of the time is
 * the kernel's own, so do not add to the timed loops what could be left out.
 *
 * Device pages have no memory of their own. The data is in other pages, which are
 * allocated when the module is loaded, so that no loop has to.
 *
 * It does without what makes a real driver safe: to unmap memory while another thread
 * migrates it may upset the kernel (see drm_svm_quirk_guard_huge()); a huge page for which
 * RAM has no huge page stays on the device. There is nothing to do when huge pages are
 * split: the kernel hands on the pagemap, and where the data is goes by the page.
 */

static unsigned int device_mb = 512;
module_param(device_mb, uint, 0444);
MODULE_PARM_DESC(device_mb, "MiB of the device, a multiple of 4, half of it for huge pages (default 512)");

static bool fault_window;
module_param(fault_window, bool, 0644);
MODULE_PARM_DESC(fault_window, "The CPU gets 2 MiB around the page that it touches, if mapped (default N)");

static atomic64_t floor_copied_ns;

static int floor_get_copied_ns(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%lld\n", atomic64_read(&floor_copied_ns));
}

static const struct kernel_param_ops floor_copied_ops = {
	.get = floor_get_copied_ns,
};

module_param_cb(copied_ns, &floor_copied_ops, NULL, 0444);
MODULE_PARM_DESC(copied_ns, "Nanoseconds so far in which pages were copied and cleared");

/* Indices of device pages. */
struct floor_stack {
	unsigned int n;
	u32 *index;
};

/**
 * struct floor_device - there is one
 * @pagemap: struct pages of the device
 * @backing: for each block of HPAGE_PMD_NR device pages, where its data is
 * @nr_blocks: number of blocks
 * @first_huge: first device page of those for huge pages
 * @lock: of the members below; frees come in atomic context
 * @free_pages: of the first half
 * @free_huge: of the second half
 * @pieces: by block, free pages of a huge one that was split
 * @in_use: pages in use, of which there is one reference to the module
 */
static struct floor_device {
	struct dev_pagemap pagemap;
	struct page **backing;
	unsigned int nr_blocks;
	unsigned int first_huge;
	spinlock_t lock;
	struct floor_stack free_pages;
	struct floor_stack free_huge;
	u16 *pieces;
	unsigned long in_use;
} floor_dev;

/* What one call did. */
struct floor_total {
	u64 ns;
	u64 pages;
	u64 copied;
	bool failed;
};

static unsigned int floor_index(const struct page *page)
{
	return page_to_pfn(page) - PHYS_PFN(floor_dev.pagemap.range.start);
}

static struct page *floor_backing(const struct page *page)
{
	unsigned int index = floor_index(page);

	return floor_dev.backing[index / HPAGE_PMD_NR] + index % HPAGE_PMD_NR;
}

/* A device page, locked; NULL: all are in use. */
static struct page *floor_take(unsigned int order)
{
	struct floor_stack *stack = order ? &floor_dev.free_huge :
					    &floor_dev.free_pages;
	unsigned long pfn = PHYS_PFN(floor_dev.pagemap.range.start);

	scoped_guard(spinlock, &floor_dev.lock) {
		if (!stack->n)
			return NULL;
		pfn += stack->index[--stack->n];
		/* nobody else would keep the module when the file is closed */
		if (!floor_dev.in_use)
			__module_get(THIS_MODULE);
		floor_dev.in_use += 1UL << order;
	}
	zone_device_folio_init(pfn_folio(pfn), &floor_dev.pagemap, order);
	return pfn_to_page(pfn);
}

static void floor_push(struct floor_stack *stack, unsigned int index)
{
	stack->index[stack->n++] = index;
}

/* A huge page that was split is free when all of its pages are. */
static void floor_give_huge(unsigned int index, unsigned int nr)
{
	unsigned int block = index / HPAGE_PMD_NR;

	floor_dev.pieces[block] += nr;
	if (floor_dev.pieces[block] < HPAGE_PMD_NR)
		return;
	floor_dev.pieces[block] = 0;
	floor_push(&floor_dev.free_huge, block * HPAGE_PMD_NR);
}

/* Atomic context. */
static void floor_folio_free(struct folio *folio)
{
	unsigned int index = floor_index(folio_page(folio, 0));
	unsigned int nr = folio_nr_pages(folio);
	bool last;

	scoped_guard(spinlock, &floor_dev.lock) {
		if (index >= floor_dev.first_huge)
			floor_give_huge(index, nr);
		else
			floor_push(&floor_dev.free_pages, index);
		floor_dev.in_use -= nr;
		last = !floor_dev.in_use;
	}
	/* memunmap_pages() waits for the caller of this function */
	if (last)
		module_put(THIS_MODULE);
}

static void floor_copy(struct page *dst, struct page *src, unsigned long nr)
{
	u64 begin = ktime_get_ns();
	unsigned long i;

	for (i = 0; i < nr; i++) {
		if (src)
			copy_highpage(dst + i, src + i);
		else
			clear_highpage(dst + i);
	}
	atomic64_add(ktime_get_ns() - begin, &floor_copied_ns);
}

static unsigned long floor_to_device(struct page *src, unsigned int order)
{
	struct page *dst = floor_take(order);

	if (!dst)
		return 0;
	floor_copy(floor_backing(dst), src, 1UL << order);
	return migrate_pfn(page_to_pfn(dst));
}

static unsigned long floor_to_system(struct vm_area_struct *vma,
				     unsigned long addr, struct page *src,
				     unsigned int order)
{
	gfp_t gfp = GFP_HIGHUSER_MOVABLE | (order ? __GFP_NOWARN : 0);
	struct folio *dst;

	if (!src)
		return 0;
	dst = vma_alloc_folio(gfp, order, vma, addr);
	if (!dst)
		return 0;
	folio_lock(dst);
	floor_copy(folio_page(dst, 0), floor_backing(src), 1UL << order);
	return migrate_pfn(folio_pfn(dst));
}

/* The pages that entry @i stands for, as an order. */
static unsigned int floor_order(const struct migrate_vma *args, unsigned long i)
{
	return (args->src[i] | args->dst[i]) & MIGRATE_PFN_COMPOUND ?
	       HPAGE_PMD_ORDER : 0;
}

static void floor_fill(struct migrate_vma *args, unsigned long i,
		       struct floor_total *total)
{
	struct page *src = migrate_pfn_to_page(args->src[i]);
	unsigned int order = floor_order(args, i);
	unsigned long dst;

	if (!(args->src[i] & MIGRATE_PFN_MIGRATE))
		return;
	if (args->flags & MIGRATE_VMA_SELECT_SYSTEM)
		dst = floor_to_device(src, order);
	else
		dst = floor_to_system(args->vma, args->start + i * PAGE_SIZE,
				      src, order);
	if (!dst) {
		if (src)
			total->failed = true;
		return;
	}
	args->dst[i] = dst | (order ? MIGRATE_PFN_COMPOUND : 0);
	total->copied += PAGE_SIZE << order;
}

static int floor_migrate(struct migrate_vma *args, struct floor_total *total)
{
	unsigned long i;
	int err = migrate_vma_setup(args);

	if (err || !args->cpages)
		return err;
	for (i = 0; i < args->npages; i += 1UL << floor_order(args, i))
		floor_fill(args, i, total);
	migrate_vma_pages(args);
	/* as a driver does that maps what moved */
	for (i = 0; i < args->npages; i += 1UL << floor_order(args, i))
		if (args->src[i] & MIGRATE_PFN_MIGRATE)
			total->pages += 1UL << floor_order(args, i);
	migrate_vma_finalize(args);
	return 0;
}

/* What comes home with a page that the CPU touched. */
static void floor_fault_range(struct vm_fault *vmf, unsigned long *start,
			      unsigned long *end)
{
	bool huge = folio_test_large(page_folio(vmf->page));

	*start = vmf->address & PAGE_MASK;
	*end = *start + PAGE_SIZE;
	/* to collect a page of a huge one splits it; it moves the next time */
	if (huge ? !!vmf->pte : !fault_window)
		return;
	*start = max(ALIGN_DOWN(*start, PMD_SIZE), vmf->vma->vm_start);
	*end = min(ALIGN(*end, PMD_SIZE), vmf->vma->vm_end);
}

static vm_fault_t floor_migrate_to_ram(struct vm_fault *vmf)
{
	unsigned long start, end, nr, one[2], *pfns = one;
	struct floor_total total = { 0 };
	struct migrate_vma args;
	int err;

	floor_fault_range(vmf, &start, &end);
	nr = (end - start) >> PAGE_SHIFT;
	if (nr > 1)
		pfns = kmalloc_array(nr, 2 * sizeof(*pfns), GFP_KERNEL);
	if (!pfns)
		return VM_FAULT_OOM;
	args = (struct migrate_vma) {
		.vma = vmf->vma,
		.start = start,
		.end = end,
		.src = pfns,
		.dst = pfns + nr,
		.pgmap_owner = &floor_dev,
		.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE |
			 MIGRATE_VMA_SELECT_COMPOUND,
		.fault_page = vmf->page,
	};
	err = floor_migrate(&args, &total);
	if (pfns != one)
		kfree(pfns);
	if (err)
		return VM_FAULT_SIGBUS;
	/* tried again if it did not move for a moment only */
	return total.failed && !total.pages ? VM_FAULT_OOM : 0;
}

static const struct dev_pagemap_ops floor_pagemap_ops = {
	.folio_free = floor_folio_free,
	.migrate_to_ram = floor_migrate_to_ram,
};

/* The end of the window from @start on. */
static unsigned long floor_window(unsigned long start, unsigned long end)
{
	return min(end, ALIGN(start + 1, PMD_SIZE));
}

static int floor_check(u64 start, u64 size, u32 flags, u32 known, u32 pad)
{
	if (flags & ~known || pad || !size || !PAGE_ALIGNED(start | size))
		return -EINVAL;
	return access_ok(u64_to_user_ptr(start), size) ? 0 : -EFAULT;
}

/* Memory for migrations, one window after the other. */
struct floor_run {
	struct migrate_vma args;
	struct floor_total total;
	unsigned long src[HPAGE_PMD_NR];
	unsigned long dst[HPAGE_PMD_NR];
};

/* Returns the end of the window, or an error; with mmap_lock held. */
static long floor_migrate_window(struct floor_run *run, unsigned long start,
				 unsigned long end, unsigned long from)
{
	struct vm_area_struct *vma = vma_lookup(current->mm, start);
	int err;

	if (!vma)
		return -EFAULT;
	if (!vma_is_anonymous(vma))
		return -EOPNOTSUPP;
	run->args = (struct migrate_vma) {
		.vma = vma,
		.start = start,
		.end = min(floor_window(start, end), vma->vm_end),
		.src = run->src,
		.dst = run->dst,
		.pgmap_owner = &floor_dev,
		.flags = from | MIGRATE_VMA_SELECT_COMPOUND,
	};
	end = run->args.end;
	err = floor_migrate(&run->args, &run->total);
	return err ?: end;
}

static int floor_migrate_all(struct floor_run *run, unsigned long start,
			     unsigned long end, unsigned long from)
{
	struct mm_struct *mm = current->mm;
	u64 begin = ktime_get_ns();
	long next;

	for (; start < end; start = next) {
		mmap_read_lock(mm);
		next = floor_migrate_window(run, start, end, from);
		mmap_read_unlock(mm);
		if (next < 0)
			return next;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	run->total.ns = ktime_get_ns() - begin;
	return 0;
}

static long floor_ioctl_migrate(void __user *uarg, unsigned long from)
{
	struct floor_run *run __free(kvfree) = kvzalloc_obj(*run);
	struct drm_svm_floor_migrate arg;
	int err;

	if (!run)
		return -ENOMEM;
	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	err = floor_check(arg.start, arg.size, arg.flags, 0, arg.pad);
	if (err)
		return err;
	err = floor_migrate_all(run, arg.start, arg.start + arg.size, from);
	if (err)
		return err;
	arg.out_ns = run->total.ns;
	arg.out_pages = run->total.pages;
	arg.out_copied = run->total.copied;
	return copy_to_user(uarg, &arg, sizeof(arg)) ? -EFAULT : 0;
}

/* A device page table of one window, which all windows of a call share. */
struct floor_mirror {
	struct mmu_interval_notifier notifier;
	/* of the page table */
	spinlock_t lock;
	struct hmm_range hmm;
	unsigned long pfns[HPAGE_PMD_NR];
	u64 table[HPAGE_PMD_NR];
};

static bool floor_invalidate(struct mmu_interval_notifier *notifier,
			     const struct mmu_notifier_range *range,
			     unsigned long seq)
{
	struct floor_mirror *mirror = container_of(notifier, struct floor_mirror,
						   notifier);

	guard(spinlock)(&mirror->lock);
	mmu_interval_set_seq(notifier, seq);
	return true;
}

static const struct mmu_interval_notifier_ops floor_notifier_ops = {
	.invalidate = floor_invalidate,
};

/* -EBUSY: to be tried again. */
static int floor_mirror_commit(struct floor_mirror *mirror)
{
	unsigned long i, nr = (mirror->hmm.end - mirror->hmm.start) >> PAGE_SHIFT;

	guard(spinlock)(&mirror->lock);
	if (mmu_interval_read_retry(&mirror->notifier, mirror->hmm.notifier_seq))
		return -EBUSY;
	for (i = 0; i < nr; i++) {
		u64 flags = 1 | (mirror->pfns[i] & HMM_PFN_WRITE ? 2 : 0);

		WRITE_ONCE(mirror->table[i],
			   (mirror->pfns[i] & ~HMM_PFN_FLAGS) << PAGE_SHIFT | flags);
	}
	return 0;
}

static int floor_mirror_window(struct floor_mirror *mirror)
{
	struct mm_struct *mm = current->mm;
	int err;

	mirror->hmm.notifier_seq = mmu_interval_read_begin(&mirror->notifier);
	mmap_read_lock(mm);
	err = hmm_range_fault(&mirror->hmm);
	mmap_read_unlock(mm);
	return err ?: floor_mirror_commit(mirror);
}

static int floor_mirror_all(struct floor_mirror *mirror, unsigned long start,
			    unsigned long end, u64 *ns)
{
	u64 begin = ktime_get_ns();
	int err;

	for (; start < end; start = mirror->hmm.end) {
		mirror->hmm.start = start;
		mirror->hmm.end = floor_window(start, end);
		do {
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
			err = floor_mirror_window(mirror);
		} while (err == -EBUSY);
		if (err)
			return err;
	}
	*ns = ktime_get_ns() - begin;
	return 0;
}

static int floor_mirror_run(struct floor_mirror *mirror,
			    struct drm_svm_floor_mirror *arg)
{
	int err;

	spin_lock_init(&mirror->lock);
	mirror->hmm = (struct hmm_range) {
		.notifier = &mirror->notifier,
		.hmm_pfns = mirror->pfns,
		.default_flags = HMM_PFN_REQ_FAULT,
		.dev_private_owner = &floor_dev,
	};
	if (arg->flags & DRM_SVM_FLOOR_WRITE)
		mirror->hmm.default_flags |= HMM_PFN_REQ_WRITE;
	err = mmu_interval_notifier_insert(&mirror->notifier, current->mm,
					   arg->start, arg->size,
					   &floor_notifier_ops);
	if (err)
		return err;
	err = floor_mirror_all(mirror, arg->start, arg->start + arg->size,
			       &arg->out_ns);
	mmu_interval_notifier_remove(&mirror->notifier);
	return err;
}

static long floor_ioctl_mirror(void __user *uarg)
{
	struct floor_mirror *mirror __free(kvfree) = kvzalloc_obj(*mirror);
	struct drm_svm_floor_mirror arg;
	int err;

	if (!mirror)
		return -ENOMEM;
	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	err = floor_check(arg.start, arg.size, arg.flags, DRM_SVM_FLOOR_WRITE,
			  arg.pad);
	if (err)
		return err;
	err = floor_mirror_run(mirror, &arg);
	if (err)
		return err;
	return copy_to_user(uarg, &arg, sizeof(arg)) ? -EFAULT : 0;
}

static long floor_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case DRM_IOCTL_SVM_FLOOR_MIRROR:
		return floor_ioctl_mirror(uarg);
	case DRM_IOCTL_SVM_FLOOR_MIGRATE_TO_DEVICE:
		return floor_ioctl_migrate(uarg, MIGRATE_VMA_SELECT_SYSTEM);
	case DRM_IOCTL_SVM_FLOOR_MIGRATE_TO_SYSTEM:
		return floor_ioctl_migrate(uarg,
					   MIGRATE_VMA_SELECT_DEVICE_PRIVATE);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations floor_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = floor_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice floor_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "drm_svm_floor",
	.fops = &floor_fops,
	.mode = 0600,
};

static void floor_free_tables(void)
{
	unsigned int i;

	for (i = 0; floor_dev.backing && i < floor_dev.nr_blocks; i++)
		if (floor_dev.backing[i])
			__free_pages(floor_dev.backing[i], HPAGE_PMD_ORDER);
	kvfree(floor_dev.backing);
	kvfree(floor_dev.pieces);
	kvfree(floor_dev.free_pages.index);
	kvfree(floor_dev.free_huge.index);
}

static int floor_alloc_tables(void)
{
	unsigned int i, nr = floor_dev.nr_blocks;

	floor_dev.first_huge = nr / 2 * HPAGE_PMD_NR;
	floor_dev.backing = kvcalloc(nr, sizeof(*floor_dev.backing), GFP_KERNEL);
	floor_dev.pieces = kvcalloc(nr, sizeof(*floor_dev.pieces), GFP_KERNEL);
	floor_dev.free_pages.index = kvcalloc(floor_dev.first_huge, sizeof(u32),
					      GFP_KERNEL);
	floor_dev.free_huge.index = kvcalloc(nr / 2, sizeof(u32), GFP_KERNEL);
	if (!floor_dev.backing || !floor_dev.pieces ||
	    !floor_dev.free_pages.index || !floor_dev.free_huge.index)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		floor_dev.backing[i] = alloc_pages(GFP_HIGHUSER, HPAGE_PMD_ORDER);
		if (!floor_dev.backing[i])
			return -ENOMEM;
	}
	/* the first ones are taken first */
	for (i = nr; i > nr / 2; i--)
		floor_push(&floor_dev.free_huge, (i - 1) * HPAGE_PMD_NR);
	for (i = floor_dev.first_huge; i > 0; i--)
		floor_push(&floor_dev.free_pages, i - 1);
	return 0;
}

static int floor_map(void)
{
	struct dev_pagemap *pagemap = &floor_dev.pagemap;
	struct resource *res;
	void *addr;

	res = request_free_mem_region(&iomem_resource,
				      (u64)floor_dev.nr_blocks << PMD_SHIFT,
				      "drm_svm_floor");
	if (IS_ERR(res))
		return PTR_ERR(res);
	pagemap->type = MEMORY_DEVICE_PRIVATE;
	pagemap->range.start = res->start;
	pagemap->range.end = res->end;
	pagemap->nr_range = 1;
	pagemap->ops = &floor_pagemap_ops;
	pagemap->owner = &floor_dev;
	addr = memremap_pages(pagemap, NUMA_NO_NODE);
	if (IS_ERR(addr))
		release_mem_region(res->start, resource_size(res));
	return PTR_ERR_OR_ZERO(addr);
}

static void floor_unmap(void)
{
	struct range *range = &floor_dev.pagemap.range;

	memunmap_pages(&floor_dev.pagemap);
	release_mem_region(range->start, range_len(range));
}

static int __init floor_init(void)
{
	int err;

	if (!device_mb || device_mb % 4)
		return -EINVAL;
	floor_dev.nr_blocks = ((u64)device_mb << 20) >> PMD_SHIFT;
	spin_lock_init(&floor_dev.lock);
	err = floor_alloc_tables();
	if (err)
		goto free;
	err = floor_map();
	if (err)
		goto free;
	err = misc_register(&floor_misc);
	if (err)
		goto unmap;
	return 0;
unmap:
	floor_unmap();
free:
	floor_free_tables();
	return err;
}

static void __exit floor_exit(void)
{
	misc_deregister(&floor_misc);
	floor_unmap();
	floor_free_tables();
}

module_init(floor_init);
module_exit(floor_exit);

MODULE_DESCRIPTION("Bare migration and mirroring, for benchmarks of drm_svm");
MODULE_LICENSE("Dual MIT/GPL");
