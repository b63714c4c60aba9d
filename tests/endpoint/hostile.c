/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hostile frontend: see hostile.h. */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vtc/port.h>

#include "vhostclient.h"
#include "vtct.h"

#define BIT(n) (1ull << (n))
#define ALL_PROTOCOL                                                      \
	(BIT(VTC__VHOST_PF_MQ) | BIT(VTC__VHOST_PF_LOG_SHMFD) |           \
	 BIT(VTC__VHOST_PF_RARP) | BIT(VTC__VHOST_PF_REPLY_ACK) |         \
	 BIT(VTC__VHOST_PF_MTU) | BIT(VTC__VHOST_PF_BACKEND_REQ) |        \
	 BIT(VTC__VHOST_PF_CONFIG) | BIT(VTC__VHOST_PF_INFLIGHT) |        \
	 BIT(VTC__VHOST_PF_RESET_DEVICE) | BIT(VTC__VHOST_PF_MEM_SLOTS) | \
	 BIT(VTC__VHOST_PF_STATUS))

/* ---- Descriptors ---- */

static int checked(int fd, const char *what)
{
	if (fd < 0)
		vtct_die("%s: %s", what, strerror(errno));
	return fd;
}

static int memory(size_t len, int seals)
{
	int fd = checked(memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING),
			 "memfd_create");

	if (ftruncate(fd, (off_t)len) || fcntl(fd, F_ADD_SEALS, seals))
		vtct_die("memfd: %s", strerror(errno));
	return fd;
}

static int one_end_of(int pair[2])
{
	(void)close(pair[1]);
	return pair[0];
}

static int full_bell(void)
{
	uint64_t most = UINT64_MAX - 1;
	int fd = checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");

	if (write(fd, &most, sizeof(most)) != sizeof(most))
		vtct_die("eventfd: %s", strerror(errno));
	return fd;
}

static void open_fds(struct hostile *h)
{
	int pair[2];

	h->fds[HOSTILE_SEALED] = memory(HOSTILE_LEN, F_SEAL_SHRINK | F_SEAL_SEAL);
	h->fds[HOSTILE_SMALL] = memory(HOSTILE_PAGE, F_SEAL_SHRINK);
	h->fds[HOSTILE_UNSEALED] = memory(HOSTILE_LEN, F_SEAL_GROW);
	h->fds[HOSTILE_BELL] = checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
	h->fds[HOSTILE_BLOCKING] = checked(eventfd(0, EFD_CLOEXEC), "eventfd");
	checked(pipe2(pair, O_CLOEXEC | O_NONBLOCK), "pipe");
	h->fds[HOSTILE_PIPE] = one_end_of(pair);
	vhostclient_pair(pair);
	h->fds[HOSTILE_SOCKET] = one_end_of(pair);
	h->fds[HOSTILE_NULL] = checked(open("/dev/null", O_RDWR | O_CLOEXEC), "null");
	h->fds[HOSTILE_ZERO] = checked(open("/dev/zero", O_RDONLY | O_CLOEXEC), "zero");
	h->fds[HOSTILE_FOLDER] = checked(open("/", O_RDONLY | O_CLOEXEC), "/");
	h->fds[HOSTILE_FULL] = full_bell();
}

void hostile_open(struct hostile *h, int fd)
{
	h->fd = fd;
	h->flags = VTC__VHOST_VERSION;
	h->start = 0;
	open_fds(h);
	for (unsigned int i = 0; i < HOSTILE_RINGS; i++) {
		h->kick[i] = checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
		h->call[i] = checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
	}
	h->base = mmap(NULL, HOSTILE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
		       h->fds[HOSTILE_SEALED], 0);
	if (h->base == MAP_FAILED)
		vtct_die("mmap: %s", strerror(errno));
}

