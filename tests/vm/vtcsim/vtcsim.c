/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A simulated network card with VMDq: flow rules that sort by MAC and VLAN onto receive
 * queues, an RSS table, L2 forwarding for macvlans, limits for transmit queues. "vtcsim0"
 * is the card, "vtcwire0" the far end of its cable: what is sent there arrives at the
 * card's classifier, and what the card sends comes out there. The card takes all
 * addresses, as one in promiscuous mode does, unless it is told to filter.
 *
 * Real drivers differ in what they accept and what they forget; each such habit that
 * libvtc has to bear is a parameter of this module.
 */
#include <linux/bpf.h>
#include <linux/debugfs.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if_macvlan.h>
#include <linux/if_vlan.h>
#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/version.h>
#include <net/pkt_cls.h>
#include <net/pkt_sched.h>
#if IS_ENABLED(CONFIG_NET_SHAPER)
#include <net/net_shaper.h>
#endif

#define QUEUES	 8
#define RULES	 16
#define INDIR	 32
#define CONTEXTS 4
#define STATIONS 4
#define BACKLOG	 1024
#define KEY	 40

static ushort vlan_mask = 0x0fff;
module_param(vlan_mask, ushort, 0644);
MODULE_PARM_DESC(vlan_mask, "the one VLAN mask that rules take; 0: none");

static bool location_any;
module_param(location_any, bool, 0644);
MODULE_PARM_DESC(location_any, "the card itself picks the location of a rule");

static bool location_hidden;
module_param(location_hidden, bool, 0644);
MODULE_PARM_DESC(location_hidden, "do not tell that the card picks locations");

static bool flush_on_down;
module_param(flush_on_down, bool, 0644);
MODULE_PARM_DESC(flush_on_down, "forget all rules when the interface goes down");

static bool reta_reset_on_up;
module_param(reta_reset_on_up, bool, 0644);
MODULE_PARM_DESC(reta_reset_on_up, "the default RSS table when the interface goes up");

static bool drop_vlan;
module_param(drop_vlan, bool, 0644);
MODULE_PARM_DESC(drop_vlan, "take rules with a VLAN, but match the MAC alone");

static bool no_ether;
module_param(no_ether, bool, 0644);
MODULE_PARM_DESC(no_ether, "no rules that match Ethernet addresses");

static bool rules_need_up;
module_param(rules_need_up, bool, 0644);
MODULE_PARM_DESC(rules_need_up, "no rules while the interface is down");

static bool channels_first;
module_param(channels_first, bool, 0644);
MODULE_PARM_DESC(channels_first, "no change of channels while there are rules");

static bool rss_blocks;
module_param(rss_blocks, bool, 0444);
MODULE_PARM_DESC(rss_blocks, "the default RSS table has each queue in one block");

static bool rss_fixed;
module_param(rss_fixed, bool, 0644);
MODULE_PARM_DESC(rss_fixed, "the RSS table cannot be set");

static bool refuse_features;
module_param(refuse_features, bool, 0644);
MODULE_PARM_DESC(refuse_features, "silently leave features as they are");

static bool ntuple_fixed;
module_param(ntuple_fixed, bool, 0444);
MODULE_PARM_DESC(ntuple_fixed, "rx-ntuple-filter is fixed off");

static bool forward_fixed;
module_param(forward_fixed, bool, 0444);
MODULE_PARM_DESC(forward_fixed, "l2-fwd-offload is fixed off");

static bool shapers;
module_param(shapers, bool, 0444);
MODULE_PARM_DESC(shapers, "net-shapers of queues, and of groups of them (Linux 6.13)");

static int shaper_error;
module_param(shaper_error, int, 0644);
MODULE_PARM_DESC(shaper_error, "errno number with which the next shaper is refused");

static bool unicast_filter;
module_param(unicast_filter, bool, 0644);
MODULE_PARM_DESC(unicast_filter, "unless promiscuous, drop what is for other addresses");

static bool no_addresses;
module_param(no_addresses, bool, 0644);
MODULE_PARM_DESC(no_addresses, "take no addresses beside the card's own");

static uint vlan_filter;
module_param(vlan_filter, uint, 0444);
MODULE_PARM_DESC(vlan_filter, "rx-vlan-filter: 0 is not there, 1 on, 2 fixed on");

static bool vlan_fixed;
module_param(vlan_fixed, bool, 0444);
MODULE_PARM_DESC(vlan_fixed, "rx-vlan-hw-parse is fixed on");

static uint queues = QUEUES;
module_param(queues, uint, 0444);
MODULE_PARM_DESC(queues, "most channels (8)");

static uint cards = 1;
module_param(cards, uint, 0444);
MODULE_PARM_DESC(cards, "how many cards (1)");

static char *driver = "vtcsim";
module_param(driver, charp, 0444);
MODULE_PARM_DESC(driver, "name of the driver that the card claims to have");

struct rule {
	struct ethtool_rx_flow_spec spec;
	u32 context;
	bool used;
};

struct queue {
	struct napi_struct napi;
	struct sk_buff_head backlog;
	struct net_device *dev;
	u64 rx, tx;
};

