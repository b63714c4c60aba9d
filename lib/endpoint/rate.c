/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The share of a port in its relay. */
#include <errno.h>
#include <stddef.h>

#include <vtc/relay.h>

int vtc_port_set_rate(struct vtc_port *port, const struct vtc_port_rate *rate)
{
	(void)port, (void)rate;
	return -EOPNOTSUPP;
}
