/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages of the vhost-user protocol, and a parser that is a pure function: bytes and
 * the number of descriptors that came with them in, a checked message or a reason out.
 * All integers are in the machine's byte order, as the protocol says.
 */
#ifndef VTC__VHOST_MESSAGE_H
#define VTC__VHOST_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Requests of a frontend. */
enum vtc__vhost_request {
	VTC__VHOST_GET_FEATURES = 1,
	VTC__VHOST_SET_FEATURES = 2,
	VTC__VHOST_SET_OWNER = 3,
	VTC__VHOST_RESET_OWNER = 4,
	VTC__VHOST_SET_MEM_TABLE = 5,
	VTC__VHOST_SET_LOG_BASE = 6,
	VTC__VHOST_SET_LOG_FD = 7,
	VTC__VHOST_SET_VRING_NUM = 8,
	VTC__VHOST_SET_VRING_ADDR = 9,
	VTC__VHOST_SET_VRING_BASE = 10,
	VTC__VHOST_GET_VRING_BASE = 11,
	VTC__VHOST_SET_VRING_KICK = 12,
	VTC__VHOST_SET_VRING_CALL = 13,
	VTC__VHOST_SET_VRING_ERR = 14,
	VTC__VHOST_GET_PROTOCOL_FEATURES = 15,
	VTC__VHOST_SET_PROTOCOL_FEATURES = 16,
	VTC__VHOST_GET_QUEUE_NUM = 17,
	VTC__VHOST_SET_VRING_ENABLE = 18,
	VTC__VHOST_SEND_RARP = 19,
	VTC__VHOST_NET_SET_MTU = 20,
	VTC__VHOST_SET_BACKEND_REQ_FD = 21,
	VTC__VHOST_GET_CONFIG = 24,
	VTC__VHOST_SET_CONFIG = 25,
	VTC__VHOST_GET_INFLIGHT_FD = 31,
	VTC__VHOST_SET_INFLIGHT_FD = 32,
	VTC__VHOST_RESET_DEVICE = 34,
	VTC__VHOST_GET_MAX_MEM_SLOTS = 36,
	VTC__VHOST_ADD_MEM_REG = 37,
	VTC__VHOST_REM_MEM_REG = 38,
	VTC__VHOST_SET_STATUS = 39,
	VTC__VHOST_GET_STATUS = 40,
};

/* Requests of a backend, on the connection that SET_BACKEND_REQ_FD gave it. */
enum vtc__vhost_backend_request {
	VTC__VHOST_CONFIG_CHANGE = 2,
};

/* Bits of the protocol features. */
#define VTC__VHOST_PF_MQ	   0
#define VTC__VHOST_PF_LOG_SHMFD	   1
#define VTC__VHOST_PF_RARP	   2
#define VTC__VHOST_PF_REPLY_ACK	   3
#define VTC__VHOST_PF_MTU	   4
#define VTC__VHOST_PF_BACKEND_REQ  5
#define VTC__VHOST_PF_CONFIG	   9
#define VTC__VHOST_PF_INFLIGHT	   12
#define VTC__VHOST_PF_RESET_DEVICE 13
#define VTC__VHOST_PF_MEM_SLOTS	   15
#define VTC__VHOST_PF_STATUS	   16

/* Feature bits that are the transport's own. */
#define VTC__VHOST_F_LOG_ALL	       26
#define VTC__VHOST_F_PROTOCOL_FEATURES 30
#define VTC__F_VERSION_1	       32

/* Flags of the header. */
#define VTC__VHOST_VERSION	1u
#define VTC__VHOST_VERSION_MASK 3u
#define VTC__VHOST_REPLY	4u
#define VTC__VHOST_NEED_REPLY	8u