struct traffic_classes {
	u8 count;
	u16 mode, shaper;
	u16 queues[TC_QOPT_MAX_QUEUE], offset[TC_QOPT_MAX_QUEUE];
	u64 min[TC_QOPT_MAX_QUEUE], max[TC_QOPT_MAX_QUEUE];
};

struct card {
	struct net_device *dev, *wire;
	struct dentry *dir;
	struct bpf_prog __rcu *prog;
	spinlock_t lock; /* of what classify() reads */
	unsigned long vlans[BITS_TO_LONGS(VLAN_N_VID)];
	u32 channels;
	u32 indir[INDIR];
	u32 contexts[CONTEXTS][INDIR];
	u8 key[KEY]; /* kept for those who ask; the hash goes by the source address */
	struct rule rules[RULES];
	struct net_device *stations[STATIONS];
	struct traffic_classes classes;
	struct queue queues[QUEUES];
};

struct wire {
	struct card *card;
};

static struct dentry *root;
static struct card **all;

/* ---- Receive: the wire's frames are sorted onto queues ---- */

static bool rule_matches(const struct rule *rule, const struct ethhdr *eth, u16 tci)
{
	const struct ethtool_rx_flow_spec *spec = &rule->spec;

	if (!rule->used)
		return false;
	if (!is_zero_ether_addr(spec->m_u.ether_spec.h_dest) &&
	    !ether_addr_equal(spec->h_u.ether_spec.h_dest, eth->h_dest))
		return false;
	if (!(spec->flow_type & FLOW_EXT))
		return true;
	return !((tci ^ ntohs(spec->h_ext.vlan_tci)) & ntohs(spec->m_ext.vlan_tci));
}

static u16 frame_tci(const struct sk_buff *skb, const struct ethhdr *eth)
{
	const struct vlan_ethhdr *tagged = (const struct vlan_ethhdr *)eth;

	if (skb_vlan_tag_present(skb))
		return skb_vlan_tag_get(skb);
	if (eth->h_proto == htons(ETH_P_8021Q) && skb_headlen(skb) >= VLAN_ETH_HLEN)
		return ntohs(tagged->h_vlan_TCI);
	return 0;
}

static u32 spread(const u32 *indir, const struct ethhdr *eth)
{
	return indir[jhash(eth->h_source, ETH_ALEN, 0) % INDIR];
}

/* The lowest location that matches decides, else RSS. */
static u32 classify(struct card *card, const struct sk_buff *skb,
		    const struct ethhdr *eth)
{
	u16 tci = frame_tci(skb, eth);
	int i;

	for (i = 0; i < RULES; i++) {
		const struct rule *rule = &card->rules[i];

		if (!rule_matches(rule, eth, tci))
			continue;
		if (rule->spec.flow_type & FLOW_RSS && rule->context)
			return spread(card->contexts[rule->context - 1], eth);
		return ethtool_get_flow_spec_ring(rule->spec.ring_cookie);
	}
	return spread(card->indir, eth);
}

static struct net_device *find_station(struct card *card, const struct ethhdr *eth)
{
	int i;

	for (i = 0; i < STATIONS; i++)
		if (card->stations[i] &&
		    ether_addr_equal(card->stations[i]->dev_addr, eth->h_dest))
			return card->stations[i];
	return NULL;
}

static void to_station(struct net_device *station, struct sk_buff *skb)
{
	skb->dev = station;
	skb->pkt_type = PACKET_HOST;
	macvlan_count_rx(netdev_priv(station), skb->len + ETH_HLEN, true, false);
	netif_rx(skb);
}

static void to_queue(struct card *card, u32 number, struct sk_buff *skb)
{
	struct queue *queue = &card->queues[number];

	if (skb_queue_len(&queue->backlog) >= BACKLOG) {
		dev_core_stats_rx_dropped_inc(card->dev);
		kfree_skb(skb);
		return;
	}
	queue->rx++;
	skb_record_rx_queue(skb, number);
	__skb_queue_tail(&queue->backlog, skb);
	napi_schedule(&queue->napi);
}

static bool is_wanted_address(struct net_device *dev, const struct ethhdr *eth)
{
	const struct netdev_hw_addr *address;
	bool wanted = is_multicast_ether_addr(eth->h_dest) ||
		      ether_addr_equal(eth->h_dest, dev->dev_addr);

	netif_addr_lock_bh(dev);
	netdev_for_each_uc_addr(address, dev) wanted |=
		ether_addr_equal(eth->h_dest, address->addr);
	netif_addr_unlock_bh(dev);
	return wanted;
}

/* What hardware looks at before it sorts. */
static bool is_wanted(struct card *card, const struct sk_buff *skb,
		      const struct ethhdr *eth)
{
	struct net_device *dev = card->dev;
	u16 vlan = frame_tci(skb, eth) & VLAN_VID_MASK;

	if (dev->flags & IFF_PROMISC)
		return true;
	if (dev->features & NETIF_F_HW_VLAN_CTAG_FILTER && vlan &&
	    !test_bit(vlan, card->vlans))
		return false;
	return !unicast_filter || is_wanted_address(dev, eth);
}

