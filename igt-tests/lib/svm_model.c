// SPDX-License-Identifier: MIT
/*
 * A model of the content of memory, for the tests.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "igt.h"
#include "svm_lib.h"
#include "svm_model.h"

void svm_model_init(struct svm_model *m, uintptr_t addr, size_t pages)
{
	size_t size = pages * svm_page_size();

	m->pages = pages;
	m->base = mmap((void *)addr, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	igt_assert(m->base == (void *)addr);
	m->now = svm_mmap_anon(size);
	m->alt = svm_mmap_anon(size);
	m->prot = malloc(pages);
	m->lazy = calloc(pages, 1);
	igt_assert(m->prot && m->lazy);
	memset(m->prot, SVM_MODEL_WRITE, pages);
}

void svm_model_fini(struct svm_model *m)
{
	size_t size = m->pages * svm_page_size();

	munmap(m->base, size);
	munmap(m->now, size);
	munmap(m->alt, size);
	free(m->prot);
	free(m->lazy);
}

void svm_model_protect(struct svm_model *m, size_t first, size_t n, enum svm_model_prot prot)
{
	memset(m->prot + first, prot, n);
}

void svm_model_zero(struct svm_model *m, size_t first, size_t n)
{
	memset(m->now + first * svm_page_size(), 0, n * svm_page_size());
	memset(m->lazy + first, SVM_MODEL_SURE, n);
}

void svm_model_free_lazily(struct svm_model *m, size_t first, size_t n)
{
	memset(m->alt + first * svm_page_size(), 0, n * svm_page_size());
	memset(m->lazy + first, SVM_MODEL_LAZY, n);
}

void svm_model_move(struct svm_model *m, size_t to, size_t from, size_t n)
{
	size_t page = svm_page_size();

	memcpy(m->now + to * page, m->now + from * page, n * page);
	memcpy(m->alt + to * page, m->alt + from * page, n * page);
	memcpy(m->prot + to, m->prot + from, n);
	memcpy(m->lazy + to, m->lazy + from, n);
	svm_model_protect(m, from, n, SVM_MODEL_GONE);
	svm_model_zero(m, from, n);
}

/* A part of one page */
static void write_page(struct svm_model *m, size_t at, const void *data, size_t size)
{
	size_t page = at / svm_page_size();

	memcpy(m->now + at, data, size);
	if (size == svm_page_size())
		m->lazy[page] = SVM_MODEL_SURE;
	if (m->lazy[page] == SVM_MODEL_SURE)
		return;
	memcpy(m->alt + at, data, size);
	m->lazy[page] = SVM_MODEL_SETTLED;
}

static size_t left_in_page(size_t at, size_t size)
{
	size_t left = svm_page_size() - at % svm_page_size();

	return left < size ? left : size;
}

void svm_model_write(struct svm_model *m, size_t at, const void *data, size_t size)
{
	for (size_t done = 0, part; done < size; done += part) {
		part = left_in_page(at + done, size - done);
		write_page(m, at + done, (const char *)data + done, part);
	}
}

void svm_model_fill(struct svm_model *m, size_t at, uint32_t word, size_t size)
{
	uint32_t words[svm_page_size() / sizeof(word)];

	for (size_t i = 0; i < svm_page_size() / sizeof(word); i++)
		words[i] = word;
	for (size_t done = 0, part; done < size; done += part) {
		part = left_in_page(at + done, size - done);
		write_page(m, at + done, words, part);
	}
}

void svm_model_add32(struct svm_model *m, size_t at, uint32_t value)
{
	size_t page = at / svm_page_size();

	*(uint32_t *)(m->now + at) += value;
	if (m->lazy[page] == SVM_MODEL_SURE)
		return;
	*(uint32_t *)(m->alt + at) += value;
	m->lazy[page] = SVM_MODEL_SETTLED;
}

bool svm_model_check(struct svm_model *m, size_t page, const void *got)
{
	size_t size = svm_page_size(), at = page * size;

	if (memcmp(got, m->now + at, size)) {
		if (m->lazy[page] == SVM_MODEL_SURE || memcmp(got, m->alt + at, size))
			return false;
		memcpy(m->now + at, m->alt + at, size);
	}
	/* a page that is zero already is still called lazy: the state must not depend on that */
	if (m->lazy[page] == SVM_MODEL_SETTLED)
		m->lazy[page] = SVM_MODEL_SURE;
	return true;
}

size_t svm_model_differs(const struct svm_model *m, size_t page, const void *got)
{
	const char *want = m->now + page * svm_page_size();
	size_t i = 0;

	while (i < svm_page_size() && ((const char *)got)[i] == want[i])
		i++;
	return i;
}
