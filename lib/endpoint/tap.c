/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tap ports: opened, watched, and told what the other side takes. */
#include "tap.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/error.h"
#include "core/opts.h"

#define OPERATION   "tap open"
#define OPTS_FIRST  sizeof(struct vtc_tap_opts)
#define FLAGS_KNOWN VTC_TAP_F_NO_URING
#define SLOTS_LEN   (VTC__TAP_READS * sizeof(struct vtc__tap_slot))

/* ---- Events ---- */

static void on_ready(struct vtc__watch *watch, uint32_t events)
{
	struct vtc__tap_queue *q = VTC__OWNER(watch, struct vtc__tap_queue, watch);

	if (events & (EPOLLERR | EPOLLHUP)) {
		vtc__tap_broken(q->tap);
		return;
	}
	if (events & EPOLLIN)
		q->empty = false;
	if (events & EPOLLOUT)
		q->full = false;
	vtc__port_kicked(&q->tap->port);
}

static void on_due(struct vtc__timer *timer)
{
	struct vtc__tap_queue *q = VTC__OWNER(timer, struct vtc__tap_queue, timer);

	q->waiting = false;
	vtc__port_kicked(&q->tap->port);
}

static void stop_watching(struct vtc__tap *tap)
{
	for (unsigned int i = 0; i < tap->port.queue_pairs && tap->port.loop; i++) {
		vtc__loop_forget(tap->port.loop, &tap->queues[i].watch);
		vtc__loop_stop_timer(tap->port.loop, &tap->queues[i].timer);
	}
}

void vtc__tap_broken(struct vtc__tap *tap)
{
	if (!tap->port.ready)
		return;
	tap->error = "the interface is gone";
	tap->port.ready = 0;
	stop_watching(tap);
	vtc__port_changed(&tap->port);
}

/* ---- Operations ---- */

static void tap_detach(struct vtc_port *port)
{
	struct vtc__tap *tap = vtc__tap_of(port);

	stop_watching(tap);
	for (unsigned int i = 0; i < port->queue_pairs; i++)
		vtc__tap_forget(&tap->queues[i]);
	vtc__uring_free(tap->uring);
	tap->uring = NULL;
}

static int tap_attach(struct vtc_port *port)
{
	struct vtc__tap *tap = vtc__tap_of(port);
	int err = 0;

	if (!port->ready)
		return 0;
	if (tap->wants_uring)
		(void)vtc__tap_new_uring(tap);
	tap->renewed = false;
	for (unsigned int i = 0; !err && i < port->queue_pairs; i++) {
		tap->queues[i].empty = tap->queues[i].full = false;
		err = vtc__loop_watch(port->loop, &tap->queues[i].watch,
				      EPOLLIN | EPOLLOUT);
	}
	if (err)
		tap_detach(port);
	return err;
}

static void tap_close(struct vtc_port *port)
{
	struct vtc__tap *tap = vtc__tap_of(port);

	vtc__uring_free(tap->uring);
	for (unsigned int i = 0; i < port->queue_pairs; i++) {
		if (tap->queues[i].watch.fd >= 0)
			(void)close(tap->queues[i].watch.fd);
	}
	if (tap->slots)
		(void)munmap(tap->slots, port->queue_pairs * SLOTS_LEN);
	vtc__port_fini(port);
	free(tap);
}

static void tap_info(const struct vtc_port *port, struct vtc_port_info *info)
{
	const struct vtc__tap *tap = (const struct vtc__tap *)port;

	info->connected = port->ready > 0;
	info->connections = 1;
	info->uses_uring = tap->wants_uring;
	info->name = tap->name;
	info->error = tap->error;
}

/* Packets that came for the last peer may ask for what this one does not do. */
static void tap_peer_changed(struct vtc_port *port)
{
	struct vtc__tap *tap = vtc__tap_of(port);
	unsigned int before = tap->offload;

	if (!port->ready)
		return;
	if (vtc__tap_set_offload(tap, port->peer)) {
		vtc__tap_broken(tap);
		return;
	}
	for (unsigned int i = 0; before & ~tap->offload && i < port->queue_pairs; i++)
		vtc__tap_drain(&tap->queues[i]);
}

static bool tap_arm_take(struct vtc_port *port, unsigned int queue)
{
	const struct vtc__tap_queue *q = &vtc__tap_of(port)->queues[queue];

	return !port->ready || q->waiting || (q->empty && q->first == q->end);
}

/* Only who polls in vain is told of room in a send buffer. */
static bool tap_arm_reserve(struct vtc_port *port, unsigned int queue)
{
	struct vtc__tap_queue *q = &vtc__tap_of(port)->queues[queue];
	struct pollfd pollfd = { .fd = q->watch.fd, .events = POLLOUT };

	if (!port->ready)
		return true;
	if (q->full && poll(&pollfd, 1, 0) != 0)
		q->full = false;
	return q->full;
}

static const struct vtc__port_ops tap_ops = {
	.kind = "tap",
	.attach = tap_attach,
	.detach = tap_detach,
	.close = tap_close,
	.info = tap_info,
	.peer_changed = tap_peer_changed,
	.produce = vtc__tap_produce,
	.consume = vtc__tap_consume,
	.arm_take = tap_arm_take,
	.arm_reserve = tap_arm_reserve,
};

