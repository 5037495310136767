/* Addresses as Halberd writes them: stream:@NAME, seqpacket:@NAME, dgram:@NAME; and tcp:PORT, on the loopback alone. */
#ifndef SOCKET_H
#define SOCKET_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address {
	int domain, type;
	socklen_t length;
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
	};
};

/* Reads an address; ends the process where it is none. */
struct address parse_address(const char *text);

/* A socket that is bound to the address, and listens where its type does. */
int serve_at(const struct address *at);

/* A socket that is connected to the address. One for datagrams has a name of its own, which the kernel chose. */
int connect_to(const struct address *at);

#endif
