/* SPDX-License-Identifier: MIT */
/*
 * A hash table of small sets. Where an address goes depends on a secret, so that nobody
 * can choose addresses that push others out.
 */
#include "addresses.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#define SET_SIZE  8u
#define SET_COUNT (ADDRESSES_MAX / SET_SIZE)

struct entry {
	uint64_t address; /* 0: there is none */
	uint32_t seen;
	uint16_t port;
	bool fixed;
};

struct addresses {
	uint32_t silent_seconds;
	uint64_t secret[2];
	unsigned int counts[ADDRESSES_PORTS_MAX];
	struct entry entries[SET_COUNT][SET_SIZE];
};

struct addresses *addresses_new(uint32_t silent_seconds)
{
	struct addresses *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->silent_seconds = silent_seconds;
	if (getrandom(a->secret, sizeof(a->secret), 0) != sizeof(a->secret)) {
		free(a);
		return NULL;
	}
	a->secret[1] |= 1;
	return a;
}

void addresses_free(struct addresses *a)
{
	free(a);
}

/* Multiplication mixes upwards, so the upper bits are the ones to take. */
static struct entry *set_of(const struct addresses *a, uint64_t address)
{
	uint64_t h = (address ^ a->secret[0]) * a->secret[1];

	h = (h ^ h >> 32) * a->secret[1];
	return (struct entry *)a->entries[(h >> 40) % SET_COUNT];
}

static bool is_live(const struct addresses *a, const struct entry *e, uint32_t now)
{
	return e->address != 0 && (e->fixed || now - e->seen < a->silent_seconds);
}

static struct entry *find(const struct addresses *a, uint64_t address)
{
	struct entry *set = set_of(a, address);

	for (unsigned int i = 0; i < SET_SIZE; i++)
		if (set[i].address == address)
			return &set[i];
	return NULL;
}

static void clear(struct addresses *a, struct entry *e)
{
	if (e->address)
		a->counts[e->port]--;
	*e = (struct entry){ 0 };
}

/* A place for an address that is not in the table; NULL: all are in use. */
static struct entry *place_for(struct addresses *a, uint64_t address, uint32_t now)
{
	struct entry *set = set_of(a, address);

	for (unsigned int i = 0; i < SET_SIZE; i++) {
		if (!is_live(a, &set[i], now)) {
			clear(a, &set[i]);
			return &set[i];
		}
	}
	return NULL;
}

static void fill(struct addresses *a, struct entry *e, uint64_t address,
		 unsigned int port, uint32_t now)
{
	clear(a, e);
	*e = (struct entry){ address, now, (uint16_t)port, false };
	a->counts[port]++;
}

bool addresses_fix(struct addresses *a, uint64_t address, unsigned int port)
{
	struct entry *e = find(a, address);

	if (!e)
		e = place_for(a, address, 0);
	if (!e || e->fixed)
		return false;
	fill(a, e, address, port, 0);
	e->fixed = true;
	return true;
}

bool addresses_learn(struct addresses *a, uint64_t address, unsigned int port,
		     bool may_take_over, uint32_t now)
{
	struct entry *e = find(a, address);

	if (e && e->port == port) {
		e->seen = now;
		return true;
	}
	if (e && (e->fixed || (is_live(a, e, now) && !may_take_over)))
		return false;
	if (!e && a->counts[port] < ADDRESSES_PER_PORT)
		e = place_for(a, address, now);
	if (e)
		fill(a, e, address, port, now);
	return true;
}

int addresses_find(const struct addresses *a, uint64_t address, uint32_t now)
{
	const struct entry *e = find(a, address);

	return e && is_live(a, e, now) ? e->port : -1;
}

void addresses_forget(struct addresses *a, unsigned int port)
{
	if (a->counts[port] == 0)
		return;
	for (unsigned int i = 0; i < SET_COUNT; i++)
		for (unsigned int k = 0; k < SET_SIZE; k++)
			if (a->entries[i][k].port == port && !a->entries[i][k].fixed)
				clear(a, &a->entries[i][k]);
}

unsigned int addresses_count(const struct addresses *a, unsigned int port)
{
	return a->counts[port];
}
