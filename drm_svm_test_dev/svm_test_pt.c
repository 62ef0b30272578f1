// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The page table of one GPU address space.
 *
 * Data model. Directories lead to windows, one for each PMD_SIZE of address
 * space. A window has two slots, as the lowest directory of real GPUs does: a
 * large leaf, and a table of small entries. While the large leaf is valid it
 * translates the window and the table holds no valid entry; so the table for a
 * split is at hand without an allocation. Medium leaves (64 KiB) are aligned
 * groups of small entries with a tag each, contiguous and aligned in memory and
 * of one permission; a group is tagged as a whole or not at all, and is split
 * by dropping its tags.
 *
 * That holds for whoever has the lock. A walker may meet the first entries of
 * a group whose others are not written yet, and its TLB then translates all of
 * it. This is right only because a map cannot fail half way, and because an
 * invalidation of any page of the group waits for the map to end. Where a map
 * can fail, the tag has to be set last.
 *
 * Writers. svm_test_pt_prepare() allocates, everything else does not. A window
 * is changed under a spinlock chosen by its address, so that different windows
 * hardly wait for each other. The lock is taken in MMU notifiers; no
 * allocation may be done under it.
 *
 * Walkers are the engines: lock-free, under RCU. They set the accessed and the
 * dirty bit of an entry by compare-and-exchange, which fails when the entry
 * was changed or cleared meanwhile; so no bit is set in an entry that is gone.
 * Directories live as long as the page table. A table is taken away when its
 * last entry is unmapped, and is freed after a grace period. One that was
 * promised to a map stays until that map, or until all of its window is
 * unmapped: no map comes after that without a new promise.
 *
 * A walker that meets a split or a merge half way can find nothing where
 * something is mapped. It looks twice before it calls that a fault.
 */

#include <linux/bits.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <drm/drm_svm.h>

#include "svm_test_pt.h"
#include "svm_test_vram.h"

#define PT_BITS		(PAGE_SHIFT - 3)
#define PT_ENTRIES	BIT(PT_BITS)
#define PT_LOCKS	16

#define MEDIUM_PAGES	BIT(SVM_TEST_LEAF_MEDIUM_SHIFT - PAGE_SHIFT)

static_assert(PAGE_SHIFT < SVM_TEST_LEAF_MEDIUM_SHIFT);
static_assert(PAGE_SHIFT + PT_BITS == SVM_TEST_LEAF_LARGE_SHIFT);

/* Bits of an entry; the rest is the address, see svm_test_bus_addr(). */
#define PTE_VALID	BIT_ULL(0)
#define PTE_WRITE	BIT_ULL(1)
#define PTE_ACCESSED	BIT_ULL(2)
#define PTE_DIRTY	BIT_ULL(3)
#define PTE_MEDIUM	BIT_ULL(4)
#define PTE_LARGE	BIT_ULL(5)
#define PTE_USED	(PTE_ACCESSED | PTE_DIRTY)
#define PTE_ADDR	GENMASK_ULL(63, PAGE_SHIFT)

/* Small entries of a window. All but @pte is under the lock of the window. */
struct svm_test_table {
	/* @pte: a page of entries */
	atomic64_t *pte;
	/* @valid: number of valid entries */
	unsigned int valid;
	/* @prepared: promised to a map that did not come yet */
	bool prepared;
	struct rcu_head rcu;
};

struct svm_test_window {
	atomic64_t leaf;
	struct svm_test_table __rcu *table;
};

/* The lowest directory */
struct svm_test_windows {
	struct svm_test_window window[PT_ENTRIES];
};

/* A directory above; its children are directories or windows, by level. */
struct svm_test_dir {
	void *child[PT_ENTRIES];
};

struct svm_test_pt {
	/* @va_end: first address that cannot be translated */
	u64 va_end;
	/* @levels: levels, with the small entries and the windows */
	unsigned int levels;
	/* @locks: of the windows, by a hash of the address */
	spinlock_t locks[PT_LOCKS];
	struct svm_test_dir root;
};