void hostile_close(struct hostile *h)
{
	(void)munmap(h->base, HOSTILE_LEN);
	for (unsigned int i = 0; i < HOSTILE_RINGS; i++) {
		(void)close(h->kick[i]);
		(void)close(h->call[i]);
	}
	for (unsigned int i = 0; i < HOSTILE_FDS; i++)
		(void)close(h->fds[i]);
	(void)close(h->fd);
}

/* ---- Messages ---- */

void hostile_send(struct hostile *h, uint32_t request, const void *payload, uint32_t size,
		  const int *fds, unsigned int count)
{
	(void)vhostclient_request(h->fd, request, h->flags, payload, size, fds, count);
}

void hostile_send_u64(struct hostile *h, uint32_t request, uint64_t value)
{
	hostile_send(h, request, &value, sizeof(value), NULL, 0);
}

void hostile_send_state(struct hostile *h, uint32_t request, uint32_t index, uint32_t num)
{
	struct vtc__vhost_state state = { index, num };

	hostile_send(h, request, &state, sizeof(state), NULL, 0);
}

unsigned int hostile_read(struct hostile *h)
{
	struct vhostclient_reply r;
	unsigned int n = 0;

	for (; vhostclient_receive(h->fd, &r) == 1; n++) {
		for (unsigned int i = 0; i < r.fd_count; i++)
			(void)close(r.fds[i]);
	}
	return n;
}

/* A packed ring begins with both wrap counters at 1. */
static void set_start(struct hostile *h, uint64_t features)
{
	h->start = features & BIT(VTC_VRING_F_PACKED) ? 0x80008000 : 0;
}

void hostile_greet(struct hostile *h, uint64_t features, uint64_t protocol)
{
	set_start(h, features);
	hostile_send(h, VTC__VHOST_GET_FEATURES, NULL, 0, NULL, 0);
	hostile_send(h, VTC__VHOST_SET_OWNER, NULL, 0, NULL, 0);
	hostile_send_u64(h, VTC__VHOST_SET_PROTOCOL_FEATURES, protocol);
	hostile_send_u64(h, VTC__VHOST_SET_FEATURES,
			 features | BIT(VTC__F_VERSION_1) |
				 BIT(VTC__VHOST_F_PROTOCOL_FEATURES));
}

void hostile_share(struct hostile *h)
{
	struct vtc__vhost_memory table = {
		.count = 1, .region = { { HOSTILE_GUEST, HOSTILE_LEN, HOSTILE_USER, 0 } }
	};

	hostile_send(h, VTC__VHOST_SET_MEM_TABLE, &table, 40, &h->fds[HOSTILE_SEALED], 1);
}

struct vtc__vhost_addr hostile_addr(uint32_t ring)
{
	uint64_t at = HOSTILE_USER + ring * HOSTILE_PAGE;

	return (struct vtc__vhost_addr){ .index = ring,
					 .desc = at,
					 .avail = at + HOSTILE_DRIVER,
					 .used = at + HOSTILE_DEVICE };
}

