/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bare AF_XDP socket: loops that do what cannot be left out, and nothing else. */
#ifndef VMDQ_BARE_H
#define VMDQ_BARE_H

#include <stdbool.h>
#include <stddef.h>

struct bare;

/* On queue 0 of an interface, with the frames to send in place. */
struct bare *bare_new(const char *ifname, size_t len);
int bare_fd(const struct bare *bare);
void bare_free(struct bare *bare);

/* Take what has come, and give the frames back; how many. copy: of all bytes, before. */
unsigned int bare_take(struct bare *bare, bool copy);
/* Send so many (at most 256), and wait until the kernel has taken them. */
void bare_send(struct bare *bare, unsigned int count);

#endif
