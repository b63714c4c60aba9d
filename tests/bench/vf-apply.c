/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Seven settings on each of 64 VFs of netdevsim: libvtc against `ip`, as a process for
 * each setting and as one process for all, and against the least that rtnetlink can cost.
 * Who sets takes turns, and after each turn `ip` tells whether all is as it should be.
 */
#include <errno.h>
#include <json-c/json.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vtc/vtc.h>

#include "bench.h"
#include "command.h"
#include "floor.h"
#include "plan.h"

#define ROUNDS		3  /* of the slow peers */
#define TURNS_PER_ROUND 10 /* of libvtc and the floor */

#define NOTE                                                                            \
	"7 settings (trust, MAC, VLAN with priority, spoof check, both rates, link "    \
	"state, "                                                                       \
	"RSS query) on each of 64 VFs of netdevsim, all of them changed. libvtc also "  \
	"looks up "                                                                     \
	"the device, reads the state before, checks each answer, and reads back. Real " \
	"kernel "                                                                       \
	"code on an emulated processor: the ratio says more than the time."

struct bench {
	const char *ifname;
	struct vtc_ctx *ctx;
	struct vtc_pf *pf;
	struct vtc_vf_config *configs[PLAN_VFS];
	struct floor *floor;
	uint32_t turn;
};

struct results {
	struct bench_samples own, floor, processes, batch;
};

/* ---- libvtc ---- */

static void must(const struct bench *bench, int result)
{
	char text[512];

	if (result >= 0)
		return;
	vtc_error_format(vtc_ctx_last_error(bench->ctx), text, sizeof(text));
	bench_die("%s", text);
}

static struct vtc_vf_config *make_config(const struct bench *bench, uint32_t vf)
{
	struct plan plan = plan_of(bench->turn, vf);
	struct vtc_vlan vlan = { .id = (uint16_t)plan.vlan, .qos = (uint8_t)plan.qos };
	struct vtc_vf_config *config;
	struct vtc_mac mac;

	memcpy(mac.addr, plan.mac, sizeof(mac.addr));
	must(bench, vtc_vf_config_new(vf, &config));
	must(bench, vtc_vf_config_set_trust(config, (int)plan.on));
	must(bench, vtc_vf_config_set_mac(config, &mac));
	must(bench, vtc_vf_config_set_vlan(config, &vlan));
	must(bench, vtc_vf_config_set_spoof_check(config, (int)plan.on));
	must(bench, vtc_vf_config_set_min_rate_mbps(config, plan.min_rate));
	must(bench, vtc_vf_config_set_max_rate_mbps(config, plan.max_rate));
	must(bench, vtc_vf_config_set_link_state(
			    config, (enum vtc_vf_link_state)plan.link_state));
	must(bench, vtc_vf_config_set_rss_query(config, (int)plan.on));
	return config;
}

static uint64_t by_libvtc(struct bench *bench)
{
	uint64_t start, end;
	uint32_t vf;

	for (vf = 0; vf < PLAN_VFS; vf++)
		bench->configs[vf] = make_config(bench, vf);
	start = bench_now_ns();
	must(bench, vtc_vf_apply(bench->pf, bench->configs, PLAN_VFS, NULL));
	end = bench_now_ns();
	for (vf = 0; vf < PLAN_VFS; vf++)
		vtc_vf_config_free(bench->configs[vf]);
	return end - start;
}

/* ---- The floor ---- */

static uint64_t by_floor(struct bench *bench)
{
	uint64_t start;

	floor_prepare(bench->floor, bench->turn);
	start = bench_now_ns();
	floor_send(bench->floor);
	return bench_now_ns() - start;
}

/* ---- ip ---- */

/* The words behind "vf N" for one of the seven settings. */
static void words_of(const struct plan *plan, unsigned int setting, char *text,
		     size_t len)
{
	const char *on = plan->on ? "on" : "off";
	char mac[18];

	plan_mac_text(plan, mac);
	switch (setting) {
	case 0:
		snprintf(text, len, "trust %s", on);
		break;
	case 1:
		snprintf(text, len, "mac %s", mac);
		break;
	case 2:
		snprintf(text, len, "vlan %u qos %u", plan->vlan, plan->qos);
		break;
	case 3:
		snprintf(text, len, "spoofchk %s", on);
		break;
	case 4:
		snprintf(text, len, "max_tx_rate %u min_tx_rate %u", plan->max_rate,
			 plan->min_rate);
		break;
	case 5:
		snprintf(text, len, "state %s",
			 plan->link_state == 1 ? "enable" : "disable");
		break;
	default:
		snprintf(text, len, "query_rss %s", on);
	}
}

static uint64_t by_processes(struct bench *bench)
{
	uint64_t start = bench_now_ns();
	char words[64];
	uint32_t vf, setting;

	for (vf = 0; vf < PLAN_VFS; vf++) {
		struct plan plan = plan_of(bench->turn, vf);

		for (setting = 0; setting < PLAN_SETTINGS; setting++) {
			words_of(&plan, setting, words, sizeof(words));
			command_run("ip link set dev %s vf %u %s", bench->ifname, vf,
				    words);
		}
	}
	return bench_now_ns() - start;
}

static void write_batch(const struct bench *bench, FILE *file)
{
	uint32_t vf, setting;
	char words[64];

	for (vf = 0; vf < PLAN_VFS; vf++) {
		struct plan plan = plan_of(bench->turn, vf);

		for (setting = 0; setting < PLAN_SETTINGS; setting++) {
			words_of(&plan, setting, words, sizeof(words));
			fprintf(file, "link set dev %s vf %u %s\n", bench->ifname, vf,
				words);
		}
	}
}

