#define _GNU_SOURCE
#include "measure.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A histogram of nanoseconds: 256 buckets for each power of two, so that a figure is right to 0.4 %. */
enum { STEPS = 256, BUCKETS = 34 * STEPS };

/* What the clients and their parent see together. */
struct shared {
	pthread_barrier_t ready;
	volatile int stop;
	uint64_t calls;
	uint64_t counts[BUCKETS];
};

struct figures {
	uint64_t nsec;
	uint64_t switches;
};

void fail(const char *what)
{
	fprintf(stderr, "cannot %s: %s\n", what, strerror(errno));
	_exit(1);
}

uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

void read_pids(struct plan *plan, const char *list)
{
	char *end;

	for (; *list && plan->npids < 8; list = *end ? end + 1 : end)
		plan->pids[plan->npids++] = strtol(list, &end, 10);
}

static int bucket(uint64_t nsec)
{
	int shift;

	if (nsec < STEPS)
		return nsec;
	shift = 63 - __builtin_clzll(nsec) - 8;
	if (shift >= BUCKETS / STEPS - 1)
		return BUCKETS - 1;
	return shift * STEPS + (nsec >> shift);
}

static double microseconds(int bucket)
{
	int shift = bucket / STEPS - 1;

	if (bucket < STEPS)
		return bucket / 1e3;
	return ((bucket % STEPS + STEPS + 0.5) * (1ull << shift)) / 1e3;
}

static double percentile(const struct shared *s, double part)
{
	uint64_t total = 0, seen = 0;
	int i;

	for (i = 0; i < BUCKETS; i++)
		total += s->counts[i];
	for (i = 0; i < BUCKETS; i++) {
		seen += s->counts[i];
		if (seen > 0 && seen >= part * total)
			return microseconds(i);
	}
	return 0;
}

/* The processor time of a whole process, with its threads that have ended: to the nanosecond, where /proc/PID/stat has 10 ms. */
static uint64_t processor_time(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		fail("read the processor time of a server");
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static uint64_t switches_of(const char *task)
{
	char line[128];
	uint64_t sum = 0;
	FILE *f = fopen(task, "r");

	if (!f)
		return 0; /* it has just ended */
	while (fgets(line, sizeof(line), f)) {
		char *at = strstr(line, "voluntary_ctxt_switches:");

		if (at)
			sum += strtoull(strchr(at, ':') + 1, NULL, 10);
	}
	fclose(f);
	return sum;
}

static uint64_t switches(pid_t pid)
{
	char path[300];
	uint64_t sum = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/status", pid, e->d_name);
		sum += switches_of(path);
	}
	if (d)
		closedir(d);
	return sum;
}

static struct figures used(const struct plan *plan)
{
	struct figures f = {0};
	int i;

	for (i = 0; i < plan->npids; i++) {
		f.nsec += processor_time(plan->pids[i]);
		f.switches += switches(plan->pids[i]);
	}
	return f;
}

static struct shared *share(int clients)
{
	pthread_barrierattr_t attr;
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		fail("get memory");
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&s->ready, &attr, clients + 1);
	return s;
}

static void merge(struct shared *s, const uint32_t *counts, uint64_t calls)
{
	int i;

	__atomic_fetch_add(&s->calls, calls, __ATOMIC_RELAXED);
	for (i = 0; i < BUCKETS; i++)
		if (counts[i])
			__atomic_fetch_add(&s->counts[i], counts[i], __ATOMIC_RELAXED);
}

/* One client, in a process of its own as apps are. */
static void client(const struct plan *plan, struct shared *s, open_fn *open, exchange_fn *exchange)
{
	static uint32_t counts[BUCKETS];
	void *connection = open();
	uint64_t calls = 0, before, after;
	int i;

	for (i = 0; i < plan->warm; i++)
		exchange(connection);
	pthread_barrier_wait(&s->ready);
	for (before = now(); !s->stop; before = after) {
		calls += exchange(connection);
		after = now();
		counts[bucket(after - before)]++;
	}
	merge(s, counts, calls);
	_exit(0);
}

static void start(const struct plan *plan, struct shared *s, open_fn *open, exchange_fn *exchange)
{
	int i;

	for (i = 0; i < plan->clients; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("start a client");
		if (pid > 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(plan->msec / 1000 + 30);
		client(plan, s, open, exchange);
	}
}

/* A client that fails ends everything: the others may be waiting for it. */
static void child_ended(int signal)
{
	siginfo_t info;

	(void)signal;
	info.si_pid = 0;
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid) {
		if (info.si_code != CLD_EXITED || info.si_status)
			_exit(1);
		return;
	}
}

static void sleep_until(uint64_t end)
{
	struct timespec t = {end / 1000000000, end % 1000000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static void print(const struct shared *s, double seconds, const struct figures *before, const struct figures *after)
{
	double calls = s->calls ? s->calls : 1;

	printf("%.2f\t%.2f\t%.2f\t%.0f\t%.3f\t%.3f\n", percentile(s, 0.5), percentile(s, 0.99), percentile(s, 0.999), s->calls / seconds,
	       (after->nsec - before->nsec) / 1e3 / calls, (after->switches - before->switches) / calls);
}

void measure(const struct plan *plan, open_fn *open, exchange_fn *exchange)
{
	struct shared *s = share(plan->clients);
	struct figures before, after;
	uint64_t began, ended;

	signal(SIGCHLD, child_ended);
	start(plan, s, open, exchange);
	pthread_barrier_wait(&s->ready);
	before = used(plan);
	began = now();
	sleep_until(began + plan->msec * 1000000ull);
	s->stop = 1;
	ended = now();
	after = used(plan);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	print(s, (ended - began) / 1e9, &before, &after);
}
