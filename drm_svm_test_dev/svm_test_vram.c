// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The memory chips of the device, and its bus.
 *
 * VRAM is pages that nobody else knows. A page gets its backing when the place
 * that it lies in is handed out for the first time, see svm_test_ttm.c, and keeps
 * it: what is never used costs nothing, and a write by an engine, which cannot
 * wait, never has to allocate. The struct pages that drm_svm makes for VRAM are
 * others, with no memory behind them; so a CPU that follows one of those cannot
 * get here by mistake.
 *
 * Content is true to life as well. At power-on it is a poison, and it stays
 * when an allocation is freed, until somebody overwrites it: memory that is
 * handed out without being cleared shows the poison or another program's data.
 *
 * The bus of a device leads to the VRAM of the others as well. That memory may
 * go, with its device, when nothing leads there any more: what processes had in it
 * was evicted before, which unmaps it on every device.
 *
 * Locking. What is read and written, and when, is the business of who has the
 * memory, as is who backs it: a place belongs to one at a time. Places that are
 * backed at the same time meet in the lock of the xarray alone. An engine looks
 * up with no lock. The table of memories changes when devices are made or freed.
 */

#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "svm_test_config.h"
#include "svm_test_vram.h"

#define VRAM_POISON	0xa5

#define VRAM_GFP	(GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

struct svm_test_memory {
	/* @index: number of the device */
	unsigned int index;
	/* @backed: pages that have memory */
	atomic_long_t backed;
	/* @pages: the memory, by page number */
	struct xarray pages;
};

/* By number of the device: what the bus of each leads to */
static struct svm_test_memory *memories[SVM_TEST_MAX_DEVICES];

static void memory_page_poison(struct page *page)
{
	void *ptr = kmap_local_page(page);

	memset(ptr, VRAM_POISON, PAGE_SIZE);
	kunmap_local(ptr);
}

/* How many pages from @pfn on have memory already */
static unsigned long memory_count_backed(struct svm_test_memory *memory,
					 unsigned long pfn, unsigned long npages)
{
	XA_STATE(xas, &memory->pages, pfn);
	unsigned long n = 0;
	struct page *page;

	guard(rcu)();
	xas_for_each(&xas, page, pfn + npages - 1) {
		/* the tree grows for somebody else */
		if (xas_retry(&xas, page))
			continue;
		if (xas.xa_index != pfn + n)
			break;
		n++;
	}
	return n;
}

static int memory_back_one(struct svm_test_memory *memory, unsigned long pfn)
{
	struct page *page;
	int err;

	page = alloc_page(VRAM_GFP);
	if (!page)
		return -ENOSPC;

	/* Published by the store, with the poison in it */
	memory_page_poison(page);
	err = xa_err(xa_store(&memory->pages, pfn, page, VRAM_GFP));
	if (err) {
		__free_page(page);
		return -ENOSPC;
	}
	atomic_long_inc(&memory->backed);
	return 0;
}

/**
 * svm_test_memory_back() - have memory behind a place in VRAM
 * @memory: the memory of the device
 * @pfn: first page
 * @npages: number of pages
 *
 * The caller has just got the place, so nobody else backs it at this moment. What
 * has memory already keeps it, with its content.
 *
 * Return: 0, or -ENOSPC when the machine has not that much.
 */
int svm_test_memory_back(struct svm_test_memory *memory, unsigned long pfn,
			 unsigned long npages)
{
	unsigned long end = pfn + npages;
	int err = 0;

	while (!err) {
		pfn += memory_count_backed(memory, pfn, end - pfn);
		if (pfn == end)
			break;
		err = memory_back_one(memory, pfn++);
		cond_resched();
	}
	return err;
}

/**
 * svm_test_memory_lose() - the power is off: content is lost
 * @memory: the memory of the device; whoever uses it at this moment is surprised
 */
void svm_test_memory_lose(struct svm_test_memory *memory)
{
	struct page *page;
	unsigned long pfn;

	xa_for_each(&memory->pages, pfn, page) {
		memory_page_poison(page);
		cond_resched();
	}
}

/**
 * svm_test_memory_backed() - how much VRAM has memory behind it
 * @memory: the memory of the device
 *
 * Return: bytes.
 */
u64 svm_test_memory_backed(const struct svm_test_memory *memory)
{
	return (u64)atomic_long_read(&memory->backed) << PAGE_SHIFT;
}

/**
 * svm_test_memory_create() - make the memory of a device
 * @index: number of the device
 *
 * Return: the memory, or NULL when there is no memory for its administration.
 */
struct svm_test_memory *svm_test_memory_create(unsigned int index)
{
	struct svm_test_memory *memory;

	memory = kzalloc_obj(*memory);
	if (!memory)
		return NULL;

	memory->index = index;
	xa_init(&memory->pages);
	WRITE_ONCE(memories[index], memory);
	return memory;
}

/**
 * svm_test_memory_destroy() - free the memory of a device
 * @memory: the memory, or NULL; no engine of any device uses it any more
 */
void svm_test_memory_destroy(struct svm_test_memory *memory)
{
	struct page *page;
	unsigned long pfn;

	if (!memory)
		return;
	WRITE_ONCE(memories[memory->index], NULL);
	xa_for_each(&memory->pages, pfn, page) {
		__free_page(page);
		cond_resched();
	}
	xa_destroy(&memory->pages);
	kfree(memory);
}

static struct svm_test_memory *memory_in_window(struct svm_test_memory *own,
						u64 bus)
{
	u64 window = (bus & SVM_TEST_BUS_WINDOW) >> SVM_TEST_BUS_WINDOW_SHIFT;

	if (!window)
		return own;
	return window <= SVM_TEST_MAX_DEVICES ? READ_ONCE(memories[window - 1]) :
						NULL;
}

static struct page *memory_vram_page(struct svm_test_memory *own, u64 bus)
{
	struct svm_test_memory *memory = memory_in_window(own, bus);

	if (!memory)
		return NULL;
	return xa_load(&memory->pages, (bus & SVM_TEST_BUS_OFFSET) >> PAGE_SHIFT);
}

/**
 * svm_test_memory_page() - find what is behind an address on the bus
 * @memory: the memory of the device
 * @bus: from svm_test_bus_addr()
 *
 * A DMA address is a physical one, see svm_test_device.c. Does not sleep, takes no
 * lock.
 *
 * Return: the page, or NULL when the address leads nowhere, or to VRAM that was
 * never handed out, which is a bug of whoever programmed it.
 */
struct page *svm_test_memory_page(struct svm_test_memory *memory, u64 bus)
{
	struct page *page = NULL;

	if (bus & SVM_TEST_BUS_VRAM)
		page = memory_vram_page(memory, bus);
	else if (pfn_valid(bus >> PAGE_SHIFT))
		page = pfn_to_page(bus >> PAGE_SHIFT);
	WARN_ON_ONCE(!page);
	return page;
}