static bool takes_tag_off(const struct net_device *dev, const struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_8021AD))
		return dev->features & NETIF_F_HW_VLAN_STAG_RX;
	return skb->protocol == htons(ETH_P_8021Q) &&
	       dev->features & NETIF_F_HW_VLAN_CTAG_RX;
}

/* The frame is the card's already: the Ethernet header is before its data. */
static void card_receive(struct card *card, struct sk_buff *skb)
{
	const struct ethhdr *eth = eth_hdr(skb);
	struct net_device *station;
	u32 number;

	if (!is_wanted(card, skb, eth)) {
		dev_core_stats_rx_dropped_inc(card->dev);
		kfree_skb(skb);
		return;
	}
	spin_lock_bh(&card->lock);
	station = find_station(card, eth);
	if (station) {
		to_station(station, skb);
		goto out;
	}
	number = classify(card, skb, eth);
	if (number >= card->channels) {
		dev_core_stats_rx_dropped_inc(card->dev);
		kfree_skb(skb);
		goto out;
	}
	if (takes_tag_off(card->dev, skb))
		skb = skb_vlan_untag(skb);
	if (skb)
		to_queue(card, number, skb);
out:
	spin_unlock_bh(&card->lock);
}

static struct sk_buff *next_frame(struct card *card, struct queue *queue)
{
	struct sk_buff *skb;

	spin_lock_bh(&card->lock);
	skb = __skb_dequeue(&queue->backlog);
	spin_unlock_bh(&card->lock);
	return skb;
}

static int card_poll(struct napi_struct *napi, int budget)
{
	struct queue *queue = container_of(napi, struct queue, napi);
	struct card *card = *(struct card **)netdev_priv(queue->dev);
	struct sk_buff *skb;
	int work = 0;

	while (work < budget && (skb = next_frame(card, queue))) {
		struct bpf_prog *prog;
		int verdict = XDP_PASS;

		work++;
		rcu_read_lock();
		prog = rcu_dereference(card->prog);
		if (prog)
			verdict = do_xdp_generic(prog, &skb);
		rcu_read_unlock();
		if (verdict == XDP_PASS) {
			dev_sw_netstats_rx_add(card->dev, skb->len + ETH_HLEN);
			netif_receive_skb(skb);
		}
	}
	if (work < budget && napi_complete_done(napi, work) &&
	    !skb_queue_empty(&queue->backlog))
		napi_schedule(napi);
	return work;
}

static netdev_tx_t wire_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct wire *wire = netdev_priv(dev);
	struct card *card = wire->card;

	skb_tx_timestamp(skb);
	if (!netif_running(card->dev)) {
		kfree_skb(skb);
		dev_core_stats_tx_dropped_inc(dev);
		return NETDEV_TX_OK;
	}
	dev_sw_netstats_tx_add(dev, 1, skb->len);
	if (__dev_forward_skb(card->dev, skb) == NET_RX_SUCCESS)
		card_receive(card, skb);
	return NETDEV_TX_OK;
}

/* ---- Transmit: whatever the card sends comes out of the wire ---- */

static netdev_tx_t card_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct card *card = *(struct card **)netdev_priv(dev);
	u16 number = skb_get_queue_mapping(skb);
	unsigned int len = skb->len;

	skb_tx_timestamp(skb);
	if (number < QUEUES)
		card->queues[number].tx++;
	dev_sw_netstats_tx_add(dev, 1, len);
	if (dev_forward_skb(card->wire, skb) == NET_RX_SUCCESS)
		dev_sw_netstats_rx_add(card->wire, len);
	return NETDEV_TX_OK;
}

/* ---- The interface goes up and down ---- */

static void default_indir(struct card *card)
{
	int i;

	for (i = 0; i < INDIR; i++)
		card->indir[i] =
			rss_blocks ? i * card->channels / INDIR : i % card->channels;
}

static void forget_rules(struct card *card)
{
	spin_lock_bh(&card->lock);
	memset(card->rules, 0, sizeof(card->rules));
	spin_unlock_bh(&card->lock);
}

/* A device with shapers is opened and stopped with its lock held. */
static void switch_queue(struct queue *queue, bool on)
{
#if IS_ENABLED(CONFIG_NET_SHAPER)
	if (shapers && on)
		napi_enable_locked(&queue->napi);
	else if (shapers)
		napi_disable_locked(&queue->napi);
	if (shapers)
		return;
#endif
	if (on)
		napi_enable(&queue->napi);
	else
		napi_disable(&queue->napi);
}

static int card_open(struct net_device *dev)
{
	struct card *card = *(struct card **)netdev_priv(dev);
	int i;

	if (reta_reset_on_up) {
		spin_lock_bh(&card->lock);
		default_indir(card);
		spin_unlock_bh(&card->lock);
	}
	for (i = 0; i < QUEUES; i++)
		switch_queue(&card->queues[i], true);
	netif_tx_start_all_queues(dev);
	netif_carrier_on(dev);
	netif_carrier_on(card->wire);
	return 0;
}

