/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many reads or writes of packets in one system call, by io_uring. Nothing stays under
 * way: a request that would have to wait ends with -EAGAIN at once.
 */
#ifndef VTC__URING_H
#define VTC__URING_H

#include <stdint.h>
#include <sys/uio.h>

#define VTC__URING_MAX 128u /* requests at once */

/* A packet to read or to write, and what came of it: bytes, or -errno. */
struct vtc__io {
	const struct iovec *iov;
	uint32_t count;
	int32_t result;
};

enum vtc__io_direction { VTC__IO_READ, VTC__IO_WRITE };

struct vtc__uring;

/*
 * A ring for these files, to be used on this thread alone. -EOPNOTSUPP: built without
 * io_uring; other negative numbers: the kernel or a sandbox does not want it.
 */
int vtc__uring_new(const int *fds, unsigned int count, struct vtc__uring **ret_uring);
void vtc__uring_free(struct vtc__uring *uring);

/*
 * Do them in order, at most VTC__URING_MAX, on the file with this number. 0, or -errno:
 * the ring is of no more use, and what was not done has -ECANCELED as its result.
 */
int vtc__uring_run(struct vtc__uring *uring, enum vtc__io_direction direction,
		   unsigned int file, struct vtc__io *ios, unsigned int count);

#endif
