/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One table says what each message looks like, in both directions. Where the programs in
 * the field differ from each other, the row allows what they all send and says who.
 */
#include "vhost-message.h"

#include <errno.h>
#include <string.h>

#define NEEDS(bit) (1ull << VTC__VHOST_PF_##bit)

#define REGION	      ((uint16_t)sizeof(struct vtc__vhost_region))
#define MEMORY_HEADER 8u
#define MEMORY_MIN    (MEMORY_HEADER + REGION)
#define MEMORY_MAX    (MEMORY_HEADER + VTC__VHOST_FDS_MAX * REGION)
#define CONFIG_HEADER 12u
#define CONFIG_MAX    (CONFIG_HEADER + VTC__VHOST_CONFIG_MAX)

enum fds {
	NO_FDS,
	ONE_FD,
	MAYBE_FD,
	FD_UNLESS_FLAGGED, /* by VTC__VHOST_NO_FD */
	FD_EACH_REGION,
	FD_IF_SHARED_LOG,
	FD_IF_SIZE_SET,
};

struct side {
	uint16_t min, max; /* bytes of the payload */
	enum fds fds;
};

struct row {
	const char *name;
	uint64_t needs; /* protocol features */
	struct side request;
	bool has_reply;
	struct side reply;
};

#define BYTES(n)                 \
	{                        \
		(n), (n), NO_FDS \
	}
#define BYTES_FD(n, f)        \
	{                     \
		(n), (n), (f) \
	}
#define U64   BYTES(8)
#define STATE BYTES(8)
#define EMPTY BYTES(0)

