/* Starts a daemon by its first connection, as a service manager does, and measures from connect to the reply.
 *
 * activate TIMES ADDRESS PROGRAM [ARGUMENT]…
 *
 * prints a line for each time: microseconds.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"
#include "socket.h"

static const char request[] = "{\"method\":\"io.halberd.Gpio.Set\",\"parameters\":{\"line\":\"relay-pump\",\"value\":1}}";

/* The app: calls, and says through the pipe how long that took. */
static void app(const struct address *at, int result)
{
	char reply[2048];
	uint64_t taken, before = now();
	int fd = connect_to(at);

	if (send(fd, request, sizeof(request), MSG_NOSIGNAL) != sizeof(request) || recv(fd, reply, sizeof(reply), 0) <= 0)
		fail("call");
	taken = now() - before;
	if (!strncmp(reply, "{\"error\"", 8) || write(result, &taken, sizeof(taken)) != sizeof(taken))
		_exit(1);
	_exit(0);
}

/* The daemon, with the listening socket as its descriptor 3. */
static void become(char **argv, int listener)
{
	char pid[16];
	int null = open("/dev/null", O_RDWR);

	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_PID", pid, 1);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	if (dup2(listener, 3) == 3 && listener == 3)
		fcntl(3, F_SETFD, 0);
	execv(argv[0], argv);
	_exit(127);
}

static pid_t daemon_for(char **argv, int listener)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};
	pid_t pid;

	if (poll(&p, 1, 5000) != 1)
		fail("wait for the app");
	pid = fork();
	if (pid == 0)
		become(argv, listener);
	return pid;
}

static void once(const struct address *at, int listener, char **argv)
{
	uint64_t taken = 0;
	int result[2];
	pid_t client, server;

	if (pipe2(result, O_CLOEXEC))
		fail("make a pipe");
	client = fork();
	if (client == 0)
		app(at, result[1]);
	close(result[1]);
	server = daemon_for(argv, listener);
	if (read(result[0], &taken, sizeof(taken)) != sizeof(taken))
		fail("have the first call answered");
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	waitpid(client, NULL, 0);
	close(result[0]);
	printf("%.1f\n", taken / 1e3);
}

int main(int argc, char **argv)
{
	struct address at;
	int i, listener;

	if (argc < 4)
		return 2;
	at = parse_address(argv[2]);
	listener = serve_at(&at);
	for (i = 0; i < atoi(argv[1]); i++)
		once(&at, listener, argv + 3);
	return 0;
}
