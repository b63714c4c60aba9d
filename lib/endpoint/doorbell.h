/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Doorbells: eventfds that two programs share. Whoever has one can fill it, empty it
 * and make it blocking for all, so nothing here relies on O_NONBLOCK alone.
 */
#ifndef VTC__DOORBELL_H
#define VTC__DOORBELL_H

/* A new one, or -errno. */
int vtc__doorbell_new(void);

/* Whether a foreign descriptor is one: 0, -EPROTO, or -EBADF. */
int vtc__doorbell_check(int fd);

/* The same for one that may block: ringing asks first whether it would. */
int vtc__doorbell_check_foreign(int fd);

/* 0, or -errno. One that is full has been rung. */
int vtc__doorbell_ring(int fd);

/* 1 if it had been rung, 0 if not, or -errno. */
int vtc__doorbell_heard(int fd);

#endif
