/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What passes a port, as pcapng: read back by a reader of the test's own, from files,
 * pipes and sockets, with readers that are slow, gone or without room.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/ctx.h"
#include "endpoint/port.h"
#include "pcapng.h"
#include "vring/frame.h"
#include "vtct.h"

#define CHAINS 16

static struct vtc_ctx *ctx;
static struct vtc_port port;
static unsigned int lines_logged;
static struct vtct_pcapng *file;
static uint8_t *bytes; /* of the file */
static size_t len;

static void info(const struct vtc_port *p, struct vtc_port_info *to)
{
	(void)p;
	to->name = "vm0";
	to->kind = "test";
}

static const struct vtc__port_ops ops = { .kind = "test", .info = info };

static void log_line(void *data, int level, const char *message)
{
	(void)data;
	(void)level;
	ck_assert_ptr_nonnull(strstr(message, "capture"));
	lines_logged++;
}

static void set_up(void)
{
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;

	opts.log = log_line;
	ck_assert_errno(vtc_ctx_new(&opts, &ctx), 0);
	ck_assert_errno(vtc__port_init(&port, ctx, &ops, 1), 0);
	lines_logged = 0;
	file = vtct_alloc(sizeof(*file));
	bytes = NULL;
	len = 0;
}

static void tear_down(void)
{
	vtc__capture_end(&port);
	vtc__port_fini(&port);
	vtc_ctx_unref(ctx);
	free(file);
	free(bytes);
}

/* ---- Packets ---- */

/* Byte i of packet n. */
static uint8_t pattern(unsigned int n, size_t i)
{
	return (uint8_t)(n * 7 + i * 13 + (i >> 8));
}

/* A chain in pieces: with header, and room in front of it if it is to be written. */
struct piece {
	struct vtc_chain chain;
	struct vtc_done done;
	struct vtc_segment segments[24];
	unsigned int count;
};

static void cut(struct piece *p, const uint8_t *data, size_t size, bool written)
{
	p->count = frame_cut(data, size, 20, p->segments + (written ? 1 : 0));
	p->chain = (struct vtc_chain){ .segments = p->segments };
	if (written) {
		/* A readable segment that must not be taken for the packet. */
		p->segments[0] = (struct vtc_segment){ vtct_alloc(5), 5 };
		p->chain.readable = 1;
		p->chain.readable_bytes = 5;
		p->chain.writable = (uint16_t)p->count;
		p->chain.writable_bytes = (uint32_t)size;
	} else {
		p->chain.readable = (uint16_t)p->count;
		p->chain.readable_bytes = (uint32_t)size;
	}
	p->count += written ? 1 : 0;
	p->done = (struct vtc_done){ 0, (uint32_t)size };
}

static uint8_t *packet(unsigned int n, size_t size)
{
	uint8_t *data = vtct_alloc(VTC__HDR_LEN + size);

	memset(data, 0, VTC__HDR_LEN);
	for (size_t i = 0; i < size; i++)
		data[VTC__HDR_LEN + i] = pattern(n, i);
	return data;
}

static void pass(unsigned int queue, struct piece *p, unsigned int count, bool written,
		 bool out)
{
	struct vtc_chain chains[CHAINS];
	struct vtc_done done[CHAINS];

	for (unsigned int i = 0; i < count; i++) {
		chains[i] = p[i].chain;
		done[i] = p[i].done;
	}
	(out ? vtc__capture_tx : vtc__capture_rx)(&port, queue, chains,
						  written ? done : NULL, count);
	for (unsigned int i = 0; i < count; i++)
		frame_cut_free(p[i].segments, p[i].count);
}

/* Packets first to first + count - 1, each of that size, in one burst. */
static void pass_packets(unsigned int first, unsigned int count, size_t size)
{
	struct piece pieces[CHAINS];

	for (unsigned int i = 0; i < count; i++) {
		uint8_t *data = packet(first + i, size);

		cut(&pieces[i], data, VTC__HDR_LEN + size, false);
		free(data);
	}
	pass(0, pieces, count, false, false);
}

static void assert_packet(const struct vtct_pcapng_packet *p, unsigned int n,
			  size_t captured, size_t original)
{
	ck_assert_uint_eq(p->captured, captured);
	ck_assert_uint_eq(p->original, original);
	for (size_t i = 0; i < captured; i++)
		ck_assert_msg(p->bytes[i] == pattern(n, i), "packet %u, byte %zu", n, i);
}

/* ---- Files ---- */

