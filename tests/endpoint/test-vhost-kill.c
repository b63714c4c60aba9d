/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Our frontend and our backend in two processes, one of which is killed again and again
 * while packets go around. A frontend gets each packet back, whatever became of the
 * backends in between; a backend keeps nothing of frontends that are gone.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "station.h"
#include "vhostclient.h"
#include "vtct.h"

#define BIT(n)	      (1ull << (n))
#define KILLS	      25
#define AFTER	      300u /* packets at most that a backend lives for */
#define GRACE_US      300u /* and then */
#define MAX_TURNS     2000000
#define FRONTENDS     20
#define FRONT_PACKETS 500u

static char path[108];
static uint32_t random_state;

static uint32_t next_random(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

static void begin(void)
{
	(void)snprintf(path, sizeof(path), "%s/kill", vtct_dir());
	(void)unlink(path);
}

static uint64_t features_off(int layout)
{
	static const unsigned int features[] = { VTC_VRING_F_PACKED, VTC_VRING_F_IN_ORDER,
						 VTC_NET_F_MRG_RXBUF };
	uint64_t off = 0;

	for (unsigned int i = 0; i < 3; i++) {
		if (!(layout >> i & 1))
			off |= BIT(features[i]);
	}
	return off;
}

/* ---- Two processes ---- */

/* The other process. No assertion there: it would speak for this one. */
static pid_t start(void (*be)(void))
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	/* If this one ends before its time, so does that one. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	be();
	_exit(1);
}

static void end_it(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

/* A backend that connects, and sends all back, however slow the frontend is. */
static void be_backend(void)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;
	struct vtc_relay_opts r = { .sz = sizeof(r), .stall_ms = 60000 };
	struct vtc_relay *relay;
	struct vtc_port *port;
	struct vtc_ctx *ctx;

	o.path = path;
	o.flags = VTC_VHOST_USER_F_CONNECT;
	if (vtc_ctx_new(NULL, &ctx) || vtc_relay_new(ctx, &r, &relay) ||
	    vtc_port_open_vhost_user(ctx, &o, &port) || vtc_relay_join(relay, port, port))
		return;
	for (;;) {
		struct pollfd p = { vtc_relay_get_fd(relay), POLLIN, 0 };
		int n = vtc_relay_process(relay, 64);

		if (n < 0)
			return;
		if (!n)
			(void)poll(&p, 1, -1);
	}
}

/* ---- Backends that are killed ---- */

static struct station front;

/* Until so many more packets have come back, or all have. */
static void run_front(uint32_t more)
{
	struct station *const all[] = { &front };
	uint32_t goal = front.got[0] + more;
	unsigned int idle = 0;

	for (int i = 0; i < MAX_TURNS && front.got[0] < goal; i++) {
		unsigned int moved = station_turn(&front);

		ck_assert_msg(!front.wrong, "%s: %u sent, %u got", front.wrong,
			      front.sent[0], front.got[0]);
		idle = moved ? 0 : idle + 1;
		if (moved || front.got[0] == front.total)
			continue;
		ck_assert_msg(idle < 20000 && station_sleep(all, 1),
			      "nothing happens any more: %u sent, %u got, %s",
			      front.sent[0], front.got[0], station_info(&front).error);
	}
	ck_assert_uint_ge(front.got[0], goal);
}

/* It works on while we do, for a moment. */
static void give_grace(void)
{
	unsigned int turns = next_random(8);

	for (unsigned int i = 0; i < turns; i++)
		(void)station_turn(&front);
	(void)usleep(next_random(GRACE_US));
}

static void open_front(int layout)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;

	front = (struct station){ .total = UINT32_MAX,
				  .max_len = 1000,
				  .repeats = true,
				  .large = layout & 4 ? 20 : 0 };
	o.role = VTC_VRING_DRIVER;
	o.flags = VTC_VHOST_USER_F_LISTENING;
	o.fd = vhostclient_listen(path);
	o.ring_size = 64;
	o.features_off[0] = features_off(layout);
	station_open(&front, &o);
	close(o.fd);
}

START_TEST(a_killed_backend_loses_nothing)
{
	int before = vtct_count_fds();
	pid_t pid;

	random_state = (uint32_t)_i + 1;
	open_front(_i);
	for (int i = 0; i < KILLS; i++) {
		pid = start(be_backend);
		run_front(next_random(4) ? next_random(AFTER) : 0);
		give_grace();
		end_it(pid);
	}
	/* The last one lives, and sends back all that is left. */
	pid = start(be_backend);
	run_front(AFTER);
	front.total = front.sent[0];
	run_front(front.total - front.got[0]);
	end_it(pid);
	station_close(&front);
	ck_assert_int_eq(vtct_count_fds(), before);
}
END_TEST

/* ---- Frontends that are killed ---- */

static struct station back;
static int front_layout;

static bool has_all(struct station *const *all)
{
	return all[0]->got[0] == all[0]->total;
}

/* Sends, and ends well if all comes back. */
static void be_frontend(void)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;
	struct station *const one[] = { &front };

	front = (struct station){ .total = FRONT_PACKETS };
	o.role = VTC_VRING_DRIVER;
	o.path = path;
	o.features_off[0] = features_off(front_layout);
	station_open(&front, &o);
	_exit(station_run(one, 1, has_all) ? 2 : 0);
}

static int count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	int n = 0;

	if (!f)
		vtct_die("/proc/self/maps");
	while (fgets(line, sizeof(line), f))
		n += !!strstr(line, "vtc-frontend");
	fclose(f);
	return n;
}

static void run_back(unsigned int turns)
{
	struct pollfd p = { vtc_relay_get_fd(back.relay), POLLIN, 0 };

	for (unsigned int i = 0; i < turns; i++) {
		if (!station_turn(&back))
			(void)poll(&p, 1, 1);
	}
}

static void run_back_until_alone(void)
{
	for (int i = 0; i < 10000 && station_info(&back).connected; i++)
		run_back(1);
	ck_assert_uint_eq(station_info(&back).connected, 0);
}

static void open_back(void)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;

	back = (struct station){ .echo = true };
	o.path = path;
	station_open(&back, &o);
	run_back(2);
}

START_TEST(a_killed_frontend_leaves_nothing_behind)
{
	int fds, status = -1;
	pid_t pid;

	random_state = (uint32_t)_i + 1;
	open_back();
	fds = vtct_count_fds();
	for (int i = 0; i < FRONTENDS; i++) {
		front_layout = (int)next_random(8);
		pid = start(be_frontend);
		run_back(next_random(60));
		end_it(pid);
		run_back_until_alone();
		ck_assert_int_eq(vtct_count_fds(), fds);
		ck_assert_int_eq(count_maps(), 0);
	}
	pid = start(be_frontend);
	for (int i = 0; i < 60000 && !waitpid(pid, &status, WNOHANG); i++)
		run_back(1);
	ck_assert_int_eq(status, 0);
	run_back_until_alone();
	station_close(&back);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("vhost-kill");
	TCase *backend = tcase_create("backend"), *frontend = tcase_create("frontend");

	tcase_add_checked_fixture(backend, begin, NULL);
	tcase_set_timeout(backend, 120);
	tcase_add_loop_test(backend, a_killed_backend_loses_nothing, 0, 8);
	suite_add_tcase(s, backend);
	tcase_add_checked_fixture(frontend, begin, NULL);
	tcase_set_timeout(frontend, 120);
	tcase_add_loop_test(frontend, a_killed_frontend_leaves_nothing_behind, 0, 2);
	suite_add_tcase(s, frontend);
	return s;
}

int main(void)
{
	return vtct_main(suite(), NULL);
}
