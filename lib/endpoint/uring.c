/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packets in batches, see uring.h. RWF_NOWAIT makes each request end within the call that
 * submits it; without that the kernel would leave reads waiting, or hand them to threads
 * of its own, and each packet that comes would wake them all.
 */
#include "uring.h"

#include <errno.h>

#ifdef HAVE_LIBURING

#include <liburing.h>
#include <stdbool.h>
#include <stdlib.h>

struct vtc__uring {
	struct io_uring ring;
};

/* Best first: an older kernel says EINVAL to what it does not know. */
static const unsigned int setups[] = {
	IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN,
	0,
};

static int set_up(struct io_uring *ring)
{
	int err = -EINVAL;

	for (unsigned int i = 0; i < sizeof(setups) / sizeof(setups[0]); i++) {
		struct io_uring_params params = { .flags = setups[i] };

		err = io_uring_queue_init_params(VTC__URING_MAX, ring, &params);
		if (err != -EINVAL)
			break;
	}
	return err;
}

int vtc__uring_new(const int *fds, unsigned int count, struct vtc__uring **ret_uring)
{
	struct vtc__uring *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return -ENOMEM;
	err = set_up(&u->ring);
	if (err) {
		free(u);
		return err;
	}
	err = io_uring_register_files(&u->ring, fds, count);
	if (err) {
		vtc__uring_free(u);
		return err;
	}
	/* Saves a look-up in each call; not there before Linux 5.18, and not needed. */
	(void)io_uring_register_ring_fd(&u->ring);
	*ret_uring = u;
	return 0;
}

void vtc__uring_free(struct vtc__uring *uring)
{
	if (!uring)
		return;
	/* The kernel ends a ring later on, and would keep the interface up to then. */
	(void)io_uring_unregister_files(&uring->ring);
	io_uring_queue_exit(&uring->ring);
	free(uring);
}

/* One piece of memory goes without a list: that is less work for the kernel. */
static void fill(struct io_uring_sqe *sqe, enum vtc__io_direction direction,
		 unsigned int file, const struct vtc__io *io)
{
	bool one = io->count == 1 && io->iov->iov_len <= INT32_MAX;
	int op;

	if (direction == VTC__IO_READ)
		op = one ? IORING_OP_READ : IORING_OP_READV;
	else
		op = one ? IORING_OP_WRITE : IORING_OP_WRITEV;
	io_uring_prep_rw(op, sqe, (int)file, one ? io->iov->iov_base : io->iov,
			 one ? (unsigned int)io->iov->iov_len : io->count, 0);
	sqe->rw_flags = RWF_NOWAIT;
	sqe->flags = IOSQE_FIXED_FILE;
}

/* How many results there were. */
static unsigned int reap(struct io_uring *ring, struct vtc__io *ios, unsigned int count)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	io_uring_for_each_cqe(ring, head, cqe)
	{
		if (cqe->user_data < count)
			ios[cqe->user_data].result = cqe->res;
		n++;
	}
	io_uring_cq_advance(ring, n);
	return n;
}

/* The first call does it all; only an interrupted or short one has a second. */
static int finish(struct io_uring *ring, struct vtc__io *ios, unsigned int count)
{
	unsigned int done = 0;

	while (done < count) {
		int n = io_uring_submit_and_wait(ring, count - done);
		unsigned int reaped = reap(ring, ios, count);

		if (n < 0 && n != -EINTR)
			return n;
		if (n == 0 && reaped == 0)
			return -EIO;
		done += reaped;
	}
	return 0;
}

int vtc__uring_run(struct vtc__uring *uring, enum vtc__io_direction direction,
		   unsigned int file, struct vtc__io *ios, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

		ios[i].result = -ECANCELED;
		if (!sqe)
			return -EIO;
		fill(sqe, direction, file, &ios[i]);
		sqe->user_data = i;
	}
	return finish(&uring->ring, ios, count);
}

#else

int vtc__uring_new(const int *fds, unsigned int count, struct vtc__uring **ret_uring)
{
	(void)fds;
	(void)count;
	(void)ret_uring;
	return -EOPNOTSUPP;
}

void vtc__uring_free(struct vtc__uring *uring)
{
	(void)uring;
}

int vtc__uring_run(struct vtc__uring *uring, enum vtc__io_direction direction,
		   unsigned int file, struct vtc__io *ios, unsigned int count)
{
	(void)uring;
	(void)direction;
	(void)file;
	(void)ios;
	(void)count;
	return -EOPNOTSUPP;
}

#endif
