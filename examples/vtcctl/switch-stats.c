/* SPDX-License-Identifier: MIT */
/* What a switch has done: a table, or an object on a line. */
#include "switch.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "fail.h"
#include "json.h"
#include "table.h"

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- Features by name ---- */

static const struct {
	unsigned int bit;
	const char *name;
} features[] = {
	{ VTC_VRING_F_PACKED, "packed" },
	{ VTC_VRING_F_IN_ORDER, "in-order" },
	{ VTC_VRING_F_INDIRECT, "indirect" },
	{ VTC_VRING_F_EVENT_IDX, "event-idx" },
	{ VTC_VRING_F_RING_RESET, "ring-reset" },
	{ VTC_NET_F_MRG_RXBUF, "mrg-rxbuf" },
	{ VTC_NET_F_CSUM, "csum" },
	{ VTC_NET_F_HOST_TSO4, "host-tso4" },
	{ VTC_NET_F_HOST_TSO6, "host-tso6" },
	{ VTC_NET_F_HOST_ECN, "host-ecn" },
	{ VTC_NET_F_HOST_USO, "host-uso" },
	{ VTC_NET_F_GUEST_CSUM, "guest-csum" },
	{ VTC_NET_F_GUEST_TSO4, "guest-tso4" },
	{ VTC_NET_F_GUEST_TSO6, "guest-tso6" },
	{ VTC_NET_F_GUEST_ECN, "guest-ecn" },
	{ VTC_NET_F_GUEST_USO4, "guest-uso4" },
	{ VTC_NET_F_GUEST_USO6, "guest-uso6" },
	{ VTC_NET_F_MTU, "mtu" },
	{ VTC_NET_F_MAC, "mac" },
	{ VTC_NET_F_STATUS, "status" },
	{ VTC_NET_F_CTRL_VQ, "ctrl-vq" },
	{ VTC_NET_F_GUEST_ANNOUNCE, "guest-announce" },
	{ VTC_NET_F_MQ, "mq" },
};

static struct json_object *feature_names(const uint64_t bits[2])
{
	struct json_object *list = json_new_list();

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (bits[features[i].bit / 64] >> features[i].bit % 64 & 1)
			json_append(list, json_new_text(features[i].name));
	return list;
}

/* ---- Numbers ---- */

static void add(uint64_t *sum, uint64_t number)
{
	*sum += number;
}

static void add_queue(struct vtc_port_stats *sum, const struct vtc_port_stats *q)
{
	add(&sum->rx_packets, q->rx_packets);
	add(&sum->rx_bytes, q->rx_bytes);
	add(&sum->tx_packets, q->tx_packets);
	add(&sum->tx_bytes, q->tx_bytes);
	add(&sum->rx_dropped_bad, q->rx_dropped_bad);
	add(&sum->tx_dropped_room, q->tx_dropped_room);
	add(&sum->tx_dropped_size, q->tx_dropped_size);
	add(&sum->tx_dropped_error, q->tx_dropped_error);
	add(&sum->tx_dropped_down, q->tx_dropped_down);
	add(&sum->notifications_sent, q->notifications_sent);
	add(&sum->notifications_suppressed, q->notifications_suppressed);
	add(&sum->notifications_received, q->notifications_received);
	add(&sum->copies, q->copies);
	add(&sum->sys_calls, q->sys_calls);
}

static struct switch_sample sample(const struct switch_port *p)
{
	struct switch_sample now = { .time_ns = now_ns() };
	struct vtc_port_stats queue = { .sz = sizeof(queue) };

	for (unsigned int i = 0; vtc_port_get_stats(p->port, i, &queue) == 0; i++)
		add_queue(&now.sum, &queue);
	return now;
}

static uint64_t per_second(uint64_t now, uint64_t before, uint64_t ns)
{
	return ns == 0 ? 0 : (uint64_t)((double)(now - before) * 1e9 / (double)ns);
}

