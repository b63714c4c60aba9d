/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A ring of a vhost-user backend: see vhost-ring.h. */
#include "vhost-ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "doorbell.h"
#include "vhost-place.h"
#include "vring/vring.h"

enum part { DESC, DRIVER, DEVICE };

static bool is_packed(const struct vtc__vhost_setting *s)
{
	return s->features >> VTC_VRING_F_PACKED & 1;
}

/* ---- Descriptors ---- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void kicked(struct vtc__watch *watch, uint32_t events)
{
	struct vtc__vhost_ring *r = VTC__OWNER(watch, struct vtc__vhost_ring, kick);

	(void)events;
	vtc__count(r->port, r->index / 2, VTC__NOTIFICATIONS_RECEIVED, 1);
	r->heard(r);
}

int vtc__vhost_ring_watch(struct vtc__vhost_ring *r)
{
	if (!r->port->loop || r->kick.fd < 0)
		return 0;
	return vtc__loop_watch(r->port->loop, &r->kick, EPOLLIN);
}

void vtc__vhost_ring_forget(struct vtc__vhost_ring *r)
{
	if (r->port->loop && r->kick.fd >= 0)
		vtc__loop_forget(r->port->loop, &r->kick);
}

static int replace(int *fd, int new)
{
	int err = new < 0 ? 0 : vtc__doorbell_check_foreign(new);

	close_fd(fd);
	*fd = new;
	if (err)
		close_fd(fd);
	return err;
}

int vtc__vhost_ring_set_kick(struct vtc__vhost_ring *r, int fd)
{
	int err;

	vtc__vhost_ring_forget(r);
	err = replace(&r->kick.fd, fd);
	return err ? err : vtc__vhost_ring_watch(r);
}

/* The driver may have missed what happened while there was no descriptor. */
int vtc__vhost_ring_set_call(struct vtc__vhost_ring *r, int fd)
{
	int err = replace(&r->call, fd);

	if (!err && r->vring && fd >= 0)
		(void)vtc__doorbell_ring(fd);
	return err;
}

int vtc__vhost_ring_set_err(struct vtc__vhost_ring *r, int fd)
{
	return replace(&r->err, fd);
}

/* ---- Where the ring is, and where it stands ---- */

static uint64_t part_len(const struct vtc__vhost_ring *r,
			 const struct vtc__vhost_setting *s, enum part part)
{
	uint64_t event = s->features >> VTC_VRING_F_EVENT_IDX & 1 ? 2 : 0;

	if (part == DESC)
		return r->size * sizeof(struct vtc__desc);
	if (is_packed(s))
		return 4;
	return 4 + r->size * (part == DRIVER ? 2ull : 8ull) + event;
}

/* 0, or -EFAULT. */
static int find(const struct vtc__vhost_ring *r, const struct vtc__vhost_setting *s,
		uint64_t at[3])
{
	const uint64_t user[] = { r->addr.desc, r->addr.avail, r->addr.used };
	int err = 0;

	for (enum part i = DESC; i <= DEVICE && !err; i++)
		err = vtc__vhost_space_translate(s->space, user[i], part_len(r, s, i),
						 &at[i]);
	return err;
}

/* A part of the ring in our memory, or NULL. */
static uint8_t *look(const struct vtc__vhost_ring *r, const struct vtc__vhost_setting *s,
		     enum part part)
{
	struct vtc_segment segment;

	if (vtc_mem_translate(s->space->mem, r->at[part], part_len(r, s, part),
			      VTC_MEM_RW, &segment, 1) != 1 ||
	    (uintptr_t)segment.base % (part == DESC ? 8 : 4))
		return NULL;
	return segment.base;
}

/* Packed rings have larger records, and what they are is told after the record. */
static int find_record(struct vtc__vhost_ring *r, const struct vtc__vhost_setting *s)
{
	uint64_t size = vtc__vhost_record_size(is_packed(s), s->inflight_entries);

	r->record = (struct vtc__vhost_record){ .packed = is_packed(s),
						.size = s->inflight_entries };
	if (!s->inflight.base || r->index >= s->inflight_queues)
		return 0;
	if ((r->index + 1) * size > s->inflight.size)
		return -EPROTO;
	r->record.region = s->inflight.base + r->index * size;
	return 0;
}

