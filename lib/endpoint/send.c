/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include <vtc/port.h>
#include <vtc/relay.h>

int vtc_port_send(struct vtc_port *port, unsigned int queue,
		  const struct vtc_packet *packets, unsigned int count)
{
	(void)port;
	(void)queue;
	(void)packets;
	(void)count;
	return -EOPNOTSUPP;
}
