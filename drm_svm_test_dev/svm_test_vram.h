/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _SVM_TEST_VRAM_H_
#define _SVM_TEST_VRAM_H_

#include <linux/bits.h>
#include <linux/types.h>

#include <drm/drm_svm.h>

struct page;
struct svm_test_memory;

/*
 * What an address on the bus of the device has when it is one of VRAM: this bit,
 * the number of a window, and the offset in there. In window 0 is the VRAM of the
 * device itself, in window n + 1 that of device n.
 */
#define SVM_TEST_BUS_VRAM		BIT_ULL(63)
#define SVM_TEST_BUS_WINDOW_SHIFT	48
#define SVM_TEST_BUS_WINDOW		GENMASK_ULL(62, SVM_TEST_BUS_WINDOW_SHIFT)
#define SVM_TEST_BUS_OFFSET		GENMASK_ULL(SVM_TEST_BUS_WINDOW_SHIFT - 1, 0)

/**
 * svm_test_bus_peer() - what drm_svm gives for an address of another device
 * @index: number of the device whose VRAM it is
 * @offset: offset in there
 *
 * Return: the address, for svm_test_bus_addr() with %DRM_SVM_LOCATION_PEER.
 */
static inline u64 svm_test_bus_peer(unsigned int index, u64 offset)
{
	return (u64)(index + 1) << SVM_TEST_BUS_WINDOW_SHIFT | offset;
}

/**
 * svm_test_bus_addr() - where the device's bus has some memory
 * @addr: a DMA address; with %DRM_SVM_LOCATION_VRAM an offset; with
 *	%DRM_SVM_LOCATION_PEER from svm_test_bus_peer()
 * @location: enum drm_svm_location
 *
 * Page table, TLB and copy engine use such addresses, so that memory is one
 * number for them.
 *
 * Return: the address on the bus.
 */
static inline u64 svm_test_bus_addr(u64 addr, u16 location)
{
	if (location == DRM_SVM_LOCATION_VRAM ||
	    location == DRM_SVM_LOCATION_PEER)
		return addr | SVM_TEST_BUS_VRAM;
	return addr;
}

struct svm_test_memory *svm_test_memory_create(unsigned int index);
void svm_test_memory_destroy(struct svm_test_memory *memory);
int svm_test_memory_back(struct svm_test_memory *memory, unsigned long pfn,
			 unsigned long npages);
void svm_test_memory_lose(struct svm_test_memory *memory);
u64 svm_test_memory_backed(const struct svm_test_memory *memory);
struct page *svm_test_memory_page(struct svm_test_memory *memory, u64 bus);

#endif