static void add_traffic(struct json_object *to, const struct switch_sample *now,
			const struct switch_sample *before)
{
	const struct vtc_port_stats *n = &now->sum, *b = &before->sum;
	uint64_t ns = now->time_ns - before->time_ns;

	json_add_number(to, "rx_packets", 1, n->rx_packets);
	json_add_number(to, "rx_bytes", 1, n->rx_bytes);
	json_add_number(to, "tx_packets", 1, n->tx_packets);
	json_add_number(to, "tx_bytes", 1, n->tx_bytes);
	json_add_number(to, "rx_packets_per_second", 1,
			per_second(n->rx_packets, b->rx_packets, ns));
	json_add_number(to, "rx_bytes_per_second", 1,
			per_second(n->rx_bytes, b->rx_bytes, ns));
	json_add_number(to, "tx_packets_per_second", 1,
			per_second(n->tx_packets, b->tx_packets, ns));
	json_add_number(to, "tx_bytes_per_second", 1,
			per_second(n->tx_bytes, b->tx_bytes, ns));
}

static void add_drops(struct json_object *to, const struct switch_port *p,
		      const struct vtc_port_stats *sum)
{
	struct json_object *dropped = json_new();

	json_add_number(dropped, "rx_bad", 1, sum->rx_dropped_bad);
	json_add_number(dropped, "rx_foreign", 1, p->foreign);
	json_add_number(dropped, "tx_room", 1, sum->tx_dropped_room + p->no_room);
	json_add_number(dropped, "tx_size", 1, sum->tx_dropped_size);
	json_add_number(dropped, "tx_error", 1, sum->tx_dropped_error);
	json_add_number(dropped, "tx_down", 1, sum->tx_dropped_down + p->nobody);
	json_add(to, "dropped", dropped);
}

static void add_notifications(struct json_object *to, const struct vtc_port_stats *sum)
{
	struct json_object *notifications = json_new();

	json_add_number(notifications, "sent", 1, sum->notifications_sent);
	json_add_number(notifications, "suppressed", 1, sum->notifications_suppressed);
	json_add_number(notifications, "received", 1, sum->notifications_received);
	json_add(to, "notifications", notifications);
}

/* ---- Objects ---- */

static const char *state_of(const struct vtc_port_info *info)
{
	if (info->ready > 0)
		return "up";
	return info->connected ? "starting" : "waiting";
}

static void add_error(struct json_object *to, const char *error)
{
	char *text = fail_with_options(error ? error : "");

	json_add_text(to, "error", error != NULL, text);
	free(text);
}

static struct json_object *port_json(struct switch_port *p)
{
	struct vtc_port_info info = { .sz = sizeof(info) };
	struct switch_sample now = sample(p);
	struct json_object *to = json_new();

	vtc_port_get_info(p->port, &info);
	json_add_text(to, "port", 1, p->name);
	json_add_text(to, "kind", 1, info.kind);
	json_add_text(to, "state", 1, state_of(&info));
	add_error(to, info.error);
	json_add_number(to, "connections", 1, info.connections);
	json_add_number(to, "queues", 1, info.ready);
	json_add_number(to, "max_queues", 1, info.queue_pairs);
	json_add(to, "features", feature_names(info.features));
	json_add_bool(to, "io_uring", p->is_uplink, (int)info.uses_uring);
	json_add_number(to, "addresses", !p->in->is_direct,
			addresses_count(p->in->addresses, p->number));
	add_traffic(to, &now, &p->last);
	add_drops(to, p, &now.sum);
	add_notifications(to, &now.sum);
	json_add_number(to, "copies", 1, now.sum.copies);
	json_add_number(to, "sys_calls", 1, now.sum.sys_calls);
	p->last = now;
	return to;
}

static struct json_object *relay_json(const struct ethernet_switch *s)
{
	struct vtc_relay_stats stats = { .sz = sizeof(stats) };
	struct json_object *to = json_new();

