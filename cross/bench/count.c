/*
 * A plugin for QEMU's user-mode emulators: it counts the instructions of each thread of a program, and prints the counts to standard error at the end.
 *
 *	gcc -O2 -shared -fPIC -DPLUGIN_VERSION=1 -o count.so count.c
 *	qemu-arm -plugin ./count.so PROGRAM
 *
 * A plugin says for which version of the interface it is: QEMU 7 takes 1, QEMU 10 takes 2 to 4. Debian ships no qemu-plugin.h. What is used of it is
 * declared here, and is the same in the versions 1 to 6. That a block of instructions is left early, by a signal or a fault, is not seen.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb; /* a block of instructions that are translated, and run, together */

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*translated)(uint64_t id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*run)(unsigned int thread, void *), int flags, void *);
void qemu_plugin_register_atexit_cb(uint64_t id, void (*at_exit)(uint64_t id, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

EXPORT int qemu_plugin_version = PLUGIN_VERSION;

#define MAX_THREADS 256

static uint64_t counts[MAX_THREADS]; /* each is written by its own thread */

static void run(unsigned int thread, void *instructions)
{
	if (thread < MAX_THREADS)
		counts[thread] += (uintptr_t)instructions;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, run, 0, (void *)qemu_plugin_tb_n_insns(tb));
}

static void print(uint64_t id, void *unused)
{
	(void)id;
	(void)unused;
	for (int i = 0; i < MAX_THREADS; i++)
		if (counts[i] > 0)
			fprintf(stderr, "thread %d ran %llu instructions\n", i, (unsigned long long)counts[i]);
}

EXPORT int qemu_plugin_install(uint64_t id, const void *emulator, int argc, char **argv)
{
	(void)emulator;
	(void)argc;
	(void)argv;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, print, NULL);
	return 0;
}
