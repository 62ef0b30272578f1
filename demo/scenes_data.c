// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <stdlib.h>

#include "cpu.h"
#include "scenes.h"
#include "ui.h"

#define NUM_NODES	500
#define DECOYS		3	/* other allocations after each node */
#define MAX_DECOY	3000	/* bytes; small enough to stay in the heap */
#define NUM_ELEMENTS	(256 << 10)
#define NUM_PICKED	(24 << 10)
#define NUM_ADDS	100000

struct node {
	struct node *next;
	uint64_t value;
};

static void shuffle(struct node **nodes, unsigned int n)
{
	while (n > 1) {
		unsigned int i = cpu_random() % n--;
		struct node *node = nodes[i];

		nodes[i] = nodes[n];
		nodes[n] = node;
	}
}

/* Nodes in the order of their addresses, then a list of them in random order. */
static struct node *build_list(struct node **nodes, void **decoys)
{
	unsigned int i, j;

	for (i = 0; i < NUM_NODES; i++) {
		nodes[i] = cpu_malloc(sizeof(**nodes));
		nodes[i]->value = cpu_random();
		for (j = 0; j < DECOYS; j++)
			decoys[i * DECOYS + j] = cpu_malloc(cpu_random() % MAX_DECOY);
	}
	shuffle(nodes, NUM_NODES);
	for (i = 0; i < NUM_NODES; i++)
		nodes[i]->next = i + 1 < NUM_NODES ? nodes[i + 1] : NULL;
	return nodes[0];
}

static void extent(struct node **nodes, const char **start, const char **end)
{
	unsigned int i;

	*start = *end = (const char *)nodes[0];
	for (i = 1; i < NUM_NODES; i++) {
		if ((const char *)nodes[i] < *start)
			*start = (const char *)nodes[i];
		if ((const char *)(nodes[i] + 1) > *end)
			*end = (const char *)(nodes[i] + 1);
	}
}

static int compare_addresses(const void *a, const void *b)
{
	const struct node *x = *(struct node * const *)a;
	const struct node *y = *(struct node * const *)b;

	return x < y ? -1 : x > y;
}

/* How many pages the nodes lie on. Sorts @nodes, but not the list. */
static unsigned int count_pages(struct gpu *gpu, struct node **nodes)
{
	unsigned int i, n = 1;

	qsort(nodes, NUM_NODES, sizeof(*nodes), compare_addresses);
	for (i = 1; i < NUM_NODES; i++)
		n += client_ptr(nodes[i]) / gpu->page_size !=
		     client_ptr(nodes[i - 1]) / gpu->page_size;
	return n;
}

static uint64_t sum_on_cpu(const struct node *node)
{
	uint64_t sum = 0;

	for (; node; node = node->next)
		sum += node->value;
	return sum;
}

static void chase(struct gpu *gpu, const struct node *first, uint64_t *result)
{
	const struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_CHASE,
		.flags = DRM_SVM_TEST_CMD_64,
		.src = client_ptr(first),
		.count = NUM_NODES * 2,
		.arg0 = offsetof(struct node, next),
		.arg1 = offsetof(struct node, value),
		.result = client_ptr(result),
	};
	int error = gpu_run(gpu, &cmd, 1, NULL);

	if (error)
		ui_agree(false, "the GPU failed where the CPU does not: errno %d", error);
}

static void explain_faults(uint64_t faults, unsigned int pages)
{
	ui_text("The nodes lie on %u pages; %llu faults were enough%s", pages,
		(unsigned long long)faults, faults < pages ?
		", each maps neighbours too." : ".");
}

static void explain_repetition(uint64_t faults)
{
	if (faults)
		ui_text("The same again: %llu faults, for the CPU had changed something.",
			(unsigned long long)faults);
	else
		ui_text("The same again: no fault, all is mapped now.");
}

static void show_list(struct gpu *gpu, struct node **nodes)
{
	struct client_counts before, after, again;
	const struct node *first = nodes[0];
	uint64_t *found = cpu_malloc(2 * sizeof(*found));
	const char *start, *end;

	gpu_counters(gpu, &before);
	chase(gpu, first, found);
	gpu_counters(gpu, &after);
	extent(nodes, &start, &end);
	ui_map(gpu, start, end - start);
	ui_counted(&before, &after);
	explain_faults(client_counted(&before, &after, FAULTS), count_pages(gpu, nodes));
	ui_same("nodes found", found[1], NUM_NODES);
	ui_same("sum of their values", found[0], sum_on_cpu(first));

	found[0] = 0;
	gpu_counters(gpu, &before);
	chase(gpu, first, found);
	gpu_counters(gpu, &again);
	explain_repetition(client_counted(&before, &again, FAULTS));
	ui_same("sum again", found[0], sum_on_cpu(first));
	free(found);
}