static unsigned int pt_index(u64 addr, unsigned int level)
{
	return (addr >> (PAGE_SHIFT + level * PT_BITS)) & (PT_ENTRIES - 1);
}

static spinlock_t *pt_lock(struct svm_test_pt *pt, u64 addr)
{
	return &pt->locks[(addr >> SVM_TEST_LEAF_LARGE_SHIFT) % PT_LOCKS];
}

static u64 pte_make(u64 addr, u64 tag, u16 prot)
{
	return addr | tag | PTE_VALID |
	       (prot & DRM_SVM_PAGE_WRITE ? PTE_WRITE : 0);
}

static bool pte_permits(u64 pte, u32 access)
{
	if (!(pte & PTE_VALID))
		return false;
	return !(access & DRM_SVM_ACCESS_WRITE) || pte & PTE_WRITE;
}

static u8 pte_shift(u64 pte)
{
	if (pte & PTE_LARGE)
		return SVM_TEST_LEAF_LARGE_SHIFT;
	if (pte & PTE_MEDIUM)
		return SVM_TEST_LEAF_MEDIUM_SHIFT;
	return PAGE_SHIFT;
}

static void table_free(struct svm_test_table *table)
{
	if (!table)
		return;
	free_page((unsigned long)table->pte);
	kfree(table);
}

static void table_free_rcu(struct rcu_head *rcu)
{
	table_free(container_of(rcu, struct svm_test_table, rcu));
}

static struct svm_test_table *table_alloc(void)
{
	struct svm_test_table *table = kzalloc_obj(*table, GFP_KERNEL_ACCOUNT);

	if (!table)
		return NULL;
	table->pte = (atomic64_t *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!table->pte) {
		kfree(table);
		return NULL;
	}
	return table;
}

/* The table of a window whose lock is held */
static struct svm_test_table *table_locked(struct svm_test_pt *pt,
					   struct svm_test_window *window,
					   u64 addr)
{
	return rcu_dereference_protected(window->table,
					 lockdep_is_held(pt_lock(pt, addr)));
}

static struct svm_test_window *window_find(struct svm_test_pt *pt, u64 addr)
{
	struct svm_test_windows *windows;
	void *node = &pt->root;
	unsigned int level;

	for (level = pt->levels - 1; level > 1; level--) {
		struct svm_test_dir *dir = node;

		/* Pairs with the cmpxchg() in dir_child() */
		node = READ_ONCE(dir->child[pt_index(addr, level)]);
		if (!node)
			return NULL;
	}
	windows = node;
	return &windows->window[pt_index(addr, 1)];
}

/* The child of @dir in slot @index, made if need be; @size is its size */
static void *dir_child(struct svm_test_dir *dir, unsigned int index,
		       size_t size)
{
	void *child, *old;

	child = READ_ONCE(dir->child[index]);
	if (child)
		return child;

	child = kzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!child)
		return NULL;

	old = cmpxchg(&dir->child[index], NULL, child);
	if (old) {
		kfree(child);
		return old;
	}
	return child;
}

static struct svm_test_window *window_make(struct svm_test_pt *pt, u64 addr)
{
	struct svm_test_windows *windows;
	void *node = &pt->root;
	unsigned int level;

	for (level = pt->levels - 1; level > 1; level--) {
		node = dir_child(node, pt_index(addr, level),
				 level > 2 ? sizeof(struct svm_test_dir) :
					     sizeof(struct svm_test_windows));
		if (!node)
			return NULL;
	}
	windows = node;
	return &windows->window[pt_index(addr, 1)];
}

/* Promise the window's table to a map; @table is used if there is none yet. */
static bool window_promise(struct svm_test_pt *pt,
			   struct svm_test_window *window, u64 addr,
			   struct svm_test_table *table)
{
	struct svm_test_table *old;
	bool used = false;

