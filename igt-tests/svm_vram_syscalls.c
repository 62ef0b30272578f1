// SPDX-License-Identifier: MIT
/*
 * The kernel and other processes use pages in VRAM: system calls read and write
 * them, debuggers look into them, futexes lie in them, a core dump has them.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/elf.h>
#include <linux/futex.h>

#include "igt.h"
#include "svm_bo.h"
#include "svm_job.h"
#include "svm_vram.h"

IGT_TEST_DESCRIPTION("System calls and other processes use pages in VRAM.");

#define OLD	0x5a5c0000u
#define NEW	0x5e5f0000u

/* An empty file on a disk; with O_DIRECT past the page cache */
static int open_file(size_t size, int flags)
{
	int file = svm_tmpfile(svm_scratch_dir(), size);

	igt_require(!fcntl(file, F_SETFL, flags));
	return file;
}

static void fill_file(int file, size_t size, uint32_t seed)
{
	char *data = svm_mmap_anon(size);

	svm_pattern(data, size, seed);
	igt_assert_eq(pwrite(file, data, size, 0), size);
	munmap(data, size);
}

static bool file_has(int file, size_t size, uint32_t seed)
{
	char *data = svm_mmap_anon(size);
	bool ok = pread(file, data, size, 0) == (ssize_t)size && svm_pattern_ok(data, size, seed);

	munmap(data, size);
	return ok;
}

static void write_from(int fd, bool huge, int flags)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int file = open_file(area.size, flags);

	igt_assert_eq(pwrite(file, area.base, area.size, 0), area.size);
	igt_assert(file_has(file, area.size, OLD));
	svm_area_check(fd, &area, OLD);
	close(file);
}

static void read_into(int fd, bool huge, int flags)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	int file = open_file(area.size, flags);

	fill_file(file, area.size, NEW);
	igt_assert_eq(pread(file, area.base, area.size, 0), area.size);
	svm_area_check(fd, &area, NEW);
	close(file);
}

static void buffered_write(int fd, bool huge)
{
	write_from(fd, huge, 0);
}

static void buffered_read(int fd, bool huge)
{
	read_into(fd, huge, 0);
}

static void direct_write(int fd, bool huge)
{
	write_from(fd, huge, O_DIRECT);
}

static void direct_read(int fd, bool huge)
{
	read_into(fd, huge, O_DIRECT);
}

/* Some bytes over the border of two pages; all others stay */
static void odd_read(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	size_t at = 20 * svm_page_size() - 333, size = 777;
	char *want = svm_mmap_anon(area.size);
	int file = open_file(area.size, 0);

	fill_file(file, area.size, NEW);
	svm_pattern(want, area.size, OLD);
	igt_assert_eq(pread(file, want + at, size, 5), size);
	igt_assert_eq(pread(file, area.base + at, size, 5), size);
	igt_assert(!memcmp(want, area.base, area.size));
	close(file);
}

/* A process whose pages are in VRAM while another one uses them */
struct victim {
	struct svm_area area;
	int ready, go;
};

/* Brings its pages to VRAM twice; finds in them in the end what was written */
static void be_victim(struct victim *victim, bool huge)
{
	int fd = svm_open_attached();

	victim->area = svm_area(fd, huge, OLD);
	svm_gate_open(victim->ready);
	svm_gate_wait(victim->go);
	svm_to_vram(fd, victim->area.base, victim->area.size);
	svm_gate_open(victim->ready);
	svm_gate_wait(victim->go);
	svm_area_check(fd, &victim->area, NEW);
	exit(0);
}

/* How another process gets at the memory of the victim */
struct access {
	void (*read)(pid_t pid, char *addr, char *copy, size_t size);
	void (*write)(pid_t pid, char *addr, char *copy, size_t size);
};

