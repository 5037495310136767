/* Sets a GPIO line through Halberd, with nothing but the C library: cc -o relay relay.c && ./relay relay-pump 1
 *
 * One packet is one message on SOCK_SEQPACKET, so there is nothing to frame. The answer {"parameters":{}} is success. */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The length of an abstract address is exact: offset of the path, the leading NUL, the name. No padding. */
static int connect_abstract(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(name);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0 || length + 1 > sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path + 1, name, length);
	if (connect(fd, (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + 1 + length) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Anybody may take an abstract name that is free, so look who serves it: root, or a simulated board of our own. */
static int trusted(int fd)
{
	struct ucred server;
	socklen_t length = sizeof(server);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &server, &length) == 0 && (server.uid == 0 || server.uid == geteuid());
}

int main(int argc, char **argv)
{
	const char *name = getenv("HALBERD_NAME") ? getenv("HALBERD_NAME") : "halberd"; /* without the @ */
	char message[512], reply[65536];
	ssize_t n;
	int fd;

	if (argc != 3 || strpbrk(argv[1], "\"\\") != NULL || (strcmp(argv[2], "0") != 0 && strcmp(argv[2], "1") != 0)) {
		fprintf(stderr, "usage: relay LINE 0|1\n");
		return 2;
	}
	fd = connect_abstract(name);
	if (fd < 0 || !trusted(fd)) {
		fprintf(stderr, "relay: cannot reach a Halberd of root or of ourselves at @%s\n", name);
		return 3;
	}
	n = snprintf(message, sizeof(message), "{\"method\":\"io.halberd.Gpio.Set\",\"parameters\":{\"line\":\"%s\",\"value\":%s}}", argv[1], argv[2]);
	if (n < 0 || n >= (ssize_t)sizeof(message)) {
		fprintf(stderr, "relay: the name is too long\n");
		return 1;
	}
	if (send(fd, message, n, MSG_NOSIGNAL) != n || (n = recv(fd, reply, sizeof(reply) - 1, 0)) < 0) {
		perror("relay");
		return 1;
	}
	if (n == 0) {
		fprintf(stderr, "relay: the daemon ended the connection\n");
		return 1;
	}
	reply[n] = '\0';
	if (strncmp(reply, "{\"parameters\"", 13) != 0) {
		fprintf(stderr, "relay: %s\n", reply);
		return 1;
	}
	return 0;
}