	spin_lock(pt_lock(pt, addr));
	old = table_locked(pt, window, addr);
	if (!old && table) {
		rcu_assign_pointer(window->table, table);
		old = table;
		used = true;
	}
	if (old)
		old->prepared = true;
	spin_unlock(pt_lock(pt, addr));

	if (table && !used)
		table_free(table);
	return old;
}

/**
 * svm_test_pt_prepare() - have the memory for a map at hand
 * @pt: the page table
 * @start: first address
 * @end: first address past the interval, in the same window
 *
 * The table stays until a map used it, or all of the window is unmapped.
 *
 * Return: 0 or -ENOMEM.
 */
int svm_test_pt_prepare(struct svm_test_pt *pt, u64 start, u64 end)
{
	struct svm_test_window *window = window_make(pt, start);
	struct svm_test_table *table;

	if (!window)
		return -ENOMEM;
	if (window_promise(pt, window, start, NULL))
		return 0;

	table = table_alloc();
	if (!table)
		return -ENOMEM;
	window_promise(pt, window, start, table);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(svm_test_pt_prepare);

/* Drop the tags of the group of entry @i; its use becomes the use of each. */
static void medium_split(struct svm_test_table *table, unsigned int i)
{
	atomic64_t *group = &table->pte[i & ~(MEDIUM_PAGES - 1)];
	u64 used = 0;

	if (!(atomic64_read(&table->pte[i]) & PTE_MEDIUM))
		return;

	for (i = 0; i < MEDIUM_PAGES; i++)
		used |= atomic64_fetch_andnot(PTE_MEDIUM, &group[i]) & PTE_USED;
	for (i = 0; used && i < MEDIUM_PAGES; i++)
		atomic64_or(used, &group[i]);
}

/*
 * Turn the large leaf into medium ones. The table is filled before the leaf is
 * cleared, so that a walker which misses the leaf finds the table; use that is
 * marked in the leaf meanwhile is carried over.
 */
static void large_split(struct svm_test_window *window,
			struct svm_test_table *table)
{
	u64 leaf = atomic64_read(&window->leaf);
	u64 pte = (leaf & ~PTE_LARGE) | PTE_MEDIUM;
	unsigned int i;
	u64 late;

	if (!(leaf & PTE_VALID))
		return;

	for (i = 0; i < PT_ENTRIES; i++)
		atomic64_set(&table->pte[i], pte + ((u64)i << PAGE_SHIFT));
	table->valid = PT_ENTRIES;

	late = atomic64_xchg(&window->leaf, 0) & ~leaf & PTE_USED;
	for (i = 0; late && i < PT_ENTRIES; i++)
		atomic64_or(late, &table->pte[i]);
}

/* Use that @old marked of the page at @addr */
static u64 pte_carry(u64 old, u64 addr)
{
	if (!(old & PTE_VALID) || (old & PTE_ADDR) != addr)
		return 0;
	return old & PTE_USED;
}

/* Replace small entry @i; what is mapped again stays marked as used. */
static void pte_set(struct svm_test_table *table, unsigned int i, u64 pte)
{
	u64 old = atomic64_xchg(&table->pte[i], pte);
	u64 used = pte_carry(old, pte & PTE_ADDR);

	if (used)
		atomic64_or(used, &table->pte[i]);
	if (!(old & PTE_VALID))
		table->valid++;
}

static void large_set(struct svm_test_window *window,
		      struct svm_test_table *table, u64 leaf)
{
	u64 addr = leaf & PTE_ADDR;
	unsigned int i;
	u64 used;

	/* Walkers find the leaf from here on, before the table is emptied. */
	used = pte_carry(atomic64_xchg(&window->leaf, leaf), addr);
	for (i = 0; table->valid && i < PT_ENTRIES; i++)
		used |= pte_carry(atomic64_xchg(&table->pte[i], 0),
				  addr + ((u64)i << PAGE_SHIFT));
	table->valid = 0;
	if (used)
		atomic64_or(used, &window->leaf);
}

/* The largest leaf for @size bytes at @start that are at @addr in memory */
static u8 leaf_shift(u64 start, u64 addr, u64 size)
{
	u64 both = start | addr;

	if (IS_ALIGNED(both, BIT_ULL(SVM_TEST_LEAF_LARGE_SHIFT)) &&
	    size >= BIT_ULL(SVM_TEST_LEAF_LARGE_SHIFT))
		return SVM_TEST_LEAF_LARGE_SHIFT;
	if (IS_ALIGNED(both, BIT_ULL(SVM_TEST_LEAF_MEDIUM_SHIFT)) &&
	    size >= BIT_ULL(SVM_TEST_LEAF_MEDIUM_SHIFT))
		return SVM_TEST_LEAF_MEDIUM_SHIFT;
	return PAGE_SHIFT;
}

/* Write the first leaf of @size bytes; returns how many it has. */
static u64 leaf_set(struct svm_test_window *window,
		    struct svm_test_table *table, u64 va, u64 addr, u64 size,
		    u16 prot)
{
	u8 shift = leaf_shift(va, addr, size);
	unsigned int i = pt_index(va, 0), n;

	if (shift == SVM_TEST_LEAF_LARGE_SHIFT) {
		large_set(window, table, pte_make(addr, PTE_LARGE, prot));
		return BIT_ULL(shift);
	}

	large_split(window, table);
	if (shift == PAGE_SHIFT) {
		medium_split(table, i);
		pte_set(table, i, pte_make(addr, 0, prot));
		return PAGE_SIZE;
	}
	for (n = 0; n < MEDIUM_PAGES; n++)
		pte_set(table, i + n, pte_make(addr + ((u64)n << PAGE_SHIFT),
					       PTE_MEDIUM, prot));
	return BIT_ULL(shift);
}

static void run_set(struct svm_test_window *window, struct svm_test_table *table,
		    u64 start, const struct drm_svm_run *run)
{
	u64 addr = svm_test_bus_addr(run->addr, run->location);
	u64 size = (u64)run->npages << PAGE_SHIFT, pos = 0;

	while (pos < size)
		pos += leaf_set(window, table, start + pos, addr + pos, size - pos,
				run->prot);
}

/**
 * svm_test_pt_map() - map runs
 * @pt: the page table
 * @start: first address
 * @runs: what to map there, one after the other; the last one ends in the same window
 * @n: number of @runs
 *
 * Leaves are as large as the alignment of both addresses allows. Nothing is
 * flushed, also where one page of a larger leaf becomes writable and the leaf
 * is split for it: a TLB may hold the old leaf beside the new one. Both
 * translate alike, a lookup does not stop at the one that permits less, and a
 * flush of any page of the leaf drops it whatever its size is.
 */
void svm_test_pt_map(struct svm_test_pt *pt, u64 start,
		     const struct drm_svm_run *runs, unsigned int n)
{
	struct svm_test_window *window = window_find(pt, start);
	struct svm_test_table *table;

	if (WARN_ON_ONCE(!window))
		return;

	guard(spinlock)(pt_lock(pt, start));
	table = table_locked(pt, window, start);
	if (WARN_ON_ONCE(!table))
		return;
	table->prepared = false;
	for (; n; n--, runs++) {
		run_set(window, table, start, runs);
		start += (u64)runs->npages << PAGE_SHIFT;
	}
}
EXPORT_SYMBOL_IF_KUNIT(svm_test_pt_map);

static void table_clear(struct svm_test_table *table, unsigned int i,
			unsigned int end)
{
	if (i % MEDIUM_PAGES)
		medium_split(table, i);
	if (end % MEDIUM_PAGES)
		medium_split(table, end);

	for (; table->valid && i < end; i++) {
		/* Only the lock's holder makes an entry valid */
		if (!atomic64_read(&table->pte[i]))
			continue;
		atomic64_set(&table->pte[i], 0);
		table->valid--;
	}
}

static void window_clear(struct svm_test_pt *pt, struct svm_test_window *window,
			 u64 start, u64 end)
{
	struct svm_test_table *table = table_locked(pt, window, start);
	unsigned int first = pt_index(start, 0);

	if (!table)
		return;

	if (end - start == BIT_ULL(SVM_TEST_LEAF_LARGE_SHIFT)) {
		atomic64_set(&window->leaf, 0);
		table->prepared = false;
	} else {
		large_split(window, table);
	}
	table_clear(table, first, first + ((end - start) >> PAGE_SHIFT));

	/* There is no large leaf any more, so this means an empty window. */
	if (!table->valid && !table->prepared) {
		RCU_INIT_POINTER(window->table, NULL);
		call_rcu(&table->rcu, table_free_rcu);
	}
}

/**
 * svm_test_pt_unmap() - clear entries
 * @pt: the page table
 * @start: first address
 * @end: first address past the interval, in the same window
 *
 * Leaves that stick out are split. Does not flush.
 */
void svm_test_pt_unmap(struct svm_test_pt *pt, u64 start, u64 end)
{
	struct svm_test_window *window = window_find(pt, start);

	if (!window)
		return;

	guard(spinlock)(pt_lock(pt, start));
	window_clear(pt, window, start, end);
}
EXPORT_SYMBOL_IF_KUNIT(svm_test_pt_unmap);

/* The entry @i of a table, with the use of the whole leaf */
static u64 pte_state(struct svm_test_table *table, unsigned int i)
{
	u64 pte = atomic64_read(&table->pte[i]);
	atomic64_t *group = &table->pte[i & ~(MEDIUM_PAGES - 1)];

	if (pte & PTE_MEDIUM)
		for (i = 0; i < MEDIUM_PAGES; i++)
			pte |= atomic64_read(&group[i]) & PTE_USED;
	return pte;
}

static u32 pte_query(u64 pte)
{
	if (!(pte & PTE_VALID))
		return 0;
	return (u32)pte_shift(pte) << DRM_SVM_PAGE_LEAF_SHIFT |
	       (pte & PTE_ACCESSED ? DRM_SVM_PAGE_ACCESSED : 0) |
	       (pte & PTE_DIRTY ? DRM_SVM_PAGE_DIRTY : 0);
}

/**
 * svm_test_pt_query() - add what the page table knows of pages
 * @pt: the page table
 * @start: first address
 * @end: first address past the interval, in the same window
 * @state: an element a page, to which the bits are added
 */
void svm_test_pt_query(struct svm_test_pt *pt, u64 start, u64 end, u32 *state)
{
	struct svm_test_window *window = window_find(pt, start);
	unsigned int first = pt_index(start, 0), i;
	struct svm_test_table *table;
	u64 leaf;

	if (!window)
		return;

	guard(spinlock)(pt_lock(pt, start));
	leaf = atomic64_read(&window->leaf);
	table = table_locked(pt, window, start);
	for (i = 0; table && i < (end - start) >> PAGE_SHIFT; i++)
		state[i] |= pte_query(leaf ?: pte_state(table, first + i));
}
EXPORT_SYMBOL_IF_KUNIT(svm_test_pt_query);

/* The entry that translates @addr, under rcu_read_lock() */
static atomic64_t *pt_entry(struct svm_test_pt *pt, u64 addr)
{
	struct svm_test_window *window;
	struct svm_test_table *table;

	if (addr >= pt->va_end)
		return NULL;

	window = window_find(pt, addr);
	if (!window)
		return NULL;
	/* Pairs with large_split(): a leaf that is gone left a filled table */
	if (atomic64_read_acquire(&window->leaf) & PTE_VALID)
		return &window->leaf;

	table = rcu_dereference(window->table);
	return table ? &table->pte[pt_index(addr, 0)] : NULL;
}

/* Mark @entry as used by @access; the new entry, or 0 if it does not permit. */
static u64 pte_use(atomic64_t *entry, u32 access)
{
	u64 mark = PTE_ACCESSED;
	s64 pte = atomic64_read(entry);

	if (access & DRM_SVM_ACCESS_WRITE)
		mark |= PTE_DIRTY;
	do {
		if (!pte_permits(pte, access))
			return 0;
		if ((pte & mark) == mark)
			return pte;
	} while (!atomic64_try_cmpxchg(entry, &pte, pte | mark));
	return pte | mark;
}

/**
 * svm_test_pt_walk() - translate for an engine
 * @pt: the page table
 * @addr: address
 * @access: DRM_SVM_ACCESS_READ, DRM_SVM_ACCESS_WRITE or both
 * @tr: the leaf that was found
 *
 * Marks the leaf as accessed, and as dirty if @access writes. A leaf that is
 * writable but not dirty yet comes back as not writable, so that the first
 * write walks again and marks it.
 *
 * Return: whether there is a leaf that permits @access.
 */
bool svm_test_pt_walk(struct svm_test_pt *pt, u64 addr, u32 access,
		      struct svm_test_translation *tr)
{
	atomic64_t *entry;
	u64 pte = 0;

	rcu_read_lock();
	entry = pt_entry(pt, addr);
	if (entry)
		pte = pte_use(entry, access);
	rcu_read_unlock();
	if (!pte)
		return false;

	tr->shift = pte_shift(pte);
	tr->addr = pte & PTE_ADDR & ~(BIT_ULL(tr->shift) - 1);
	tr->write = pte & PTE_WRITE && pte & PTE_DIRTY;
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(svm_test_pt_walk);

/**
 * svm_test_pt_probe() - look for a translation, and leave no mark
 * @pt: the page table
 * @addr: address
 * @access: DRM_SVM_ACCESS_READ, DRM_SVM_ACCESS_WRITE or both
 *
 * Return: whether svm_test_pt_walk() would succeed at this moment.
 */
bool svm_test_pt_probe(struct svm_test_pt *pt, u64 addr, u32 access)
{
	atomic64_t *entry;

	guard(rcu)();
	entry = pt_entry(pt, addr);
	return entry && pte_permits(atomic64_read(entry), access);
}
EXPORT_SYMBOL_IF_KUNIT(svm_test_pt_probe);

/**
 * svm_test_pt_create() - make an empty page table
 * @va_bits: bits of an address
 *
 * Return: the page table, or NULL when there is no memory.
 */
struct svm_test_pt *svm_test_pt_create(unsigned int va_bits)
{
	struct svm_test_pt *pt;
	int i;

	pt = kzalloc_obj(*pt, GFP_KERNEL_ACCOUNT);
	if (!pt)
		return NULL;

	pt->va_end = BIT_ULL(va_bits);
	pt->levels = DIV_ROUND_UP(va_bits - PAGE_SHIFT, PT_BITS);
	for (i = 0; i < PT_LOCKS; i++)
		spin_lock_init(&pt->locks[i]);
	return pt;
}
EXPORT_SYMBOL_IF_KUNIT(svm_test_pt_create);

static void windows_free(struct svm_test_windows *windows)
{
	unsigned int i;

	for (i = 0; i < PT_ENTRIES; i++)
		table_free(rcu_dereference_protected(windows->window[i].table,
						     true));
	kfree(windows);
	cond_resched();
}

/* Free what is below @dir; the depth is that of the page table. */
static void dir_clear(struct svm_test_dir *dir, unsigned int level)
{
	unsigned int i;

	for (i = 0; i < PT_ENTRIES; i++) {
		void *child = dir->child[i];

		if (child && level == 2) {
			windows_free(child);
		} else if (child) {
			dir_clear(child, level - 1);
			kfree(child);
		}
	}
}

/**
 * svm_test_pt_destroy() - free a page table
 * @pt: the page table, or NULL; nobody walks or changes it any more
 */
void svm_test_pt_destroy(struct svm_test_pt *pt)
{
	if (!pt)
		return;
	dir_clear(&pt->root, pt->levels - 1);
	kfree(pt);
}
EXPORT_SYMBOL_IF_KUNIT(svm_test_pt_destroy);
