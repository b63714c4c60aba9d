/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line, and content. */
#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int traffic_complain(const char *what)
{
	int err = errno ? -errno : -EIO;

	fprintf(stderr, "traffic: %s: %s\n", what, strerror(-err));
	return err;
}

int64_t traffic_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static uint64_t word_at(uint64_t seed, uint64_t index)
{
	uint64_t x = seed + index * 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

const unsigned char *traffic_content(struct traffic *s, size_t len)
{
	uint64_t first = s->at / 8, skip = s->at % 8;

	for (size_t i = 0; i <= (skip + len) / 8; i++)
		s->words[i] = word_at(s->seed, first + i);
	return (const unsigned char *)s->words + skip;
}

bool traffic_is_content(struct traffic *s, const unsigned char *got, size_t len)
{
	const unsigned char *want = traffic_content(s, len);

	if (memcmp(got, want, len) == 0)
		return true;
	for (size_t i = 0; i < len; i++) {
		if (got[i] != want[i]) {
			fprintf(stderr, "traffic: corrupt: byte %llu is %#x, not %#x\n",
				(unsigned long long)(s->at + i), got[i], want[i]);
			break;
		}
	}
	return false;
}

/* ---- command line ---- */

static int usage(void)
{
	fputs("usage: traffic serve PORT UNTIL-FILE\n"
	      "       traffic ping ADDRESS COUNT\n"
	      "       traffic udp ADDRESS PORT\n"
	      "       traffic tcp ADDRESS PORT BYTES [PAUSE]\n"
	      "       traffic pages ADDRESS PORT BYTES ABOVE\n"
	      "BYTES 0: until the server ends it. PAUSE: after each read, in ms.\n"
	      "ABOVE: the physical address above which the pages sent are to be.\n",
	      stderr);
	return 2;
}

static int call(const char *verb, const struct sockaddr_in *to, int argc, char **argv)
{
	uint64_t bytes = argc > 4 ? strtoull(argv[4], NULL, 0) : 0;
	uint64_t more = argc > 5 ? strtoull(argv[5], NULL, 0) : 0;

	if (argc == 4 && strcmp(verb, "udp") == 0)
		return traffic_datagrams(to) != 0;
	if ((argc == 5 || argc == 6) && strcmp(verb, "tcp") == 0)
		return traffic_stream(to, bytes, (unsigned int)more);
	if (argc == 6 && strcmp(verb, "pages") == 0)
		return traffic_pages(to, bytes, more);
	return usage();
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	const char *verb = argc > 3 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(verb, "serve") == 0)
		return traffic_serve((uint16_t)atoi(argv[2]), argv[3]);
	if (argc < 4 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
		return usage();
	if (strcmp(verb, "ping") == 0)
		return traffic_ping(&to, (unsigned int)atoi(argv[3]));
	to.sin_port = htons((uint16_t)atoi(argv[3]));
	return call(verb, &to, argc, argv);
}
