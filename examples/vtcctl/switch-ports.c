/* SPDX-License-Identifier: MIT */
/* The ports of a switch: opened and joined as the settings say, and closed. */
#include "switch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"

static void new_port(struct ethernet_switch *s, const char *name, bool is_uplink)
{
	struct switch_port *p = &s->ports[s->count];

	p->in = s;
	p->name = name;
	p->number = s->count++;
	p->is_uplink = is_uplink;
}

static void name_ports(struct ethernet_switch *s)
{
	const struct settings *settings = &s->tool->settings;

	for (uint32_t i = 0; i < settings->sockets.count; i++)
		new_port(s, settings->sockets.items[i], false);
	if (settings->tap)
		new_port(s, settings->tap, true);
}

/* ---- PORT=VALUE ---- */

/* The port that the text begins with, before "=value"; NULL: there is none. */
static struct switch_port *find_port(struct ethernet_switch *s, const char *text,
				     const char **ret_value)
{
	for (unsigned int i = 0; i < s->count; i++) {
		size_t len = strlen(s->ports[i].name);

		if (strncmp(s->ports[i].name, text, len) == 0 && text[len] == '=') {
			*ret_value = text + len + 1;
			return &s->ports[i];
		}
	}
	return NULL;
}

static int unknown_port(const struct ethernet_switch *s, const char *text,
			const char *option)
{
	return fail_usage(s->tool,
			  "'%s' is no value for --%s: it begins with a socket or the tap "
			  "as given, then '='",
			  text, option);
}

static int note_mac(struct ethernet_switch *s, const char *text)
{
	struct switch_port *p;
	const char *value;

	p = find_port(s, text, &value);
	if (!p)
		return unknown_port(s, text, "mac");
	if (p->is_uplink)
		return fail_usage(s->tool, "a tap has no address for --mac");
	if (vtc_mac_parse(value, &p->mac) < 0 || p->mac.addr[0] & 1 ||
	    switch_address(p->mac.addr) == 0)
		return fail_usage(s->tool, "'%s' is no address of a machine", value);
	p->is_bound = true;
	if (!addresses_fix(s->addresses, switch_address(p->mac.addr), p->number))
		return fail_usage(s->tool, "'%s' is given twice", value);
	return 0;
}

static int note_capture(struct ethernet_switch *s, const char *text)
{
	struct switch_port *p;
	const char *value;

	p = find_port(s, text, &value);
	if (!p)
		return unknown_port(s, text, "capture");
	p->capture = value;
	return 0;
}

static int note_pairs(struct ethernet_switch *s)
{
	const struct settings *settings = &s->tool->settings;
	int code = 0;

	for (uint32_t i = 0; code == 0 && i < settings->macs.count; i++)
		code = note_mac(s, settings->macs.items[i]);
	for (uint32_t i = 0; code == 0 && i < settings->captures.count; i++)
		code = note_capture(s, settings->captures.items[i]);
	return code;
}

/* ---- Opening ---- */

static int open_tap(struct switch_port *p)
{
	const struct settings *settings = &p->in->tool->settings;
	struct vtc_tap_opts opts = VTC_TAP_OPTS_INIT;

	opts.name = p->name;
	opts.queue_pairs = settings->queues;
	return vtc_port_open_tap(p->in->tool->ctx, &opts, &p->port);
}

static int open_socket(struct switch_port *p)
{
	const struct settings *settings = &p->in->tool->settings;
	struct vtc_vhost_user_opts opts = VTC_VHOST_USER_OPTS_INIT;

	opts.role = VTC_VRING_DEVICE;
	opts.path = p->name;
	opts.queue_pairs = settings->queues;
	if (settings->trust_memory)
		opts.flags |= VTC_VHOST_USER_F_TRUSTED;
	memcpy(opts.mac, p->mac.addr, sizeof(opts.mac));
	return vtc_port_open_vhost_user(p->in->tool->ctx, &opts, &p->port);
}

