/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "port.h"

#include <errno.h>

int vtc_port_set_capture(struct vtc_port *port, int fd, uint32_t snaplen)
{
	(void)port;
	(void)fd;
	(void)snaplen;
	return -EOPNOTSUPP;
}
