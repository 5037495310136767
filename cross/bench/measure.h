/* What the client programs share: how calls are repeated, timed and counted. */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdint.h>

/* What a measurement does. */
struct plan {
	int clients;	/* processes, each with a connection of its own */
	int msec;	/* how long they call */
	int warm;	/* exchanges of each before that */
	int pids[8];	/* the processes that serve: their processor time is counted */
	int npids;
};

/* One client's connection: made in the client's own process, and then used for one exchange after the other. */
typedef void *open_fn(void);
typedef unsigned exchange_fn(void *connection);	/* gives how many calls that was */

/* Calls for plan->msec and prints a line: p50, p99, p99.9 of an exchange in µs, calls a second, then for each call the servers' processor
 * time in µs and how often their threads were switched. */
void measure(const struct plan *plan, open_fn *open, exchange_fn *exchange);

/* Nanoseconds of the monotonic clock. */
uint64_t now(void);

/* Says what failed, with errno, and ends the process. */
void fail(const char *what) __attribute__((noreturn));

/* Reads "1,2,3" into plan->pids. */
void read_pids(struct plan *plan, const char *list);

#endif