static void with_victim(bool huge, const struct access *access)
{
	struct victim *victim = mmap(NULL, sizeof(*victim), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *copy;
	pid_t pid;

	igt_assert(victim != MAP_FAILED);
	victim->ready = svm_gate();
	victim->go = svm_gate();
	pid = svm_fork();
	if (!pid)
		be_victim(victim, huge);
	svm_gate_wait(victim->ready);
	copy = svm_mmap_small(victim->area.size);
	access->read(pid, victim->area.base, copy, victim->area.size);
	igt_assert(svm_pattern_ok(copy, victim->area.size, OLD));
	svm_gate_open(victim->go);
	svm_gate_wait(victim->ready);
	svm_pattern(copy, victim->area.size, NEW);
	access->write(pid, victim->area.base, copy, victim->area.size);
	svm_gate_open(victim->go);
	igt_assert_eq(svm_reap(60), 0);
}

static void vm_readv(pid_t pid, char *addr, char *copy, size_t size)
{
	struct iovec local = { copy, size }, remote = { addr, size };

	igt_assert_eq(process_vm_readv(pid, &local, 1, &remote, 1, 0), size);
}

static void vm_writev(pid_t pid, char *addr, char *copy, size_t size)
{
	struct iovec local = { copy, size }, remote = { addr, size };

	igt_assert_eq(process_vm_writev(pid, &local, 1, &remote, 1, 0), size);
}

static void process_vm(int fd, bool huge)
{
	static const struct access access = { vm_readv, vm_writev };

	with_victim(huge, &access);
}

static int open_mem(pid_t pid)
{
	char path[64];
	int file;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	file = open(path, O_RDWR | O_CLOEXEC);
	igt_assert_fd(file);
	return file;
}

static void mem_read(pid_t pid, char *addr, char *copy, size_t size)
{
	int file = open_mem(pid);

	igt_assert_eq(pread(file, copy, size, client_ptr(addr)), size);
	close(file);
}

static void mem_write(pid_t pid, char *addr, char *copy, size_t size)
{
	int file = open_mem(pid);

	igt_assert_eq(pwrite(file, copy, size, client_ptr(addr)), size);
	close(file);
}

static void proc_mem(int fd, bool huge)
{
	static const struct access access = { mem_read, mem_write };

	with_victim(huge, &access);
}

static void trace_begin(pid_t pid)
{
	int status;

	igt_require(!ptrace(PTRACE_ATTACH, pid, NULL, NULL));
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert(WIFSTOPPED(status));
}

/* A word of each page by PEEK and POKE, the rest is what /proc/PID/mem has */
static void trace_read(pid_t pid, char *addr, char *copy, size_t size)
{
	trace_begin(pid);
	for (size_t at = 0; at < size; at += svm_page_size()) {
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, pid, addr + at, NULL);
		igt_assert(!errno);
		mem_read(pid, addr + at, copy + at, svm_page_size());
		igt_assert(!memcmp(&word, copy + at, sizeof(word)));
	}
	igt_assert(!ptrace(PTRACE_DETACH, pid, NULL, NULL));
}

static void trace_write(pid_t pid, char *addr, char *copy, size_t size)
{
	trace_begin(pid);
	for (size_t at = 0; at < size; at += svm_page_size()) {
		long word;

		memcpy(&word, copy + at, sizeof(word));
		igt_assert(!ptrace(PTRACE_POKEDATA, pid, addr + at, (void *)word));
		mem_write(pid, addr + at + sizeof(word), copy + at + sizeof(word),
			  svm_page_size() - sizeof(word));
	}
	igt_assert(!ptrace(PTRACE_DETACH, pid, NULL, NULL));
}

static void syscall_traced(int fd, bool huge)
{
	static const struct access access = { trace_read, trace_write };

	with_victim(huge, &access);
}

static long futex(uint32_t *word, int op, uint32_t value, void *arg, uint32_t *word2,
		  uint32_t value3)
{
	return syscall(SYS_futex, word, op, value, arg, word2, value3);
}

/* A thread that sleeps in a futex operation on a word */
struct sleeper {
	pthread_t thread;
	uint32_t *word;
	int op;
	uint32_t value;
	pid_t tid;
	long result;
};

static void *sleeper_main(void *data)
{
	struct sleeper *sleeper = data;

	WRITE_ONCE(sleeper->tid, gettid());
	sleeper->result = futex(sleeper->word, sleeper->op, sleeper->value, NULL, NULL, 0);
	/* who has got a lock gives it back */
	if (sleeper->op == FUTEX_LOCK_PI && !sleeper->result)
		sleeper->result = futex(sleeper->word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
	return NULL;
}

static bool sleeps_in_futex(pid_t tid)
{
	char path[64], text[256] = "";
	int file;
	bool ok;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	file = open(path, O_RDONLY | O_CLOEXEC);
	ok = file >= 0 && read(file, text, sizeof(text) - 1) > 0 && atoi(text) == SYS_futex;
	close(file);
	return ok;
}

static void sleeper_start(struct sleeper *sleeper)
{
	igt_assert(!pthread_create(&sleeper->thread, NULL, sleeper_main, sleeper));
	igt_assert(svm_until(READ_ONCE(sleeper->tid) && sleeps_in_futex(sleeper->tid), 30000));
}

static void sleeper_end(struct sleeper *sleeper)
{
	igt_assert(!pthread_join(sleeper->thread, NULL));
	igt_assert_eq(sleeper->result, 0);
}

/* To VRAM, home, and to VRAM again, while somebody sleeps on a word of the area */
static void move_about(int fd, const struct svm_area *area)
{
	svm_to_vram(fd, area->base, area->size);
	svm_evict_vram(fd);
	svm_to_vram(fd, area->base, area->size);
}

static void futex_wait(int fd, bool huge, int flag)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	struct sleeper sleeper = {
		.word = (uint32_t *)area.base,
		.op = FUTEX_WAIT | flag,
		.value = OLD,
	};

	sleeper_start(&sleeper);
	move_about(fd, &area);
	svm_gpu_write32(fd, area.base, NEW);
	igt_assert_eq(futex(sleeper.word, FUTEX_WAIT | flag, OLD, NULL, NULL, 0), -1);
	igt_assert_eq(errno, EAGAIN);
	svm_to_vram(fd, area.base, area.size);
	igt_assert_eq(futex(sleeper.word, FUTEX_WAKE | flag, 8, NULL, NULL, 0), 1);
	sleeper_end(&sleeper);
}

