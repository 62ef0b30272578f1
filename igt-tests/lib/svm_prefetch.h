/* SPDX-License-Identifier: MIT */
#ifndef SVM_PREFETCH_H
#define SVM_PREFETCH_H

#include <stddef.h>
#include <stdint.h>

#include <drm/drm_svm_test.h>

/* Where memory is to be and where it is. As in svm_lib.h: __svm_x() returns -errno. */

struct drm_svm_prefetch svm_prefetch_args(const void *addr, size_t size, uint32_t location);
int __svm_prefetch(int fd, struct drm_svm_prefetch *args);
/* Pages that moved; asserts that the counts add up */
uint64_t svm_prefetch_counts(int fd, struct drm_svm_prefetch *args);
uint64_t svm_prefetch(int fd, const void *addr, size_t size, uint32_t location);

/* One word a page, with DRM_SVM_QUERY_RESIDENCE */
void svm_residence(int fd, const void *addr, size_t size, uint32_t *pages);
/* Words with DRM_SVM_QUERY_DETAILS; that of one page; its kind; pages of a kind */
void svm_details(int fd, const void *addr, size_t size, uint64_t *pages);
uint64_t svm_detail(int fd, const void *addr);
unsigned int svm_page_kind(int fd, const void *addr);
size_t svm_count_kind(int fd, const void *addr, size_t size, unsigned int kind);
/* Pages whose residence is @location; bytes of the folio at @addr */
size_t svm_resident(int fd, const void *addr, size_t size, uint32_t location);
size_t svm_folio(int fd, const void *addr);

#endif