static uint64_t by_batch(struct bench *bench)
{
	char path[] = "/tmp/vtc-batch-XXXXXX";
	int fd = mkstemp(path);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	uint64_t start, end;

	if (!file)
		bench_die("%s: %s", path, strerror(errno));
	write_batch(bench, file);
	fclose(file);
	start = bench_now_ns();
	command_run("ip -batch %s", path);
	end = bench_now_ns();
	unlink(path);
	return end - start;
}

/* ---- What came of it ---- */

static struct json_object *get(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(object, key, &value))
		bench_die("`ip` reports no %s", key);
	return value;
}

static uint32_t get_u32(struct json_object *object, const char *key)
{
	return (uint32_t)json_object_get_int(get(object, key));
}

static int is_on(struct json_object *object, const char *key, const struct plan *plan)
{
	return (uint32_t)json_object_get_boolean(get(object, key)) == plan->on;
}

static int is_as_planned(struct json_object *vf, const struct plan *plan)
{
	struct json_object *vlan = json_object_array_get_idx(get(vf, "vlan_list"), 0);
	struct json_object *rate = get(vf, "rate");
	const char *state = plan->link_state == 1 ? "enable" : "disable";
	char mac[18];

	plan_mac_text(plan, mac);
	return strcmp(json_object_get_string(get(vf, "address")), mac) == 0 &&
	       strcmp(json_object_get_string(get(vf, "link_state")), state) == 0 &&
	       get_u32(vlan, "vlan") == plan->vlan &&
	       (plan->qos == 0 || get_u32(vlan, "qos") == plan->qos) &&
	       get_u32(rate, "min_tx") == plan->min_rate &&
	       get_u32(rate, "max_tx") == plan->max_rate && is_on(vf, "spoofchk", plan) &&
	       is_on(vf, "trust", plan) && is_on(vf, "query_rss_en", plan);
}

static void check_state(const struct bench *bench, const char *who)
{
	struct json_object *links, *vfs;
	char command[64], *text;
	uint32_t vf;

	snprintf(command, sizeof(command), "ip -d -j link show dev %s", bench->ifname);
	text = command_read(command);
	links = json_tokener_parse(text);
	free(text);
	if (!json_object_is_type(links, json_type_array))
		bench_die("`ip -j` makes no sense");
	vfs = get(json_object_array_get_idx(links, 0), "vfinfo_list");
	if (json_object_array_length(vfs) != PLAN_VFS)
		bench_die("%zu VFs, not %d", json_object_array_length(vfs), PLAN_VFS);
	for (vf = 0; vf < PLAN_VFS; vf++) {
		struct plan plan = plan_of(bench->turn, vf);

		if (!is_as_planned(json_object_array_get_idx(vfs, vf), &plan))
			bench_die("VF %u is not as %s set it", vf, who);
	}
	json_object_put(links);
}

/* ---- Turns ---- */

static void take_turn(struct bench *bench, const char *who,
		      uint64_t (*set)(struct bench *), struct bench_samples *samples)
{
	uint64_t ns;

	bench->turn++;
	ns = set(bench);
	check_state(bench, who);
	if (samples)
		bench_add(samples, (double)ns / 1e3);
}

static void measure(struct bench *bench, struct results *r)
{
	int round, turn;

	/*
	 * The first time, files are read and caches filled; on an emulated CPU, code
	 * translated.
	 */
	take_turn(bench, "libvtc", by_libvtc, NULL);
	take_turn(bench, "the floor", by_floor, NULL);
	take_turn(bench, "ip -batch", by_batch, NULL);
	for (round = 0; round < ROUNDS; round++) {
		for (turn = 0; turn < TURNS_PER_ROUND; turn++) {
			take_turn(bench, "libvtc", by_libvtc, &r->own);
			take_turn(bench, "the floor", by_floor, &r->floor);
		}
		take_turn(bench, "ip", by_processes, &r->processes);
		take_turn(bench, "ip -batch", by_batch, &r->batch);
	}
}

/* Without results, absent says why. */
static void report(const struct results *r, const char *absent)
{
	const struct bench_samples *own = r ? &r->own : NULL;
	struct bench_row row = { .unit = "us",
				 .own = own,
				 .note = absent ? absent : NOTE };

	row.name = "sriov.apply-64x7.netdevsim-floor";
	row.peer = "raw rtnetlink, prebuilt";
	row.theirs = r ? &r->floor : NULL;
	row.target = 0.8;
	bench_print(&row);

	row.name = "sriov.apply-64x7.netdevsim-processes";
	row.peer = "448 x `ip link set`";
	row.theirs = r ? &r->processes : NULL;
	row.target = 20;
	bench_print(&row);

	row.name = "sriov.apply-64x7.netdevsim-batch";
	row.peer = "1 x `ip -batch`";
	row.theirs = r ? &r->batch : NULL;
	row.target = 0;
	bench_print(&row);
}

int main(int argc, char **argv)
{
	struct results *results;
	struct bench bench = { 0 };

	if (argc != 3)
		bench_die("usage: vf-apply DEVICE INTERFACE | --absent REASON");
	if (strcmp(argv[1], "--absent") == 0) {
		report(NULL, argv[2]);
		return 0;
	}
	results = calloc(1, sizeof(*results));
	if (!results || vtc_ctx_new(NULL, &bench.ctx) < 0)
		bench_die("memory is out");
	must(&bench, vtc_pf_open(bench.ctx, argv[1], &bench.pf));
	bench.ifname = argv[2];
	bench.floor = floor_new(if_nametoindex(bench.ifname));
	measure(&bench, results);
	report(results, NULL);
	floor_free(bench.floor);
	vtc_pf_close(bench.pf);
	vtc_ctx_unref(bench.ctx);
	free(results);
	return 0;
}
