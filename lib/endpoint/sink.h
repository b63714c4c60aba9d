/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing to somebody else's descriptor: a file, a pipe, a socket. It never waits for a
 * reader, raises no signal, and leaves the flags of the open file, which others share, as
 * they are.
 */
#ifndef VTC__SINK_H
#define VTC__SINK_H

#include <stdint.h>

#include <vtc/mem.h>

enum vtc__sink_kind { VTC__SINK_FILE, VTC__SINK_PIPE, VTC__SINK_SOCKET };

struct vtc__sink {
	int fd;
	enum vtc__sink_kind kind;
};

/*
 * A copy of the descriptor. -EBADF: it is not open for writing; -EINVAL: it is a
 * terminal.
 */
int vtc__sink_open(int fd, struct vtc__sink *ret_sink);
void vtc__sink_close(struct vtc__sink *sink);

/*
 * How many bytes were written, from the first on; fewer than there are: no room now.
 * -errno: nothing was, and nothing will be.
 */
int64_t vtc__sink_write(const struct vtc__sink *sink, const struct vtc_segment *segments,
			unsigned int count);

#endif