static const struct row requests[] = {
	[VTC__VHOST_GET_FEATURES] = { .name = "GET_FEATURES", 0, EMPTY, true, U64 },
	[VTC__VHOST_SET_FEATURES] = { .name = "SET_FEATURES", 0, U64 },
	[VTC__VHOST_SET_OWNER] = { .name = "SET_OWNER", 0, EMPTY },
	[VTC__VHOST_RESET_OWNER] = { .name = "RESET_OWNER", 0, EMPTY },
	[VTC__VHOST_SET_MEM_TABLE] = { .name = "SET_MEM_TABLE",
				       0,
				       { MEMORY_MIN, MEMORY_MAX, FD_EACH_REGION } },
	/* The reply says nothing: DPDK sends no payload, libvhost-user a number. */
	[VTC__VHOST_SET_LOG_BASE] = { .name = "SET_LOG_BASE",
				      0,
				      BYTES_FD(16, FD_IF_SHARED_LOG),
				      true,
				      { 0, 16, NO_FDS } },
	[VTC__VHOST_SET_LOG_FD] = { .name = "SET_LOG_FD", 0, BYTES_FD(0, ONE_FD) },
	[VTC__VHOST_SET_VRING_NUM] = { .name = "SET_VRING_NUM", 0, STATE },
	[VTC__VHOST_SET_VRING_ADDR] = { .name = "SET_VRING_ADDR", 0, BYTES(40) },
	[VTC__VHOST_SET_VRING_BASE] = { .name = "SET_VRING_BASE", 0, STATE },
	[VTC__VHOST_GET_VRING_BASE] = { .name = "GET_VRING_BASE", 0, STATE, true, STATE },
	[VTC__VHOST_SET_VRING_KICK] = { .name = "SET_VRING_KICK",
					0,
					BYTES_FD(8, FD_UNLESS_FLAGGED) },
	[VTC__VHOST_SET_VRING_CALL] = { .name = "SET_VRING_CALL",
					0,
					BYTES_FD(8, FD_UNLESS_FLAGGED) },
	[VTC__VHOST_SET_VRING_ERR] = { .name = "SET_VRING_ERR",
				       0,
				       BYTES_FD(8, FD_UNLESS_FLAGGED) },
	[VTC__VHOST_GET_PROTOCOL_FEATURES] = { .name = "GET_PROTOCOL_FEATURES",
					       0,
					       EMPTY,
					       true,
					       U64 },
	[VTC__VHOST_SET_PROTOCOL_FEATURES] = { .name = "SET_PROTOCOL_FEATURES", 0, U64 },
	[VTC__VHOST_GET_QUEUE_NUM] = { .name = "GET_QUEUE_NUM",
				       NEEDS(MQ),
				       EMPTY,
				       true,
				       U64 },
	[VTC__VHOST_SET_VRING_ENABLE] = { .name = "SET_VRING_ENABLE", 0, STATE },
	[VTC__VHOST_SEND_RARP] = { .name = "SEND_RARP", NEEDS(RARP), U64 },
	[VTC__VHOST_NET_SET_MTU] = { .name = "NET_SET_MTU", NEEDS(MTU), U64 },
	[VTC__VHOST_SET_BACKEND_REQ_FD] = { .name = "SET_BACKEND_REQ_FD",
					    NEEDS(BACKEND_REQ),
					    BYTES_FD(0, ONE_FD) },
	/* A reply without payload: there is no such configuration. */
	[VTC__VHOST_GET_CONFIG] = { .name = "GET_CONFIG",
				    NEEDS(CONFIG),
				    { CONFIG_HEADER, CONFIG_MAX, NO_FDS },
				    true,
				    { 0, CONFIG_MAX, NO_FDS } },
	[VTC__VHOST_SET_CONFIG] = { .name = "SET_CONFIG",
				    NEEDS(CONFIG),
				    { CONFIG_HEADER, CONFIG_MAX, NO_FDS } },
	/* 20 bytes as specified (rust-vmm); 24 in QEMU, DPDK and libvhost-user. */
	[VTC__VHOST_GET_INFLIGHT_FD] = { .name = "GET_INFLIGHT_FD",
					 NEEDS(INFLIGHT),
					 { 20, 24, NO_FDS },
					 true,
					 { 20, 24, FD_IF_SIZE_SET } },
	[VTC__VHOST_SET_INFLIGHT_FD] = { .name = "SET_INFLIGHT_FD",
					 NEEDS(INFLIGHT),
					 { 20, 24, ONE_FD } },
	[VTC__VHOST_RESET_DEVICE] = { .name = "RESET_DEVICE",
				      NEEDS(RESET_DEVICE),
				      EMPTY },
	[VTC__VHOST_GET_MAX_MEM_SLOTS] = { .name = "GET_MAX_MEM_SLOTS",
					   NEEDS(MEM_SLOTS),
					   EMPTY,
					   true,
					   U64 },
	[VTC__VHOST_ADD_MEM_REG] = { .name = "ADD_MEM_REG",
				     NEEDS(MEM_SLOTS),
				     BYTES_FD(40, ONE_FD) },
	/* Older ones of QEMU send the region's descriptor once more. */
	[VTC__VHOST_REM_MEM_REG] = { .name = "REM_MEM_REG",
				     NEEDS(MEM_SLOTS),
				     BYTES_FD(40, MAYBE_FD) },
	[VTC__VHOST_SET_STATUS] = { .name = "SET_STATUS", NEEDS(STATUS), U64 },
	[VTC__VHOST_GET_STATUS] = { .name = "GET_STATUS",
				    NEEDS(STATUS),
				    EMPTY,
				    true,
				    U64 },
};

static const struct row backend_requests[] = {
	[VTC__VHOST_CONFIG_CHANGE] = { .name = "CONFIG_CHANGE",
				       NEEDS(CONFIG) | NEEDS(BACKEND_REQ),
				       EMPTY },
};

/* What REPLY_ACK adds to a request that has no reply of its own. */
static const struct side ack = U64;

_Static_assert(sizeof(struct vtc__vhost_memory) == MEMORY_MAX, "as on the wire");
_Static_assert(sizeof(struct vtc__vhost_addr) == 40, "as on the wire");
_Static_assert(sizeof(struct vtc__vhost_mem_reg) == 40, "as on the wire");
_Static_assert(sizeof(struct vtc__vhost_inflight) == 24, "as on the wire");
_Static_assert(offsetof(struct vtc__vhost_config, bytes) == CONFIG_HEADER,
	       "as on the wire");