static int fail(int err, const char *why, const char **ret_why)
{
	*ret_why = why;
	return err;
}

/*
 * The used ring says what the driver has got back. Whatever a predecessor took beyond
 * that is still in the available ring.
 */
static int place_split(struct vtc__vhost_ring *r, const uint8_t *used, bool recorded,
		       struct vtc_vring_state *at, uint32_t *again)
{
	uint16_t idx = vtc__load16(used + 2, __ATOMIC_ACQUIRE);
	int n = recorded ? vtc__vhost_record_split(&r->record, idx, r->size, again) : 0;

	if (n < 0)
		return n;
	*at = (struct vtc_vring_state){ .avail = (uint16_t)(idx + n),
					.used = idx,
					.in_flight = (uint16_t)n };
	return 0;
}

static int place_packed(struct vtc__vhost_ring *r, const struct vtc__vhost_setting *s,
			uint8_t *ring, bool recorded, struct vtc_vring_state *at)
{
	bool in_order = s->features >> VTC_VRING_F_IN_ORDER & 1;
	bool indirect = s->features >> VTC_VRING_F_INDIRECT & 1;

	if (recorded)
		return vtc__vhost_record_packed(&r->record, ring, r->size, in_order, at);
	*at = vtc__vhost_place_of(r->base);
	if (at->used >= r->size)
		return -EINVAL;
	return vtc__vhost_place_find(ring, r->size, indirect && !in_order, at);
}

static int blame_place(int err, bool recorded, const char **ret_why)
{
	switch (err) {
	case -EINVAL:
		return fail(err, "the base is outside the ring", ret_why);
	case -ENOMEM:
		return fail(err, "memory is out", ret_why);
	case -EOPNOTSUPP:
		return fail(-EPROTO,
			    "chains in flight that the last backend took out of order "
			    "cannot be done again",
			    ret_why);
	default:
		return fail(err,
			    recorded ? "the in-flight record contradicts itself"
				     : "it cannot be told where the last backend "
				       "stopped in the ring",
			    ret_why);
	}
}

static int place(struct vtc__vhost_ring *r, const struct vtc__vhost_setting *s,
		 struct vtc_vring_state *at, uint32_t *again, const char **ret_why)
{
	uint8_t *part = look(r, s, is_packed(s) ? DESC : DEVICE);
	int recorded = r->record.region ? vtc__vhost_record_is_used(&r->record) : 0, err;

	if (!part)
		return fail(-EFAULT, "the ring is not in one piece of the memory",
			    ret_why);
	if (recorded < 0 || (r->record.region && r->size > r->record.size))
		return fail(-EPROTO, "the in-flight record is for another ring", ret_why);
	err = is_packed(s) ? place_packed(r, s, part, recorded, at)
			   : place_split(r, part, recorded, at, again);
	if (err)
		return blame_place(err, recorded, ret_why);
	if (r->record.region && !recorded)
		vtc__vhost_record_init(&r->record, at);
	return 0;
}

/* ---- Start and stop ---- */

static int make_vring(struct vtc__vhost_ring *r, struct vtc_ctx *ctx,
		      const struct vtc__vhost_setting *s, uint32_t *again,
		      const char **ret_why)
{
	struct vtc_vring_opts o = VTC_VRING_OPTS_INIT;
	int err = place(r, s, &o.state, again, ret_why);

	if (err)
		return err;
	o.role = VTC_VRING_DEVICE;
	o.size = r->size;
	o.features[0] = s->features;
	o.desc_addr = r->at[DESC];
	o.driver_addr = r->at[DRIVER];
	o.device_addr = r->at[DEVICE];
	err = vtc_vring_new(ctx, s->space->mem, &o, &r->vring);
	if (err)
		return fail(err,
			    err == -ENOMEM ? "memory is out"
					   : "size or addresses of the ring are "
					     "impossible",
			    ret_why);
	if (r->index % 2)
		vtc__vring_set_only_read(r->vring);
	if (o.state.in_flight)
		err = vtc_vring_resubmit(r->vring, again, o.state.in_flight);
	if (!err)
		return 0;
	vtc_vring_free(r->vring);
	r->vring = NULL;
	return fail(-EPROTO, "the in-flight record contradicts itself", ret_why);
}

