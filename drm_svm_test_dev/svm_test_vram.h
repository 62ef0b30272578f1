/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_VRAM_H_
#define _SVM_TEST_VRAM_H_

#include <linux/bits.h>
#include <linux/types.h>

#include <drm/drm_svm.h>

struct page;
struct svm_test_memory;

/* What an address on the bus of the device has when it is one of VRAM. */
#define SVM_TEST_BUS_VRAM	BIT_ULL(63)

/**
 * svm_test_bus_addr() - where the device's bus has some memory
 * @addr: a DMA address, or with %DRM_SVM_LOCATION_VRAM an offset
 * @location: enum drm_svm_location
 *
 * Page table, TLB and copy engine use such addresses, so that memory is one
 * number for them.
 *
 * Return: the address on the bus.
 */
static inline u64 svm_test_bus_addr(u64 addr, u16 location)
{
	return location == DRM_SVM_LOCATION_VRAM ? addr | SVM_TEST_BUS_VRAM :
						   addr;
}

struct svm_test_memory *svm_test_memory_create(void);
void svm_test_memory_destroy(struct svm_test_memory *memory);
int svm_test_memory_back(struct svm_test_memory *memory, unsigned long pfn,
			 unsigned long npages);
u64 svm_test_memory_backed(const struct svm_test_memory *memory);
struct page *svm_test_memory_page(struct svm_test_memory *memory, u64 bus);

#endif
