#define _GNU_SOURCE
#include "gen.h"

#include <dirent.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void die(const char *what)
{
	perror(what);
	exit(2);
}

uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/*
 * Histogram of nanoseconds: 64 steps to each power of two, so a value is off
 * by at most 1.6 %.
 */
#define STEP_BITS 6
#define STEPS (1 << STEP_BITS)
static uint64_t buckets[64 * STEPS];
static uint64_t latency_count, latency_max;

static unsigned bucket_of(uint64_t ns)
{
	if (ns < STEPS)
		return (unsigned)ns;
	unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - STEP_BITS;
	return (shift + 1) * STEPS + (unsigned)((ns >> shift) & (STEPS - 1));
}

static double bucket_value(unsigned b)
{
	if (b < STEPS)
		return b;
	unsigned shift = b / STEPS - 1;
	return (double)((uint64_t)(STEPS + b % STEPS) << shift);
}

void latency_add(uint64_t ns)
{
	buckets[bucket_of(ns)]++;
	latency_count++;
	if (ns > latency_max)
		latency_max = ns;
}

void latency_reset(void)
{
	memset(buckets, 0, sizeof buckets);
	latency_count = latency_max = 0;
}

double latency_us(double quantile)
{
	uint64_t want = (uint64_t)(quantile * (double)latency_count), seen = 0;
	for (unsigned b = 0; b < sizeof buckets / sizeof *buckets; b++) {
		seen += buckets[b];
		if (seen > want)
			return bucket_value(b) / 1000;
	}
	return (double)latency_max / 1000;
}

double latency_max_us(void)
{
	return (double)latency_max / 1000;
}

/* Calls fn for every thread of every process of the proxy. */
static void each_task(const struct options *o, void (*fn)(int pid, int tid, void *), void *arg)
{
	for (int i = 0; i < o->pid_count; i++) {
		char dir[64];
		snprintf(dir, sizeof dir, "/proc/%d/task", o->pids[i]);
		DIR *d = opendir(dir);
		if (!d)
			continue;
		for (struct dirent *e = readdir(d); e; e = readdir(d))
			if (e->d_name[0] != '.')
				fn(o->pids[i], atoi(e->d_name), arg);
		closedir(d);
	}
}

static void add_schedstat(int pid, int tid, void *sum)
{
	char path[96];
	unsigned long long ns = 0;
	snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", pid, tid);
	FILE *f = fopen(path, "r");
	if (!f)
		return;
	if (fscanf(f, "%llu", &ns) == 1)
		*(uint64_t *)sum += ns;
	fclose(f);
}

uint64_t cpu_ns(const struct options *o)
{
	uint64_t sum = 0;
	each_task(o, add_schedstat, &sum);
	return sum;
}

uint64_t own_cpu_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int64_t rss_kib(const struct options *o)
{
	int64_t sum = 0;
	for (int i = 0; i < o->pid_count; i++) {
		char path[64], line[256];
		snprintf(path, sizeof path, "/proc/%d/status", o->pids[i]);
		FILE *f = fopen(path, "r");
		if (!f)
			continue;
		while (fgets(line, sizeof line, f)) {
			long kib;
			if (sscanf(line, "VmRSS: %ld kB", &kib) == 1)
				sum += kib;
		}
		fclose(f);
	}
	return sum;
}

/*
 * System calls by a perf event on the tracepoint raw_syscalls:sys_enter, one
 * event a thread, inherited by threads started later. It costs about 50 ns a
 * call, so a run that counts is not one that is timed.
 */
#define MAX_TASKS 512
static int task_fds[MAX_TASKS];
static int task_count;
static long tracepoint;

static void open_counter(int pid, int tid, void *arg)
{
	(void)pid;
	(void)arg;
	if (task_count == MAX_TASKS)
		return;
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof attr,
		.config = (uint64_t)tracepoint,
		.inherit = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd >= 0)
		task_fds[task_count++] = fd;
}

bool syscalls_open(const struct options *o)
{
	static const char *const ids[] = {
		"/sys/kernel/tracing/events/raw_syscalls/sys_enter/id",
		"/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id",
	};
	for (size_t i = 0; i < 2 && tracepoint == 0; i++) {
		FILE *f = fopen(ids[i], "r");
		if (!f)
			continue;
		if (fscanf(f, "%ld", &tracepoint) != 1)
			tracepoint = 0;
		fclose(f);
	}
	if (tracepoint == 0)
		return false;
	each_task(o, open_counter, NULL);
	return task_count > 0;
}

uint64_t syscalls_read(void)
{
	uint64_t sum = 0;
	for (int i = 0; i < task_count; i++) {
		uint64_t n = 0;
		if (read(task_fds[i], &n, sizeof n) == sizeof n)
			sum += n;
	}
	return sum;
}