void hostile_start(struct hostile *h, uint32_t ring)
{
	struct vtc__vhost_addr addr = hostile_addr(ring);
	uint64_t index = ring;

	hostile_send_state(h, VTC__VHOST_SET_VRING_NUM, ring, HOSTILE_SIZE);
	hostile_send_state(h, VTC__VHOST_SET_VRING_BASE, ring, h->start);
	hostile_send(h, VTC__VHOST_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	hostile_send(h, VTC__VHOST_SET_VRING_KICK, &index, 8,
		     &h->kick[ring % HOSTILE_RINGS], 1);
	hostile_send(h, VTC__VHOST_SET_VRING_CALL, &index, 8,
		     &h->call[ring % HOSTILE_RINGS], 1);
	hostile_send_state(h, VTC__VHOST_SET_VRING_ENABLE, ring, 1);
}

void hostile_begin(struct hostile *h, uint64_t features)
{
	hostile_greet(h, features, ALL_PROTOCOL & ~BIT(VTC__VHOST_PF_LOG_SHMFD));
	hostile_share(h);
	hostile_start(h, 0);
	hostile_start(h, 1);
}

/* ---- What an input says ---- */

struct input {
	const uint8_t *bytes;
	size_t len;
};

static uint32_t take(struct input *in)
{
	if (!in->len)
		return 0;
	in->len--;
	return *in->bytes++;
}

static uint32_t take32(struct input *in)
{
	uint32_t value = take(in);

	value = value << 8 | take(in);
	value = value << 8 | take(in);
	return value << 8 | take(in);
}

static uint64_t take64(struct input *in)
{
	return (uint64_t)take32(in) << 32 | take32(in);
}

/* Numbers near the edges of what is allowed, more often than others. */
static uint32_t take_number(struct input *in)
{
	static const uint32_t edge[] = {
		0, 1, 2, 3, 4, 8, HOSTILE_SIZE, 32768, 32769, 65535, 65536, UINT32_MAX,
	};
	uint32_t how = take(in);

	return how & 0x80 ? take32(in) : edge[how % (sizeof(edge) / sizeof(edge[0]))];
}

static uint64_t take_offset(struct input *in)
{
	uint32_t how = take(in);

	switch (how % 8) {
	case 0:
		return take64(in);
	case 1:
		return HOSTILE_LEN - how / 8;
	case 2:
		return (uint64_t)(how / 8) * HOSTILE_PAGE;
	case 3:
		return UINT64_MAX - how / 8;
	default:
		return (uint64_t)(how / 8) * HOSTILE_PAGE / 2;
	}
}

static unsigned int take_fds(struct hostile *h, struct input *in, unsigned int count,
			     int *fds)
{
	uint32_t how = take(in);

	if (how & 0x80)
		count = how % 10;
	for (unsigned int i = 0; i < count; i++)
		fds[i] = h->fds[count > 1 || how & 0x40 ? take(in) % HOSTILE_FDS
							: how % HOSTILE_FDS];
	return count;
}

static struct vtc__vhost_region take_region(struct input *in)
{
	uint32_t how = take(in);
	struct vtc__vhost_region r = { HOSTILE_GUEST, HOSTILE_LEN, HOSTILE_USER, 0 };

	if (how & 1)
		r.guest_addr += take_offset(in);
	if (how & 2)
		r.user_addr += take_offset(in);
	if (how & 4)
		r.size = take_offset(in);
	if (how & 8)
		r.mmap_offset = take_offset(in);
	return r;
}

static void send_table(struct hostile *h, struct input *in)
{
	struct vtc__vhost_memory table = { .count = take(in) % 9 };
	int fds[16];

	for (uint32_t i = 0; i < table.count && i < VTC__VHOST_FDS_MAX; i++)
		table.region[i] = take_region(in);
	hostile_send(h, VTC__VHOST_SET_MEM_TABLE, &table, 8 + 32 * table.count, fds,
		     take_fds(h, in, table.count, fds));
}

static void send_region(struct hostile *h, struct input *in, uint32_t request)
{
	struct vtc__vhost_mem_reg reg = { 0, take_region(in) };
	int fds[16];

	hostile_send(h, request, &reg, sizeof(reg), fds, take_fds(h, in, 1, fds));
}

static void send_addr(struct hostile *h, struct input *in)
{
	uint32_t how = take(in);
	struct vtc__vhost_addr addr = hostile_addr(how % 5);

	if (how & 0x10)
		addr.desc = HOSTILE_USER + take_offset(in);
	if (how & 0x20)
		addr.avail = HOSTILE_USER + take_offset(in);
	if (how & 0x40)
		addr.used = HOSTILE_USER + take_offset(in);
	if (how & 0x80)
		addr.flags = take(in);
	hostile_send(h, VTC__VHOST_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
}

static void send_doorbell(struct hostile *h, struct input *in)
{
	uint32_t how = take(in);
	uint64_t value = how % 5 | (how & 8 ? VTC__VHOST_NO_FD : 0);
	int fds[16];

	hostile_send(h, VTC__VHOST_SET_VRING_KICK + how / 16 % 3, &value, 8, fds,
		     take_fds(h, in, !(how & 8), fds));
}

static void send_log(struct hostile *h, struct input *in)
{
	struct vtc__vhost_log log = { take_offset(in), take_offset(in) };
	int fds[16];

	hostile_send(h, VTC__VHOST_SET_LOG_BASE, &log, sizeof(log), fds,
		     take_fds(h, in, 1, fds));
}

static void send_inflight(struct hostile *h, struct input *in)
{
	struct vtc__vhost_inflight inflight = { .size = take_offset(in),
						.offset = take_offset(in),
						.queues = (uint16_t)take_number(in),
						.queue_size = (uint16_t)take_number(in) };
	bool get = take(in) & 1;
	int fds[16];

	hostile_send(h, get ? VTC__VHOST_GET_INFLIGHT_FD : VTC__VHOST_SET_INFLIGHT_FD,
		     &inflight, 20, fds, take_fds(h, in, !get, fds));
}

/* A record that may be right, in memory that it can still write to. */
static void send_record(struct hostile *h, struct input *in)
{
	uint32_t how = take(in);
	struct vtc__vhost_inflight inflight = { HOSTILE_PAGE, HOSTILE_RECORD, 2,
						HOSTILE_SIZE, 0 };
	uint16_t head[] = { 1, HOSTILE_SIZE, (uint16_t)take(in), (uint16_t)take(in) };
	size_t entry = how & 2 ? 32 : 16;
	size_t ring = how & 1 ? (entry * (HOSTILE_SIZE + 1) + 63) / 64 * 64 : 0;

	memset(h->base + HOSTILE_RECORD, 0, HOSTILE_PAGE);
	memcpy(h->base + HOSTILE_RECORD + ring + 8, head, sizeof(head));
	if (how & 8) /* both wrap counters of a packed one */
		memset(h->base + HOSTILE_RECORD + ring + 20, 1, 2);
	for (uint32_t i = 0; i < HOSTILE_SIZE && how & 4; i++)
		h->base[HOSTILE_RECORD + ring + entry * (i + 1)] = take(in) & 1;
	hostile_send(h, VTC__VHOST_SET_INFLIGHT_FD, &inflight, 20,
		     &h->fds[HOSTILE_SEALED], 1);
}

static void send_config(struct hostile *h, struct input *in)
{
	uint32_t how = take(in);
	struct vtc__vhost_config config = { .offset = take_number(in),
					    .size = how & 0x7f };

	hostile_send(h, how & 0x80 ? VTC__VHOST_SET_CONFIG : VTC__VHOST_GET_CONFIG,
		     &config, 12 + config.size, NULL, 0);
}

static void send_features(struct hostile *h, struct input *in)
{
	uint64_t features = BIT(VTC__F_VERSION_1);
	uint32_t how = take(in);

	if (how & 1)
		features |= BIT(VTC__VHOST_F_PROTOCOL_FEATURES);
	if (how & 2)
		features |= BIT(VTC_VRING_F_PACKED);
	if (how & 4)
		features |= BIT(VTC__VHOST_F_LOG_ALL);
	if (how & 8)
		features |= BIT(VTC_VRING_F_EVENT_IDX);
	if (how & 16)
		features |= BIT(VTC_VRING_F_INDIRECT);
	if (how & 32)
		features |= BIT(VTC_VRING_F_IN_ORDER);
	if (how & 64)
		features |= BIT(VTC_NET_F_MRG_RXBUF);
	if (how & 128)
		features ^= take64(in);
	set_start(h, features);
	hostile_send_u64(h, VTC__VHOST_SET_FEATURES, features);
}

static void send_any(struct hostile *h, struct input *in)
{
	uint8_t payload[300];
	uint32_t request = take(in) % 42, flags = h->flags, size = take(in);
	int fds[16];

	if (size >= 128)
		size = (size & 0x7f) * 2;
	for (uint32_t i = 0; i < size; i++)
		payload[i] = (uint8_t)take(in);
	if (size == 9)
		flags = take32(in);
	(void)vhostclient_request(h->fd, request, flags, payload, size, fds,
				  take_fds(h, in, 0, fds));
}

static void send_bytes(struct hostile *h, struct input *in)
{
	uint8_t bytes[32];
	size_t len = 1 + take(in) % sizeof(bytes);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)take(in);
	(void)vhostclient_send(h->fd, bytes, len, NULL, 0);
}

static void send_small(struct hostile *h, struct input *in)
{
	static const uint32_t requests[] = {
		VTC__VHOST_SET_VRING_NUM,
		VTC__VHOST_SET_VRING_BASE,
		VTC__VHOST_GET_VRING_BASE,
		VTC__VHOST_SET_VRING_ENABLE,
		VTC__VHOST_RESET_DEVICE,
		VTC__VHOST_RESET_OWNER,
		VTC__VHOST_GET_STATUS,
		VTC__VHOST_SET_STATUS,
		VTC__VHOST_NET_SET_MTU,
		VTC__VHOST_SEND_RARP,
		VTC__VHOST_GET_QUEUE_NUM,
		VTC__VHOST_GET_MAX_MEM_SLOTS,
		VTC__VHOST_SET_PROTOCOL_FEATURES,
	};
	uint32_t request = requests[take(in) % (sizeof(requests) / sizeof(requests[0]))];

	switch (request) {
	case VTC__VHOST_RESET_DEVICE:
	case VTC__VHOST_RESET_OWNER:
	case VTC__VHOST_GET_STATUS:
	case VTC__VHOST_GET_QUEUE_NUM:
	case VTC__VHOST_GET_MAX_MEM_SLOTS:
		hostile_send(h, request, NULL, 0, NULL, 0);
		return;
	case VTC__VHOST_SET_PROTOCOL_FEATURES:
		hostile_send_u64(h, request, take(in) & 0x80 ? take64(in) : ALL_PROTOCOL);
		return;
	default:
		hostile_send_state(h, request, take(in) % 6, take_number(in));
	}
}

/* In the rings, where it matters, or in what they point to. */
static void poke(struct hostile *h, struct input *in)
{
	size_t at = (size_t)take(in) * 16 % HOSTILE_LEN, len = take(in) % 64;

	if (len & 1)
		at += HOSTILE_BUFFERS / 2;
	for (size_t i = 0; i < len && at + i < HOSTILE_LEN; i++)
		h->base[at + i] = (uint8_t)take(in);
}

/* A chain of one or two buffers on a split ring, as a good driver would. */
static void add_chain(struct hostile *h, struct input *in)
{
	uint32_t how = take(in), ring = how & 1, i = how / 2 % HOSTILE_SIZE;
	uint8_t *page = h->base + ring * HOSTILE_PAGE;
	uint64_t addr = HOSTILE_GUEST + HOSTILE_BUFFERS + i * 2048;
	uint32_t len = how & 0x40 ? take32(in) : (ring ? 200 : 500) + how;
	uint16_t flags = (uint16_t)((ring ? 0 : 2) | (how & 0x80 ? take(in) : 0));
	uint16_t id = (uint16_t)i, idx;

	memcpy(page + 16 * i, &addr, 8);
	memcpy(page + 16 * i + 8, &len, 4);
	memcpy(page + 16 * i + 12, &flags, 2);
	memcpy(&idx, page + HOSTILE_DRIVER + 2, 2);
	memcpy(page + HOSTILE_DRIVER + 4 + 2 * (idx % HOSTILE_SIZE), &id, 2);
	idx++;
	memcpy(page + HOSTILE_DRIVER + 2, &idx, 2);
}

/* The same on a packed ring, whose wrap counter is 1 unless it is told. */
static void add_packed_chain(struct hostile *h, struct input *in)
{
	uint32_t how = take(in), ring = how & 1, i = how / 2 % HOSTILE_SIZE;
	uint64_t addr = HOSTILE_GUEST + HOSTILE_BUFFERS + i * 2048;
	uint32_t len = how & 0x40 ? take32(in) : (ring ? 200 : 500) + how;
	uint16_t flags = (uint16_t)((ring ? 0 : 2) | (how & 0x80 ? take(in) : 0));
	uint16_t id = (uint16_t)i;

	flags |= how & 0x20 ? 1u << 15 : 1u << 7;
	memcpy(h->base + ring * HOSTILE_PAGE + 16 * i, &addr, 8);
	memcpy(h->base + ring * HOSTILE_PAGE + 16 * i + 8, &len, 4);
	memcpy(h->base + ring * HOSTILE_PAGE + 16 * i + 12, &id, 2);
	memcpy(h->base + ring * HOSTILE_PAGE + 16 * i + 14, &flags, 2);
}

static void kick(struct hostile *h, struct input *in)
{
	uint64_t one = 1;

	if (write(h->kick[take(in) % HOSTILE_RINGS], &one, sizeof(one)) < 0 &&
	    errno != EAGAIN)
		vtct_die("kick: %s", strerror(errno));
}

static void resize(struct hostile *h, struct input *in)
{
	if (ftruncate(h->fds[HOSTILE_UNSEALED], (off_t)(take(in) % 17) * HOSTILE_PAGE) &&
	    errno != EPERM)
		vtct_die("ftruncate: %s", strerror(errno));
}

static void begin(struct hostile *h, struct input *in)
{
	uint32_t how = take(in);

	hostile_begin(h, (how & 1 ? BIT(VTC_VRING_F_PACKED) : 0) |
				 (how & 2 ? BIT(VTC_VRING_F_EVENT_IDX) : 0) |
				 (how & 4 ? BIT(VTC_VRING_F_IN_ORDER) : 0) |
				 (how & 8 ? BIT(VTC_NET_F_MRG_RXBUF) : 0) |
				 (how & 16 ? BIT(VTC_VRING_F_INDIRECT) : 0));
	if (how & 32)
		hostile_start(h, 2);
	if (how & 64)
		hostile_start(h, 3);
}

static void act(struct hostile *h, struct input *in)
{
	switch (take(in) % 24) {
	case 0:
		begin(h, in);
		break;
	case 1:
		send_table(h, in);
		break;
	case 2:
		send_region(h, in, VTC__VHOST_ADD_MEM_REG);
		break;
	case 3:
		send_region(h, in, VTC__VHOST_REM_MEM_REG);
		break;
	case 4:
		send_addr(h, in);
		break;
	case 5:
		send_doorbell(h, in);
		break;
	case 6:
		send_log(h, in);
		break;
	case 7:
		send_inflight(h, in);
		break;
	case 8:
		send_features(h, in);
		break;
	case 9:
		send_any(h, in);
		break;
	case 10:
		send_bytes(h, in);
		break;
	case 11:
		poke(h, in);
		break;
	case 12:
		kick(h, in);
		break;
	case 13:
		resize(h, in);
		break;
	case 14:
		hostile_start(h, take(in) % 5);
		break;
	case 15:
		hostile_greet(h, 0, ALL_PROTOCOL);
		break;
	case 16:
		(void)hostile_read(h);
		break;
	case 17:
		add_chain(h, in);
		break;
	case 18:
		add_packed_chain(h, in);
		break;
	case 19:
		h->flags ^= VTC__VHOST_NEED_REPLY;
		break;
	case 20:
		send_record(h, in);
		break;
	case 21:
		send_config(h, in);
		break;
	case 22:
		hostile_send(h, VTC__VHOST_SET_BACKEND_REQ_FD, NULL, 0,
			     &h->fds[take(in) % HOSTILE_FDS], 1);
		break;
	default:
		send_small(h, in);
	}
}

void hostile_act(struct hostile *h, const uint8_t *bytes, size_t len, void (*serve)(void))
{
	struct input in = { bytes, len };

	while (in.len) {
		act(h, &in);
		serve();
	}
	(void)hostile_read(h);
}