/* ---- Open ---- */

static int load_opts(const struct vtc_tap_opts *opts, struct vtc_tap_opts *o)
{
	int err = vtc__opts_load(o, sizeof(*o), OPTS_FIRST, opts);

	if (err)
		return err;
	if (o->flags & ~FLAGS_KNOWN || o->reserved || !o->name == !o->fds)
		return -EINVAL;
	if (!o->queue_pairs)
		o->queue_pairs = 1;
	return o->queue_pairs > VTC_PORT_QUEUE_PAIRS_MAX ? -EINVAL : 0;
}

static int make_slots(struct vtc__tap *tap)
{
	size_t len = tap->port.queue_pairs * SLOTS_LEN;
	void *slots = mmap(NULL, len, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (slots == MAP_FAILED)
		return -ENOMEM;
	tap->slots = slots;
	for (unsigned int i = 0; i < tap->port.queue_pairs; i++)
		tap->queues[i].slots = tap->slots + (size_t)i * VTC__TAP_READS;
	return 0;
}

static void set_up_queues(struct vtc__tap *tap, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		tap->queues[i].tap = tap;
		tap->queues[i].index = i;
		tap->queues[i].batch = 2;
		tap->queues[i].watch.fd = -1;
		tap->queues[i].watch.ready = on_ready;
		tap->queues[i].timer.due = on_due;
	}
}

static int tap_new(struct vtc_ctx *ctx, unsigned int queue_pairs,
		   struct vtc__tap **ret_tap)
{
	struct vtc__tap *tap;
	int err;

	tap = calloc(1, sizeof(*tap) + queue_pairs * sizeof(tap->queues[0]));
	if (!tap)
		return -ENOMEM;
	err = vtc__port_init(&tap->port, ctx, &tap_ops, queue_pairs);
	if (err) {
		free(tap);
		return err;
	}
	set_up_queues(tap, queue_pairs);
	err = make_slots(tap);
	if (err) {
		tap_close(&tap->port);
		return err;
	}
	*ret_tap = tap;
	return 0;
}

/*
 * Whether the kernel does here what a ring is for: a header that is cut short is refused
 * at once, and harms nobody. Where files of this kind cannot be asked not to wait, it
 * says EAGAIN, and a sandbox may say anything.
 */
static bool uring_works(struct vtc__tap *tap)
{
	uint8_t byte = 0;
	struct iovec iov = { &byte, sizeof(byte) };
	int err = vtc__tap_new_uring(tap);

	if (err)
		return false;
	tap->ios[0] = (struct vtc__io){ &iov, 1, 0 };
	err = vtc__uring_run(tap->uring, VTC__IO_WRITE, 0, tap->ios, 1);
	if (!err)
		err = tap->ios[0].result == -EINVAL ? 0 : -EOPNOTSUPP;
	if (!err)
		vtc__tap_measure(tap);
	vtc__uring_free(tap->uring);
	tap->uring = NULL;
	return !err;
}

/* The kernel checks each header that is written, and does all that it asks for. */
static void set_accepts(struct vtc_port *port, bool all)
{
	static const unsigned int bits[] = { VTC_NET_F_CSUM, VTC_NET_F_HOST_TSO4,
					     VTC_NET_F_HOST_TSO6, VTC_NET_F_HOST_ECN };

	port->far_role = VTC_VRING_DEVICE;
	for (unsigned int i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		port->accepts[0] |= UINT64_C(1) << bits[i];
	if (all)
		port->accepts[0] |= UINT64_C(1) << VTC_NET_F_HOST_USO;
	port->accepts_all = all;
}

static int tap_open(struct vtc__tap *tap, const struct vtc_tap_opts *o)
{
	int err;

	if (o->name)
		err = vtc__tap_open_name(tap, o->name);
	else
		err = vtc__tap_open_fds(tap, o->fds);
	if (!err)
		err = vtc__tap_configure(tap);
	if (err)
		return err;
	tap->wants_uring = !(o->flags & VTC_TAP_F_NO_URING) && uring_works(tap);
	set_accepts(&tap->port, tap->takes_uso);
	tap->port.ready = tap->port.queue_pairs;
	return 0;
}

int vtc_port_open_tap(struct vtc_ctx *ctx, const struct vtc_tap_opts *opts,
		      struct vtc_port **ret_port)
{
	struct vtc_tap_opts o;
	struct vtc__tap *tap;
	int err;

	if (!ctx || !opts || !ret_port)
		return vtc__err_arg(ctx, OPERATION, "a parameter is NULL");
	err = load_opts(opts, &o);
	if (err)
		return vtc__err(ctx, err, VTC_ERROR_ORIGIN_ARG, OPERATION, "options");
	err = tap_new(ctx, o.queue_pairs, &tap);
	if (err)
		return vtc__err(ctx, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
				"%u queue pairs", (unsigned int)o.queue_pairs);
	err = tap_open(tap, &o);
	if (err) {
		tap_close(&tap->port);
		return err;
	}
	*ret_port = &tap->port;
	return 0;
}
