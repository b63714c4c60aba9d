/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tables of the guard program, as the program and the library see them. Whoever opens
 * tables that another process made goes by magic and ABI: a change of anything here is a
 * new ABI.
 */
#ifndef VTC__GUARD_MAP_H
#define VTC__GUARD_MAP_H

#include <linux/types.h>

#define VTC__GUARD_SLOTS   64u	 /* pools of a card */
#define VTC__GUARD_QUEUES  128u	 /* queues that sockets can be on */
#define VTC__GUARD_FILTERS 8192u /* of all pools of a card */

#define VTC__GUARD_MAGIC 0x76746364u
#define VTC__GUARD_ABI	 2u

/* The number of a VLAN in a rule that is about all VLANs. */
#define VTC__GUARD_ANY_VLAN 0xffffu

/* Kinds of rules, in the order in which they are looked up. */
enum vtc__guard_kind {
	VTC__GUARD_MAC_VLAN,
	VTC__GUARD_MAC,
	VTC__GUARD_VLAN,
	VTC__GUARD_KINDS,
};

/* The tables, in the order of vtc__guard_config.tables. */
enum vtc__guard_table {
	VTC__GUARD_CONFIG,  /* 0 -> struct vtc__guard_config */
	VTC__GUARD_PLACE,   /* slot -> struct vtc__guard_place */
	VTC__GUARD_RULE,    /* struct vtc__guard_rule -> slot */
	VTC__GUARD_MEMBER,  /* struct vtc__guard_member -> how many rules */
	VTC__GUARD_STATS,   /* slot -> struct vtc__guard_stats of each processor */
	VTC__GUARD_SOCKETS, /* slot * VTC__GUARD_QUEUES + receive queue -> socket */
	VTC__GUARD_TARGETS, /* slot -> interface */
	VTC__GUARD_COPIES, /* the same for copies: one table serves one type of program */
	VTC__GUARD_TABLES, /* how many there are */
};

struct vtc__guard_config {
	__u32 magic, abi;
	__u32 everything; /* slot for what is nobody's; VTC__GUARD_SLOTS: none */
	__u32 ifindex;
	__u32 behind_driver;
	__u32 rules[VTC__GUARD_KINDS];	 /* how many there are, or more */
	__u32 tables[VTC__GUARD_TABLES]; /* their numbers in the kernel */
};

/* With VLAN alone the address is zero. */
struct vtc__guard_rule {
	__u8 mac[6];
	__u16 vlan;
};

/* Who gets group frames of a VLAN. */
struct vtc__guard_member {
	__u16 slot;
	__u16 vlan;
};

struct vtc__guard_slot {
	__u32 used;
	__u32 group_copy;  /* copies of group frames go to the target */
	__u32 target;	   /* index of the target interface; 0: none */
	__u32 queue_first; /* queues that are the slot's own ... */
	__u32 queue_count; /* ... 0: all, nothing is a missort */
};

/* What the table has of a slot. */
struct vtc__guard_place {
	struct vtc__guard_slot slot;
	__u32 takes_parts; /* the target takes frames that do not lie in one piece ... */
	__u32 sockets_take_parts; /* ... and so do the sockets */
};

struct vtc__guard_stats {
	__u64 packets, bytes; /* taken by the slot */
	__u64 missort;	      /* of these, on a queue of somebody else */
	__u64 to_socket, to_target, to_stack;
};

#endif
