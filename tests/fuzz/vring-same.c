/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The specialised loops against the generic one: two device sides on two copies of any
 * image, with the same calls, say the same, and leave the same memory. (In order, the
 * fast one says less with the same meaning; then one memory is copied over the other.)
 */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "ring.h"
#include "vring/vring.h"

#define PIECES 128
#define CHAINS 16

struct side {
	struct image image;
	struct vtc_vring *ring;
	struct vtc_chain chains[CHAINS];
	struct vtc_segment pieces[PIECES];
};

struct pair {
	struct side side[2];
	struct vtc_done held[SIZE_MAX_OF_RING];
	unsigned int count;
};

static uint64_t place(const struct side *s, const struct vtc_segment *piece)
{
	const uint8_t *base = piece->base;

	for (uint64_t i = 0; i < 3; i++) {
		const uint8_t *part = s->image.part[i];

		if (base >= part && base < part + RING_LEN &&
		    (i == 0 || base < part + PART_LEN))
			return i << 32 | (uint64_t)(base - part);
	}
	need(false);
	return 0;
}

static void compare_chain(const struct pair *p, int i)
{
	const struct vtc_chain *a = &p->side[0].chains[i], *b = &p->side[1].chains[i];

	need(a->id == b->id && a->readable == b->readable && a->writable == b->writable);
	need(a->readable_bytes == b->readable_bytes &&
	     a->writable_bytes == b->writable_bytes);
	for (unsigned int s = 0; s < (unsigned int)a->readable + a->writable; s++) {
		need(a->segments[s].len == b->segments[s].len);
		need(place(&p->side[0], &a->segments[s]) ==
		     place(&p->side[1], &b->segments[s]));
	}
}

static void compare(const struct pair *p)
{
	const char *a = vtc_vring_get_error(p->side[0].ring);
	const char *b = vtc_vring_get_error(p->side[1].ring);
	struct vtc_vring_state s[2];

	need(!a == !b && (!a || strcmp(a, b) == 0));
	need(vtc_vring_get_state(p->side[0].ring, &s[0]) == 0);
	need(vtc_vring_get_state(p->side[1].ring, &s[1]) == 0);
	need(memcmp(&s[0], &s[1], sizeof(s[0])) == 0);
	if (p->side[0].image.variant & IS_ORDER)
		memcpy(p->side[1].image.part[0], p->side[0].image.part[0], RING_LEN);
	for (unsigned int i = 0; i < 3; i++)
		need(memcmp(p->side[0].image.part[i], p->side[1].image.part[i],
			    i ? PART_LEN : RING_LEN) == 0);
}

static void pull(struct pair *p, unsigned int how)
{
	int n[2];

	for (unsigned int i = 0; i < 2; i++)
		n[i] = vtc_vring_pull(p->side[i].ring, p->side[i].chains,
				      1 + how % CHAINS, p->side[i].pieces,
				      1 + how / CHAINS * 8);
	need(n[0] == n[1]);
	for (int i = 0; i < n[0]; i++) {
		compare_chain(p, i);
		need(p->count < SIZE_MAX_OF_RING);
		p->held[p->count++] =
			(struct vtc_done){ p->side[0].chains[i].id,
					   p->side[0].chains[i].writable_bytes };
	}
}

static void push(struct pair *p, unsigned int how)
{
	unsigned int count = 1 + how % 4;
	int err[2];

	count = count < p->count ? count : p->count;
	for (unsigned int i = 0; i < count; i++)
		p->held[i].len /= how & 16 ? 2 : 1;
	if (how & 32 && count > 1 && !(p->side[0].image.variant & IS_ORDER)) {
		struct vtc_done first = p->held[0];

		p->held[0] = p->held[count - 1];
		p->held[count - 1] = first;
	}
	for (unsigned int i = 0; i < 2; i++)
		err[i] = vtc_vring_push(p->side[i].ring, p->held, count);
	need(err[0] == err[1]);
	if (err[0])
		return;
	p->count -= count;
	memmove(p->held, p->held + count, p->count * sizeof(p->held[0]));
}

static void unpull(struct pair *p, unsigned int how)
{
	int err[2];

	for (unsigned int i = 0; i < 2; i++)
		err[i] = vtc_vring_unpull(p->side[i].ring, how % 4);
	need(err[0] == err[1]);
	p->count -= err[0] ? 0 : how % 4;
}

static void both(struct pair *p, int (*call)(struct vtc_vring *))
{
	int a = call(p->side[0].ring), b = call(p->side[1].ring);

	need(a == b);
}

static void poke(struct pair *p, struct input *in)
{
	struct input again = *in;

	image_poke(&p->side[0].image, in);
	image_poke(&p->side[1].image, &again);
}

static void operate(struct pair *p, struct input *in)
{
	switch (take_byte(in) % 8) {
	case 0:
	case 1:
		pull(p, take_byte(in));
		break;
	case 2:
	case 3:
		push(p, take_byte(in));
		break;
	case 4:
		both(p, vtc_vring_flush);
		break;
	case 5:
		both(p, vtc_vring_needs_poll);
		break;
	case 6:
		unpull(p, take_byte(in));
		break;
	default:
		poke(p, in);
	}
	compare(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data, len }, again = in;
	struct pair p = { .count = 0 };

	image_new(&p.side[0].image, &in, VTC_VRING_DEVICE);
	image_new(&p.side[1].image, &again, VTC_VRING_DEVICE);
	for (unsigned int i = 0; i < 2; i++)
		need(vtc_vring_new(fuzz_ctx(), p.side[i].image.mem, &p.side[i].image.opts,
				   &p.side[i].ring) == 0);
	vtc__vring_set_generic(p.side[1].ring);
	for (unsigned int i = 0; in.len && i < 300; i++)
		operate(&p, &in);
	for (unsigned int i = 0; i < 2; i++) {
		vtc_vring_free(p.side[i].ring);
		image_free(&p.side[i].image);
	}
	return 0;
}
