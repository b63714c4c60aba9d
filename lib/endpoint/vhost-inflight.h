/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records of chains in flight (INFLIGHT_SHMFD): memory that the frontend keeps for the
 * next backend, one region for each ring.
 *
 * Chains are completed in the order of the ring here, so what is in flight are those
 * behind the used position, and they are all still in the ring: a successor that goes on
 * there takes them again. So the record of a ring says that none is in flight, and where
 * the used position is. Chains that a predecessor of another kind has marked are done
 * first, and unmarked as the protocol wants it.
 *
 * What a record says is checked once, when it is opened; later it is only written.
 */
#ifndef VTC__VHOST_INFLIGHT_H
#define VTC__VHOST_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include <vtc/vring.h>

struct vtc__vhost_record {
	uint8_t *region; /* NULL: there is no record */
	bool packed;
	uint16_t size;	/* entries */
	uint32_t again; /* split: chains of a predecessor that are still marked */
};

/* Bytes of a ring's region. */
uint64_t vtc__vhost_record_size(bool packed, uint16_t entries);

/* A record that nobody has used yet: what is there is overwritten. */
void vtc__vhost_record_init(struct vtc__vhost_record *r,
			    const struct vtc_vring_state *at);

/*
 * Whether somebody used the record, so that it knows more than the frontend. If it is of
 * another format or size: -EPROTO.
 */
int vtc__vhost_record_is_used(const struct vtc__vhost_record *r);

/*
 * Split: the ring's used index is used. Writes the marked heads in their order to ids,
 * which has room for as many as the ring has descriptors: how many, or -EPROTO.
 */
int vtc__vhost_record_split(struct vtc__vhost_record *r, uint16_t used,
			    uint32_t ring_size, uint32_t *ids);

/*
 * Packed: where to go on in the ring of descriptors. -EPROTO: that is not in the ring.
 * -EOPNOTSUPP: marked chains are not all in the ring any more.
 */
int vtc__vhost_record_packed(struct vtc__vhost_record *r, const uint8_t *ring,
			     uint32_t ring_size, bool in_order,
			     struct vtc_vring_state *ret_at);

/* The ring was stopped with nothing in flight: the next backend needs no record. */
void vtc__vhost_record_close(struct vtc__vhost_record *r);

/*
 * Before and after chains become visible as used. Packed: one chain at a time, and next
 * is the used position behind it.
 */
void vtc__vhost_record_before(struct vtc__vhost_record *r, const struct vtc_done *done,
			      unsigned int count, uint16_t next, bool wrap);
void vtc__vhost_record_after(struct vtc__vhost_record *r, const struct vtc_done *done,
			     unsigned int count, uint16_t used);

#endif
