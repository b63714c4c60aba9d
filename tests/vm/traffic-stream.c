/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream in each direction of a connection: the server, and those who call it. */
#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAGIC	    0x7674632d6c616221u
#define PATIENCE_MS 40000 /* without a byte: longer than what a test breaks on purpose */
#define NO_END	    UINT64_MAX

/* ---- one connection, both directions at a time ---- */

/* What a client tells the server first. */
struct request {
	uint64_t magic;
	uint64_t seed;
	uint64_t bytes; /* the server is to send; NO_END: until it is told to end */
};

struct connection {
	int fd;
	const char
		*until;	  /* what file ends an endless stream; NULL: the far side's end */
	useconds_t pause; /* after each read: what comes waits for us in the kernel */
	struct traffic out, in;
};

static int send_some(struct connection *c)
{
	struct traffic *s = &c->out;
	size_t len =
		s->end - s->at < TRAFFIC_CHUNK ? (size_t)(s->end - s->at) : TRAFFIC_CHUNK;
	ssize_t n;

	n = send(c->fd, traffic_content(s, len), len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN ? 0 : traffic_complain("send");
	s->at += (uint64_t)n;
	return n > 0;
}

static int receive_some(struct connection *c)
{
	static unsigned char got[TRAFFIC_CHUNK];
	ssize_t n = recv(c->fd, got, sizeof(got), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN ? 0 : traffic_complain("receive");
	if (n == 0) {
		c->in.closed = true;
		return 1;
	}
	if (!traffic_is_content(&c->in, got, (size_t)n))
		return -EBADMSG;
	c->in.at += (uint64_t)n;
	return 1;
}

/* An endless stream ends with the file or with the far side's. */
static void end_output(struct connection *c)
{
	if (c->out.end == NO_END &&
	    (c->until ? access(c->until, F_OK) == 0 : c->in.closed))
		c->out.end = c->out.at;
	if (c->out.at == c->out.end && !c->out.closed) {
		shutdown(c->fd, SHUT_WR);
		c->out.closed = true;
	}
}

static int step(struct connection *c)
{
	struct pollfd p = { .fd = c->fd };
	int moved = 0;

	if (!c->in.closed)
		p.events |= POLLIN;
	if (!c->out.closed)
		p.events |= POLLOUT;
	if (poll(&p, 1, 200) < 0)
		return traffic_complain("poll");
	if (p.revents & (POLLIN | POLLHUP | POLLERR) && !c->in.closed) {
		moved = receive_some(c);
		usleep(c->pause);
	}
	if (moved >= 0 && p.revents & POLLOUT && !c->out.closed)
		moved |= send_some(c);
	end_output(c);
	return moved;
}

/* Until both directions have ended. */
static int exchange(struct connection *c)
{
	int64_t last = traffic_now_ms();
	int moved;

	end_output(c);
	while (!c->in.closed || !c->out.closed) {
		moved = step(c);
		if (moved < 0)
			return moved;
		if (moved > 0)
			last = traffic_now_ms();
		if (traffic_now_ms() - last > PATIENCE_MS) {
			errno = ETIMEDOUT;
			return traffic_complain("no byte moved");
		}
	}
	if (c->in.end != NO_END && c->in.at != c->in.end) {
		fprintf(stderr, "traffic: the stream ended at byte %llu\n",
			(unsigned long long)c->in.at);
		return -EPIPE;
	}
	return 0;
}

/* ---- server ---- */

static void set_reuse(int fd)
{
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}

static int open_server(int type, uint16_t port)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return traffic_complain("socket");
	set_reuse(fd);
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 64) < 0))
		return traffic_complain("bind");
	return fd;
}

/* A client which hears of no end but a reset knows that its bytes did not arrive. */
static void reset(int fd)
{
	struct linger now = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static int serve_stream(int fd, const char *until)
{
	static struct connection c;
	struct request request;

	if (recv(fd, &request, sizeof(request), MSG_WAITALL) != sizeof(request) ||
	    request.magic != MAGIC) {
		errno = EPROTO;
		return traffic_complain("request");
	}
	c.fd = fd;
	c.until = until;
	c.in.seed = request.seed;
	c.in.end = NO_END;
	c.out.seed = ~request.seed;
	c.out.end = request.bytes;
	return exchange(&c);
}

static int take_stream(int listener, const char *until)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	pid_t child;

	if (fd < 0)
		return traffic_complain("accept");
	child = fork();
	if (child == 0) {
		if (serve_stream(fd, until)) {
			reset(fd);
			_exit(1);
		}
		_exit(0);
	}
	close(fd);
	return child < 0 ? traffic_complain("fork") : 0;
}