static int card_stop(struct net_device *dev)
{
	struct card *card = *(struct card **)netdev_priv(dev);
	int i;

	netif_carrier_off(dev);
	netif_carrier_off(card->wire);
	netif_tx_stop_all_queues(dev);
	synchronize_net();
	for (i = 0; i < QUEUES; i++) {
		switch_queue(&card->queues[i], false);
		skb_queue_purge(&card->queues[i].backlog);
	}
	if (flush_on_down)
		forget_rules(card);
	return 0;
}

/* ---- XDP, in the driver as far as the kernel can tell ---- */

static int card_bpf(struct net_device *dev, struct netdev_bpf *bpf)
{
	struct card *card = *(struct card **)netdev_priv(dev);
	struct bpf_prog *old;

	if (bpf->command != XDP_SETUP_PROG)
		return -EINVAL;
	old = rtnl_dereference(card->prog);
	rcu_assign_pointer(card->prog, bpf->prog);
	if (old)
		bpf_prog_put(old);
	return 0;
}

/* ---- L2 forwarding: macvlans whose frames the card sorts out ---- */

static void *card_add_station(struct net_device *dev, struct net_device *station)
{
	struct card *card = *(struct card **)netdev_priv(dev);
	void *ret = ERR_PTR(-EBUSY);
	int i;

	if (!macvlan_supports_dest_filter(station))
		return ERR_PTR(-EMEDIUMTYPE);
	spin_lock_bh(&card->lock);
	for (i = 0; i < STATIONS; i++) {
		if (!card->stations[i]) {
			card->stations[i] = station;
			ret = &card->stations[i];
			break;
		}
	}
	spin_unlock_bh(&card->lock);
	return ret;
}

static void card_del_station(struct net_device *dev, void *priv)
{
	struct card *card = *(struct card **)netdev_priv(dev);
	struct net_device **station = priv;

	spin_lock_bh(&card->lock);
	*station = NULL;
	spin_unlock_bh(&card->lock);
}

static void drop_stations(struct card *card)
{
	int i;

	for (i = 0; i < STATIONS; i++) {
		struct net_device *station = card->stations[i];

		if (!station)
			continue;
		card_del_station(card->dev, &card->stations[i]);
		macvlan_release_l2fw_offload(station);
	}
}

/* ---- Features ---- */

static netdev_features_t card_fix_features(struct net_device *dev,
					   netdev_features_t features)
{
	return refuse_features ? dev->features : features;
}

static int card_set_features(struct net_device *dev, netdev_features_t features)
{
	struct card *card = *(struct card **)netdev_priv(dev);

	if (dev->features & ~features & NETIF_F_NTUPLE)
		forget_rules(card);
	if (dev->features & ~features & NETIF_F_HW_L2FW_DOFFLOAD)
		drop_stations(card);
	return 0;
}

/* ---- What is received ---- */

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define FDB_NOTIFIED bool *notified,
#else
#define FDB_NOTIFIED
#endif

static int card_fdb_add(struct ndmsg *ndm, struct nlattr *tb[], struct net_device *dev,
			const unsigned char *addr, u16 vid, u16 flags,
			FDB_NOTIFIED struct netlink_ext_ack *extack)
{
	return no_addresses ? -ENOMEM : ndo_dflt_fdb_add(ndm, tb, dev, addr, vid, flags);
}

static int card_add_vlan(struct net_device *dev, __be16 protocol, u16 vlan)
{
	struct card *card = *(struct card **)netdev_priv(dev);

	set_bit(vlan, card->vlans);
	return 0;
}

static int card_kill_vlan(struct net_device *dev, __be16 protocol, u16 vlan)
{
	struct card *card = *(struct card **)netdev_priv(dev);

	clear_bit(vlan, card->vlans);
	return 0;
}

/* ---- Rates ---- */

static int card_set_maxrate(struct net_device *dev, int number, u32 rate)
{
	/* The kernel keeps it in the queue, where sysfs reads it. */
	return 0;
}

static int reset_classes(struct card *card)
{
	memset(&card->classes, 0, sizeof(card->classes));
	netdev_reset_tc(card->dev);
	return 0;
}

static int set_classes(struct card *card, struct tc_mqprio_qopt_offload *offload)
{
	struct tc_mqprio_qopt *qopt = &offload->qopt;
	struct traffic_classes *classes = &card->classes;
	int i, err;

	if (!qopt->num_tc)
		return reset_classes(card);
	if (offload->mode != TC_MQPRIO_MODE_CHANNEL) {
		NL_SET_ERR_MSG(offload->extack, "only mode channel");
		return -EOPNOTSUPP;
	}
	err = netdev_set_num_tc(card->dev, qopt->num_tc);
	for (i = 0; !err && i < qopt->num_tc; i++)
		err = netdev_set_tc_queue(card->dev, i, qopt->count[i], qopt->offset[i]);
	if (err) {
		reset_classes(card);
		return err;
	}
	classes->count = qopt->num_tc;
	classes->mode = offload->mode;
	classes->shaper = offload->shaper;
	memcpy(classes->queues, qopt->count, sizeof(classes->queues));
	memcpy(classes->offset, qopt->offset, sizeof(classes->offset));
	memcpy(classes->min, offload->min_rate, sizeof(classes->min));
	memcpy(classes->max, offload->max_rate, sizeof(classes->max));
	qopt->hw = TC_MQPRIO_HW_OFFLOAD_TCS;
	return 0;
}

