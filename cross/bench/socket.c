#include "socket.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

static struct address tcp(const char *port)
{
	struct address a = {.domain = AF_INET, .type = SOCK_STREAM, .length = sizeof(a.in)};

	a.in.sin_family = AF_INET;
	a.in.sin_port = htons(atoi(port));
	a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static struct address local(int type, const char *name)
{
	struct address a = {.domain = AF_UNIX, .type = type};

	a.un.sun_family = AF_UNIX;
	a.length = offsetof(struct sockaddr_un, sun_path) + strlen(name);
	memcpy(a.un.sun_path, name, strnlen(name, sizeof(a.un.sun_path)));
	a.un.sun_path[0] = 0;
	return a;
}

struct address parse_address(const char *text)
{
	static const struct { const char *prefix; int type; } kinds[] = {
		{"stream:@", SOCK_STREAM}, {"seqpacket:@", SOCK_SEQPACKET}, {"dgram:@", SOCK_DGRAM},
	};
	unsigned i;

	if (!strncmp(text, "tcp:", 4))
		return tcp(text + 4);
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strncmp(text, kinds[i].prefix, strlen(kinds[i].prefix)))
			return local(kinds[i].type, strchr(text, '@'));
	errno = EINVAL;
	fail(text);
}

static int open_socket(const struct address *at)
{
	int one = 1, fd = socket(at->domain, at->type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("make a socket");
	if (at->domain == AF_INET) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	}
	return fd;
}

int serve_at(const struct address *at)
{
	int fd = open_socket(at);

	if (bind(fd, &at->any, at->length))
		fail("bind");
	if (at->type != SOCK_DGRAM && listen(fd, 4096))
		fail("listen");
	return fd;
}

int connect_to(const struct address *at)
{
	sa_family_t unnamed = AF_UNIX;
	struct timeval limit = {.tv_sec = 10};
	int fd = open_socket(at);

	if (at->type == SOCK_DGRAM && bind(fd, (struct sockaddr *)&unnamed, sizeof(unnamed)))
		fail("bind to a name of the kernel's choice");
	if (connect(fd, &at->any, at->length))
		fail("connect");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}
