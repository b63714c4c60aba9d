/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Both ends of a network path, for scripts: what is sent can be told from any other
 * bytes, and everything that arrives is compared. Needs neither libvtc nor another
 * program, so that it runs in a guest that has next to nothing.
 */
#ifndef VTC_TRAFFIC_H
#define VTC_TRAFFIC_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRAFFIC_CHUNK	     65536u
#define TRAFFIC_DATAGRAM_MAX 65507u

/* Content: endless, and known at every position. */
struct traffic {
	uint64_t seed;
	uint64_t at;  /* bytes done */
	uint64_t end; /* bytes there will be */
	bool closed;
	uint64_t words[TRAFFIC_CHUNK / 8 + 2];
};

/* The next len bytes (TRAFFIC_CHUNK at most), which stay next until somebody moves at. */
const unsigned char *traffic_content(struct traffic *t, size_t len);
bool traffic_is_content(struct traffic *t, const unsigned char *got, size_t len);

int traffic_complain(const char *what);
int64_t traffic_now_ms(void);

/* The verbs of the command line: exit statuses. */
int traffic_serve(uint16_t port, const char *until);
int traffic_stream(const struct sockaddr_in *to, uint64_t bytes, unsigned int pause_ms);
int traffic_pages(const struct sockaddr_in *to, uint64_t bytes, uint64_t address);
int traffic_datagrams(const struct sockaddr_in *to);
int traffic_ping(const struct sockaddr_in *to, unsigned int count);

#endif