static int card_setup_tc(struct net_device *dev, enum tc_setup_type type, void *data)
{
	struct card *card = *(struct card **)netdev_priv(dev);

	if (type != TC_SETUP_QDISC_MQPRIO)
		return -EOPNOTSUPP;
	return set_classes(card, data);
}

/* debugfs vtcsim/CARD/classes: what mqprio set, rates in bytes in a second */
static int classes_show(struct seq_file *file, void *unused)
{
	struct card *card = file->private;
	const struct traffic_classes *classes = &card->classes;
	int i;

	rtnl_lock();
	for (i = 0; i < classes->count; i++)
		seq_printf(file, "tc %d queues %u@%u min %llu max %llu\n", i,
			   classes->queues[i], classes->offset[i], classes->min[i],
			   classes->max[i]);
	rtnl_unlock();
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(classes);

/* ---- ethtool: channels and RSS ---- */

static void card_get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, driver, sizeof(info->driver));
}

static void card_get_channels(struct net_device *dev, struct ethtool_channels *channels)
{
	struct card *card = *(struct card **)netdev_priv(dev);

	channels->max_combined = queues;
	channels->combined_count = card->channels;
}

static int count_rules(const struct card *card)
{
	int i, count = 0;

	for (i = 0; i < RULES; i++)
		count += card->rules[i].used;
	return count;
}

static int card_set_channels(struct net_device *dev, struct ethtool_channels *channels)
{
	struct card *card = *(struct card **)netdev_priv(dev);
	u32 count = channels->combined_count;
	int err;

	if (channels_first && count_rules(card))
		return -EBUSY;
	err = netif_set_real_num_queues(dev, count, count);
	if (err)
		return err;
	spin_lock_bh(&card->lock);
	card->channels = count;
	if (!netif_is_rxfh_configured(dev))
		default_indir(card);
	spin_unlock_bh(&card->lock);
	return 0;
}

static u32 card_indir_size(struct net_device *dev)
{
	return INDIR;
}

static u32 card_key_size(struct net_device *dev)
{
	return KEY;
}

static int card_get_rxfh(struct net_device *dev, struct ethtool_rxfh_param *rxfh)
{
	struct card *card = *(struct card **)netdev_priv(dev);

	rxfh->hfunc = ETH_RSS_HASH_TOP;
	if (rxfh->indir)
		memcpy(rxfh->indir, card->indir, sizeof(card->indir));
	if (rxfh->key)
		memcpy(rxfh->key, card->key, sizeof(card->key));
	return 0;
}

static int set_indir(struct card *card, u32 *indir, const struct ethtool_rxfh_param *rxfh)
{
	if (rss_fixed)
		return -EOPNOTSUPP;
	if (rxfh->hfunc != ETH_RSS_HASH_NO_CHANGE && rxfh->hfunc != ETH_RSS_HASH_TOP)
		return -EOPNOTSUPP;
	spin_lock_bh(&card->lock);
	if (rxfh->indir)
		memcpy(indir, rxfh->indir, sizeof(card->indir));
	if (rxfh->key)
		memcpy(card->key, rxfh->key, sizeof(card->key));
	spin_unlock_bh(&card->lock);
	return 0;
}

static int card_set_rxfh(struct net_device *dev, struct ethtool_rxfh_param *rxfh,
			 struct netlink_ext_ack *extack)
{
	struct card *card = *(struct card **)netdev_priv(dev);

	return set_indir(card, card->indir, rxfh);
}

static int card_create_context(struct net_device *dev, struct ethtool_rxfh_context *ctx,
			       const struct ethtool_rxfh_param *rxfh,
			       struct netlink_ext_ack *extack)
{
	struct card *card = *(struct card **)netdev_priv(dev);
	u32 *indir = card->contexts[rxfh->rss_context - 1];

	memcpy(indir, card->indir, sizeof(card->indir));
	memcpy(ethtool_rxfh_context_indir(ctx), indir, sizeof(card->indir));
	memcpy(ethtool_rxfh_context_key(ctx), card->key, sizeof(card->key));
	ctx->hfunc = ETH_RSS_HASH_TOP;
	return set_indir(card, indir, rxfh);
}

static int card_modify_context(struct net_device *dev, struct ethtool_rxfh_context *ctx,
			       const struct ethtool_rxfh_param *rxfh,
			       struct netlink_ext_ack *extack)
{
	struct card *card = *(struct card **)netdev_priv(dev);

	return set_indir(card, card->contexts[rxfh->rss_context - 1], rxfh);
}