/* Without a wait: what the kernel cannot take now is a datagram lost. */
static void echo_datagrams(int fd)
{
	static unsigned char buf[TRAFFIC_DATAGRAM_MAX];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n;

	n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
	if (n >= 0)
		sendto(fd, buf, (size_t)n, MSG_DONTWAIT, (struct sockaddr *)&from, len);
}

/* Echoes datagrams and answers streams until the file is there; 1: a stream was wrong. */
int traffic_serve(uint16_t port, const char *until)
{
	struct pollfd p[2] = { { open_server(SOCK_STREAM, port), POLLIN, 0 },
			       { open_server(SOCK_DGRAM, port), POLLIN, 0 } };
	int status, wrong = 0;

	if (p[0].fd < 0 || p[1].fd < 0)
		return 1;
	while (access(until, F_OK) != 0) {
		if (poll(p, 2, 200) < 0)
			return 1;
		if (p[0].revents)
			take_stream(p[0].fd, until);
		if (p[1].revents)
			echo_datagrams(p[1].fd);
		while (waitpid(-1, &status, WNOHANG) > 0)
			wrong |= status != 0;
	}
	while (waitpid(-1, &status, 0) > 0)
		wrong |= status != 0;
	return wrong;
}

/* ---- client ---- */

static int call(const struct sockaddr_in *to, uint64_t seed, uint64_t bytes)
{
	struct request request = { MAGIC, seed, bytes };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		return traffic_complain("connect");
	if (send(fd, &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request))
		return traffic_complain("request");
	return fd;
}

/* So that much of what arrived can wait for a slow reader. */
static int make_room(int fd)
{
	int bytes = 8 << 20;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		return traffic_complain("buffer");
	return 0;
}

/* bytes each way, or until the server ends it. */
int traffic_stream(const struct sockaddr_in *to, uint64_t bytes, unsigned int pause_ms)
{
	static struct connection c;
	int64_t start = traffic_now_ms();

	c.out.seed = (uint64_t)start << 20 ^ (uint64_t)getpid();
	c.in.seed = ~c.out.seed;
	c.out.end = c.in.end = bytes ? bytes : NO_END;
	c.pause = pause_ms * 1000;
	c.fd = call(to, c.out.seed, c.out.end);
	if (c.fd < 0 || (pause_ms && make_room(c.fd)) || exchange(&c))
		return 1;
	printf("%llu bytes there, %llu bytes back, %lld ms\n",
	       (unsigned long long)c.out.at, (unsigned long long)c.in.at,
	       (long long)(traffic_now_ms() - start));
	return 0;
}

/* How many of the pages are above a physical address. */
static int count_above(const void *at, size_t pages, uint64_t address, size_t *ret_count)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	off_t entry = (off_t)((uintptr_t)at / 4096 * 8);
	uint64_t value;

	*ret_count = 0;
	for (size_t i = 0; i < pages; i++, entry += 8) {
		if (pread(fd, &value, sizeof(value), entry) != sizeof(value))
			return traffic_complain("pagemap");
		*ret_count += (value & ((UINT64_C(1) << 55) - 1)) * 4096 >= address;
	}
	close(fd);
	return 0;
}

/* A file in memory with the content, mapped. */
static int make_file(struct traffic *s, size_t bytes, void **ret_map)
{
	int fd = memfd_create("content", MFD_CLOEXEC);
	unsigned char *map;

	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		return traffic_complain("memfd");
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return traffic_complain("map");
	for (; s->at < bytes; s->at += TRAFFIC_CHUNK)
		memcpy(map + s->at, traffic_content(s, TRAFFIC_CHUNK), TRAFFIC_CHUNK);
	*ret_map = map;
	return fd;
}

/*
 * Sends pages as they are: the device reads from where they lie, and that has to be above
 * the physical address for at least half of them.
 */
int traffic_pages(const struct sockaddr_in *to, uint64_t bytes, uint64_t address)
{
	static struct connection c;
	size_t above, size = bytes / TRAFFIC_CHUNK * TRAFFIC_CHUNK;
	void *map = NULL;
	int file;

	c.out.seed = (uint64_t)traffic_now_ms();
	file = make_file(&c.out, size, &map);
	if (file < 0 || count_above(map, size / 4096, address, &above))
		return 1;
	if (above < size / 8192) {
		fprintf(stderr, "traffic: only %zu of %zu pages are there\n", above,
			size / 4096);
		return 1;
	}
	c.fd = call(to, c.out.seed, 0);
	c.out.end = size;
	if (c.fd < 0)
		return 1;
	for (c.out.at = 0; c.out.at < size;) {
		ssize_t n = sendfile(c.fd, file, NULL, size - c.out.at);

		if (n <= 0)
			return traffic_complain("sendfile") != 0;
		c.out.at += (uint64_t)n;
	}
	if (exchange(&c))
		return 1;
	printf("%zu bytes there, %zu of %zu pages from above\n", size, above,
	       size / 4096);
	return 0;
}
