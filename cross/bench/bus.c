/* The same call through a message bus, with systemd's sd-bus at both ends.
 *
 * bus serve ADDRESS              offers Set on the bus
 * bus call ADDRESS MSEC PID,…    calls it, and prints what client prints
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "measure.h"

#define NAME "io.halberd.Bench"
#define PATH "/io/halberd/Bench"

static const char *address;

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	errno = -r;
	fail(what);
}

static void *open_bus(void)
{
	sd_bus *bus = NULL;

	must(sd_bus_new(&bus), "make a bus");
	must(sd_bus_set_address(bus, address), "set the address");
	must(sd_bus_set_bus_client(bus, 1), "be a client");
	must(sd_bus_start(bus), "connect to the bus");
	return bus;
}

static unsigned call(void *bus)
{
	must(sd_bus_call_method(bus, NAME, PATH, NAME, "Set", NULL, NULL, "si", "relay-pump", 1), "call");
	return 1;
}

static int set(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const char *line;
	int value;

	(void)data;
	(void)error;
	must(sd_bus_message_read(m, "si", &line, &value), "read a call");
	return sd_bus_reply_method_return(m, "");
}

static const sd_bus_vtable methods[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Set", "si", "", set, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static void serve(void)
{
	sd_bus *bus = open_bus();
	int r;

	must(sd_bus_add_object_vtable(bus, NULL, PATH, NAME, methods, NULL), "offer the method");
	must(sd_bus_request_name(bus, NAME, 0), "take the name");
	for (;;) {
		must(r = sd_bus_process(bus, NULL), "process");
		if (r == 0)
			must(sd_bus_wait(bus, (uint64_t)-1), "wait");
	}
}

int main(int argc, char **argv)
{
	struct plan plan = {.clients = 1, .warm = 20};

	if (argc < 3)
		return 2;
	address = argv[2];
	if (!strcmp(argv[1], "serve"))
		serve();
	if (argc != 5)
		return 2;
	plan.msec = atoi(argv[3]);
	read_pids(&plan, argv[4]);
	measure(&plan, open_bus, call);
	return 0;
}