static int card_remove_context(struct net_device *dev, struct ethtool_rxfh_context *ctx,
			       u32 number, struct netlink_ext_ack *extack)
{
	struct card *card = *(struct card **)netdev_priv(dev);
	int i;

	for (i = 0; i < RULES; i++)
		if (card->rules[i].used && card->rules[i].context == number)
			return -EBUSY;
	return 0;
}

/* ---- ethtool: flow rules ---- */

static int list_rules(struct card *card, struct ethtool_rxnfc *info, u32 *locations)
{
	u32 i, count = 0;

	for (i = 0; i < RULES; i++) {
		if (!card->rules[i].used)
			continue;
		if (count == info->rule_cnt)
			return -EMSGSIZE;
		locations[count++] = i;
	}
	info->rule_cnt = count;
	info->data = RULES;
	return 0;
}

static int read_rule(struct card *card, struct ethtool_rxnfc *info)
{
	u32 location = info->fs.location;

	if (location >= RULES || !card->rules[location].used)
		return -ENOENT;
	info->fs = card->rules[location].spec;
	info->rss_context = card->rules[location].context;
	return 0;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
static u32 card_get_rings(struct net_device *dev)
{
	return (*(struct card **)netdev_priv(dev))->channels;
}
#endif

static int card_get_rxnfc(struct net_device *dev, struct ethtool_rxnfc *info,
			  u32 *locations)
{
	struct card *card = *(struct card **)netdev_priv(dev);

	switch (info->cmd) {
	case ETHTOOL_GRXRINGS:
		info->data = card->channels;
		return 0;
	case ETHTOOL_GRXCLSRLCNT:
		info->rule_cnt = count_rules(card);
		info->data = RULES;
		if (location_any && !location_hidden)
			info->data |= RX_CLS_LOC_SPECIAL;
		return 0;
	case ETHTOOL_GRXCLSRULE:
		return read_rule(card, info);
	case ETHTOOL_GRXCLSRLALL:
		return list_rules(card, info, locations);
	default:
		return -EOPNOTSUPP;
	}
}

static int check_rule(const struct card *card, const struct ethtool_rx_flow_spec *spec)
{
	u32 type = spec->flow_type & ~(FLOW_EXT | FLOW_RSS);

	if (no_ether)
		return -EOPNOTSUPP;
	if (type != ETHER_FLOW || spec->m_u.ether_spec.h_proto ||
	    !is_zero_ether_addr(spec->m_u.ether_spec.h_source))
		return -EINVAL;
	if (!is_zero_ether_addr(spec->m_u.ether_spec.h_dest) &&
	    !is_broadcast_ether_addr(spec->m_u.ether_spec.h_dest))
		return -EINVAL;
	if (spec->flow_type & FLOW_EXT && spec->m_ext.vlan_tci &&
	    spec->m_ext.vlan_tci != htons(vlan_mask))
		return -EINVAL;
	return spec->ring_cookie < card->channels ? 0 : -EINVAL;
}

static int pick_location(const struct card *card, struct ethtool_rx_flow_spec *spec)
{
	u32 i;

	if (!location_any)
		return spec->location < RULES ? 0 : -EINVAL;
	if (spec->location != RX_CLS_LOC_ANY)
		return -EINVAL;
	/* Not the first free one, so that nobody takes it for granted. */
	for (i = RULES; i--;) {
		if (!card->rules[i].used) {
			spec->location = i;
			return 0;
		}
	}
	return -ENOSPC;
}

static int insert_rule(struct card *card, struct ethtool_rxnfc *info)
{
	struct rule *rule;
	int err = check_rule(card, &info->fs);

	if (!err)
		err = pick_location(card, &info->fs);
	if (err)
		return err;
	rule = &card->rules[info->fs.location];
	spin_lock_bh(&card->lock);
	rule->spec = info->fs;
	rule->context = info->fs.flow_type & FLOW_RSS ? info->rss_context : 0;
	rule->used = true;
	if (drop_vlan) {
		rule->spec.flow_type &= ~FLOW_EXT;
		memset(&rule->spec.h_ext, 0, sizeof(rule->spec.h_ext));
		memset(&rule->spec.m_ext, 0, sizeof(rule->spec.m_ext));
	}
	spin_unlock_bh(&card->lock);
	return 0;
}

static int delete_rule(struct card *card, u32 location)
{
	if (location >= RULES || !card->rules[location].used)
		return -ENOENT;
	spin_lock_bh(&card->lock);
	card->rules[location].used = false;
	spin_unlock_bh(&card->lock);
	return 0;
}

static int card_set_rxnfc(struct net_device *dev, struct ethtool_rxnfc *info)
{
	struct card *card = *(struct card **)netdev_priv(dev);

	if (!(dev->features & NETIF_F_NTUPLE))
		return -EOPNOTSUPP;
	if (rules_need_up && !netif_running(dev))
		return -EAGAIN;
	switch (info->cmd) {
	case ETHTOOL_SRXCLSRLINS:
		return insert_rule(card, info);
	case ETHTOOL_SRXCLSRLDEL:
		return delete_rule(card, info->fs.location);
	default:
		return -EOPNOTSUPP;
	}
}

/* ---- ethtool: counters ---- */

static int card_sset_count(struct net_device *dev, int set)
{
	return set == ETH_SS_STATS ? 2 * QUEUES : -EOPNOTSUPP;
}

static void card_get_strings(struct net_device *dev, u32 set, u8 *data)
{
	int i;

	if (set != ETH_SS_STATS)
		return;
	for (i = 0; i < QUEUES; i++)
		ethtool_sprintf(&data, "rx_queue_%d_packets", i);
	for (i = 0; i < QUEUES; i++)
		ethtool_sprintf(&data, "tx_queue_%d_packets", i);
}

static void card_get_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *data)
{
	struct card *card = *(struct card **)netdev_priv(dev);
	int i;

	for (i = 0; i < QUEUES; i++) {
		data[i] = card->queues[i].rx;
		data[QUEUES + i] = card->queues[i].tx;
	}
}

