/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A scripted backend: see vhostback.h. */
#include "vhostback.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vhostclient.h"
#include "vtct.h"

void vhostback_open(struct vhostback *b, int fd)
{
	*b = (struct vhostback){ .fd = fd,
				 .offered = UINT64_MAX & ~(1ull << VTC__VHOST_F_LOG_ALL),
				 .protocol_offered = UINT64_MAX,
				 .queues = VHOSTBACK_RINGS / 2,
				 .silent_from = INT32_MAX,
				 .hang_up_at = INT32_MAX,
				 .memfd = -1 };
	ck_assert_errno(vtc_ctx_new(NULL, &b->ctx), 0);
	for (unsigned int i = 0; i < VHOSTBACK_RINGS; i++)
		b->ring[i].kick = b->ring[i].call = -1;
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void vhostback_hang_up(struct vhostback *b)
{
	shut(&b->fd);
}

void vhostback_close(struct vhostback *b)
{
	for (unsigned int i = 0; i < VHOSTBACK_RINGS; i++) {
		vtc_vring_free(b->ring[i].vring);
		shut(&b->ring[i].kick);
		shut(&b->ring[i].call);
	}
	vtc_mem_unref(b->mem);
	if (b->memory)
		munmap(b->memory, b->region.size);
	shut(&b->memfd);
	shut(&b->fd);
	vtc_ctx_unref(b->ctx);
}

void vhostback_reply(struct vhostback *b, uint32_t request, const void *payload,
		     uint32_t size)
{
	ck_assert_errno(vhostclient_request(b->fd, request,
					    VTC__VHOST_VERSION | VTC__VHOST_REPLY,
					    payload, size, NULL, 0),
			0);
}

static void reply_u64(struct vhostback *b, uint32_t request, uint64_t value)
{
	vhostback_reply(b, request, &value, sizeof(value));
}

static int take_fd(struct vhostclient_reply *m)
{
	int fd = m->fd_count ? m->fds[0] : -1;

	m->fd_count = m->fd_count ? m->fd_count - 1 : 0;
	memmove(m->fds, m->fds + 1, m->fd_count * sizeof(int));
	return fd;
}

static void set_memory(struct vhostback *b, struct vhostclient_reply *m)
{
	struct vtc__vhost_memory memory;

	memcpy(&memory, m->payload, m->size);
	ck_assert_uint_eq(memory.count, 1);
	ck_assert_uint_eq(memory.region[0].mmap_offset, 0);
	b->region = memory.region[0];
	b->memfd = take_fd(m);
	b->memory = mmap(NULL, b->region.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 b->memfd, 0);
	ck_assert_ptr_ne(b->memory, MAP_FAILED);
}

static struct vhostback_ring *ring_of(struct vhostback *b, uint32_t index)
{
	ck_assert_uint_lt(index, VHOSTBACK_RINGS);
	return &b->ring[index];
}

static void set_ring(struct vhostback *b, struct vhostclient_reply *m)
{
	struct vtc__vhost_state state = { 0 };
	struct vhostback_ring *r;

	memcpy(&state, m->payload, sizeof(state));
	r = ring_of(b, state.index);
	switch (m->request) {
	case VTC__VHOST_SET_VRING_NUM:
		r->num = state.num;
		break;
	case VTC__VHOST_SET_VRING_BASE:
		r->base = state.num;
		break;
	case VTC__VHOST_SET_VRING_ADDR:
		memcpy(&r->addr, m->payload, sizeof(r->addr));
		break;
	case VTC__VHOST_SET_VRING_KICK:
		r->kick = take_fd(m);
		break;
	case VTC__VHOST_SET_VRING_CALL:
		r->call = take_fd(m);
		break;
	case VTC__VHOST_SET_VRING_ENABLE:
		r->enabled = state.num;
		break;
	default:
		ck_abort_msg("request %u", m->request);
	}
}

static uint64_t u64_of(const struct vhostclient_reply *m)
{
	uint64_t value;

	ck_assert_uint_eq(m->size, sizeof(value));
	memcpy(&value, m->payload, sizeof(value));
	return value;
}

static void obey(struct vhostback *b, struct vhostclient_reply *m, bool silent)
{
	switch (m->request) {
	case VTC__VHOST_SET_OWNER:
		break;
	case VTC__VHOST_GET_FEATURES:
		if (!silent)
			reply_u64(b, m->request, b->offered);
		break;
	case VTC__VHOST_GET_PROTOCOL_FEATURES:
		if (!silent)
			reply_u64(b, m->request, b->protocol_offered);
		break;
	case VTC__VHOST_GET_QUEUE_NUM:
		if (!silent)
			reply_u64(b, m->request, b->queues);
		break;
	case VTC__VHOST_SET_FEATURES:
		b->features = u64_of(m);
		break;
	case VTC__VHOST_SET_PROTOCOL_FEATURES:
		b->protocol = u64_of(m);
		break;
	case VTC__VHOST_SET_MEM_TABLE:
		set_memory(b, m);
		break;
	default:
		set_ring(b, m);
	}
}

static void serve_one(struct vhostback *b, struct vhostclient_reply *m)
{
	int number = (int)b->messages;
	bool silent = number >= b->silent_from;

	ck_assert_uint_lt(b->messages, VHOSTBACK_HISTORY);
	b->history[b->messages++] = m->request;
	obey(b, m, silent);
	if (m->flags & VTC__VHOST_NEED_REPLY && !silent)
		reply_u64(b, m->request, m->request == b->refuse);
	for (unsigned int i = 0; i < m->fd_count; i++)
		close(m->fds[i]);
	b->surplus += m->fd_count;
	if (number >= b->hang_up_at)
		vhostback_hang_up(b);
}

bool vhostback_serve(struct vhostback *b)
{
	struct vhostclient_reply m = { 0 };
	int n = 1;

	while (b->fd >= 0 && (n = vhostclient_receive(b->fd, &m)) == 1) {
		serve_one(b, &m);
		m = (struct vhostclient_reply){ 0 };
	}
	return n != 0;
}

uint8_t *vhostback_at(const struct vhostback *b, uint64_t user_addr)
{
	ck_assert_uint_ge(user_addr, b->region.user_addr);
	ck_assert_uint_lt(user_addr - b->region.user_addr, b->region.size);
	return b->memory + (user_addr - b->region.user_addr);
}

static uint64_t guest(const struct vhostback *b, uint64_t user_addr)
{
	return user_addr - b->region.user_addr + b->region.guest_addr;
}

static void make_mem(struct vhostback *b)
{
	struct vtc_mem_region region = { .sz = sizeof(region),
					 .guest_addr = b->region.guest_addr,
					 .size = b->region.size,
					 .fd = b->memfd,
					 .perm = VTC_MEM_RW };

	if (b->mem)
		return;
	ck_assert_errno(vtc_mem_new(b->ctx, &b->mem), 0);
	ck_assert_errno(vtc_mem_add(b->mem, &region), 0);
}

struct vtc_vring *vhostback_vring(struct vhostback *b, unsigned int ring)
{
	struct vhostback_ring *r = ring_of(b, ring);
	struct vtc_vring_opts o = VTC_VRING_OPTS_INIT;

	if (r->vring)
		return r->vring;
	make_mem(b);
	o.size = r->num;
	o.features[0] = b->features;
	o.desc_addr = guest(b, r->addr.desc);
	o.driver_addr = guest(b, r->addr.avail);
	o.device_addr = guest(b, r->addr.used);
	ck_assert_errno(vtc_vring_new(b->ctx, b->mem, &o, &r->vring), 0);
	return r->vring;
}