void scene_list(struct gpu *gpu)
{
	struct node **nodes = cpu_malloc(NUM_NODES * sizeof(*nodes));
	void **decoys = cpu_malloc(NUM_NODES * DECOYS * sizeof(*decoys));
	unsigned int i;

	ui_scene("The GPU follows the pointers of the program");
	ui_text("%u list nodes from malloc(), among %u others, linked in random order. The GPU gets the first address and finds the rest. D: here is its result.",
		NUM_NODES, NUM_NODES * DECOYS);
	build_list(nodes, decoys);
	show_list(gpu, nodes);

	for (i = 0; i < NUM_NODES; i++)
		free(nodes[i]);
	for (i = 0; i < NUM_NODES * DECOYS; i++)
		free(decoys[i]);
	free(nodes);
	free(decoys);
}

/* One allocation, so that one map shows what is read and what is written. */
struct gather {
	uint32_t index[NUM_PICKED];
	uint32_t element[NUM_ELEMENTS];
	uint32_t picked[NUM_PICKED];
};

static void fill_gather(struct gather *g)
{
	unsigned int i;

	for (i = 0; i < NUM_PICKED; i++)
		g->index[i] = cpu_random() % NUM_ELEMENTS;
	for (i = 0; i < NUM_ELEMENTS; i++)
		g->element[i] = cpu_random();
}

static unsigned int count_right(const struct gather *g)
{
	unsigned int i, right = 0;

	for (i = 0; i < NUM_PICKED; i++)
		right += g->picked[i] == g->element[g->index[i]];
	return right;
}

void scene_gather(struct gpu *gpu)
{
	struct gather *g = cpu_malloc(sizeof(*g));
	const struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_GATHER,
		.dst = client_ptr(g->picked),
		.src = client_ptr(g->element),
		.count = NUM_PICKED,
		.arg0 = client_ptr(g->index),
	};
	struct client_counts before, after;

	ui_scene("The GPU writes where the CPU never was");
	ui_text("picked[i] = element[index[i]], %u times. The CPU has filled index and element; nobody has touched picked, so there is no memory behind it yet.",
		NUM_PICKED);
	fill_gather(g);
	gpu_counters(gpu, &before);
	gpu_run(gpu, &cmd, 1, NULL);
	gpu_counters(gpu, &after);
	ui_map(gpu, g, sizeof(*g));
	ui_counted(&before, &after);
	ui_same("elements in their place", count_right(g), NUM_PICKED);
	free(g);
}

static void *add_on_cpu(void *counter)
{
	unsigned int i;

	for (i = 0; i < NUM_ADDS; i++)
		__atomic_fetch_add((uint64_t *)counter, 1, __ATOMIC_RELAXED);
	return NULL;
}

void scene_atomic(struct gpu *gpu)
{
	uint64_t *counter = cpu_malloc(sizeof(*counter)), job;
	const struct drm_svm_test_cmd cmd = {
		.op = DRM_SVM_TEST_OP_ATOMIC_ADD,
		.flags = DRM_SVM_TEST_CMD_64,
		.dst = client_ptr(counter),
		.count = NUM_ADDS,
		.arg0 = 1,
	};
	struct drm_svm_test_wait result;
	pthread_t thread;

	ui_scene("Both at once");
	ui_text("GPU and CPU add 1 to one counter, %u times each, at the same time.",
		NUM_ADDS);
	*counter = 0;
	if (client_submit_cmds(gpu->fd, &cmd, 1, &job) ||
	    pthread_create(&thread, NULL, add_on_cpu, counter)) {
		ui_agree(false, "the two could not be started");
		return;
	}
	pthread_join(thread, NULL);
	gpu_wait(gpu, job, &result);
	ui_agree(*counter == 2 * NUM_ADDS, "the counter is %llu, none of %u is lost",
		 (unsigned long long)*counter, 2 * NUM_ADDS);
	free(counter);
}