static const struct ethtool_ops card_ethtool_ops = {
	.rxfh_max_num_contexts = CONTEXTS + 1,
	.get_drvinfo = card_get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_channels = card_get_channels,
	.set_channels = card_set_channels,
	.get_rxfh_key_size = card_key_size,
	.get_rxfh_indir_size = card_indir_size,
	.get_rxfh = card_get_rxfh,
	.set_rxfh = card_set_rxfh,
	.create_rxfh_context = card_create_context,
	.modify_rxfh_context = card_modify_context,
	.remove_rxfh_context = card_remove_context,
	.get_rxnfc = card_get_rxnfc,
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
	.get_rx_ring_count = card_get_rings,
#endif
	.set_rxnfc = card_set_rxnfc,
	.get_sset_count = card_sset_count,
	.get_strings = card_get_strings,
	.get_ethtool_stats = card_get_stats,
#ifdef ETHTOOL_OP_NEEDS_RTNL_SCHANNELS
	.op_needs_rtnl = ETHTOOL_OP_NEEDS_RTNL_SCHANNELS,
#endif
};

/* ---- Shapers: the kernel keeps them ---- */

#if IS_ENABLED(CONFIG_NET_SHAPER)
static int shaper_refusal(void)
{
	return -xchg(&shaper_error, 0);
}

static int card_shaper_set(struct net_shaper_binding *binding,
			   const struct net_shaper *shaper,
			   struct netlink_ext_ack *extack)
{
	return shaper_refusal();
}

static int card_shaper_group(struct net_shaper_binding *binding, int leaves_count,
			     const struct net_shaper *leaves,
			     const struct net_shaper *node,
			     struct netlink_ext_ack *extack)
{
	return shaper_refusal();
}

static int card_shaper_delete(struct net_shaper_binding *binding,
			      const struct net_shaper_handle *handle,
			      struct netlink_ext_ack *extack)
{
	return 0;
}

/* Queues have no weights, nodes no minimum. */
static void card_shaper_capabilities(struct net_shaper_binding *binding,
				     enum net_shaper_scope scope, unsigned long *caps)
{
	if (scope == NET_SHAPER_SCOPE_QUEUE)
		*caps = BIT(NET_SHAPER_A_CAPS_SUPPORT_METRIC_BPS) |
			BIT(NET_SHAPER_A_CAPS_SUPPORT_NESTING) |
			BIT(NET_SHAPER_A_CAPS_SUPPORT_BW_MIN) |
			BIT(NET_SHAPER_A_CAPS_SUPPORT_BW_MAX);
	else if (scope == NET_SHAPER_SCOPE_NODE)
		*caps = BIT(NET_SHAPER_A_CAPS_SUPPORT_METRIC_BPS) |
			BIT(NET_SHAPER_A_CAPS_SUPPORT_BW_MAX) |
			BIT(NET_SHAPER_A_CAPS_SUPPORT_WEIGHT);
}

static const struct net_shaper_ops card_shaper_ops = {
	.group = card_shaper_group,
	.set = card_shaper_set,
	.delete = card_shaper_delete,
	.capabilities = card_shaper_capabilities,
};
#endif

/* Shapers are there if they are asked for. */
static struct net_device_ops card_ops = {
	.ndo_open = card_open,
	.ndo_stop = card_stop,
	.ndo_start_xmit = card_xmit,
	.ndo_bpf = card_bpf,
	.ndo_dfwd_add_station = card_add_station,
	.ndo_dfwd_del_station = card_del_station,
	.ndo_fix_features = card_fix_features,
	.ndo_set_features = card_set_features,
	.ndo_set_tx_maxrate = card_set_maxrate,
	.ndo_setup_tc = card_setup_tc,
	.ndo_fdb_add = card_fdb_add,
	.ndo_vlan_rx_add_vid = card_add_vlan,
	.ndo_vlan_rx_kill_vid = card_kill_vlan,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_set_mac_address = eth_mac_addr,
};

static const struct net_device_ops wire_ops = {
	.ndo_start_xmit = wire_xmit,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_set_mac_address = eth_mac_addr,
};