	vtc_relay_get_stats(s->relay, &stats);
	json_add_number(to, "packets", 1, stats.packets);
	json_add_number(to, "turns", 1, stats.turns);
	json_add_number(to, "sleeps", 1, stats.sleeps);
	json_add_number(to, "wake_ups", 1, stats.wake_ups);
	json_add_number(to, "spins", 1, stats.spins);
	json_add_number(to, "spun_ns", 1, stats.spun_ns);
	return to;
}

/* ---- Tables ---- */

static uint64_t number_at(struct json_object *row, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(row, key, &value);
	return (uint64_t)json_object_get_int64(value);
}

static void print_queues(FILE *out, struct json_object *row)
{
	fprintf(out, "%llu/%llu", (unsigned long long)number_at(row, "queues"),
		(unsigned long long)number_at(row, "max_queues"));
}

static void print_rx_packets(FILE *out, struct json_object *row)
{
	table_print_short(out, number_at(row, "rx_packets_per_second"));
}

static void print_rx_bits(FILE *out, struct json_object *row)
{
	table_print_short(out, 8 * number_at(row, "rx_bytes_per_second"));
}

static void print_tx_packets(FILE *out, struct json_object *row)
{
	table_print_short(out, number_at(row, "tx_packets_per_second"));
}

static void print_tx_bits(FILE *out, struct json_object *row)
{
	table_print_short(out, 8 * number_at(row, "tx_bytes_per_second"));
}

/* Only those that there were: "room 12 bad 3". */
static void print_drops(FILE *out, struct json_object *row)
{
	struct json_object *dropped = NULL;
	const char *gap = "";

	json_object_object_get_ex(row, "dropped", &dropped);
	json_object_object_foreach(dropped, key, value)
	{
		if (json_object_get_int64(value) == 0)
			continue;
		fprintf(out, "%s%s %s", gap, key, json_object_get_string(value));
		gap = " ";
	}
	if (!*gap)
		fputc('-', out);
}

static const struct column columns[] = {
	{ .heading = "PORT", .key = "port" },
	{ .heading = "STATE", .key = "state" },
	{ .heading = "QUEUES", .print = print_queues, .number = true },
	{ .heading = "RX", .key = "rx_packets", .number = true },
	{ .heading = "PER-S", .print = print_rx_packets, .number = true },
	{ .heading = "BIT/S", .print = print_rx_bits, .number = true },
	{ .heading = "TX", .key = "tx_packets", .number = true },
	{ .heading = "PER-S", .print = print_tx_packets, .number = true },
	{ .heading = "BIT/S", .print = print_tx_bits, .number = true },
	{ .heading = "COPIES", .key = "copies", .number = true },
	{ .heading = "RUNG", .key = "notifications.sent", .number = true },
	{ .heading = "UNRUNG", .key = "notifications.suppressed", .number = true },
	{ .heading = "DROPPED", .print = print_drops },
	{ .heading = "ERROR", .key = "error", .optional = true },
	{ .heading = "FEATURES", .key = "features" },
	{ .heading = NULL },
};

static void print_table(struct json_object *ports, struct json_object *relay)
{
	/* A terminal shows the newest one only, in its place. */
	if (isatty(STDOUT_FILENO))
		fputs("\033[H\033[J", stdout);
	table_print(ports, columns);
	fputs("relay: ", stdout);
	table_print_value(stdout, relay, "relay");
	fputs("\n\n", stdout);
}

void switch_start_stats(struct ethernet_switch *s)
{
	for (unsigned int i = 0; i < s->count; i++)
		s->ports[i].last.time_ns = now_ns();
}

void switch_print_stats(struct ethernet_switch *s)
{
	struct json_object *all = json_new(), *ports = json_new_list();

	for (unsigned int i = 0; i < s->count; i++)
		json_append(ports, port_json(&s->ports[i]));
	json_add(all, "ports", ports);
	json_add(all, "relay", relay_json(s));
	if (s->tool->settings.json) {
		json_print_line(stdout, all);
	} else {
		print_table(ports, all);
		json_object_put(all);
	}
	fflush(stdout);
}
