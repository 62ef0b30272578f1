// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The memory chips of the device, and its bus.
 *
 * VRAM is pages that nobody else knows. All of them are there from the start,
 * as chips are: a write by an engine, which cannot wait, never has to allocate
 * one. The struct pages that drm_svm makes for VRAM are others, with no memory
 * behind them; so a CPU that follows one of those cannot get here by mistake.
 *
 * Content is true to life as well. At power-on it is a poison, and it stays
 * when an allocation is freed, until somebody overwrites it: memory that is
 * handed out without being cleared shows the poison or another program's data.
 *
 * Nothing here is locked: what is read and written, and when, is the business
 * of who has the memory.
 */

#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "svm_test_vram.h"

#define VRAM_POISON	0xa5

struct svm_test_memory {
	/* @npages: pages of VRAM */
	unsigned long npages;
	struct page *pages[] __counted_by(npages);
};

static struct page *memory_page_alloc(void)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_NOWARN |
				       __GFP_RETRY_MAYFAIL);
	void *ptr;

	if (!page)
		return NULL;

	ptr = kmap_local_page(page);
	memset(ptr, VRAM_POISON, PAGE_SIZE);
	kunmap_local(ptr);
	return page;
}

/**
 * svm_test_memory_create() - make the memory of a device
 * @size: bytes, a multiple of the page size
 *
 * Return: the memory, or NULL when the machine has not that much.
 */
struct svm_test_memory *svm_test_memory_create(u64 size)
{
	unsigned long npages = size >> PAGE_SHIFT, i;
	struct svm_test_memory *memory;

	memory = kvzalloc_flex(*memory, pages, npages);
	if (!memory)
		return NULL;

	memory->npages = npages;
	for (i = 0; i < npages; i++) {
		memory->pages[i] = memory_page_alloc();
		if (!memory->pages[i]) {
			svm_test_memory_destroy(memory);
			return NULL;
		}
		cond_resched();
	}
	return memory;
}

/**
 * svm_test_memory_destroy() - free the memory of a device
 * @memory: the memory, or NULL; no engine uses it any more
 */
void svm_test_memory_destroy(struct svm_test_memory *memory)
{
	unsigned long i;

	if (!memory)
		return;
	for (i = 0; i < memory->npages && memory->pages[i]; i++)
		__free_page(memory->pages[i]);
	kvfree(memory);
}

/**
 * svm_test_memory_page() - find what is behind an address on the bus
 * @memory: the memory of the device
 * @bus: from svm_test_bus_addr()
 *
 * A DMA address is a physical one, see svm_test_device.c.
 *
 * Return: the page, or NULL when the address leads nowhere, which is a bug of
 * whoever programmed it.
 */
struct page *svm_test_memory_page(const struct svm_test_memory *memory, u64 bus)
{
	u64 pfn = (bus & ~SVM_TEST_BUS_VRAM) >> PAGE_SHIFT;

	if (bus & SVM_TEST_BUS_VRAM)
		return WARN_ON_ONCE(pfn >= memory->npages) ? NULL :
							    memory->pages[pfn];
	return WARN_ON_ONCE(!pfn_valid(pfn)) ? NULL : pfn_to_page(pfn);
}
