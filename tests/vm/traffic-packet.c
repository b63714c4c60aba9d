/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Datagrams and pings, each compared when it comes back. */
#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- datagrams: every size, each compared when it comes back ---- */

#define WINDOW 16

struct flight {
	int fd;
	unsigned int len[WINDOW];
	bool back[WINDOW];
	unsigned int count;
	unsigned int lost; /* sent once more */
};

static void datagram_content(unsigned int len, struct traffic *s)
{
	s->seed = len;
	s->at = 0;
	traffic_content(s, len);
}

static int send_flight(const struct flight *f)
{
	static struct traffic s;

	for (unsigned int i = 0; i < f->count; i++) {
		if (f->back[i])
			continue;
		datagram_content(f->len[i], &s);
		if (send(f->fd, s.words, f->len[i], 0) < 0)
			return traffic_complain("send");
	}
	return 0;
}

/* Which one came; count: none of these (an older one, twice). */
static int note_arrival(struct flight *f, const unsigned char *got, size_t len)
{
	static struct traffic s;
	unsigned int i;

	datagram_content((unsigned int)len, &s);
	if (!traffic_is_content(&s, got, len))
		return -EBADMSG;
	for (i = 0; i < f->count && f->len[i] != len; i++)
		;
	if (i < f->count)
		f->back[i] = true;
	return 0;
}

static unsigned int missing(const struct flight *f)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < f->count; i++)
		n += !f->back[i];
	return n;
}

/* Until all are back, or none came for a second. */
static int receive_flight(struct flight *f)
{
	static unsigned char got[TRAFFIC_DATAGRAM_MAX + 1];
	struct pollfd p = { f->fd, POLLIN, 0 };
	ssize_t n;

	while (missing(f) && poll(&p, 1, 1000) > 0) {
		n = recv(f->fd, got, sizeof(got), 0);
		if (n < 0)
			return traffic_complain("receive");
		if (note_arrival(f, got, (size_t)n))
			return -EBADMSG;
	}
	return 0;
}

static int fly(struct flight *f)
{
	int err;

	memset(f->back, 0, sizeof(f->back));
	for (int tries = 0; tries < 10; tries++) {
		err = send_flight(f);
		if (!err)
			err = receive_flight(f);
		if (err || !missing(f))
			return err;
		f->lost += missing(f);
	}
	fprintf(stderr, "traffic: datagrams of %u to %u bytes do not come back\n",
		f->len[0], f->len[f->count - 1]);
	return -ETIMEDOUT;
}

int traffic_datagrams(const struct sockaddr_in *to)
{
	static const unsigned int fragmented[] = { 1473,  2000,	 2960,
						   4000,  8191,	 16384,
						   40000, 65000, TRAFFIC_DATAGRAM_MAX };
	struct flight f = { .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) };

	if (f.fd < 0 || connect(f.fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		return traffic_complain("connect");
	for (unsigned int len = 1; len <= 1472; len += f.count) {
		for (f.count = 0; f.count < WINDOW && len + f.count <= 1472; f.count++)
			f.len[f.count] = len + f.count;
		if (fly(&f))
			return 1;
	}
	f.count = 1;
	for (size_t i = 0; i < sizeof(fragmented) / sizeof(fragmented[0]); i++) {
		f.len[0] = fragmented[i];
		if (fly(&f))
			return 1;
	}
	printf("1481 datagrams there and back, %u sent again\n", f.lost);
	return 0;
}

/* ---- ping ---- */

static uint16_t checksum(const unsigned char *at, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* True: the echo of the request, whole, within the time. */
static bool is_answered(int fd, const unsigned char *request, size_t len, int wait_ms)
{
	static unsigned char got[65536];
	struct pollfd p = { fd, POLLIN, 0 };
	int64_t end = traffic_now_ms() + wait_ms;

	while (traffic_now_ms() < end && poll(&p, 1, (int)(end - traffic_now_ms())) > 0) {
		ssize_t n = recv(fd, got, sizeof(got), 0);
		size_t head = (size_t)(got[0] & 15) * 4;

		if (n == (ssize_t)(head + len) && got[head] == ICMP_ECHOREPLY &&
		    memcmp(got + head + 4, request + 4, len - 4) == 0)
			return true;
	}
	return false;
}

static size_t fill_request(unsigned char *packet, unsigned int sequence, size_t payload)
{
	struct icmphdr header = { .type = ICMP_ECHO };
	size_t len = sizeof(header) + payload;
	static struct traffic s;

	header.un.echo.id = htons((uint16_t)getpid());
	header.un.echo.sequence = htons((uint16_t)sequence);
	s.seed = sequence;
	memcpy(packet + sizeof(header), traffic_content(&s, payload), payload);
	memcpy(packet, &header, sizeof(header));
	header.checksum = checksum(packet, len);
	memcpy(packet, &header, sizeof(header));
	return len;
}

/* count answers, of small, whole and fragmented packets; 30 s and 2 s for each. */
int traffic_ping(const struct sockaddr_in *to, unsigned int count)
{
	static const size_t payloads[] = { 56, 1472, 5000 };
	unsigned char packet[8192];
	unsigned int answers = 0, i;
	int64_t end = traffic_now_ms() + 30000 + 2000 * (int64_t)count;
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		return traffic_complain("socket");
	for (i = 0; answers < count && traffic_now_ms() < end; i++) {
		size_t len = fill_request(packet, i, payloads[answers % 3]);

		if (send(fd, packet, len, 0) == (ssize_t)len)
			answers += is_answered(fd, packet, len, 1000);
		else
			usleep(200000);
	}
	printf("%u pings, %u answers\n", i, answers);
	return answers < count;
}