static const struct row *row_of(const struct row *rows, size_t count, uint32_t request)
{
	return request < count && rows[request].name ? &rows[request] : NULL;
}

#define ROW_OF(rows, request) row_of(rows, sizeof(rows) / sizeof((rows)[0]), request)

static bool reads_replies(enum vtc__vhost_reader reader)
{
	return reader == VTC__VHOST_FRONTEND || reader == VTC__VHOST_BACKEND_CHANNEL;
}

static const struct row *find_row(uint32_t request, enum vtc__vhost_reader reader)
{
	if (reader == VTC__VHOST_BACKEND || reader == VTC__VHOST_FRONTEND)
		return ROW_OF(requests, request);
	return ROW_OF(backend_requests, request);
}

static const struct side *find_side(const struct row *row, enum vtc__vhost_reader reader)
{
	if (!reads_replies(reader))
		return &row->request;
	return row->has_reply ? &row->reply : &ack;
}

static int refuse(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EPROTO;
}

static uint32_t word(const uint8_t *bytes, unsigned int i)
{
	uint32_t w;

	memcpy(&w, bytes + 4 * i, sizeof(w));
	return w;
}

int vtc__vhost_frame(const uint8_t *header, enum vtc__vhost_reader reader,
		     const char **ret_why)
{
	const struct row *row = find_row(word(header, 0), reader);
	uint32_t flags = word(header, 1), size = word(header, 2);
	const struct side *side;

	if ((flags & VTC__VHOST_VERSION_MASK) != VTC__VHOST_VERSION)
		return refuse(ret_why, "the version is not 1");
	if (!row)
		return refuse(ret_why, "the request is unknown");
	if (!!(flags & VTC__VHOST_REPLY) != reads_replies(reader))
		return refuse(ret_why, flags & VTC__VHOST_REPLY
					       ? "a reply where a request belongs"
					       : "a request where a reply belongs");
	side = find_side(row, reader);
	if (size < side->min || size > side->max)
		return refuse(ret_why, "the size does not fit the request");
	return (int)size;
}

/* ---- What depends on the contents ---- */

static int check_memory(const struct vtc__vhost_message *m, const char **ret_why)
{
	const struct vtc__vhost_memory *memory = &m->payload.memory;

	if (!memory->count || memory->count > VTC__VHOST_FDS_MAX)
		return refuse(ret_why, "the number of regions is not 1 to 8");
	if (m->size != MEMORY_HEADER + memory->count * REGION)
		return refuse(ret_why, "the size does not fit the number of regions");
	return 0;
}

static int check_config(const struct vtc__vhost_message *m, const char **ret_why)
{
	const struct vtc__vhost_config *config = &m->payload.config;

	if (!m->size) /* a reply */
		return 0;
	if (m->size < CONFIG_HEADER || config->size > VTC__VHOST_CONFIG_MAX ||
	    m->size != CONFIG_HEADER + config->size)
		return refuse(ret_why, "the size does not fit that of the configuration");
	return 0;
}

static int check_contents(const struct vtc__vhost_message *m,
			  enum vtc__vhost_reader reader, const char **ret_why)
{
	if (reader != VTC__VHOST_BACKEND && reader != VTC__VHOST_FRONTEND)
		return 0;
	switch (m->request) {
	case VTC__VHOST_SET_MEM_TABLE:
		return reader == VTC__VHOST_BACKEND ? check_memory(m, ret_why) : 0;
	case VTC__VHOST_GET_CONFIG:
		return check_config(m, ret_why);
	case VTC__VHOST_SET_CONFIG:
		return reader == VTC__VHOST_BACKEND ? check_config(m, ret_why) : 0;
	case VTC__VHOST_GET_INFLIGHT_FD:
		if (m->size % 4)
			return refuse(ret_why, "the size does not fit the request");
		return 0;
	case VTC__VHOST_SET_INFLIGHT_FD:
		if (reader == VTC__VHOST_BACKEND && m->size % 4)
			return refuse(ret_why, "the size does not fit the request");
		return 0;
	default:
		return 0;
	}
}

