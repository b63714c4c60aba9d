/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The headers of a packet: see packet.h. Each step proves its range before it looks. */
#include "packet.h"

#include <errno.h>

#define ETH_TYPE      12
#define ETH_LEN	      14
#define ETH_VLAN      0x8100
#define ETH_QINQ      0x88a8
#define ETH_IPV4      0x0800
#define ETH_IPV6      0x86dd
#define VLAN_LEN      4
#define IPV4_LEN      20
#define IPV4_FRAGMENT 0x3fff /* more fragments, or an offset */
#define IPV6_LEN      40
#define IPV6_HOPOPTS  0
#define IPV6_ROUTING  43
#define IPV6_DSTOPTS  60
#define TCP_LEN	      20
#define UDP_LEN	      8

static unsigned int get16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

/* Each tag takes 4 bytes, so len bounds the loop. */
static int parse_ethernet(const uint8_t *b, size_t len, size_t *at, unsigned int *type)
{
	if (len < ETH_LEN)
		return -EPROTO;
	*type = get16(b + ETH_TYPE);
	*at = ETH_LEN;
	while (*type == ETH_VLAN || *type == ETH_QINQ) {
		if (len - *at < VLAN_LEN)
			return -EPROTO;
		*type = get16(b + *at + 2);
		*at += VLAN_LEN;
	}
	return 0;
}

static int parse_ipv4(const uint8_t *ip, size_t len, size_t *ip_len, uint8_t *proto)
{
	if (len < IPV4_LEN || ip[0] >> 4 != 4)
		return -EPROTO;
	*ip_len = (ip[0] & 15u) * 4;
	if (*ip_len < IPV4_LEN || *ip_len > len)
		return -EPROTO;
	if (get16(ip + 6) & IPV4_FRAGMENT)
		return -EPROTO;
	*proto = ip[9];
	return 0;
}

/* Each extension takes at least 8 bytes, so len bounds the loop. */
static int parse_ipv6(const uint8_t *ip, size_t len, size_t *ip_len, uint8_t *proto)
{
	size_t at = IPV6_LEN;
	uint8_t next;

	if (len < IPV6_LEN || ip[0] >> 4 != 6)
		return -EPROTO;
	next = ip[6];
	while (next == IPV6_HOPOPTS || next == IPV6_ROUTING || next == IPV6_DSTOPTS) {
		if (len - at < 8)
			return -EPROTO;
		next = ip[at];
		at += (ip[at + 1] + 1u) * 8;
		if (at > len)
			return -EPROTO;
	}
	*ip_len = at;
	*proto = next;
	return 0;
}

static int parse_l4(const uint8_t *l4, size_t len, uint8_t proto, size_t *l4_len)
{
	if (proto == VTC__IPPROTO_UDP) {
		*l4_len = UDP_LEN;
		return len < UDP_LEN ? -EPROTO : 0;
	}
	if (proto != VTC__IPPROTO_TCP || len < TCP_LEN)
		return -EPROTO;
	*l4_len = (l4[12] >> 4) * 4u;
	return *l4_len < TCP_LEN || *l4_len > len ? -EPROTO : 0;
}

int vtc__packet_parse(const uint8_t *bytes, size_t len, struct vtc__packet *ret_packet)
{
	struct vtc__packet p = { 0 };
	size_t l3, ip_len, l4_len;
	unsigned int type;

	if (parse_ethernet(bytes, len, &l3, &type))
		return -EPROTO;
	if (type == ETH_IPV4 && !parse_ipv4(bytes + l3, len - l3, &ip_len, &p.proto))
		p.version = 4;
	else if (type == ETH_IPV6 && !parse_ipv6(bytes + l3, len - l3, &ip_len, &p.proto))
		p.version = 6;
	else
		return -EPROTO;
	if (parse_l4(bytes + l3 + ip_len, len - l3 - ip_len, p.proto, &l4_len))
		return -EPROTO;

	p.l3 = (uint16_t)l3;
	p.l4 = (uint16_t)(l3 + ip_len);
	p.head = (uint16_t)(l3 + ip_len + l4_len);
	*ret_packet = p;
	return 0;
}
