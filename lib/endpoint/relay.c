/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include <vtc/port.h>
#include <vtc/relay.h>

void vtc_relay_free(struct vtc_relay *relay)
{
	(void)relay;
}

int vtc_relay_get_fd(const struct vtc_relay *relay)
{
	(void)relay;
	return -EOPNOTSUPP;
}

int vtc_relay_get_stats(const struct vtc_relay *relay, struct vtc_relay_stats *stats)
{
	(void)relay;
	(void)stats;
	return -EOPNOTSUPP;
}

int vtc_relay_join(struct vtc_relay *relay, struct vtc_port *a, struct vtc_port *b)
{
	(void)relay;
	(void)a;
	(void)b;
	return -EOPNOTSUPP;
}

int vtc_relay_new(struct vtc_ctx *ctx, const struct vtc_relay_opts *opts,
		  struct vtc_relay **ret_relay)
{
	(void)ctx;
	(void)opts;
	(void)ret_relay;
	return -EOPNOTSUPP;
}

int vtc_relay_process(struct vtc_relay *relay, unsigned int budget)
{
	(void)relay;
	(void)budget;
	return -EOPNOTSUPP;
}

int vtc_relay_wake(struct vtc_relay *relay)
{
	(void)relay;
	return -EOPNOTSUPP;
}
