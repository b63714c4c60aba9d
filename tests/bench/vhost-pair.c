/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Backend and driver, see vhost-pair.h. */
#include "vhost-pair.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "dpdk/testpmd.h"

#define BACKEND_CPU 0
#define DRIVER_CPU  1
#define WINDOW_NS   100000000
#define RAN_SHARE   0.93
#define WAIT_SHARE  0.05
#define BUSY_SHARE  0.9
#define FEW	    1000 /* packets in a window */
#define HERTZ_NS    20000000
#define DRAIN_NS    3000000

#define HUGE_MEMORY  "--in-memory --single-file-segments -m 128"
#define SMALL_MEMORY "--no-huge --no-shconf -m 128"

/* ---- Programs ---- */

static bool is_worker(pid_t pid, const char *task)
{
	char path[512], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", pid, task);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(name, sizeof(name), f))
		name[0] = '\0';
	fclose(f);
	return strstr(name, "worker") != NULL;
}

/* testpmd's second lcore; the only thread of the library's backend. */
static pid_t worker_of(pid_t pid)
{
	pid_t worker = pid;
	struct dirent *entry;
	char path[64];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks)
		bench_die("%s is gone", path);
	while ((entry = readdir(tasks)))
		if (is_worker(pid, entry->d_name))
			worker = atoi(entry->d_name);
	closedir(tasks);
	return worker;
}

static struct program program_of(struct testpmd *t)
{
	if (!t)
		bench_die("a program did not start");
	return (struct program){ t, worker_of(testpmd_pid(t)) };
}

const char *program_order(const struct program *p, const char *line)
{
	const char *output = testpmd_do(p->t, "%s", line);

	if (!output)
		bench_die("no answer to \"%s\"", line);
	return output;
}

double program_value(const char *output, const char *key)
{
	const char *at = strstr(output, key);

	return at ? strtod(at + strlen(key), NULL) : -1;
}

static struct program start_testpmd(const char *name, unsigned int processor,
				    enum pages pages, const char *vdevs, const char *more)
{
	char eal[2048], arguments[128];
	struct program p;

	snprintf(eal, sizeof(eal), "%s%s", pages == HUGE ? HUGE_MEMORY : SMALL_MEMORY,
		 vdevs);
	snprintf(arguments, sizeof(arguments), "--total-num-mbufs=8192 --burst=32 %s",
		 more);
	p = program_of(testpmd_start(name, processor, eal, arguments, NULL, NULL));
	program_order(&p, "set record-core-cycles on");
	return p;
}

