// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The TLB of one engine.
 *
 * Data model. Sets of a few entries each; an entry holds a leaf of any size
 * and is in the set that the number of its leaf chooses, so a lookup tries
 * each size. An entry stays until it is flushed or replaced, and is believed:
 * it is never checked against the page table. So a missed flush shows as wrong
 * data, as it does on hardware.
 *
 * Locking. One spinlock, a leaf. The engine looks up and inserts, anybody
 * flushes, also inside of MMU notifiers. It is a raw one, because an engine
 * takes it in an access section, with preemption off.
 *
 * Invariant: no entry is older than the last flush of its address. A walk can
 * read an entry that is cleared right after, and come here when the flush is
 * over. So the engine reads svm_test_asid.flushes before the walk and hands it
 * in; every flush counts before it takes a lock, and the insert is dropped if
 * there was one since.
 */

#include <kunit/visibility.h>

#include <linux/bits.h>
#include <linux/cleanup.h>
#include <linux/export.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "svm_test_pt.h"
#include "svm_test_tlb.h"

#define TLB_WAYS	4U

struct svm_test_tlb_entry {
	/* @asid: 0 when the entry is free */
	u64 asid;
	/* @va: first virtual address of the leaf */
	u64 va;
	/* @dma: address of its first byte */
	u64 dma;
	u8 shift;
	bool write;
};

struct svm_test_tlb {
	/* @lock: protects all below */
	raw_spinlock_t lock;
	/* @valid: entries in use; flushing an empty TLB costs nothing */
	unsigned int valid;
	/* @ways: entries of a set */
	unsigned int ways;
	/* @sets: number of sets, a power of two */
	unsigned int sets;
	/* @victim: the way to replace next, round robin over all sets */
	unsigned int victim;
	/* @num_entries: @ways times @sets */
	unsigned int num_entries;
	struct svm_test_tlb_entry entries[] __counted_by(num_entries);
};

static const u8 leaf_shifts[] = {
	PAGE_SHIFT, SVM_TEST_LEAF_MEDIUM_SHIFT, SVM_TEST_LEAF_LARGE_SHIFT,
};

/* The set of the leaf with number @nr */
static struct svm_test_tlb_entry *tlb_set(struct svm_test_tlb *tlb,
					  const struct svm_test_asid *asid,
					  u64 nr)
{
	return &tlb->entries[((nr + asid->id) & (tlb->sets - 1)) * tlb->ways];
}

static struct svm_test_tlb_entry *tlb_find(struct svm_test_tlb *tlb,
					   const struct svm_test_asid *asid,
					   u64 addr, u8 shift)
{
	struct svm_test_tlb_entry *set = tlb_set(tlb, asid, addr >> shift);
	u64 va = addr & ~(BIT_ULL(shift) - 1);
	unsigned int way;

	for (way = 0; way < tlb->ways; way++)
		if (set[way].asid == asid->id && set[way].va == va &&
		    set[way].shift == shift)
			return &set[way];
	return NULL;
}

/**
 * svm_test_tlb_lookup() - translate from the TLB alone
 * @tlb: the TLB
 * @asid: address space
 * @addr: virtual address
 * @write: the access writes
 * @dma: address for DMA of the same byte
 *
 * Return: whether an entry translates @addr and permits the access.
 */
bool svm_test_tlb_lookup(struct svm_test_tlb *tlb,
			 const struct svm_test_asid *asid, u64 addr, bool write,
			 u64 *dma)
{
	struct svm_test_tlb_entry *entry;
	int i;

	guard(raw_spinlock)(&tlb->lock);

	for (i = 0; i < ARRAY_SIZE(leaf_shifts); i++) {
		entry = tlb_find(tlb, asid, addr, leaf_shifts[i]);
		if (entry && (entry->write || !write)) {
			*dma = entry->dma + (addr - entry->va);
			return true;
		}
	}
	return false;
}
EXPORT_SYMBOL_IF_KUNIT(svm_test_tlb_lookup);

static struct svm_test_tlb_entry *tlb_victim(struct svm_test_tlb *tlb,
					     struct svm_test_tlb_entry *set)
{
	unsigned int way;

