/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Vhost-user: any bytes for the parser, and any frontend for a backend that is joined
 * with a callback port or with itself. The first byte chooses; whatever comes, the port
 * closes with nothing left open, and the parser takes nothing that has not the size it
 * claims.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../endpoint/hostile.h"
#include "../endpoint/vhostclient.h"
#include "fuzz.h"
#include "vtct.h"

#include <vtc/vtc.h>

#define QUEUE_PAIRS 2
#define TURNS	    64 /* for one action */
#define PACKETS	    256

static struct vtc_relay *relay;
static volatile uint8_t sink;

static void need(bool x)
{
	if (!x)
		abort();
}

/* ---- The parser ---- */

static void parse(const uint8_t *data, size_t len)
{
	unsigned int fds = data[0] % 10;
	enum vtc__vhost_reader reader = (enum vtc__vhost_reader)(data[0] / 16 % 4);
	struct vtc__vhost_message m;
	const char *why = NULL;
	uint64_t features;
	int err, size;

	memcpy(&features, data + 1, sizeof(features));
	data += 9;
	len -= 9;
	err = vtc__vhost_parse(data, len, fds, features, reader, &m, &why);
	need(!err || why);
	if (len < VTC__VHOST_HEADER)
		return;
	size = vtc__vhost_frame(data, reader, &why);
	need(size < 0 ? !!err : (size_t)size <= VTC__VHOST_PAYLOAD_MAX);
	if (err)
		return;
	need(len == VTC__VHOST_HEADER + (size_t)size && m.size == (uint32_t)size);
	need(m.fd_count == fds && fds <= VTC__VHOST_FDS_MAX);
	if (m.request == VTC__VHOST_SET_MEM_TABLE && reader == VTC__VHOST_BACKEND)
		need(m.payload.memory.count == fds);
	if (m.request == VTC__VHOST_SET_CONFIG && reader == VTC__VHOST_BACKEND)
		need(m.payload.config.size <= VTC__VHOST_CONFIG_MAX);
}

/* ---- The backend ---- */

static unsigned int take_packets(void *data, unsigned int queue,
				 const struct vtc_packet *packets, unsigned int count)
{
	struct vtc_port *port = *(struct vtc_port **)data;

	for (unsigned int i = 0; i < count; i++) {
		const struct vtc_packet *p = &packets[i];

		for (uint32_t n = 0; n < p->count; n++)
			sink = ((const uint8_t *)p->segments[n]
					.base)[p->segments[n].len - 1];
	}
	(void)vtc_port_send(port, queue, packets, count);
	return count;
}

/* A ring that never ends gets its share, and no more. */
static void serve(void)
{
	for (int i = 0; i < TURNS && vtc_relay_process(relay, PACKETS) > 0; i++)
		;
}

static struct vtc_port *open_port(struct vtc_ctx *ctx, int fd)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;
	struct vtc_port *port;

	o.role = VTC_VRING_DEVICE;
	o.fd = fd;
	o.queue_pairs = QUEUE_PAIRS;
	o.mtu = 1500;
	need(!vtc_port_open_vhost_user(ctx, &o, &port));
	return port;
}

static void attack(const uint8_t *data, size_t len, bool itself)
{
	struct vtc_relay_opts ro = VTC_RELAY_OPTS_INIT;
	struct vtc_callback_opts co = VTC_CALLBACK_OPTS_INIT;
	struct vtc_port *port, *callback;
	struct vtc_ctx *ctx;
	struct hostile h;
	int pair[2], before = vtct_count_fds();

	vhostclient_pair(pair);
	need(!vtc_ctx_new(NULL, &ctx));
	ro.spin_ns = 1;
	need(!vtc_relay_new(ctx, &ro, &relay));
	port = open_port(ctx, pair[0]);
	(void)close(pair[0]);
	co.packets = take_packets;
	co.data = &port;
	need(!vtc_port_new_callback(ctx, &co, &callback));
	need(!vtc_relay_join(relay, port, itself ? port : callback));
	hostile_open(&h, pair[1]);
	serve();
	hostile_act(&h, data, len, serve);
	hostile_close(&h);
	serve();
	vtc_port_close(port);
	vtc_port_close(callback);
	vtc_relay_free(relay);
	vtc_ctx_unref(ctx);
	need(vtct_count_fds() == before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 11)
		return 0;
	if (data[0] & 1)
		parse(data + 1, len - 1);
	else
		attack(data + 1, len - 1, data[0] & 2);
	return 0;
}
