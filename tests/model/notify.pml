/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Can a notification be lost? One side publishes, and then looks whether the other wants to be
 * told; the other tells its wish, and then looks once more before it sleeps. Both directions are
 * here: the device sleeps when nothing is available, the driver when the ring is full.
 *
 * Every store of shared memory goes through a store buffer of its own variable, which drains
 * whenever it likes, so stores may become visible late and in another order. A release waits for
 * the stores before it, a full fence for all. A position is a number modulo twice the ring: in a
 * split ring the index itself, in a packed ring slot and wrap counter.
 *
 * Which wish: none of these, the flag of a split ring; EVENT_IDX, its event index; PACKED, the
 * packed ring's event with slot and wrap counter. What may be wrong: NO_FENCE (the side that
 * publishes), NO_SLEEP_FENCE (the side that sleeps), NO_RECHECK, NO_RELEASE, NO_WRAP (of the
 * event).
 */
#ifndef RING
#define RING 2
#endif
#define TURN (2 * RING)

#define DEVICE 0
#define DRIVER 1

/* Position 0 stands in memory when nothing was written yet. */
byte index[2], wish[2], entry[RING];
byte late_index[2], late_wish[2], late_entry[RING];
bool index_pending[2], wish_pending[2], entry_pending[RING];
bool bell[2], stopped;

#if RING == 1
#define NO_ENTRY_PENDING (!entry_pending[0])
#elif RING == 2
#define NO_ENTRY_PENDING (!entry_pending[0] && !entry_pending[1])
#else
#define NO_ENTRY_PENDING (!entry_pending[0] && !entry_pending[1] && !entry_pending[2])
#endif
#define FENCE(side)                                                                        \
	(!index_pending[side] && !wish_pending[side] && (side == DEVICE || NO_ENTRY_PENDING))

inline store_index(side, value)
{
	d_step { late_index[side] = value; index_pending[side] = true }
}

inline store_wish(side, value)
{
	d_step { late_wish[side] = value; wish_pending[side] = true }
}

/* The wish as it stands in memory; 0 is what a ring of zeros says: notify. */
#if defined(EVENT_IDX)
#define ARMED(pos) (pos)
#define WANTS(w, now, count) ((now + 2 * TURN - w - 1) % TURN < count)
#elif defined(PACKED)
#define DISABLED   1
#define ARMED(pos) (2 + pos)
#define SLOT(pos)  ((pos) % RING)
#define WRAP(pos)  ((pos) / RING)
#ifdef NO_WRAP
#define BACK(w, now) 0
#else
#define BACK(w, now) (WRAP(w - 2) != WRAP(now) -> RING : 0)
#endif
#define WANTS(w, now, count)                                                               \
	(w == 0 || (w >= 2 && ((SLOT(now) - SLOT(w - 2) + BACK(w, now) - 1) & 65535) < count))
#else
#define DISABLED   1
#define ARMED(pos) 0
#define WANTS(w, now, count) (w == 0)
#endif

inline publish(side, now, count)
{
#ifndef NO_RELEASE
	side == DEVICE || NO_ENTRY_PENDING;
#endif
	store_index(side, now);
#ifndef NO_FENCE
	FENCE(side);
#endif
	if
	:: WANTS(wish[1 - side], now, count) -> bell[1 - side] = true
	:: else
	fi
}

inline disarm(side)
{
#ifdef DISABLED
	if
	:: armed -> store_wish(side, DISABLED)
	:: else
	fi;
#endif
	armed = false
}

/* Sleeps unless the other side's index has moved from here; the bell is an eventfd. */
inline arm(side, here)
{
	store_wish(side, ARMED(here));
	armed = true;
#ifndef NO_SLEEP_FENCE
	FENCE(side);
#endif
}

active proctype driver()
{
	byte added, reaped, n;
	bool armed;

	do
	:: (added + TURN - reaped) % TURN < RING ->
		n = 0;
		do
		:: (added + TURN - reaped) % TURN < RING ->
			d_step {
				late_entry[added % RING] = added;
				entry_pending[added % RING] = true;
				added = (added + 1) % TURN;
				n++
			}
		:: n > 0 -> break
		od;
		publish(DRIVER, added, n)
	:: index[DEVICE] != reaped ->
		reaped = index[DEVICE];
		disarm(DRIVER)
	:: (added + TURN - reaped) % TURN == RING && index[DEVICE] == reaped ->
		arm(DRIVER, reaped);
		if
#ifndef NO_RECHECK
		:: index[DEVICE] != reaped
		:: index[DEVICE] == reaped -> bell[DRIVER]; bell[DRIVER] = false
#else
		:: bell[DRIVER] -> bell[DRIVER] = false
#endif
		fi
	:: break
	od;
	FENCE(DRIVER);
	stopped = true
}

active proctype device()
{
	byte pulled, used, n;
	bool armed;

	do
	:: index[DRIVER] != pulled ->
		assert((index[DRIVER] + TURN - used) % TURN <= RING);
		assert(entry[pulled % RING] == pulled);
		pulled = (pulled + 1) % TURN;
		disarm(DEVICE)
	:: pulled != used ->
		n = (pulled + TURN - used) % TURN;
		used = pulled;
		publish(DEVICE, used, n)
	:: pulled == used && index[DRIVER] == pulled ->
		arm(DEVICE, pulled);
		if
#ifndef NO_RECHECK
		:: index[DRIVER] != pulled
		:: index[DRIVER] == pulled -> goto asleep
#else
		:: goto asleep
#endif
		fi;
		goto awake;
asleep:		if
		:: bell[DEVICE] -> bell[DEVICE] = false
		:: stopped && !bell[DEVICE] ->
			/* Nobody will ring any more, so there must be nothing left. */
			assert(index[DRIVER] == pulled);
			break
		fi;
awake:		skip
	od
}

#define DRAIN_ENTRY(i)                                                                     \
	:: _pid - 2 == DRIVER && entry_pending[i] ->                                       \
		d_step { entry[i] = late_entry[i]; entry_pending[i] = false }

active [2] proctype buffers()
{
end:	do
	:: index_pending[_pid - 2] ->
		d_step { index[_pid - 2] = late_index[_pid - 2]; index_pending[_pid - 2] = false }
	:: wish_pending[_pid - 2] ->
		d_step { wish[_pid - 2] = late_wish[_pid - 2]; wish_pending[_pid - 2] = false }
	DRAIN_ENTRY(0)
#if RING > 1
	DRAIN_ENTRY(1)
#endif
#if RING > 2
	DRAIN_ENTRY(2)
#endif
	od
}
