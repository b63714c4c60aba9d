/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The adapter comes and goes while somebody watches: events of VFs that are made, and of
 * a PF with VFs in use that is pulled out of its slot.
 */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "igb-vfs.h"
#include "lab.h"

#define QMP(json) lab_do("%s/tests/vm/qmp '%s'", getenv("top_srcdir"), (json))

#define MAX_EVENTS 256

/* One event as text: "vf-added 0000:01:00.0 1", "link-removed eth3". */
static char seen[MAX_EVENTS][96];
static unsigned int seen_count;

static void note(void *data, const struct vtc_event *event)
{
	const char *type = vtc_event_type_name(vtc_event_get_type(event));
	char *line = seen[seen_count];
	const char *text = "";
	uint32_t index;

	(void)data;
	ck_assert_uint_lt(seen_count, MAX_EVENTS);
	seen_count++;
	if (vtc_event_get_vf(event, &text, &index) == 1)
		snprintf(line, sizeof(seen[0]), "%s %s %u", type, text, index);
	else if (vtc_event_get_ifname(event, &text) == 1)
		snprintf(line, sizeof(seen[0]), "%s %s", type, text);
	else if (vtc_event_get_address(event, &text) == 1)
		snprintf(line, sizeof(seen[0]), "%s %s", type, text);
	else
		snprintf(line, sizeof(seen[0]), "%s", type);
}

static bool was_seen(const char *line)
{
	for (unsigned int i = 0; i < seen_count; i++)
		if (strcmp(seen[i], line) == 0)
			return true;
	return false;
}

/* Dispatch until the event is seen. */
static void expect_event(struct vtc_monitor *monitor, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void expect_event(struct vtc_monitor *monitor, const char *format, ...)
{
	struct pollfd pfd = { .fd = vtc_monitor_get_fd(monitor), .events = POLLIN };
	char line[96], all[MAX_EVENTS * 40] = "";
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	while (!was_seen(line) && poll(&pfd, 1, LAB_WAIT_S * 1000) == 1)
		ck_assert_int_ge(vtc_monitor_dispatch(monitor), 0);
	for (unsigned int i = 0; i < seen_count; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "\n%s", seen[i]);
	ck_assert_msg(was_seen(line), "no event '%s' among:%s", line, all);
}

static void drain(struct vtc_monitor *monitor)
{
	while (vtc_monitor_dispatch(monitor) > 0)
		;
	seen_count = 0;
}

static struct vtc_ctx *ctx;
static struct vtc_monitor *monitor;
static struct vtc_pf *pf;
static const char *bdf;

static void setup(void)
{
	bdf = lab_pf(0);
	lab_set_vfs(bdf, 0, true);
	lab_up(bdf);
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_pf_open(ctx, bdf, &pf), 0);
	ck_assert_msg(vtc_monitor_open(ctx, note, NULL, &monitor) == 0, "%s",
		      lab_error(ctx));
}

static void teardown(void)
{
	vtc_monitor_close(monitor);
	vtc_pf_close(pf);
	vtc_ctx_unref(ctx);
}

static void create_two(void)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;

	opts.wait = VTC_PF_WAIT_NETDEV;
	ck_assert_msg(vtc_pf_set_num_vfs(pf, 2, &opts) == 1, "%s", lab_error(ctx));
}

START_TEST(vfs_come_and_go)
{
	const char *name;

	ck_assert_int_eq(vtc_monitor_dispatch(monitor), 0);
	create_two();
	name = lab_netdev(lab_vf(bdf, 1));
	expect_event(monitor, "vf-added %s 0", bdf);
	expect_event(monitor, "vf-added %s 1", bdf);
	expect_event(monitor, "link-added %s", name);
	drain(monitor);
	lab_do("ip link set %s mtu 1400", name);
	expect_event(monitor, "link-changed %s", name);
	drain(monitor);
	lab_set_vfs(bdf, 0, true);
	expect_event(monitor, "vf-removed %s 0", bdf);
	expect_event(monitor, "vf-removed %s 1", bdf);
	expect_event(monitor, "link-removed %s", name);
	ck_assert(!was_seen("resync"));
}
END_TEST

static void check_gone(void)
{
	struct vtc_vf_config *config = NULL;
	struct vtc_vf_list *list = NULL;
	uint32_t count;

	ck_assert_errno(vtc_pf_get_num_vfs(pf, &count), -ENODEV);
	ck_assert_errno(vtc_pf_get_total_vfs(pf, &count), -ENODEV);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 1, NULL), -ENODEV);
	ck_assert_errno(vtc_vf_list_new(pf, NULL, &list), -ENODEV);
	ck_assert_errno(vtc_vf_config_new(0, &config), 0);
	vtc_vf_config_set_trust(config, 1);
	ck_assert_errno(vtc_vf_apply(pf, &config, 1, NULL), -ENODEV);
	vtc_vf_config_free(config);
}

START_TEST(the_adapter_is_pulled_and_put_back)
{
	const char *name = lab_netdev(bdf), *vf_name[2];

	create_two();
	for (unsigned int i = 0; i < 2; i++)
		vf_name[i] = lab_netdev(lab_vf(bdf, i));
	lab_do("ip link set %s up", vf_name[0]);
	drain(monitor);

	QMP("{\"execute\":\"device_del\",\"arguments\":{\"id\":\"igb0\"}}");
	expect_event(monitor, "pf-gone %s", bdf);
	expect_event(monitor, "vf-removed %s 0", bdf);
	expect_event(monitor, "vf-removed %s 1", bdf);
	expect_event(monitor, "link-removed %s", vf_name[0]);
	expect_event(monitor, "link-removed %s", vf_name[1]);
	expect_event(monitor, "link-removed %s", name);
	ck_assert(!lab_exists("bus/pci/devices/%s", bdf));
	check_gone();
	drain(monitor);

	QMP("{\"execute\":\"device_add\",\"arguments\":"
	    "{\"driver\":\"igb\",\"id\":\"igb0\",\"bus\":\"port0\"}}");
	ck_assert(lab_wait(lab_netdev(bdf)[0]));
	expect_event(monitor, "link-added %s", lab_netdev(bdf));
	lab_up(bdf);
	create_two();
	expect_event(monitor, "vf-added %s 1", bdf);
}
END_TEST

Suite *unplug_suite(void)
{
	Suite *suite = suite_create("unplug");
	TCase *tcase = tcase_create("unplug");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, vfs_come_and_go);
	tcase_add_test(tcase, the_adapter_is_pulled_and_put_back);
	suite_add_tcase(suite, tcase);
	return suite;
}
