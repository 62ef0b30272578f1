// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The configuration of the virtual GPU: limits, and what follows from it.
 */

#include <kunit/test.h>

#include <linux/bits.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/stddef.h>

#include "../svm_test_config.h"

static const struct svm_test_config good = {
	.num_devices = 1,
	.engines = 2,
	.tlb_entries = 64,
	.fault_entries = 64,
	.va_bits = 48,
	.timeslice = 256,
	.lanes = 4,
	.max_jobs = 16,
};

/* One parameter with its limits */
struct limit_case {
	const char *name;
	size_t offset;
	unsigned int min;
	unsigned int max;
};

#define LIMIT(member, low, high) { \
	.name = #member, \
	.offset = offsetof(struct svm_test_config, member), \
	.min = low, \
	.max = high, \
}

static const struct limit_case limit_cases[] = {
	LIMIT(num_devices, 1, SVM_TEST_MAX_DEVICES),
	LIMIT(engines, 1, SVM_TEST_MAX_ENGINES),
	LIMIT(tlb_entries, 1, 65536),
	LIMIT(fault_entries, 1, 65536),
	LIMIT(va_bits, 40, 57),
	LIMIT(timeslice, 1, 1000000),
	LIMIT(lanes, 1, SVM_TEST_MAX_LANES),
	LIMIT(max_jobs, 1, 1000000),
	LIMIT(vram_mb, 0, 65536),
	LIMIT(copy_latency_us, 0, 10000000),
	LIMIT(copy_mbps, 0, 1000000),
};

KUNIT_ARRAY_PARAM_DESC(limit, limit_cases, name);

static int validate(size_t offset, unsigned int value)
{
	struct svm_test_config config = good;

	*(unsigned int *)((char *)&config + offset) = value;
	return svm_test_config_validate(&config);
}

static void limits_are_the_first_and_last_good_value(struct kunit *test)
{
	const struct limit_case *c = test->param_value;

	KUNIT_ASSERT_EQ(test, svm_test_config_validate(&good), 0);
	KUNIT_EXPECT_EQ(test, validate(c->offset, c->min), 0);
	KUNIT_EXPECT_EQ(test, validate(c->offset, c->max), 0);
	if (c->min)
		KUNIT_EXPECT_EQ(test, validate(c->offset, c->min - 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, validate(c->offset, c->max + 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, validate(c->offset, UINT_MAX), -EINVAL);
}

static void tlb_has_a_power_of_two_of_entries(struct kunit *test)
{
	size_t offset = offsetof(struct svm_test_config, tlb_entries);

	KUNIT_EXPECT_EQ(test, validate(offset, 2), 0);
	KUNIT_EXPECT_EQ(test, validate(offset, 3), -EINVAL);
	KUNIT_EXPECT_EQ(test, validate(offset, 32768), 0);
	KUNIT_EXPECT_EQ(test, validate(offset, 32769), -EINVAL);
	/* no other parameter has to be one */
	KUNIT_EXPECT_EQ(test, validate(offsetof(struct svm_test_config, fault_entries), 3), 0);
}

static void vram_may_be_larger_than_an_int(struct kunit *test)
{
	struct svm_test_config config = good;

	KUNIT_EXPECT_EQ(test, svm_test_config_vram_size(&config), 0);
	config.vram_mb = 1;
	KUNIT_EXPECT_EQ(test, svm_test_config_vram_size(&config), SZ_1M);
	config.vram_mb = 65536;
	KUNIT_EXPECT_EQ(test, svm_test_config_vram_size(&config), 64ULL * SZ_1G);
}

/* Buffer objects get the upper half, unless that is where processes are. */
static void buffers_are_where_no_process_is(struct kunit *test)
{
	struct svm_test_config config = good;
	unsigned int bits = fls64(DEFAULT_MAP_WINDOW);

	config.va_bits = 57;
	KUNIT_EXPECT_EQ(test, svm_test_config_bind_start(&config), BIT_ULL(56));
	config.va_bits = bits + 1;
	KUNIT_EXPECT_EQ(test, svm_test_config_bind_start(&config), BIT_ULL(bits));
	config.va_bits = bits;
	KUNIT_EXPECT_EQ(test, svm_test_config_bind_start(&config), BIT_ULL(bits));
	config.va_bits = 40;
	KUNIT_EXPECT_EQ(test, svm_test_config_bind_start(&config), BIT_ULL(40));
}

static struct kunit_case config_cases[] = {
	KUNIT_CASE_PARAM(limits_are_the_first_and_last_good_value, limit_gen_params),
	KUNIT_CASE(tlb_has_a_power_of_two_of_entries),
	KUNIT_CASE(vram_may_be_larger_than_an_int),
	KUNIT_CASE(buffers_are_where_no_process_is),
	{}
};

static struct kunit_suite config_suite = {
	.name = "svm_test_config",
	.test_cases = config_cases,
};

kunit_test_suite(config_suite);

MODULE_DESCRIPTION("KUnit tests of drm_svm_test_dev");
MODULE_LICENSE("Dual MIT/GPL");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