#define VTC__VHOST_HEADER     12u
#define VTC__VHOST_FDS_MAX    8u
#define VTC__VHOST_CONFIG_MAX 256u
#define VTC__VHOST_QUEUE_MASK 0xffu	/* of the number in SET_VRING_KICK and its kin */
#define VTC__VHOST_NO_FD      (1u << 8) /* likewise: there is no descriptor */
#define VTC__VHOST_ADDR_LOG   1u	/* vtc__vhost_addr.flags: log the used ring */

struct vtc__vhost_state {
	uint32_t index;
	uint32_t num;
};

struct vtc__vhost_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc; /* these three are addresses of the frontend's own */
	uint64_t used;
	uint64_t avail;
	uint64_t log; /* guest address of the used ring */
};

struct vtc__vhost_region {
	uint64_t guest_addr;
	uint64_t size;
	uint64_t user_addr;
	uint64_t mmap_offset;
};

struct vtc__vhost_memory {
	uint32_t count;
	uint32_t padding;
	struct vtc__vhost_region region[VTC__VHOST_FDS_MAX];
};

struct vtc__vhost_mem_reg {
	uint64_t padding;
	struct vtc__vhost_region region;
};

struct vtc__vhost_log {
	uint64_t size;
	uint64_t offset;
};

struct vtc__vhost_config {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t bytes[VTC__VHOST_CONFIG_MAX];
};

/* QEMU and DPDK have 24 bytes on the wire, rust-vmm 20: send 24, reply as was asked. */
struct vtc__vhost_inflight {
	uint64_t size;
	uint64_t offset;
	uint16_t queues;
	uint16_t queue_size;
	uint32_t padding;
};

/*
 * A message. What the wire does not have is 0. Descriptors are owned by whoever has the
 * message: taking one out means to put -1 in its place.
 */
struct vtc__vhost_message {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of the payload, on the wire */
	uint32_t fd_count;
	int fds[VTC__VHOST_FDS_MAX];
	union {
		uint64_t u64;
		struct vtc__vhost_state state;
		struct vtc__vhost_addr addr;
		struct vtc__vhost_memory memory;
		struct vtc__vhost_mem_reg mem_reg;
		struct vtc__vhost_log log;
		struct vtc__vhost_config config;
		struct vtc__vhost_inflight inflight;
	} payload;
};

/* Largest payload of any message that is known here. */
#define VTC__VHOST_PAYLOAD_MAX                                         \
	(sizeof(struct vtc__vhost_memory) > 12 + VTC__VHOST_CONFIG_MAX \
		 ? sizeof(struct vtc__vhost_memory)                    \
		 : 12 + VTC__VHOST_CONFIG_MAX)

/* Who reads: a backend (requests), or a frontend (replies; its request channel). */
enum vtc__vhost_reader {
	VTC__VHOST_BACKEND,
	VTC__VHOST_FRONTEND,
	VTC__VHOST_FRONTEND_CHANNEL, /* reads the backend's requests */
	VTC__VHOST_BACKEND_CHANNEL,  /* reads replies to them */
};

/*
 * Look at a header (12 bytes): how long its payload is, or -EPROTO with a reason: unknown
 * request, wrong version, a reply where none belongs, or an impossible size.
 */
int vtc__vhost_frame(const uint8_t *header, enum vtc__vhost_reader reader,
		     const char **ret_why);

/*
 * Check a whole message, header and payload, against the table of sizes and descriptor
 * counts, and against the protocol features that were negotiated. 0, or -EPROTO with a
 * reason. The message's fds[] are left to the caller.
 */
int vtc__vhost_parse(const uint8_t *bytes, size_t len, unsigned int fd_count,
		     uint64_t protocol_features, enum vtc__vhost_reader reader,
		     struct vtc__vhost_message *ret_message, const char **ret_why);

/* Does this request have a reply of its own (other than by REPLY_ACK)? */
bool vtc__vhost_has_reply(uint32_t request, uint64_t protocol_features);

/* Name of a request, for records; "request N" if unknown is up to the caller: NULL. */
const char *vtc__vhost_name(uint32_t request);

#endif
