/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Raw rtnetlink, see floor.h. */
#include "floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "plan.h"

struct message {
	struct nlmsghdr header;
	struct ifinfomsg link;
	struct nlattr list, info, setting;
	unsigned char value[40];
};

struct floor {
	int fd;
	unsigned int ifindex;
	struct message messages[PLAN_VFS * PLAN_SETTINGS];
};

struct floor *floor_new(unsigned int ifindex)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct floor *floor = calloc(1, sizeof(*floor));

	if (!floor)
		bench_die("memory is out");
	floor->ifindex = ifindex;
	floor->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (floor->fd < 0 ||
	    connect(floor->fd, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		bench_die("netlink: %s", strerror(errno));
	return floor;
}

void floor_free(struct floor *floor)
{
	close(floor->fd);
	free(floor);
}

static void fill(const struct floor *floor, struct message *msg, uint16_t type,
		 const void *value, size_t len)
{
	uint16_t attr = (uint16_t)(NLA_HDRLEN + len);

	memset(msg, 0, sizeof(*msg));
	memcpy(msg->value, value, len);
	msg->setting = (struct nlattr){ attr, type };
	msg->info = (struct nlattr){ attr + NLA_HDRLEN, IFLA_VF_INFO | NLA_F_NESTED };
	msg->list =
		(struct nlattr){ attr + 2 * NLA_HDRLEN, IFLA_VFINFO_LIST | NLA_F_NESTED };
	msg->link.ifi_index = (int)floor->ifindex;
	msg->header.nlmsg_len = (uint32_t)(sizeof(*msg) - sizeof(msg->value) + len);
	msg->header.nlmsg_type = RTM_SETLINK;
	msg->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
}

static void fill_vf(const struct floor *floor, struct message *msg, uint32_t vf,
		    const struct plan *plan)
{
	struct ifla_vf_mac mac = { .vf = vf };
	struct ifla_vf_vlan vlan = { vf, plan->vlan, plan->qos };
	struct ifla_vf_rate rate = { vf, plan->min_rate, plan->max_rate };
	struct ifla_vf_spoofchk spoof = { vf, plan->on };
	struct ifla_vf_trust trust = { vf, plan->on };
	struct ifla_vf_link_state state = { vf, plan->link_state };
	struct ifla_vf_rss_query_en rss = { vf, plan->on };

	memcpy(mac.mac, plan->mac, sizeof(plan->mac));
	fill(floor, msg++, IFLA_VF_TRUST, &trust, sizeof(trust));
	fill(floor, msg++, IFLA_VF_MAC, &mac, sizeof(mac));
	fill(floor, msg++, IFLA_VF_VLAN, &vlan, sizeof(vlan));
	fill(floor, msg++, IFLA_VF_SPOOFCHK, &spoof, sizeof(spoof));
	fill(floor, msg++, IFLA_VF_RATE, &rate, sizeof(rate));
	fill(floor, msg++, IFLA_VF_LINK_STATE, &state, sizeof(state));
	fill(floor, msg++, IFLA_VF_RSS_QUERY_EN, &rss, sizeof(rss));
}

void floor_prepare(struct floor *floor, uint32_t turn)
{
	uint32_t vf;

	for (vf = 0; vf < PLAN_VFS; vf++) {
		struct plan plan = plan_of(turn, vf);

		fill_vf(floor, &floor->messages[vf * PLAN_SETTINGS], vf, &plan);
	}
}

void floor_send(struct floor *floor)
{
	char answer[512];
	size_t i;

	for (i = 0; i < PLAN_VFS * PLAN_SETTINGS; i++) {
		const struct message *msg = &floor->messages[i];

		if (send(floor->fd, msg, msg->header.nlmsg_len, 0) < 0 ||
		    recv(floor->fd, answer, sizeof(answer), 0) < 0)
			bench_die("netlink: %s", strerror(errno));
	}
}
