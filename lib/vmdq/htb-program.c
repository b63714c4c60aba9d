/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The classic BPF program that finds the class of a frame: see htb.h. It goes through the
 * filters of all pools, those that name most first. A tag is looked for beside the packet
 * and in it, since both happen on the way out.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "htb.h"

#define ETH_SOURCE 6
#define ETH_TYPE   12
#define ETH_TCI	   14

#define PROLOGUE    12
#define PER_FILTER  7
#define PROGRAM_MAX 4096

struct writer {
	struct sock_filter *at;
	size_t left;
};

static void put(struct writer *w, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	/* Counted before: see room_for(). */
	if (!w->left)
		return;
	*w->at++ = (struct sock_filter){ .code = code, .jt = yes, .jf = no, .k = k };
	w->left--;
}

#define AD(field) ((uint32_t)(SKF_AD_OFF + (field)))

/* M[0] is the VLAN id, 0 for a frame without one. */
static void put_prologue(struct writer *w)
{
	put(w, BPF_LD | BPF_W | BPF_ABS, AD(SKF_AD_VLAN_TAG_PRESENT), 0, 0);
	put(w, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 7);
	put(w, BPF_LD | BPF_H | BPF_ABS, ETH_TYPE, 0, 0);
	put(w, BPF_JMP | BPF_JEQ | BPF_K, 0x8100, 3, 0);
	put(w, BPF_JMP | BPF_JEQ | BPF_K, 0x88a8, 2, 0);
	put(w, BPF_LD | BPF_IMM, 0, 0, 0);
	put(w, BPF_JMP | BPF_JA, 4, 0, 0);
	put(w, BPF_LD | BPF_H | BPF_ABS, ETH_TCI, 0, 0);
	put(w, BPF_JMP | BPF_JA, 1, 0, 0);
	put(w, BPF_LD | BPF_W | BPF_ABS, AD(SKF_AD_VLAN_TAG), 0, 0);
	put(w, BPF_ALU | BPF_AND | BPF_K, 0xfff, 0, 0);
	put(w, BPF_ST, 0, 0, 0);
}

static uint32_t high(const struct vtc_mac *mac)
{
	return (uint32_t)mac->addr[0] << 24 | (uint32_t)mac->addr[1] << 16 |
	       (uint32_t)mac->addr[2] << 8 | mac->addr[3];
}

static uint32_t low(const struct vtc_mac *mac)
{
	return (uint32_t)mac->addr[4] << 8 | mac->addr[5];
}

static void put_filter(struct writer *w, const struct vtc_filter *filter,
		       uint32_t classid)
{
	uint8_t vlan = filter->match & VTC_FILTER_VLAN ? 2 : 0;

	if (filter->match & VTC_FILTER_MAC) {
		put(w, BPF_LD | BPF_W | BPF_ABS, ETH_SOURCE, 0, 0);
		put(w, BPF_JMP | BPF_JEQ | BPF_K, high(&filter->mac), 0, 3 + vlan);
		put(w, BPF_LD | BPF_H | BPF_ABS, ETH_SOURCE + 4, 0, 0);
		put(w, BPF_JMP | BPF_JEQ | BPF_K, low(&filter->mac), 0, 1 + vlan);
	}
	if (vlan) {
		put(w, BPF_LD | BPF_MEM, 0, 0, 0);
		put(w, BPF_JMP | BPF_JEQ | BPF_K, filter->vlan, 0, 1);
	}
	put(w, BPF_RET | BPF_K, classid, 0, 0);
}

/* The pool's filters that match just that. */
static void put_filters(struct vtc__txn *txn, struct writer *w,
			const struct vtc__htb_pool *pool, uint32_t match)
{
	const struct vtc__record *record = NULL;
	struct vtc_filter filter;

	while ((record = vtc__journal_foreach_next(txn->journal, record))) {
		if (strcmp(record->group, pool->group) != 0 ||
		    strcmp(record->kind, vtc__step_match.name) != 0 ||
		    record->len < sizeof(filter))
			continue;
		memcpy(&filter, record->data, sizeof(filter));
		if (filter.match == match)
			put_filter(w, &filter, vtc__htb_classid(pool->step.slot));
	}
}

static uint32_t rest_of(const struct vtc__htb *htb)
{
	for (size_t i = 0; i < htb->count; i++)
		if (htb->of[i].step.pool_flags & VTC_POOL_F_EVERYTHING)
			return vtc__htb_classid(htb->of[i].step.slot);
	return 0;
}

static size_t room_for(const struct vtc__txn *txn)
{
	const struct vtc__record *record = NULL;
	size_t filters = 0;

	while ((record = vtc__journal_foreach_next(txn->journal, record)))
		filters += strcmp(record->kind, vtc__step_match.name) == 0;
	return PROLOGUE + filters * PER_FILTER + 1;
}

int vtc__htb_program(struct vtc__txn *txn, struct vtc__htb *htb)
{
	static const uint32_t order[] = { VTC_FILTER_MAC | VTC_FILTER_VLAN,
					  VTC_FILTER_MAC, VTC_FILTER_VLAN };
	struct writer w = { .left = room_for(txn) };

	htb->program = calloc(w.left, sizeof(*w.at));
	if (!htb->program)
		return -ENOMEM;
	w.at = htb->program;
	put_prologue(&w);
	for (size_t o = 0; o < sizeof(order) / sizeof(order[0]); o++)
		for (size_t i = 0; i < htb->count; i++)
			put_filters(txn, &w, &htb->of[i], order[o]);
	put(&w, BPF_RET | BPF_K, rest_of(htb), 0, 0);
	if (w.at - htb->program > PROGRAM_MAX)
		return -ENOSPC;
	htb->program_len = (uint16_t)(w.at - htb->program);
	return 0;
}