static int start(struct vtc__vhost_ring *r, struct vtc_ctx *ctx,
		 const struct vtc__vhost_setting *s, const char **ret_why)
{
	uint32_t *again;
	int err;

	if (find_record(r, s))
		return fail(-EPROTO, "the in-flight record is too small for the ring",
			    ret_why);
	again = calloc(r->size, sizeof(*again));
	if (!again)
		return fail(-ENOMEM, "memory is out", ret_why);
	err = make_vring(r, ctx, s, again, ret_why);
	free(again);
	if (!err && r->call >= 0)
		(void)vtc__doorbell_ring(r->call);
	return err;
}

/* Keep where it stands, so that the ring can go on. What was taken is taken again. */
static void halt(struct vtc__vhost_ring *r)
{
	struct vtc_vring_state at;

	if (!r->vring)
		return;
	(void)vtc_vring_get_state(r->vring, &at);
	r->base = r->packed ? vtc__vhost_base_of(&at) : at.used;
	vtc_vring_free(r->vring);
	r->vring = NULL;
}

static bool is_complete(const struct vtc__vhost_ring *r,
			const struct vtc__vhost_setting *s)
{
	return r->started && !r->broken && r->has_addr && r->size && s->features &&
	       s->space->mem;
}

int vtc__vhost_ring_update(struct vtc__vhost_ring *r, struct vtc_ctx *ctx,
			   const struct vtc__vhost_setting *setting, const char **ret_why)
{
	uint64_t at[3];

	if (!is_complete(r, setting))
		return 0;
	if (find(r, setting, at)) {
		halt(r);
		return 0;
	}
	if (r->vring && !memcmp(at, r->at, sizeof(at)))
		return 0;
	halt(r);
	memcpy(r->at, at, sizeof(at));
	r->packed = is_packed(setting);
	return start(r, ctx, setting, ret_why);
}

void vtc__vhost_ring_stop(struct vtc__vhost_ring *r)
{
	bool idle = r->vring && !r->broken;

	halt(r);
	if (idle && !r->record.again)
		vtc__vhost_record_close(&r->record);
	(void)vtc__vhost_ring_set_kick(r, -1);
	close_fd(&r->call);
	r->started = r->has_addr = false;
	r->broken = NULL;
}

void vtc__vhost_ring_init(struct vtc__vhost_ring *r, struct vtc_port *port,
			  unsigned int index, void (*heard)(struct vtc__vhost_ring *ring))
{
	*r = (struct vtc__vhost_ring){ .port = port,
				       .index = index,
				       .heard = heard,
				       .call = -1,
				       .err = -1,
				       .kick = { -1, kicked } };
}

void vtc__vhost_ring_clear(struct vtc__vhost_ring *r)
{
	vtc__vhost_ring_forget(r);
	vtc_vring_free(r->vring);
	close_fd(&r->kick.fd);
	close_fd(&r->call);
	close_fd(&r->err);
	vtc__vhost_ring_init(r, r->port, r->index, r->heard);
}

void vtc__vhost_ring_fail(struct vtc__vhost_ring *r, const char *why)
{
	halt(r);
	r->broken = why;
	if (r->err >= 0)
		(void)vtc__doorbell_ring(r->err);
}

/* ---- For the relay ---- */

int vtc__vhost_ring_take(struct vtc__vhost_ring *r, struct vtc__burst *burst,
			 unsigned int max)
{
	return vtc_vring_pull(r->vring, burst->chains, max, burst->segments,
			      VTC__SEGMENTS_MAX);
}

