/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ethernet addresses as text. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <vtc/types.h>

#include "text.h"

static int octet(const char *text, uint8_t *ret)
{
	char part[5] = { '0', 'x', text[0], 0, 0 };
	uint64_t value;

	if (!text[0])
		return -EINVAL;
	part[3] = text[1];
	if (!text[1] || vtc__text_u64(part, 0xff, &value))
		return -EINVAL;
	*ret = (uint8_t)value;
	return 0;
}

int vtc_mac_parse(const char *text, struct vtc_mac *ret_mac)
{
	struct vtc_mac mac;

	if (!text || !ret_mac || strlen(text) != VTC_MAC_TEXT_LEN - 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(mac.addr); i++) {
		char end = text[3 * i + 2];

		if (octet(text + 3 * i, &mac.addr[i]))
			return -EINVAL;
		if (i < 5 && ((end != ':' && end != '-') || end != text[2]))
			return -EINVAL;
	}

	*ret_mac = mac;
	return 0;
}

int vtc_mac_format(const struct vtc_mac *mac, char *buf, size_t len)
{
	if (!mac || !buf)
		return -EINVAL;
	if (len < VTC_MAC_TEXT_LEN)
		return -ENOSPC;
	snprintf(buf, len, "%02x:%02x:%02x:%02x:%02x:%02x", mac->addr[0], mac->addr[1],
		 mac->addr[2], mac->addr[3], mac->addr[4], mac->addr[5]);
	return 0;
}
