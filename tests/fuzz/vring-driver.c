/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The driver side with a device that writes anything into the ring: what comes back was
 * added, comes back once, and with no length above what could be written.
 */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "ring.h"

#define NUMBERS 256

struct driver {
	struct image image;
	struct vtc_vring *ring;
	bool out[NUMBERS];
	uint32_t writable[NUMBERS];
	unsigned int count;
};

static void add(struct driver *d, unsigned int how)
{
	struct vtc_buffer b[4];
	struct vtc_add a = { b, how & 3, how >> 2 & 1, 0 };
	int n;

	for (unsigned int i = 0; i < 4; i++)
		b[i] = (struct vtc_buffer){ RING_ADDR + i * 8, 1 + (how >> 3) * i, 0 };
	while (a.id < NUMBERS && d->out[a.id])
		a.id++;
	if (a.id == NUMBERS)
		return;
	n = vtc_vring_add(d->ring, &a, 1);
	need(n <= 1 && (n >= 0 || n == -EINVAL || n == -EPROTO));
	if (n != 1)
		return;
	d->out[a.id] = true;
	d->writable[a.id] = a.writable ? b[a.readable].len : 0;
	d->count++;
	need(d->count <= d->image.size);
}

static void reap(struct driver *d, unsigned int how)
{
	struct vtc_done done[16];
	unsigned int max = 1 + how % 16;
	int n = vtc_vring_reap(d->ring, done, max);

	need(n <= (int)max && (n >= 0 || n == -EPROTO));
	need(n != -EPROTO || vtc_vring_get_error(d->ring));
	for (int i = 0; i < n; i++) {
		need(done[i].id < NUMBERS && d->out[done[i].id]);
		need(done[i].len <= d->writable[done[i].id]);
		d->out[done[i].id] = false;
		d->count--;
	}
}

static void reset(struct driver *d)
{
	need(vtc_vring_reset(d->ring) == 0);
	memset(d->out, 0, sizeof(d->out));
	d->count = 0;
}

static void put(struct driver *d, uint64_t addr, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		d->image.part[0][addr - RING_ADDR + i] = (uint8_t)(value >> 8 * i);
}

/* A used element that is likely, where the driver side looks next. */
static void use(struct driver *d, unsigned int how)
{
	const struct vtc_vring_opts *o = &d->image.opts;
	struct vtc_vring_state s;
	uint64_t id = how % 8, len = how >> 3 & 1;

	need(vtc_vring_get_state(d->ring, &s) == 0);
	if (d->image.variant & IS_PACKED) {
		put(d, o->desc_addr + s.used * 16 + 8,
		    (s.used_round ? 0ull : 0x8080ull) << 48 | id << 32 | len, 8);
		return;
	}
	put(d, o->device_addr + 4 + s.used % o->size * 8, len << 32 | id, 8);
	put(d, o->device_addr + 2, s.used + 1u + (how >> 4 & 1), 2);
}

static void check_state(struct driver *d)
{
	struct vtc_vring_state s;

	need(vtc_vring_get_state(d->ring, &s) == 0);
	need(s.in_flight <= d->count);
}

static void operate(struct driver *d, struct input *in)
{
	unsigned int op = take_byte(in);

	switch (op % 10) {
	case 0:
	case 1:
		add(d, take_byte(in));
		break;
	case 2:
		(void)vtc_vring_kick(d->ring);
		break;
	case 3:
	case 4:
		reap(d, take_byte(in));
		break;
	case 5:
	case 6:
		use(d, take_byte(in));
		break;
	case 7:
		(void)vtc_vring_needs_poll(d->ring);
		break;
	case 8:
		if (op > 200)
			reset(d);
		check_state(d);
		break;
	default:
		image_poke(&d->image, in);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data, len };
	struct driver d = { .count = 0 };

	image_new(&d.image, &in, VTC_VRING_DRIVER);
	need(vtc_vring_new(fuzz_ctx(), d.image.mem, &d.image.opts, &d.ring) == 0);
	for (unsigned int i = 0; in.len && i < 300; i++)
		operate(&d, &in);
	vtc_vring_free(d.ring);
	image_free(&d.image);
	return 0;
}