static int new_file(const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", vtct_dir(), name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void append(const uint8_t *data, size_t size)
{
	bytes = vtct_realloc(bytes, len + size);
	memcpy(bytes + len, data, size);
	len += size;
}

/* Take out what there is, at most so much; without waiting. */
static size_t drain(int fd, size_t max)
{
	uint8_t data[4096];
	size_t got = 0;

	while (got < max) {
		size_t want = max - got < sizeof(data) ? max - got : sizeof(data);
		ssize_t r = read(fd, data, want);

		if (r <= 0)
			break;
		append(data, (size_t)r);
		got += (size_t)r;
	}
	return got;
}

static void read_file(int fd)
{
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	drain(fd, SIZE_MAX);
}

static void assert_readable(void)
{
	const char *wrong = vtct_pcapng_read(bytes, len, file);

	ck_assert_msg(!wrong, "%s", wrong);
}

START_TEST(both_directions)
{
	int fd = new_file("both");
	struct timespec before, after;
	struct piece p[2];
	uint8_t *data;

	clock_gettime(CLOCK_REALTIME, &before);
	ck_assert_errno(vtc_port_set_capture(&port, fd, 0), 0);
	pass_packets(0, 3, 60);
	data = packet(3, 1514);
	cut(&p[0], data, VTC__HDR_LEN + 1514, true);
	free(data);
	/* Room for more than was written. */
	data = packet(4, 200);
	cut(&p[1], data, VTC__HDR_LEN + 200, true);
	p[1].done.len = VTC__HDR_LEN + 61;
	free(data);
	pass(1, p, 2, true, true);
	ck_assert_errno(vtc_port_set_capture(&port, -1, 0), 0);
	clock_gettime(CLOCK_REALTIME, &after);

	read_file(fd);
	assert_readable();
	ck_assert_uint_eq(file->len, len);
	ck_assert_uint_eq(file->link_type, 1);
	ck_assert_uint_eq(file->snaplen, 0);
	ck_assert_uint_eq(file->resolution, 9);
	ck_assert_str_eq(file->name, "vm0");
	ck_assert_uint_eq(file->count, 5);
	for (unsigned int i = 0; i < 5; i++) {
		ck_assert_uint_eq(file->packets[i].direction, i < 3 ? 1 : 2);
		ck_assert_int_eq(file->packets[i].queue, i < 3 ? 0 : 1);
		ck_assert_uint_ge(file->packets[i].time,
				  (uint64_t)before.tv_sec * 1000000000u +
					  (uint64_t)before.tv_nsec);
		ck_assert_uint_le(file->packets[i].time,
				  (uint64_t)after.tv_sec * 1000000000u +
					  (uint64_t)after.tv_nsec);
	}
	for (unsigned int i = 0; i < 3; i++)
		assert_packet(&file->packets[i], i, 60, 60);
	assert_packet(&file->packets[3], 3, 1514, 1514);
	assert_packet(&file->packets[4], 4, 61, 61);
	ck_assert_int_eq(file->has_statistics, 1);
	ck_assert_uint_eq(file->received, 5);
	ck_assert_uint_eq(file->dropped, 0);
	ck_assert_uint_eq(lines_logged, 0);
	close(fd);
}
END_TEST

START_TEST(snaplen)
{
	int fd = new_file("snaplen");

	ck_assert_errno(vtc_port_set_capture(&port, fd, 62), 0);
	for (unsigned int size = 60; size < 66; size++)
		pass_packets(size, 1, size);
	vtc__capture_end(&port);
	read_file(fd);
	assert_readable();
	ck_assert_uint_eq(file->snaplen, 62);
	ck_assert_uint_eq(file->count, 6);
	for (unsigned int i = 0; i < 6; i++)
		assert_packet(&file->packets[i], 60 + i, i < 2 ? 60 + i : 62, 60 + i);
	close(fd);
}
END_TEST

/* A packet that was written to three chains, then one that says it goes on for ever. */
START_TEST(several_chains)
{
	int fd = new_file("chains");
	uint8_t *data = packet(1, 300), *rest = data + VTC__HDR_LEN;
	struct piece p[5];

	ck_assert_errno(vtc_port_set_capture(&port, fd, 0), 0);
	data[10] = 3;
	cut(&p[0], data, VTC__HDR_LEN + 100, true);
	cut(&p[1], rest + 100, 100, true);
	cut(&p[2], rest + 200, 100, true);
	data[10] = data[11] = 0xff;
	cut(&p[3], data, VTC__HDR_LEN + 100, true);
	cut(&p[4], rest + 100, 77, true);
	pass(0, p, 5, true, true);
	free(data);
	vtc__capture_end(&port);
	read_file(fd);
	assert_readable();
	ck_assert_uint_eq(file->count, 2);
	assert_packet(&file->packets[0], 1, 300, 300);
	assert_packet(&file->packets[1], 1, 177, 177);
	close(fd);
}
END_TEST

/* No header, half of one, nothing behind it; more than any packet, and than is there. */
START_TEST(odd_lengths)
{
	const size_t most = VTC__PACKET_MAX - VTC__HDR_LEN;
	int fd = new_file("odd");
	uint8_t *data = packet(0, most + 1000);
	struct piece p[5];

	ck_assert_errno(vtc_port_set_capture(&port, fd, 0), 0);
	cut(&p[0], data, 0, true);
	cut(&p[1], data, VTC__HDR_LEN - 1, true);
	cut(&p[2], data, VTC__HDR_LEN, true);
	cut(&p[3], data, VTC__HDR_LEN + most + 1000, true);
	cut(&p[4], data, VTC__HDR_LEN + 33, true);
	p[4].done.len += 44;
	pass(0, p, 5, true, false);
	free(data);
	vtc__capture_end(&port);
	read_file(fd);
	assert_readable();
	ck_assert_uint_eq(file->count, 3);
	assert_packet(&file->packets[0], 0, 0, 0);
	assert_packet(&file->packets[1], 0, most, most + 1000);
	assert_packet(&file->packets[2], 0, 33, 77);
	close(fd);
}
END_TEST

/* More chains, and more segments, than are written at once. */
START_TEST(large_burst)
{
	enum { COUNT = 400, SEGMENTS = 9 };
	struct vtc_segment *segments = vtct_alloc(COUNT * SEGMENTS * sizeof(*segments));
	struct vtc_chain *chains = vtct_alloc(COUNT * sizeof(*chains));
	uint8_t *data = packet(0, 60);
	int fd = new_file("burst");

	for (unsigned int i = 0; i < COUNT; i++) {
		chains[i] = (struct vtc_chain){ .segments = &segments[i * SEGMENTS],
						.readable = SEGMENTS,
						.readable_bytes = 72 };
		for (unsigned int k = 0; k < SEGMENTS; k++)
			segments[i * SEGMENTS + k] =
				(struct vtc_segment){ data + 8 * k, 8 };
	}
	ck_assert_errno(vtc_port_set_capture(&port, fd, 0), 0);
	vtc__capture_rx(&port, 0, chains, NULL, COUNT);
	vtc__capture_end(&port);
	read_file(fd);
	assert_readable();
	ck_assert_uint_eq(file->count, COUNT);
	for (unsigned int i = 0; i < COUNT; i++)
		assert_packet(&file->packets[i], 0, 60, 60);
	ck_assert_uint_eq(file->received, COUNT);
	ck_assert_uint_eq(file->dropped, 0);
	free(segments);
	free(chains);
	free(data);
	close(fd);
}
END_TEST

/* ---- Readers that are slow ---- */

/* Which of the packets are there: in order, none twice. */
static void assert_some_packets(unsigned int passed, size_t size)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < file->count; i++, n++) {
		const struct vtct_pcapng_packet *p = &file->packets[i];

		while (n < passed && p->bytes[0] != pattern(n, 0))
			n++;
		ck_assert_uint_lt(n, passed);
		assert_packet(p, n, size, size);
	}
	ck_assert_int_eq(file->has_statistics, 1);
	ck_assert_uint_eq(file->received, passed);
	ck_assert_uint_eq(file->dropped, passed - file->count);
}

