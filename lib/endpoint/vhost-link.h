/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vhost-user connection: listens or connects, again and again; reads messages whole
 * and checked, with their descriptors; writes replies. Nothing here knows what the
 * messages do.
 */
#ifndef VTC__VHOST_LINK_H
#define VTC__VHOST_LINK_H

#include "loop.h"
#include "vhost-message.h"

struct vtc_ctx;
struct vtc__vhost_link;

/* All are called by the loop; down() by drop(), too. Each may drop the peer. */
struct vtc__vhost_link_ops {
	/* A peer is there; from here on it is watched. */
	void (*up)(void *data);
	/*
	 * A checked message. Descriptors that are kept are taken out of it (-1); the link
	 * closes the others. A negative result ends the connection.
	 */
	int (*message)(void *data, struct vtc__vhost_message *message);
	/*
	 * The peer is gone, or was left; told once for each up(). Never by close(). The
	 * reason stays where it is until the next down() or close().
	 */
	void (*down)(void *data, const char *why);
};

struct vtc__vhost_link_opts {
	const char *path; /* or NULL */
	int fd;		  /* without path; duplicated */
	bool connect;	  /* path: connect, not listen */
	bool listening;	  /* fd: is a listening one */
	enum vtc__vhost_reader reader;
};

/*
 * Opens what can be opened at once; the error record is written. A peer that is there
 * already is told of by the loop. A listening socket that is passed in is made not to
 * block.
 */
int vtc__vhost_link_open(struct vtc_ctx *ctx, const struct vtc__vhost_link_opts *opts,
			 const struct vtc__vhost_link_ops *ops, void *data,
			 struct vtc__vhost_link **ret_link);
/* Removes the socket from the file system if it was made here. NULL is nothing. */
void vtc__vhost_link_close(struct vtc__vhost_link *link);

/* Begin and end to watch. A connection stays up over both. */
int vtc__vhost_link_attach(struct vtc__vhost_link *link, struct vtc__loop *loop);
void vtc__vhost_link_detach(struct vtc__vhost_link *link);

/* What was negotiated; 0 after each up(). For the parser. */
void vtc__vhost_link_set_protocol(struct vtc__vhost_link *link, uint64_t features);

/*
 * Send a message with its descriptors, which stay the caller's. 0 or -errno; a peer that
 * does not read is left (down() comes from the loop, not from here).
 */
int vtc__vhost_link_send(struct vtc__vhost_link *link,
			 const struct vtc__vhost_message *message);

/* Reply to a message: flags and request are set from it; size is the caller's. */
int vtc__vhost_link_reply(struct vtc__vhost_link *link,
			  const struct vtc__vhost_message *request,
			  struct vtc__vhost_message *reply);

/* Leave the peer; down() comes before this returns. */
void vtc__vhost_link_drop(struct vtc__vhost_link *link, const char *why);

bool vtc__vhost_link_is_up(const struct vtc__vhost_link *link);

#endif