/* A FIFO must have a reader already: nobody waits here for one. */
static int open_capture(struct switch_port *p)
{
	const struct tool *tool = p->in->tool;
	int fd, r;

	if (!p->capture)
		return 0;
	fd = open(p->capture, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC,
		  0600);
	if (fd < 0)
		return fail_plain(tool, -errno, "open the capture", p->capture,
				  errno == ENXIO ? "start the reader of the FIFO first"
						 : NULL);
	r = vtc_port_set_capture(p->port, fd, 0);
	close(fd);
	return r < 0 ? fail_vtc(tool, r) : 0;
}

static int open_port(struct switch_port *p)
{
	int r = p->is_uplink ? open_tap(p) : open_socket(p);

	return r < 0 ? fail_vtc(p->in->tool, r) : open_capture(p);
}

static int join_inbox(struct switch_port *p)
{
	struct vtc_callback_opts opts = VTC_CALLBACK_OPTS_INIT;
	int r;

	opts.flags = VTC_CALLBACK_F_OFFLOAD;
	opts.packets = switch_forward;
	opts.data = p;
	r = vtc_port_new_callback(p->in->tool->ctx, &opts, &p->inbox);
	if (r == 0)
		r = vtc_relay_join(p->in->relay, p->port, p->inbox);
	return r;
}

static int join(struct ethernet_switch *s)
{
	int r = 0;

	if (s->is_direct)
		r = vtc_relay_join(s->relay, s->ports[0].port, s->ports[1].port);
	for (unsigned int i = 0; !s->is_direct && r == 0 && i < s->count; i++)
		r = join_inbox(&s->ports[i]);
	return r < 0 ? fail_vtc(s->tool, r) : 0;
}

/* One machine and the tap need no switch, unless the machine is held to an address. */
static bool can_be_direct(const struct ethernet_switch *s)
{
	return s->count == 2 && s->ports[1].is_uplink && !s->ports[0].is_bound;
}

int switch_open(struct ethernet_switch *s)
{
	int code, r;

	name_ports(s);
	if (s->count == 0)
		return fail_usage(s->tool, "nothing to switch between: --socket is "
					   "missing");
	s->addresses = addresses_new(s->tool->settings.age ? s->tool->settings.age : 300);
	if (!s->addresses)
		return fail_plain(s->tool, -errno, "make the table of addresses", NULL,
				  NULL);
	code = note_pairs(s);
	if (code != 0)
		return code;
	s->is_direct = can_be_direct(s);
	r = vtc_relay_new(s->tool->ctx, NULL, &s->relay);
	if (r < 0)
		return fail_vtc(s->tool, r);
	for (unsigned int i = 0; code == 0 && i < s->count; i++)
		code = open_port(&s->ports[i]);
	return code != 0 ? code : join(s);
}

void switch_close(struct ethernet_switch *s)
{
	for (unsigned int i = 0; i < s->count; i++) {
		vtc_port_close(s->ports[i].port);
		vtc_port_close(s->ports[i].inbox);
	}
	vtc_relay_free(s->relay);
	addresses_free(s->addresses);
}

/* A machine that comes again and again with the same fault is not worth a line each. */
static void say_error(struct switch_port *p, const char *error)
{
	uint32_t now = switch_now();

	if (strncmp(p->said, error, sizeof(p->said) - 1) == 0 || p->said_at == now)
		return;
	fail_note(p->in->tool, p->name, error);
	snprintf(p->said, sizeof(p->said), "%s", error);
	p->said_at = now;
}

void switch_follow_connections(struct ethernet_switch *s)
{
	for (unsigned int i = 0; i < s->count; i++) {
		struct vtc_port_info info = { .sz = sizeof(info) };
		struct switch_port *p = &s->ports[i];

		if (vtc_port_get_info(p->port, &info) < 0)
			continue;
		if (p->connections != info.connections || !info.connected)
			addresses_forget(s->addresses, p->number);
		p->connections = info.connections;
		if (info.error)
			say_error(p, info.error);
	}
}
