// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The MMU of one engine: how an engine gets at memory, and the only way.
 *
 * An engine reaches memory in access sections. Within a section it translates
 * addresses, by its TLB and else by the page table, and uses the memory; it
 * keeps no translation beyond the section. Sections touch a page of each
 * operand at most. Preemption is off in a section, so it ends soon, and a
 * flush can wait for it by spinning.
 *
 * Flush protocol, of svm_test_port.c: clear the entries, count the flush, drop
 * the entries from every TLB, then wait for the sections that were open. The
 * counter svm_test_mmu.section is odd inside of a section. The full barriers
 * after opening one and before looking at the counter make sure that either
 * the flush sees the section, or the section sees entries and TLB as they are
 * after the flush.
 *
 * What a translation leads to is an address on the bus of the device, in RAM or
 * in VRAM; svm_test_vram.c finds the page.
 */

#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/processor.h>
#include <linux/slab.h>

#include <drm/drm_svm.h>

#include "svm_test_device.h"
#include "svm_test_mmu.h"
#include "svm_test_pt.h"
#include "svm_test_tlb.h"
#include "svm_test_vm.h"
#include "svm_test_vram.h"

struct svm_test_mmu {
	struct svm_test_tlb *tlb;
	/* @section: odd in an access section; written by the engine alone */
	unsigned long section;
};

/**
 * svm_test_mmu_enter() - open an access section
 * @mmu: the MMU of the calling engine
 */
void svm_test_mmu_enter(struct svm_test_mmu *mmu)
{
	preempt_disable();
	WRITE_ONCE(mmu->section, mmu->section + 1);
	/* Pairs with svm_test_mmu_drain() */
	smp_mb();
}

/**
 * svm_test_mmu_leave() - close the access section
 * @mmu: the MMU of the calling engine
 */
void svm_test_mmu_leave(struct svm_test_mmu *mmu)
{
	/* All accesses are over before svm_test_mmu_drain() sees this */
	smp_store_release(&mmu->section, mmu->section + 1);
	preempt_enable();
}

/* Walk the page table and remember what it says. */
static bool mmu_walk(struct svm_test_mmu *mmu, struct svm_test_vm *vm, u64 addr,
		     u32 access, u64 *dma)
{
	/* Before the walk; see svm_test_tlb_insert() */
	u64 flushes = atomic64_read_acquire(&vm->asid.flushes);
	struct svm_test_translation tr;

	if (!svm_test_pt_walk(vm->pt, addr, access, &tr))
		return false;

	svm_test_tlb_insert(mmu->tlb, &vm->asid, flushes, addr, &tr);
	*dma = tr.addr + (addr & (BIT_ULL(tr.shift) - 1));
	return true;
}

/**
 * svm_test_mmu_get() - translate an address and map its page
 * @mmu: the MMU, in an access section
 * @vm: address space
 * @addr: virtual address
 * @access: DRM_SVM_ACCESS_READ, DRM_SVM_ACCESS_WRITE or both
 *
 * The memory may be used up to the end of the page, until svm_test_mmu_put(),
 * which comes in reverse order and before the section is closed.
 *
 * Return: the memory at @addr, or NULL when the access misses.
 */
void *svm_test_mmu_get(struct svm_test_mmu *mmu, struct svm_test_vm *vm,
		       u64 addr, u32 access)
{
	struct page *page;
	u64 dma;

	/* The page table can be half way through a split or a merge: walk twice */
	if (!svm_test_tlb_lookup(mmu->tlb, &vm->asid, addr,
				 access & DRM_SVM_ACCESS_WRITE, &dma) &&
	    !mmu_walk(mmu, vm, addr, access, &dma) &&
	    !mmu_walk(mmu, vm, addr, access, &dma))
		return NULL;

	page = svm_test_memory_page(vm->gpu->memory, dma);
	return page ? kmap_local_page(page) + offset_in_page(dma) : NULL;
}

/**
 * svm_test_mmu_put() - end the use of svm_test_mmu_get()
 * @ptr: what it returned
 */
void svm_test_mmu_put(void *ptr)
{
	kunmap_local(ptr);
}

/**
 * svm_test_mmu_probe() - would an access miss?
 * @mmu: the MMU
 * @vm: address space
 * @addr: virtual address
 * @access: DRM_SVM_ACCESS_READ, DRM_SVM_ACCESS_WRITE or both
 *
 * Leaves no mark in TLB and page table. For a look ahead: the answer may be
 * out of date.
 *
 * Return: whether the address translates.
 */
bool svm_test_mmu_probe(struct svm_test_mmu *mmu, struct svm_test_vm *vm,
			u64 addr, u32 access)
{
	u64 dma;

	return svm_test_tlb_lookup(mmu->tlb, &vm->asid, addr,
				   access & DRM_SVM_ACCESS_WRITE, &dma) ||
	       svm_test_pt_probe(vm->pt, addr, access);
}

/**
 * svm_test_mmu_flush() - post a flush
 * @mmu: the MMU
 * @asid: address space, whose flushes were counted already
 * @start: first address
 * @end: first address past the interval
 */
void svm_test_mmu_flush(struct svm_test_mmu *mmu,
			const struct svm_test_asid *asid, u64 start, u64 end)
{
	svm_test_tlb_flush(mmu->tlb, asid, start, end);
}

/**
 * svm_test_mmu_drain() - wait for the access in flight
 * @mmu: the MMU
 *
 * On return no access goes on that was translated before the call.
 */
void svm_test_mmu_drain(struct svm_test_mmu *mmu)
{
	unsigned long section;

	/* Pairs with svm_test_mmu_enter() */
	smp_mb();
	section = READ_ONCE(mmu->section);
	if (!(section & 1))
		return;
	/* Acquire: what the section wrote is seen, as is what it left alone */
	smp_cond_load_acquire(&mmu->section, VAL != section);
}

/**
 * svm_test_mmu_create() - make the MMU of an engine
 * @tlb_entries: size of its TLB
 *
 * Return: the MMU, or NULL when there is no memory.
 */
struct svm_test_mmu *svm_test_mmu_create(unsigned int tlb_entries)
{
	struct svm_test_mmu *mmu;

	mmu = kzalloc_obj(*mmu);
	if (!mmu)
		return NULL;

	mmu->tlb = svm_test_tlb_create(tlb_entries);
	if (!mmu->tlb) {
		kfree(mmu);
		return NULL;
	}
	return mmu;
}

/**
 * svm_test_mmu_destroy() - free the MMU of an engine
 * @mmu: the MMU, or NULL
 */
void svm_test_mmu_destroy(struct svm_test_mmu *mmu)
{
	if (!mmu)
		return;
	svm_test_tlb_destroy(mmu->tlb);
	kfree(mmu);
}
