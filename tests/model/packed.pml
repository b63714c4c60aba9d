/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The packed ring's flags and wrap counters: is every chain pulled once, whole and in order, and
 * does every buffer id come back once? Chains have 1 to LONGEST descriptors, are published in
 * bursts whose first descriptor is written last, and come back in any order, one or two at a
 * time; a returned chain takes one slot and skips the rest of its descriptors.
 *
 * A slot is two words: the address, which stands for the chain's number here, and length, id and
 * flags, which are written at once. What may be wrong: NO_FLIP_DRIVER, NO_FLIP_DEVICE (a wrap
 * counter is not flipped), NO_SKIP (only one slot is skipped), HEAD_FIRST (the first descriptor of
 * a burst is written first).
 */
#ifndef SIZE
#define SIZE 3
#endif
#ifndef LONGEST
#define LONGEST 2
#endif
#define NUMBERS (SIZE + 1)

/* The ring. */
byte number[SIZE], id[SIZE];
bool avail[SIZE], used[SIZE], next[SIZE];

/* Which ids are the driver's to give; an id comes back with the length of its chain. */
byte given[SIZE];

inline advance(slot, wrap, by, flip)
{
	slot = slot + by;
	if
	:: slot >= SIZE -> slot = slot - SIZE; wrap = (flip -> !wrap : wrap)
	:: else
	fi
}

#ifdef NO_FLIP_DRIVER
#define FLIP_DRIVER false
#else
#define FLIP_DRIVER true
#endif
#ifdef NO_FLIP_DEVICE
#define FLIP_DEVICE false
#else
#define FLIP_DEVICE true
#endif
#ifdef NO_SKIP
#define SKIP(count) 1
#else
#define SKIP(count) (count)
#endif

inline put_word(slot, wrap, i, more)
{
	d_step { avail[slot] = wrap; used[slot] = !wrap; id[slot] = i; next[slot] = more }
}

active proctype driver()
{
	byte slot, back, head, busy, name, n, count, i, pending;
	bool wrap = true, back_wrap = true, head_wrap, head_next;
	byte head_id;

	do
	:: busy < SIZE ->
		/* One chain. */
		count = 1;
		do
		:: count < LONGEST && count < SIZE - busy -> count++
		:: break
		od;
		do
		:: given[i] -> i++
		:: else -> break
		od;
		given[i] = count;
		n = 0;
		do
		:: n < count ->
			number[slot] = name;
			if
#ifndef HEAD_FIRST
			:: pending == 0 ->
				d_step {
					head = slot; head_wrap = wrap; head_id = i;
					head_next = (n + 1 < count)
				}
			:: else -> put_word(slot, wrap, i, n + 1 < count)
#else
			:: put_word(slot, wrap, i, n + 1 < count)
#endif
			fi;
			d_step { pending++; n++; advance(slot, wrap, 1, FLIP_DRIVER) }
		:: else -> break
		od;
		atomic { busy = busy + count; name = (name + 1) % NUMBERS; count = 0; n = 0; i = 0 }
	:: pending > 0 ->
#ifndef HEAD_FIRST
		put_word(head, head_wrap, head_id, head_next);
#endif
		d_step { pending = 0; head = 0; head_wrap = false; head_id = 0; head_next = false }
	:: busy > pending && avail[back] == back_wrap && used[back] == back_wrap ->
		d_step {
			i = id[back];
			assert(i < SIZE && given[i] > 0);
			n = given[i];
			given[i] = 0;
			assert(busy >= n);
			busy = busy - n;
			advance(back, back_wrap, n, FLIP_DRIVER);
			n = 0;
			i = 0
		}
	od
}

active proctype device()
{
	byte slot, at, expected, busy, n, first, second, at2;
	bool wrap = true, at_wrap = true, at2_wrap;
	byte flight[SIZE];

	do
	:: avail[slot] == wrap && used[slot] != wrap ->
		n = 0;
		do
		:: d_step {
			assert(number[slot] == expected);
			n++;
			assert(busy + n <= SIZE);
			first = id[slot];
			second = next[slot];
			advance(slot, wrap, 1, FLIP_DEVICE)
		}
		if
		:: second
		:: else -> break
		fi
		od;
		atomic {
			assert(flight[first] == 0);
			flight[first] = n;
			busy = busy + n;
			expected = (expected + 1) % NUMBERS;
			n = 0;
			first = 0;
			second = 0
		}
	:: busy > 0 ->
		select(first : 0 .. SIZE - 1);
		select(second : 0 .. SIZE - 1);
		if
		:: flight[first] && first == second ->
			skip
		:: flight[first] && first != second && flight[second] ->
			d_step {
				at2 = at;
				at2_wrap = at_wrap;
				advance(at2, at2_wrap, SKIP(flight[first]), FLIP_DEVICE)
			}
			d_step { avail[at2] = at2_wrap; used[at2] = at2_wrap; id[at2] = second }
		:: else -> goto none
		fi;
		atomic {
			avail[at] = at_wrap;
			used[at] = at_wrap;
			id[at] = first;
			n = SKIP(flight[first]) + (first != second -> SKIP(flight[second]) : 0);
			busy = busy - flight[first] - (first != second -> flight[second] : 0);
			flight[first] = 0;
			flight[second] = 0;
			if
			:: n >= SIZE -> n = n - SIZE; at_wrap = (FLIP_DEVICE -> !at_wrap : at_wrap)
			:: else
			fi;
			advance(at, at_wrap, n, FLIP_DEVICE)
		}
none:		atomic { first = 0; second = 0; n = 0; at2 = 0; at2_wrap = false }
	od
}