static void pass_to_slow_reader(int reader, int writer)
{
	unsigned int passed = 0;

	fcntl(reader, F_SETFL, O_NONBLOCK);
	ck_assert_errno(vtc_port_set_capture(&port, writer, 0), 0);
	for (unsigned int round = 0; round < 60; round++) {
		pass_packets(passed, 4, 1001);
		passed += 4;
		drain(reader, frame_random(6000));
	}
	drain(reader, SIZE_MAX);
	pass_packets(passed++, 1, 1001);
	drain(reader, SIZE_MAX);
	/* What was cut is whole now, and there is room for the statistics. */
	vtc__capture_end(&port);
	drain(reader, SIZE_MAX);
	assert_readable();
	assert_some_packets(passed, 1001);
	ck_assert_uint_gt(file->count, 20);
	ck_assert_uint_lt(file->count, passed);
	ck_assert_uint_eq(lines_logged, 0);
}

START_TEST(slow_pipe)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	ck_assert_int_ge(fcntl(fds[1], F_SETPIPE_SZ, 16384), 16384);
	pass_to_slow_reader(fds[0], fds[1]);
	ck_assert_int_eq(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(slow_socket)
{
	int fds[2], size = 8192;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	pass_to_slow_reader(fds[0], fds[1]);
	ck_assert_int_eq(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* Nobody reads at all: the end does not wait either, and cuts no block in two. */
START_TEST(full_pipe)
{
	unsigned int passed = 0;
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	ck_assert_errno(vtc_port_set_capture(&port, fds[1], 0), 0);
	for (; passed < 400; passed += 4)
		pass_packets(passed, 4, 900);
	vtc__capture_end(&port);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	drain(fds[0], SIZE_MAX);
	/* The last packet may be cut, because nothing could follow. */
	for (unsigned int i = 0; i < 1000 && vtct_pcapng_read(bytes, len, file); i++)
		len -= 4;
	assert_readable();
	ck_assert_uint_gt(file->count, 20);
	ck_assert_int_eq(file->has_statistics, 0);

	/* There is no room to begin another one. */
	ck_assert_int_eq(fcntl(fds[0], F_SETFL, 0), 0);
	while (write(fds[1], bytes, 1) == 1 && fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0)
		;
	ck_assert_errno(vtc_port_set_capture(&port, fds[1], 0), -EAGAIN);
	ck_assert_ptr_null(port.capture);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* ---- Readers that are gone, and files without room ---- */

static void assert_given_up(void)
{
	ck_assert_ptr_null(port.capture);
	ck_assert_uint_eq(lines_logged, 1);
	pass_packets(9, 1, 60); /* as if there had never been one */
	ck_assert_errno(vtc_port_set_capture(&port, -1, 0), 0);
	ck_assert_uint_eq(lines_logged, 1);
}

/* SIGPIPE would end the test. */
START_TEST(reader_gone)
{
	int fds[2], descriptors = vtct_count_fds();

	if (_i == 0)
		ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	else
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ck_assert_errno(vtc_port_set_capture(&port, fds[1], 0), 0);
	pass_packets(0, 1, 60);
	close(fds[0]);
	pass_packets(1, 4, 1500);
	assert_given_up();
	ck_assert_errno(vtc_port_set_capture(&port, fds[1], 0), -EPIPE);
	close(fds[1]);
	ck_assert_int_eq(vtct_count_fds(), descriptors);
}
END_TEST

/* A signal that the caller keeps blocked is his, whether it came before or not. */
START_TEST(signals_are_the_callers)
{
	sigset_t mask, before, pending;
	struct timespec at_once = { 0, 0 };
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	sigemptyset(&mask);
	sigaddset(&mask, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &mask, &before);
	if (_i == 1)
		raise(SIGPIPE);
	ck_assert_errno(vtc_port_set_capture(&port, fds[1], 0), 0);
	close(fds[0]);
	pass_packets(0, 1, 60);
	assert_given_up();
	sigpending(&pending);
	ck_assert_int_eq(sigismember(&pending, SIGPIPE), _i);
	if (_i == 1)
		ck_assert_int_eq(sigtimedwait(&mask, NULL, &at_once), SIGPIPE);
	sigemptyset(&pending);
	pthread_sigmask(SIG_SETMASK, &before, &mask);
	ck_assert_int_eq(sigismember(&mask, SIGPIPE), 1);
	ck_assert_int_eq(sigismember(&mask, SIGXFSZ), 0);
	close(fds[1]);
}
END_TEST

/* SIGXFSZ would end the test. What could be written is sound. */
START_TEST(file_at_its_limit)
{
	struct rlimit before, limit;
	int fd = new_file("limit");

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 10000;
	ck_assert_errno(vtc_port_set_capture(&port, fd, 0), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (unsigned int i = 0; i < 20; i++)
		pass_packets(i, 1, 1000);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_given_up();
	read_file(fd);
	ck_assert_uint_eq(len, 10000);
	for (unsigned int i = 0; i < 300 && vtct_pcapng_read(bytes, len, file); i++)
		len -= 4;
	assert_readable();
	ck_assert_uint_eq(file->count, 9);
	close(fd);
}
END_TEST

START_TEST(no_room_at_all)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC), descriptors;

	if (fd < 0)
		vtct_skip("/dev/full cannot be opened");
	descriptors = vtct_count_fds();
	ck_assert_errno(vtc_port_set_capture(&port, fd, 0), -ENOSPC);
	ck_assert_ptr_null(port.capture);
	ck_assert_int_eq(vtct_count_fds(), descriptors);
	close(fd);
}
END_TEST

/* ---- Beginning and end ---- */

START_TEST(refused)
{
	int fd = new_file("refused"), read_only, terminal;
	int descriptors = vtct_count_fds();

	ck_assert_errno(vtc_port_set_capture(NULL, fd, 0), -EINVAL);
	ck_assert_errno(vtc_port_set_capture(NULL, -1, 0), -EINVAL);
	ck_assert_errno(vtc_port_set_capture(&port, -1, 0), 0);
	ck_assert_errno(vtc_port_set_capture(&port, -2, 0), -EBADF);
	ck_assert_errno(vtc_port_set_capture(&port, 1000000, 0), -EBADF);
	read_only = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_errno(vtc_port_set_capture(&port, read_only, 0), -EBADF);
	close(read_only);

	/* A capture that is on goes on. */
	ck_assert_errno(vtc_port_set_capture(&port, fd, 0), 0);
	ck_assert_errno(vtc_port_set_capture(&port, -2, 0), -EBADF);
	terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal >= 0) {
		ck_assert_errno(vtc_port_set_capture(&port, terminal, 0), -EINVAL);
		close(terminal);
	}
	pass_packets(0, 1, 60);
	vtc__capture_end(&port);
	ck_assert_int_eq(vtct_count_fds(), descriptors);
	read_file(fd);
	assert_readable();
	ck_assert_uint_eq(file->count, 1);
	close(fd);
}
END_TEST

/* The caller closes its own; another capture ends the first, into the same file. */
START_TEST(one_after_the_other)
{
	int fd = new_file("after"), copy = dup(fd);

	ck_assert_errno(vtc_port_set_capture(&port, copy, 0), 0);
	close(copy);
	pass_packets(0, 2, 60);
	ck_assert_errno(vtc_port_set_capture(&port, fd, 64), 0);
	pass_packets(2, 3, 60);
	vtc__capture_end(&port);
	read_file(fd);
	assert_readable();
	ck_assert_uint_eq(file->count, 2);
	ck_assert_uint_eq(file->received, 2);
	len -= file->len;
	memmove(bytes, bytes + file->len, len);
	assert_readable();
	ck_assert_uint_eq(file->len, len);
	ck_assert_uint_eq(file->snaplen, 64);
	ck_assert_uint_eq(file->count, 3);
	ck_assert_uint_eq(file->received, 3);
	close(fd);
}
END_TEST

/* Another reader's opinion. */
START_TEST(wireshark_reads_it)
{
	char command[700], line[64] = "";
	int fd = new_file("wireshark");
	FILE *out;

	if (system("command -v tshark >/dev/null 2>&1") != 0)
		vtct_skip("tshark not found");
	ck_assert_errno(vtc_port_set_capture(&port, fd, 0), 0);
	pass_packets(0, 16, 99);
	vtc__capture_end(&port);
	close(fd);
	snprintf(command, sizeof(command),
		 "tshark -n -r %s/wireshark -T fields -e frame.interface_name "
		 "-e frame.len -Y 'frame.packet_flags_direction == 1' 2>/dev/null | "
		 "sort | uniq -c | tr -s ' \\t'",
		 vtct_dir());
	out = popen(command, "r");
	ck_assert_ptr_nonnull(out);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), out));
	pclose(out);
	ck_assert_str_eq(line, " 16 vm0\t99\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("capture");
	TCase *tcase = tcase_create("capture");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, both_directions);
	tcase_add_test(tcase, snaplen);
	tcase_add_test(tcase, several_chains);
	tcase_add_test(tcase, odd_lengths);
	tcase_add_test(tcase, large_burst);
	tcase_add_test(tcase, slow_pipe);
	tcase_add_test(tcase, slow_socket);
	tcase_add_test(tcase, full_pipe);
	tcase_add_loop_test(tcase, reader_gone, 0, 2);
	tcase_add_loop_test(tcase, signals_are_the_callers, 0, 2);
	tcase_add_test(tcase, file_at_its_limit);
	tcase_add_test(tcase, no_room_at_all);
	tcase_add_test(tcase, refused);
	tcase_add_test(tcase, one_after_the_other);
	tcase_add_test(tcase, wireshark_reads_it);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
