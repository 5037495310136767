/* The one client of all servers but sd-bus: blocking calls, one after the other or DEPTH at a time.
 *
 * client [-c CLIENTS] [-d DEPTH] [-t MSEC] [-m MESSAGE] [-p PID,…] [-i IDLE] [-k] ADDRESS
 *
 * ADDRESS is one of socket.h, or exec:PROGRAM for a program that is started for each call. With -i so many connections are opened first, have
 * one call each, and then stay idle. Without -t nothing is measured: what is printed is the resident memory of the first PID, and of it what
 * is its own, in kB. With -k everything stays open until whoever started it ends.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"
#include "socket.h"

enum { MAX_DEPTH = 64, MAX_MESSAGE = 1024, MAX_REPLY = 2048 };

/* What the options say; the clients only read it. */
static struct address at;
static const char *program;
static const char *message = "{\"method\":\"io.halberd.Gpio.Set\",\"parameters\":{\"line\":\"relay-pump\",\"value\":1}}";
static int depth = 1;

struct connection {
	int fd;
	size_t length; /* of one request */
	char requests[MAX_DEPTH * MAX_MESSAGE];
	char replies[MAX_DEPTH * MAX_REPLY];
	struct mmsghdr out[MAX_DEPTH], in[MAX_DEPTH];
	struct iovec out_at[MAX_DEPTH], in_at[MAX_DEPTH];
};

/* A request ends in a NUL on a stream. On TCP it is 16 bytes, as binary protocols have. */
static size_t request_length(void)
{
	if (at.domain == AF_INET)
		return 16;
	return strlen(message) + (at.type == SOCK_STREAM);
}

static void *open_connection(void)
{
	struct connection *c = calloc(1, sizeof(*c));
	int i;

	c->fd = connect_to(&at);
	c->length = request_length();
	for (i = 0; i < depth; i++) {
		memcpy(c->requests + i * c->length, message, c->length);
		c->out_at[i] = (struct iovec){c->requests + i * c->length, c->length};
		c->in_at[i] = (struct iovec){c->replies + i * MAX_REPLY, MAX_REPLY};
		c->out[i].msg_hdr = (struct msghdr){.msg_iov = &c->out_at[i], .msg_iovlen = 1};
		c->in[i].msg_hdr = (struct msghdr){.msg_iov = &c->in_at[i], .msg_iovlen = 1};
	}
	return c;
}

static int complete(const char *data, ssize_t length)
{
	int n = 0;
	const char *end = data + length;

	if (at.type != SOCK_STREAM)
		return 1;
	if (at.domain == AF_INET)
		return length / 16;
	while ((data = memchr(data, 0, end - data))) {
		n++;
		data++;
	}
	return n;
}

/* An error would be answered faster than a call is carried out. */
static void check(const char *reply)
{
	if (!strncmp(reply, "{\"error\"", 8)) {
		fprintf(stderr, "refused: %.200s\n", reply);
		_exit(1);
	}
}

/* Sends the requests in one go and reads until all their replies are there. */
static unsigned call(void *connection)
{
	struct connection *c = connection;
	size_t length = depth * c->length;
	int left;

	if (send(c->fd, c->requests, length, MSG_NOSIGNAL) != (ssize_t)length)
		fail("send");
	for (left = depth; left > 0;) {
		ssize_t n = recv(c->fd, c->replies, sizeof(c->replies), 0);

		if (n <= 0)
			fail("receive");
		check(c->replies);
		left -= complete(c->replies, n);
	}
	return depth;
}

/* The same with a packet for each. */
static unsigned call_packets(void *connection)
{
	struct connection *c = connection;
	int left, n;

	if (sendmmsg(c->fd, c->out, depth, MSG_NOSIGNAL) != depth)
		fail("send");
	for (left = depth; left > 0; left -= n) {
		n = recvmmsg(c->fd, c->in, left, MSG_WAITFORONE, NULL);
		if (n <= 0)
			fail("receive");
		check(c->replies);
	}
	return depth;
}

static void *open_nothing(void) { return NULL; }

static unsigned call_program(void *nothing)
{
	int status;
	pid_t pid = fork();

	(void)nothing;
	if (pid == 0) {
		execl(program, program, "relay-pump", "1", (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		fail("run the program");
	return 1;
}

static void idle(int count)
{
	size_t length = request_length();
	char reply[MAX_REPLY];

	while (count-- > 0) {
		int fd = connect_to(&at);

		if (send(fd, message, length, MSG_NOSIGNAL) != (ssize_t)length || recv(fd, reply, sizeof(reply), 0) <= 0)
			fail("call on a connection that will be idle");
		check(reply);
	}
}

static void print_memory(int pid)
{
	char path[64], line[128];
	long all = 0, own = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "VmRSS: %ld", &all);
		sscanf(line, "RssAnon: %ld", &own);
	}
	printf("%ld\t%ld\n", all, own);
}

static void run(const struct plan *plan)
{
	if (program)
		measure(plan, open_nothing, call_program);
	else if (depth > 1 && at.type != SOCK_STREAM)
		measure(plan, open_connection, call_packets);
	else
		measure(plan, open_connection, call);
}

static void read_address(const char *text)
{
	if (text && !strncmp(text, "exec:", 5))
		program = text + 5;
	else
		at = parse_address(text ? text : "");
}

/* What the options say about the client itself. */
struct options {
	int idle, keep;
};

static void read_options(int argc, char **argv, struct plan *plan, struct options *opt)
{
	int o;

	while ((o = getopt(argc, argv, "c:d:t:m:p:i:k")) != -1) {
		switch (o) {
		case 'c': plan->clients = atoi(optarg); break;
		case 'd': depth = atoi(optarg) < MAX_DEPTH ? atoi(optarg) : MAX_DEPTH; break;
		case 't': plan->msec = atoi(optarg); break;
		case 'm': message = optarg; break;
		case 'p': read_pids(plan, optarg); break;
		case 'i': opt->idle = atoi(optarg); break;
		case 'k': opt->keep = 1; break;
		default: exit(2);
		}
	}
	read_address(argv[optind]);
}

int main(int argc, char **argv)
{
	struct plan plan = {.clients = 1, .warm = 20};
	struct options opt = {0};

	read_options(argc, argv, &plan, &opt);
	if (opt.keep)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	idle(opt.idle);
	if (plan.msec)
		run(&plan);
	else
		print_memory(plan.pids[0]);
	fflush(stdout);
	while (opt.keep)
		pause();
	return 0;
}
