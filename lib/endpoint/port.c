/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include <vtc/port.h>
#include <vtc/relay.h>

void vtc_port_close(struct vtc_port *port)
{
	(void)port;
}

int vtc_port_get_info(const struct vtc_port *port, struct vtc_port_info *info)
{
	(void)port;
	(void)info;
	return -EOPNOTSUPP;
}

int vtc_port_get_stats(const struct vtc_port *port, unsigned int queue,
		       struct vtc_port_stats *stats)
{
	(void)port;
	(void)queue;
	(void)stats;
	return -EOPNOTSUPP;
}
