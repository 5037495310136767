/* The servers in C that Halberd is measured beside. They read the same requests and give the same replies, and do nothing in between: no
 * parsing, no identity, no policy, no device.
 *
 * server block|epoll|threads ADDRESS
 *
 * block serves one connection after the other, epoll all in one loop, threads each in a thread of its own. Started by socket activation, it
 * serves descriptor 3, whatever ADDRESS says.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "measure.h"
#include "socket.h"

enum { MAX_REQUEST = 64 << 10, MAX_BATCH = 2048 };

/* Set once, before the first request. */
static struct address at;
static char replies[MAX_BATCH * 18];
static size_t reply_length;

static void prepare_replies(void)
{
	static const char reply[] = "{\"parameters\":{}}";
	int i;

	reply_length = at.domain == AF_INET ? 16 : sizeof(reply) - (at.type != SOCK_STREAM);
	for (i = 0; i < MAX_BATCH; i++)
		memcpy(replies + i * reply_length, reply, reply_length);
}

static int requests_in(const char *data, ssize_t length)
{
	const char *end = data + length;
	int n = 0;

	if (at.type != SOCK_STREAM)
		return 1;
	if (at.domain == AF_INET)
		return length / 16;
	while ((data = memchr(data, 0, end - data))) {
		n++;
		data++;
	}
	return n < MAX_BATCH ? n : MAX_BATCH;
}

/* Answers what has arrived on a connection; -1 at its end. */
static int answer(int fd, char *buffer)
{
	ssize_t n = recv(fd, buffer, MAX_REQUEST, 0);

	if (n <= 0)
		return -1;
	n = requests_in(buffer, n) * reply_length;
	return send(fd, replies, n, MSG_NOSIGNAL) == n ? 0 : -1;
}

static void answer_datagram(int fd, char *buffer)
{
	struct sockaddr_un from;
	socklen_t length = sizeof(from);

	if (recvfrom(fd, buffer, MAX_REQUEST, 0, (struct sockaddr *)&from, &length) < 0)
		fail("receive");
	sendto(fd, replies, reply_length, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&from, length);
}

static int accept_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 && errno != ECONNABORTED && errno != EINTR)
		fail("accept");
	return fd;
}

static void serve_connection(int fd)
{
	char buffer[MAX_REQUEST];

	while (answer(fd, buffer) == 0)
		;
	close(fd);
}

static void block(int fd)
{
	static char buffer[MAX_REQUEST];

	while (at.type == SOCK_DGRAM)
		answer_datagram(fd, buffer);
	for (;;)
		serve_connection(accept_one(fd));
}

static void *thread(void *fd)
{
	serve_connection((intptr_t)fd);
	return NULL;
}

static void threads(int listener)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 128 << 10);
	for (;;) {
		pthread_t t;
		int fd = accept_one(listener);

		if (fd >= 0 && pthread_create(&t, &attr, thread, (void *)(intptr_t)fd))
			close(fd);
	}
}

static void watch(int epoll, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	if (fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e))
		fail("watch a descriptor");
}

static void ready(int epoll, int listener, int fd)
{
	static char buffer[MAX_REQUEST];

	if (fd == listener && at.type == SOCK_DGRAM)
		answer_datagram(fd, buffer);
	else if (fd == listener)
		watch(epoll, accept_one(fd));
	else if (answer(fd, buffer))
		close(fd);
}

static void loop(int listener)
{
	struct epoll_event events[128];
	int i, n, epoll = epoll_create1(EPOLL_CLOEXEC);

	watch(epoll, listener);
	for (;;) {
		n = epoll_wait(epoll, events, 128, -1);
		for (i = 0; i < n; i++)
			ready(epoll, listener, events[i].data.fd);
	}
}

int main(int argc, char **argv)
{
	int fd;

	if (argc != 3)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	at = parse_address(argv[2]);
	prepare_replies();
	fd = getenv("LISTEN_FDS") ? 3 : serve_at(&at);
	switch (argv[1][0]) {
	case 'b': block(fd); break;
	case 'e': loop(fd); break;
	case 't': threads(fd); break;
	}
	return 2;
}