	for (way = 0; way < tlb->ways; way++)
		if (!set[way].asid)
			return &set[way];
	return &set[tlb->victim++ % tlb->ways];
}

/**
 * svm_test_tlb_insert() - remember what a walk found
 * @tlb: the TLB
 * @asid: address space
 * @flushes: svm_test_asid.flushes, read before the walk
 * @addr: virtual address that was walked
 * @tr: what the walk found
 */
void svm_test_tlb_insert(struct svm_test_tlb *tlb,
			 const struct svm_test_asid *asid, u64 flushes,
			 u64 addr, const struct svm_test_translation *tr)
{
	struct svm_test_tlb_entry *entry;

	guard(raw_spinlock)(&tlb->lock);

	if (atomic64_read(&asid->flushes) != flushes)
		return;

	entry = tlb_find(tlb, asid, addr, tr->shift);
	if (!entry)
		entry = tlb_victim(tlb, tlb_set(tlb, asid, addr >> tr->shift));
	if (!entry->asid)
		tlb->valid++;

	entry->asid = asid->id;
	entry->va = addr & ~(BIT_ULL(tr->shift) - 1);
	entry->dma = tr->addr;
	entry->shift = tr->shift;
	entry->write = tr->write;
}
EXPORT_SYMBOL_IF_KUNIT(svm_test_tlb_insert);

/* Drop the entries of leaf size @shift that overlap [@start, @end). */
static void tlb_flush_size(struct svm_test_tlb *tlb,
			   const struct svm_test_asid *asid, u64 start, u64 end,
			   u8 shift)
{
	u64 first = start >> shift, last = (end - 1) >> shift;
	u64 sets = min_t(u64, last - first + 1, tlb->sets), nr;
	unsigned int way;

	for (nr = first; nr < first + sets; nr++) {
		struct svm_test_tlb_entry *set = tlb_set(tlb, asid, nr);

		for (way = 0; way < tlb->ways; way++) {
			if (set[way].asid != asid->id || set[way].shift != shift ||
			    set[way].va >> shift < first ||
			    set[way].va >> shift > last)
				continue;
			set[way].asid = 0;
			tlb->valid--;
		}
	}
}

/**
 * svm_test_tlb_flush() - drop every entry that overlaps an interval
 * @tlb: the TLB
 * @asid: address space, whose flushes were counted already
 * @start: first address
 * @end: first address past the interval
 *
 * An access that has its translation already goes on with it; see
 * svm_test_mmu_drain(). Does not sleep.
 */
void svm_test_tlb_flush(struct svm_test_tlb *tlb,
			const struct svm_test_asid *asid, u64 start, u64 end)
{
	int i;

	if (start >= end)
		return;

	guard(raw_spinlock)(&tlb->lock);

	for (i = 0; tlb->valid && i < ARRAY_SIZE(leaf_shifts); i++)
		tlb_flush_size(tlb, asid, start, end, leaf_shifts[i]);
}
EXPORT_SYMBOL_IF_KUNIT(svm_test_tlb_flush);

/**
 * svm_test_tlb_create() - make an empty TLB
 * @entries: its size, a power of two
 *
 * Return: the TLB, or NULL when there is no memory.
 */
struct svm_test_tlb *svm_test_tlb_create(unsigned int entries)
{
	struct svm_test_tlb *tlb;

	tlb = kvzalloc_flex(*tlb, entries, entries);
	if (!tlb)
		return NULL;

	raw_spin_lock_init(&tlb->lock);
	tlb->num_entries = entries;
	tlb->ways = min(entries, TLB_WAYS);
	tlb->sets = entries / tlb->ways;
	return tlb;
}
EXPORT_SYMBOL_IF_KUNIT(svm_test_tlb_create);

/**
 * svm_test_tlb_destroy() - free a TLB
 * @tlb: the TLB, or NULL
 */
void svm_test_tlb_destroy(struct svm_test_tlb *tlb)
{
	kvfree(tlb);
}
EXPORT_SYMBOL_IF_KUNIT(svm_test_tlb_destroy);
