/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A relay from the inside: what ports need of it. */
#ifndef VTC__RELAY_H
#define VTC__RELAY_H

#include <stdbool.h>

#include <vtc/relay.h>

struct vtc__mover;

/* End the join that a port is in, if any. */
void vtc__relay_leave(struct vtc_port *port);

/* Something is to be done; or, first, what the ports are has changed. */
void vtc__relay_look(struct vtc_relay *relay, bool changed);

/* Memory for moves. */
struct vtc__mover *vtc__relay_mover(struct vtc_relay *relay);

#endif