static void notify(struct vtc__vhost_ring *r, bool wanted)
{
	bool rings = wanted && r->call >= 0;

	if (rings)
		(void)vtc__doorbell_ring(r->call);
	vtc__count(r->port, r->index / 2,
		   rings ? VTC__NOTIFICATIONS_SENT : VTC__NOTIFICATIONS_SUPPRESSED, 1);
}

/* 1: the driver wants a notification; 0; or negative. */
static int publish(struct vtc_vring *v, const struct vtc_done *done, unsigned int count)
{
	int err = vtc_vring_push(v, done, count);

	return err ? err : vtc_vring_flush(v);
}

static int publish_split(struct vtc__vhost_ring *r, const struct vtc_done *done,
			 unsigned int count)
{
	int n;

	vtc__vhost_record_before(&r->record, done, count, 0, 0);
	n = publish(r->vring, done, count);
	if (n >= 0)
		vtc__vhost_record_after(&r->record, done, count, r->vring->used);
	return n;
}

/*
 * A burst of used descriptors is no single write: a successor could not tell how far it
 * came. So chains become visible one by one, each with one write.
 */
static int publish_packed(struct vtc__vhost_ring *r, const struct vtc_done *done,
			  unsigned int count)
{
	struct vtc_vring *v = r->vring;
	int wanted = 0, n = 0;

	for (unsigned int i = 0; i < count && n >= 0; i++) {
		struct vtc__pos pos = vtc__used_pos(v);

		n = vtc_vring_push(v, &done[i], 1);
		if (n)
			break;
		vtc__advance(&pos, v->used_slots, v->size);
		vtc__vhost_record_before(&r->record, &done[i], 1, (uint16_t)pos.slot,
					 pos.wrap);
		n = vtc_vring_flush(v);
		vtc__vhost_record_after(&r->record, &done[i], 1, 0);
		wanted |= n > 0;
	}
	return n < 0 ? n : wanted;
}

int vtc__vhost_ring_complete(struct vtc__vhost_ring *r, const struct vtc_done *done,
			     unsigned int taken, unsigned int used)
{
	int n;

	if (taken > used && vtc_vring_unpull(r->vring, taken - used))
		return -EPROTO;
	if (!used)
		return 0;
	if (vtc__likely(!r->record.region))
		n = publish(r->vring, done, used);
	else if (r->packed)
		n = publish_packed(r, done, used);
	else
		n = publish_split(r, done, used);
	if (n < 0)
		return -EPROTO;
	notify(r, n);
	return 0;
}

/*
 * A record does not have to know: they are in the ring behind the used position, and a
 * successor takes them again.
 */
int vtc__vhost_ring_hold(struct vtc__vhost_ring *r, unsigned int taken, unsigned int used)
{
	if (taken > used && vtc_vring_unpull(r->vring, taken - used))
		return -EPROTO;
	return 0;
}

int vtc__vhost_ring_discard(struct vtc__vhost_ring *r, struct vtc__burst *burst)
{
	uint32_t left = r->size;
	int n = 0, err = 0;

	while (left && !err) {
		n = vtc__vhost_ring_take(r, burst,
					 left < VTC__BURST_MAX ? left : VTC__BURST_MAX);
		if (n <= 0)
			break;
		for (int i = 0; i < n; i++)
			burst->done[i] = (struct vtc_done){ burst->chains[i].id, 0 };
		err = vtc__vhost_ring_complete(r, burst->done, (unsigned int)n,
					       (unsigned int)n);
		left -= (uint32_t)n;
	}
	return n < 0 ? n : err;
}

int vtc__vhost_ring_arm(struct vtc__vhost_ring *r)
{
	int n = vtc_vring_needs_poll(r->vring);

	/* Without a descriptor to hear with, one must look. */
	return n > 0 && r->kick.fd < 0 ? 0 : n;
}
