/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The device side on any memory image, with any calls: whatever is pulled is within the
 * map, is there once, and can be pushed once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ring.h"
#include "vring/vring.h"

#define PIECES 128
#define LIVES  4 /* resets and successors */

struct device {
	struct image image;
	struct vtc_vring *ring;
	struct vtc_done
		held[SIZE_MAX_OF_RING]; /* oldest first; len: most that may be written */
	unsigned int count, fresh, lives;
	bool removed[3];
};

static volatile uint8_t sink;

static void use_chain(struct device *d, const struct vtc_chain *c)
{
	uint64_t sums[2] = { 0, 0 };

	for (unsigned int i = 0; i < (unsigned int)c->readable + c->writable; i++) {
		const struct vtc_segment *s = &c->segments[i];
		bool write = i >= c->readable;

		check_piece(&d->image, s, write);
		sums[write] += s->len;
		if (write)
			((uint8_t *)s->base)[s->len - 1] = 0x55;
		else
			sink = ((const uint8_t *)s->base)[s->len - 1];
	}
	need(sums[0] == c->readable_bytes && sums[1] == c->writable_bytes);
}

static void note(struct device *d, const struct vtc_chain *c)
{
	need(d->count < d->image.size);
	for (unsigned int i = 0; i < d->count; i++)
		need(d->held[i].id != c->id);
	d->held[d->count++] = (struct vtc_done){ c->id, c->writable_bytes };
}

static void pull(struct device *d, unsigned int how)
{
	struct vtc_chain chains[8];
	struct vtc_segment pieces[PIECES];
	unsigned int max = 1 + how % 8, room = 1 + how / 8 * 4;
	int n = vtc_vring_pull(d->ring, chains, max, pieces, room);

	need(n <= (int)max && (n >= 0 || n == -EPROTO || n == -ENOSPC));
	need(n != -EPROTO || vtc_vring_get_error(d->ring));
	for (int i = 0; i < n; i++) {
		note(d, &chains[i]);
		use_chain(d, &chains[i]);
	}
	d->fresh += n > 0 ? (unsigned int)n : 0;
}

static void unpull(struct device *d, unsigned int how)
{
	unsigned int count = how % 4;
	int err = vtc_vring_unpull(d->ring, count);

	need(vtc_vring_get_error(d->ring) || err == (count > d->fresh ? -EINVAL : 0));
	if (err)
		return;
	d->count -= count;
	d->fresh -= count;
}

static void push(struct device *d, unsigned int how)
{
	unsigned int i =
		d->image.variant & IS_ORDER ? 0 : how % (d->count ? d->count : 1);
	struct vtc_done done = d->held[i];
	int err;

	if (!d->count)
		return;
	done.len = how & 64 ? done.len / 2 : done.len;
	if (how & 128) {
		done.len = UINT32_MAX;
		need(vtc_vring_push(d->ring, &done, 1) < 0);
		d->fresh = 0;
		return;
	}
	err = vtc_vring_push(d->ring, &done, 1);
	d->fresh = 0;
	need(err == (vtc_vring_get_error(d->ring) ? -EPROTO : 0));
	if (err)
		return;
	d->count--;
	memmove(&d->held[i], &d->held[i + 1], (d->count - i) * sizeof(done));
}

static void make(struct device *d)
{
	need(vtc_vring_new(fuzz_ctx(), d->image.mem, &d->image.opts, &d->ring) == 0);
	if (d->image.variant & IS_GENERIC)
		vtc__vring_set_generic(d->ring);
}

/*
 * A successor gets any of what the image says now; whether it can go on is up to the
 * driver.
 */
static void replace(struct device *d)
{
	struct vtc_vring *old = d->ring;
	uint32_t ids[2 * SIZE_MAX_OF_RING];
	int n = vtc_vring_get_in_flight(old, ids, 2 * SIZE_MAX_OF_RING);

	if (d->removed[0] || d->lives++ >= LIVES)
		return;
	need(n >= 0);
	need(vtc_vring_get_state(old, &d->image.opts.state) == 0);
	if (vtc_vring_new(fuzz_ctx(), d->image.mem, &d->image.opts, &d->ring)) {
		need((d->image.variant & (IS_PACKED | IS_ORDER)) == IS_PACKED && n);
		return;
	}
	vtc_vring_free(old);
	if (d->image.variant & IS_GENERIC)
		vtc__vring_set_generic(d->ring);
	if (n)
		(void)vtc_vring_resubmit(d->ring, ids, (unsigned int)n);
	d->count = d->fresh = 0;
}

static void reset(struct device *d)
{
	if (d->lives++ >= LIVES)
		return;
	need(vtc_vring_reset(d->ring) == (d->removed[0] ? -EFAULT : 0));
	/* A ring that could not begin anew stands nowhere, so it has no successor. */
	if (d->removed[0])
		d->lives = LIVES;
	d->count = d->fresh = 0;
}

static void change_map(struct device *d, unsigned int how)
{
	static const uint64_t addr[] = { RING_ADDR, READ_ADDR, WRITE_ADDR };
	static const uint64_t len[] = { RING_LEN, PART_LEN, PART_LEN };
	unsigned int i = how % 3;

	if (d->removed[i] && image_add_part(&d->image, i))
		d->removed[i] = false;
	else
		d->removed[i] |= vtc_mem_remove(d->image.mem, addr[i], len[i]) != -ENOENT;
}

static void operate(struct device *d, struct input *in)
{
	unsigned int op = take_byte(in);

	switch (op % 12) {
	case 0:
	case 1:
		pull(d, take_byte(in));
		break;
	case 2:
	case 3:
		push(d, take_byte(in));
		break;
	case 4:
		(void)vtc_vring_flush(d->ring);
		break;
	case 5:
		(void)vtc_vring_needs_poll(d->ring);
		break;
	case 6:
		unpull(d, take_byte(in));
		break;
	case 7:
		replace(d);
		break;
	case 8:
		reset(d);
		break;
	case 9:
		change_map(d, take_byte(in));
		break;
	default:
		image_poke(&d->image, in);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data, len };
	struct device d = { .count = 0 };

	image_new(&d.image, &in, VTC_VRING_DEVICE);
	make(&d);
	for (unsigned int i = 0; in.len && i < 300; i++)
		operate(&d, &in);
	vtc_vring_free(d.ring);
	image_free(&d.image);
	return 0;
}