static void append(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void append(char *text, size_t size, const char *format, ...)
{
	size_t len = strlen(text);
	va_list ap;

	va_start(ap, format);
	vsnprintf(text + len, size - len, format, ap);
	va_end(ap);
}

static struct program start_own(const struct pair_plan *plan, const char *socket)
{
	char command[1024];

	snprintf(command, sizeof(command), "taskset -c %u %s/vhost-backend", BACKEND_CPU,
		 plan->bin);
	for (unsigned int i = 0; i < plan->ports; i++)
		append(command, sizeof(command), " %s-%u", socket, i);
	return program_of(testpmd_start_other("vtc> ", command, NULL, NULL));
}

static struct program start_peer(const struct pair_plan *plan, const char *socket)
{
	char vdevs[1024] = "";

	for (unsigned int i = 0; i < plan->ports; i++)
		append(vdevs, sizeof(vdevs), " --vdev net_vhost%u,iface=%s-%u,queues=%u",
		       i, socket, i, plan->queues);
	return start_testpmd("backend", BACKEND_CPU, plan->pages, vdevs, "");
}

static struct program start_driver(const struct pair_plan *plan, const char *socket)
{
	char vdevs[1024] = "", more[64];

	for (unsigned int i = 0; i < plan->ports; i++)
		append(vdevs, sizeof(vdevs),
		       " --vdev net_virtio_user%u,path=%s-%u,queues=%u,packed_vq=%u,"
		       "mrg_rxbuf=1,in_order=1,queue_size=256",
		       i, socket, i, plan->queues, plan->packed);
	snprintf(more, sizeof(more), "--rxq=%u --txq=%u", plan->queues, plan->queues);
	return start_testpmd("driver", DRIVER_CPU, plan->pages, vdevs, more);
}

struct pair pair_start_backend(const struct pair_plan *plan)
{
	static unsigned int number;
	struct pair pair = { 0 };

	snprintf(pair.socket, sizeof(pair.socket), "%s/%u", plan->dir, number++);
	pair.backend = plan->who == OWN ? start_own(plan, pair.socket)
					: start_peer(plan, pair.socket);
	return pair;
}

struct pair pair_start(const struct pair_plan *plan)
{
	struct pair pair = pair_start_backend(plan);

	pair.driver = start_driver(plan, pair.socket);
	return pair;
}

void pair_end(const struct pair *pair)
{
	testpmd_quit(pair->driver.t);
	testpmd_quit(pair->backend.t);
}

/* ---- A window ---- */

static const char *const backend_modes[] = { "rxonly", "txonly", "io", "io" };
static const char *const driver_modes[] = { "txonly", "rxonly", "io", "io" };

static void prepare(const struct program *p, const char *mode, uint32_t bytes)
{
	char line[64];

	snprintf(line, sizeof(line), "set fwd %s", mode);
	program_order(p, line);
	snprintf(line, sizeof(line), "set txpkts %u", bytes);
	program_order(p, line);
}

static bool is_loop(enum mode mode)
{
	return mode == LOOP || mode == VM2VM;
}

/* Packets of the last loop are still in the rings, and may be of another size. */
static void drain(const struct pair *pair)
{
	struct timespec a_moment = { 0, DRAIN_NS };

	program_order(&pair->driver, "set fwd rxonly");
	program_order(&pair->backend, "start");
	program_order(&pair->driver, "start");
	nanosleep(&a_moment, NULL);
	program_order(&pair->driver, "stop");
	program_order(&pair->backend, "stop");
}

void pair_prepare(const struct pair *pair, enum mode mode, uint32_t bytes)
{
	prepare(&pair->backend, backend_modes[mode], bytes);
	if (is_loop(mode))
		drain(pair);
	prepare(&pair->driver, driver_modes[mode], bytes);
}

/* ns that a thread ran, and that it could have but did not. */
struct ran {
	uint64_t run, wait;
};

static struct ran ran_of(const struct program *p)
{
	char path[64];
	struct ran ran;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", p->worker);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%ju %ju", &ran.run, &ran.wait) != 2)
		bench_die("%s cannot be read", path);
	fclose(f);
	return ran;
}

/* What it ran since; 0: it was not alone. */
static double ran_since(const struct program *p, const struct ran *from)
{
	struct ran now = ran_of(p);
	double run = (double)(now.run - from->run),
	       wait = (double)(now.wait - from->wait);

	return run >= RAN_SHARE * WINDOW_NS && wait < WAIT_SHARE * run ? run : 0;
}

static double hertz(void)
{
	static double value;
	struct timespec a_moment = { 0, HERTZ_NS };
	uint64_t ns, cycles;

	if (value > 0)
		return value;
	ns = bench_now_ns();
	cycles = bench_cycles();
	nanosleep(&a_moment, NULL);
	cycles = bench_cycles() - cycles;
	value = (double)cycles / (double)(bench_now_ns() - ns) * 1e9;
	return value;
}

static double total(const char *output, const char *key)
{
	const char *all = strstr(output, "Accumulated");
	double value = all ? program_value(all, key) : -1;

	if (value < 0)
		bench_die("no %s in: %s", key, output);
	return value;
}

/*
 * Who sends starts last and stops first, and its packets are counted in the time that it
 * ran. In a loop that is the driver.
 */
bool pair_run(const struct pair *pair, enum mode mode, struct figure *ret)
{
	bool loop = is_loop(mode);
	const struct program *last = mode == ENQUEUE ? &pair->backend : &pair->driver;
	const struct program *first = mode == ENQUEUE ? &pair->driver : &pair->backend;
	struct ran first_from = ran_of(first), last_from = ran_of(last);
	struct timespec window = { 0, WINDOW_NS };
	double ns, packets, cycles = 0;
	const char *output;

	program_order(first, "start");
	program_order(last, loop ? "start tx_first 16" : "start");
	nanosleep(&window, NULL);
	output = program_order(last, "stop");
	ns = ran_since(last, &last_from);
	packets = total(output, loop ? "RX-packets:" : "TX-packets:");
	if (last == &pair->backend)
		cycles = program_value(output, "CPU cycles/packet=");
	output = program_order(first, "stop");
	if (first == &pair->backend)
		cycles = program_value(output, "CPU cycles/packet=");
	if (ns <= 0 || ran_since(first, &first_from) <= 0 || packets < FEW)
		return false;
	ret->ns = ns / packets;
	ret->cycles = cycles;
	ret->busy = cycles > BUSY_SHARE * ret->ns * hertz() / 1e9;
	return true;
}