static bool fd_count_is_right(const struct vtc__vhost_message *m, enum fds fds,
			      uint64_t protocol_features)
{
	uint32_t want = 0;

	switch (fds) {
	case NO_FDS:
		break;
	case ONE_FD:
		want = 1;
		break;
	case MAYBE_FD:
		return m->fd_count <= 1;
	case FD_UNLESS_FLAGGED:
		want = !(m->payload.u64 & VTC__VHOST_NO_FD);
		break;
	case FD_EACH_REGION:
		want = m->payload.memory.count;
		break;
	case FD_IF_SHARED_LOG:
		want = !!(protocol_features & NEEDS(LOG_SHMFD));
		break;
	case FD_IF_SIZE_SET:
		want = !!m->payload.inflight.size;
		break;
	}
	return m->fd_count == want;
}

/* Whether what was negotiated allows the message at all. */
static int check_features(const struct row *row, enum vtc__vhost_reader reader,
			  uint32_t request, uint64_t protocol_features,
			  const char **ret_why)
{
	if ((row->needs & protocol_features) != row->needs)
		return refuse(ret_why, "its protocol feature was not negotiated");
	if (!reads_replies(reader))
		return 0;
	if (reader == VTC__VHOST_FRONTEND &&
	    vtc__vhost_has_reply(request, protocol_features))
		return 0;
	if (!(protocol_features & NEEDS(REPLY_ACK)))
		return refuse(ret_why, "a reply where none belongs");
	return 0;
}

static void read_message(const uint8_t *bytes, size_t len, unsigned int fd_count,
			 struct vtc__vhost_message *m)
{
	m->request = word(bytes, 0);
	m->flags = word(bytes, 1);
	m->size = word(bytes, 2);
	m->fd_count = fd_count;
	memset(&m->payload, 0, sizeof(m->payload));
	memcpy(&m->payload, bytes + VTC__VHOST_HEADER, len - VTC__VHOST_HEADER);
	/* What some send in the place of padding is nobody's business. */
	if (m->request == VTC__VHOST_GET_INFLIGHT_FD ||
	    m->request == VTC__VHOST_SET_INFLIGHT_FD)
		m->payload.inflight.padding = 0;
}

int vtc__vhost_parse(const uint8_t *bytes, size_t len, unsigned int fd_count,
		     uint64_t protocol_features, enum vtc__vhost_reader reader,
		     struct vtc__vhost_message *ret_message, const char **ret_why)
{
	const struct row *row;
	int size, err;

	if (len < VTC__VHOST_HEADER)
		return refuse(ret_why, "the header is incomplete");
	size = vtc__vhost_frame(bytes, reader, ret_why);
	if (size < 0)
		return size;
	if (len != VTC__VHOST_HEADER + (size_t)size)
		return refuse(ret_why, "the payload is incomplete");
	row = find_row(word(bytes, 0), reader);
	err = check_features(row, reader, word(bytes, 0), protocol_features, ret_why);
	if (err)
		return err;
	read_message(bytes, len, fd_count, ret_message);
	err = check_contents(ret_message, reader, ret_why);
	if (err)
		return err;
	if (!fd_count_is_right(ret_message, find_side(row, reader)->fds,
			       protocol_features))
		return refuse(ret_why, "the number of descriptors does not fit");
	return 0;
}

bool vtc__vhost_has_reply(uint32_t request, uint64_t protocol_features)
{
	const struct row *row = ROW_OF(requests, request);

	if (request == VTC__VHOST_SET_LOG_BASE)
		return protocol_features & NEEDS(LOG_SHMFD);
	return row && row->has_reply;
}

const char *vtc__vhost_name(uint32_t request)
{
	const struct row *row = ROW_OF(requests, request);

	return row ? row->name : NULL;
}