/* ---- Making and ending cards ---- */

static struct net_device *new_wire(struct card *card)
{
	struct net_device *dev = alloc_netdev(sizeof(struct wire), "vtcwire%d",
					      NET_NAME_ENUM, ether_setup);

	if (!dev)
		return NULL;
	((struct wire *)netdev_priv(dev))->card = card;
	dev->netdev_ops = &wire_ops;
	dev->lltx = true;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	dev->max_mtu = ETH_MAX_MTU;
	eth_hw_addr_random(dev);
	return dev;
}

static netdev_features_t changeable_features(void)
{
	netdev_features_t features = NETIF_F_HW_VLAN_STAG_RX;

	if (!vlan_fixed)
		features |= NETIF_F_HW_VLAN_CTAG_RX;
	if (vlan_filter == 1)
		features |= NETIF_F_HW_VLAN_CTAG_FILTER;
	if (!ntuple_fixed)
		features |= NETIF_F_NTUPLE;
	if (!forward_fixed)
		features |= NETIF_F_HW_L2FW_DOFFLOAD;
	return features;
}

static struct net_device *new_card_dev(struct card *card)
{
	struct net_device *dev = alloc_netdev_mqs(sizeof(card), "vtcsim%d", NET_NAME_ENUM,
						  ether_setup, QUEUES, QUEUES);

	if (!dev)
		return NULL;
	*(struct card **)netdev_priv(dev) = card;
	dev->netdev_ops = &card_ops;
	dev->ethtool_ops = &card_ethtool_ops;
	dev->hw_features = changeable_features();
	dev->features = NETIF_F_HW_VLAN_CTAG_RX;
	if (vlan_filter)
		dev->features |= NETIF_F_HW_VLAN_CTAG_FILTER;
	dev->xdp_features = NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT;
	dev->priv_flags |= IFF_UNICAST_FLT;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	dev->max_mtu = ETH_MAX_MTU;
	eth_hw_addr_random(dev);
	return dev;
}

static void init_queues(struct card *card)
{
	int i;

	for (i = 0; i < QUEUES; i++) {
		struct queue *queue = &card->queues[i];

		queue->dev = card->dev;
		skb_queue_head_init(&queue->backlog);
		netif_napi_add(card->dev, &queue->napi, card_poll);
	}
}

static int register_both(struct card *card)
{
	int err = netif_set_real_num_queues(card->dev, card->channels, card->channels);

	if (!err)
		err = register_netdev(card->wire);
	if (err)
		return err;
	netif_carrier_off(card->wire);
	err = register_netdev(card->dev);
	if (err)
		unregister_netdev(card->wire);
	else
		netif_carrier_off(card->dev);
	return err;
}

static struct card *new_card(void)
{
	struct card *card = kzalloc(sizeof(*card), GFP_KERNEL);
	int err = -ENOMEM;

	if (!card)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&card->lock);
	card->channels = min(4u, queues);
	default_indir(card);
	get_random_bytes(card->key, sizeof(card->key));
	card->dev = new_card_dev(card);
	card->wire = new_wire(card);
	if (card->dev && card->wire) {
		init_queues(card);
		err = register_both(card);
	}
	if (err) {
		if (card->wire)
			free_netdev(card->wire);
		if (card->dev)
			free_netdev(card->dev);
		kfree(card);
		return ERR_PTR(err);
	}
	card->dir = debugfs_create_dir(netdev_name(card->dev), root);
	debugfs_create_file("classes", 0444, card->dir, card, &classes_fops);
	return card;
}

static void free_card(struct card *card)
{
	debugfs_remove_recursive(card->dir);
	/* Going down, the card takes the wire's carrier away: the wire must be there. */
	unregister_netdev(card->dev);
	unregister_netdev(card->wire);
	free_netdev(card->wire);
	free_netdev(card->dev);
	kfree(card);
}

static void vtcsim_exit(void)
{
	uint i;

	for (i = 0; i < cards; i++)
		if (all[i])
			free_card(all[i]);
	debugfs_remove_recursive(root);
	kfree(all);
}

static int __init vtcsim_init(void)
{
	uint i;

	if (!queues || queues > QUEUES || !cards || cards > 64)
		return -EINVAL;
	if (shapers) {
#if IS_ENABLED(CONFIG_NET_SHAPER)
		card_ops.net_shaper_ops = &card_shaper_ops;
#else
		return -EOPNOTSUPP;
#endif
	}
	all = kcalloc(cards, sizeof(*all), GFP_KERNEL);
	if (!all)
		return -ENOMEM;
	root = debugfs_create_dir("vtcsim", NULL);
	for (i = 0; i < cards; i++) {
		struct card *card = new_card();

		if (IS_ERR(card)) {
			vtcsim_exit();
			return PTR_ERR(card);
		}
		all[i] = card;
	}
	return 0;
}

module_init(vtcsim_init);
module_exit(vtcsim_exit);
MODULE_DESCRIPTION("simulated network card with VMDq");
MODULE_LICENSE("GPL");