static void futex_private(int fd, bool huge)
{
	futex_wait(fd, huge, FUTEX_PRIVATE_FLAG);
}

static void futex_shared(int fd, bool huge)
{
	futex_wait(fd, huge, 0);
}

/* The kernel itself changes the words of these */
static void futex_pi(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	uint32_t *word = (uint32_t *)area.base;
	struct sleeper sleeper = { .word = word, .op = FUTEX_LOCK_PI };

	svm_gpu_write32(fd, word, 0);
	igt_assert_eq(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, word), gettid());
	svm_to_vram(fd, area.base, area.size);
	sleeper_start(&sleeper);
	igt_assert(svm_until(svm_gpu_read32(fd, word) == (gettid() | FUTEX_WAITERS), 30000));
	move_about(fd, &area);
	igt_assert_eq(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
	sleeper_end(&sleeper);
	igt_assert(svm_until(!svm_gpu_read32(fd, word), 30000));
}

static void futex_wake_op(int fd, bool huge)
{
	struct svm_area area = svm_area(fd, huge, OLD);
	uint32_t *word = (uint32_t *)area.base, *other = word + 1;

	svm_gpu_write32(fd, other, 40);
	svm_to_vram(fd, area.base, area.size);
	igt_assert_eq(futex(word, FUTEX_WAKE_OP, 1, NULL, other,
			    FUTEX_OP(FUTEX_OP_ADD, 2, FUTEX_OP_CMP_EQ, 40)), 0);
	igt_assert_eq_u32(svm_gpu_read32(fd, other), 42);
}

static bool core_has(const char *path, const struct svm_area *area, uint32_t seed)
{
	char *data = svm_mmap_anon(area->size);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr head;
	bool ok = false;

	igt_assert(file >= 0 && pread(file, &head, sizeof(head), 0) == sizeof(head));
	for (int i = 0; i < head.e_phnum; i++) {
		uint64_t start = client_ptr(area->base);
		Elf64_Phdr part;

		igt_assert_eq(pread(file, &part, sizeof(part), head.e_phoff + i * sizeof(part)),
			      sizeof(part));
		if (part.p_type != PT_LOAD || start < part.p_vaddr ||
		    start + area->size > part.p_vaddr + part.p_filesz)
			continue;
		ok = pread(file, data, area->size, part.p_offset + start - part.p_vaddr) ==
		     (ssize_t)area->size && svm_pattern_ok(data, area->size, seed);
	}
	close(file);
	munmap(data, area->size);
	return ok;
}

/* A process crashes with pages in VRAM; of its file only the mapping may be left */
static void crash(const struct svm_area *area, int own, bool closed)
{
	const struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	int status;
	pid_t pid;

	svm_to_vram(own, area->base, area->size);
	pid = fork();
	igt_assert(pid >= 0);
	if (!pid) {
		if (closed)
			close(own);
		setrlimit(RLIMIT_CORE, &limit);
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	}
	igt_assert_eq(waitpid(pid, &status, 0), pid);
	igt_assert(WIFSIGNALED(status) && WCOREDUMP(status));
}

/* Only small pages: Linux takes a huge page in VRAM for a hole when it dumps core */
static void core_dump(int fd, bool huge)
{
	char path[] = "/tmp/svm-core-XXXXXX";
	int file = mkostemp(path, O_CLOEXEC), own = svm_open_attached();
	struct svm_area area = svm_area(own, huge, OLD);

	igt_assert_fd(file);
	close(file);
	igt_require(svm_sys_set("/proc/sys/kernel/core_pattern", path));
	crash(&area, own, false);
	igt_assert(core_has(path, &area, OLD));
	crash(&area, own, true);
	igt_assert(core_has(path, &area, OLD));
	unlink(path);
	close(own);
	svm_area_check(fd, &area, OLD);
}

static const struct svm_vram_case cases[] = {
	{ "write", "A file is written from them.", buffered_write },
	{ "read", "A file is read into them.", buffered_read },
	{ "direct-write", "A file is written from them past the page cache.", direct_write },
	{ "direct-read", "A file is read into them past the page cache.", direct_read },
	{ "odd-read", "Some bytes of two pages are read from a file.", odd_read },
	{ "process-vm", "Another process reads and writes them.", process_vm },
	{ "proc-mem", "Another process reads and writes them by /proc/PID/mem.", proc_mem },
	{ "ptrace", "A debugger reads and writes them.", syscall_traced },
	{ "futex-private", "A thread waits for a word that moves.", futex_private },
	{ "futex-shared", "A thread waits for a word that moves, which others may share.",
	  futex_shared },
	{ "futex-pi", "A lock that the kernel hands over moves.", futex_pi },
	{ "futex-wake-op", "The kernel changes a word in VRAM.", futex_wake_op },
	{ "core-dump", "A process crashes, and its core has what was in VRAM.", core_dump,
	  .one = true },
};

int igt_main()
{
	igt_fixture()
		svm_vram_on("vram_mb=16");

	svm_vram_cases(cases);

	igt_fixture()
		svm_vram_off();
}
