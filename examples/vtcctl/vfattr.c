/* SPDX-License-Identifier: MIT */
/* The attributes of a VF: from words to a configuration, and from a snapshot to JSON. */
#include "vfattr.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "fail.h"
#include "json.h"
#include "nearest.h"

struct attribute {
	const char *value; /* for the help */
	/* Takes its words; 0, or -EINVAL if they are no value. */
	int (*set)(struct vtc_vf_config *config, struct words *words);
	void (*add)(struct json_object *to, const struct vtc_vf *vf);
};

static const struct choice on_off[] = { { "off", 0 }, { "on", 1 }, { NULL, 0 } };

static const struct choice link_states[] = {
	{ "auto", VTC_VF_LINK_AUTO },
	{ "enable", VTC_VF_LINK_ENABLE },
	{ "disable", VTC_VF_LINK_DISABLE },
	{ NULL, 0 },
};

static const struct choice vlan_protos[] = {
	{ "802.1q", VTC_VLAN_PROTO_8021Q },
	{ "802.1ad", VTC_VLAN_PROTO_8021AD },
	{ NULL, 0 },
};

static const char *choice_name(const struct choice *choices, uint32_t value)
{
	while (choices->name && choices->value != value)
		choices++;
	return choices->name ? choices->name : "unknown";
}

/*
 * There is a word whenever this is called: the caller of .set looked, or next_is() did.
 */
static const char *take(struct words *words)
{
	words->left--;
	return *words->at++;
}

/* Whether the next word is a given one with something behind it. */
static bool next_is(const struct words *words, const char *word)
{
	return words->left > 1 && strcmp(words->at[0], word) == 0;
}

static int set_mac(struct vtc_vf_config *config, struct words *words)
{
	struct vtc_mac mac;
	int r = vtc_mac_parse(take(words), &mac);

	return r < 0 ? r : vtc_vf_config_set_mac(config, &mac);
}

static int set_vlan(struct vtc_vf_config *config, struct words *words)
{
	uint32_t id, qos = 0, proto = VTC_VLAN_PROTO_8021Q;
	struct vtc_vlan vlan = { 0 };

	if (!args_number(take(words), UINT16_MAX, &id))
		return -EINVAL;
	if (next_is(words, "qos")) {
		take(words);
		if (!args_number(take(words), UINT8_MAX, &qos))
			return -EINVAL;
	}
	if (next_is(words, "proto")) {
		take(words);
		if (!args_choice(vlan_protos, take(words), &proto))
			return -EINVAL;
	}
	vlan.id = (uint16_t)id;
	vlan.qos = (uint8_t)qos;
	vlan.proto = (uint16_t)proto;
	return vtc_vf_config_set_vlan(config, &vlan);
}

static int set_rate(struct vtc_vf_config *config, struct words *words,
		    int (*set)(struct vtc_vf_config *, uint32_t))
{
	uint32_t mbps;

	return args_number(take(words), UINT32_MAX, &mbps) ? set(config, mbps) : -EINVAL;
}

static int set_min_rate(struct vtc_vf_config *config, struct words *words)
{
	return set_rate(config, words, vtc_vf_config_set_min_rate_mbps);
}

static int set_max_rate(struct vtc_vf_config *config, struct words *words)
{
	return set_rate(config, words, vtc_vf_config_set_max_rate_mbps);
}

static int set_switch(struct vtc_vf_config *config, struct words *words,
		      int (*set)(struct vtc_vf_config *, int))
{
	uint32_t on;

	return args_choice(on_off, take(words), &on) ? set(config, (int)on) : -EINVAL;
}

static int set_spoof_check(struct vtc_vf_config *config, struct words *words)
{
	return set_switch(config, words, vtc_vf_config_set_spoof_check);
}

static int set_trust(struct vtc_vf_config *config, struct words *words)
{
	return set_switch(config, words, vtc_vf_config_set_trust);
}

static int set_rss_query(struct vtc_vf_config *config, struct words *words)
{
	return set_switch(config, words, vtc_vf_config_set_rss_query);
}

static int set_link_state(struct vtc_vf_config *config, struct words *words)
{
	uint32_t state;

	if (!args_choice(link_states, take(words), &state))
		return -EINVAL;
	return vtc_vf_config_set_link_state(config, (enum vtc_vf_link_state)state);
}

/* Sixteen hexadecimal digits, with or without a colon between pairs. */
static int set_guid(struct vtc_vf_config *config, struct words *words,
		    int (*set)(struct vtc_vf_config *, uint64_t))
{
	const char *text = take(words);
	bool colons = strchr(text, ':') != NULL;
	char digits[17] = "";
	size_t count = 0;

	while (count < 16 && isxdigit((unsigned char)*text)) {
		digits[count++] = *text++;
		if (colons && count % 2 == 0 && count < 16 && *text++ != ':')
			return -EINVAL;
	}
	if (count != 16 || *text != '\0')
		return -EINVAL;
	return set(config, strtoull(digits, NULL, 16));
}

static int set_node_guid(struct vtc_vf_config *config, struct words *words)
{
	return set_guid(config, words, vtc_vf_config_set_node_guid);
}

static int set_port_guid(struct vtc_vf_config *config, struct words *words)
{
	return set_guid(config, words, vtc_vf_config_set_port_guid);
}

static void add_mac(struct json_object *to, const struct vtc_vf *vf)
{
	struct vtc_mac mac = { { 0 } };
	char text[VTC_MAC_TEXT_LEN] = "";
	int known = vtc_vf_get_mac(vf, &mac);

	vtc_mac_format(&mac, text, sizeof(text));
	json_add_text(to, "mac", known, text);
	known = vtc_vf_get_effective_mac(vf, &mac);
	vtc_mac_format(&mac, text, sizeof(text));
	json_add_text(to, "effective_mac", known, text);
}

static void add_vlan(struct json_object *to, const struct vtc_vf *vf)
{
	struct vtc_vlan vlan;
	int known = vtc_vf_get_vlan(vf, &vlan);
	struct json_object *object;

	if (known != 1) {
		json_add_text(to, "vlan", known, NULL);
		return;
	}
	object = json_new();
	json_add_number(object, "id", 1, vlan.id);
	json_add_number(object, "qos", 1, vlan.qos);
	json_add_text(object, "proto", 1, choice_name(vlan_protos, vlan.proto));
	json_add(to, "vlan", object);
}

static void add_min_rate(struct json_object *to, const struct vtc_vf *vf)
{
	uint32_t mbps = 0;
	int known = vtc_vf_get_min_rate_mbps(vf, &mbps);

	json_add_number(to, "min_rate_mbps", known, mbps);
}

static void add_max_rate(struct json_object *to, const struct vtc_vf *vf)
{
	uint32_t mbps = 0;
	int known = vtc_vf_get_max_rate_mbps(vf, &mbps);

	json_add_number(to, "max_rate_mbps", known, mbps);
}

static void add_spoof_check(struct json_object *to, const struct vtc_vf *vf)
{
	int on = 0, known = vtc_vf_get_spoof_check(vf, &on);

	json_add_bool(to, "spoof_check", known, on);
}

static void add_trust(struct json_object *to, const struct vtc_vf *vf)
{
	int on = 0, known = vtc_vf_get_trust(vf, &on);

	json_add_bool(to, "trust", known, on);
}

static void add_link_state(struct json_object *to, const struct vtc_vf *vf)
{
	enum vtc_vf_link_state state = VTC_VF_LINK_AUTO;
	int known = vtc_vf_get_link_state(vf, &state);

	json_add_text(to, "link_state", known, choice_name(link_states, state));
}

static void add_rss_query(struct json_object *to, const struct vtc_vf *vf)
{
	int on = 0, known = vtc_vf_get_rss_query(vf, &on);

	json_add_bool(to, "rss_query", known, on);
}

static void add_guid(struct json_object *to, const char *key, int known, uint64_t guid)
{
	char text[17];

	snprintf(text, sizeof(text), "%016llx", (unsigned long long)guid);
	json_add_text(to, key, known, text);
}

static void add_node_guid(struct json_object *to, const struct vtc_vf *vf)
{
	uint64_t guid = 0;
	int known = vtc_vf_get_node_guid(vf, &guid);

	add_guid(to, "node_guid", known, guid);
}

static void add_port_guid(struct json_object *to, const struct vtc_vf *vf)
{
	uint64_t guid = 0;
	int known = vtc_vf_get_port_guid(vf, &guid);

	add_guid(to, "port_guid", known, guid);
}

static const struct attribute attributes[VTC_VF_ATTR_COUNT] = {
	[VTC_VF_ATTR_MAC] = { "ADDRESS|none", set_mac, add_mac },
	[VTC_VF_ATTR_VLAN] = { "ID [qos 0-7] [proto 802.1q|802.1ad] | none", set_vlan,
			       add_vlan },
	[VTC_VF_ATTR_MIN_RATE] = { "MBPS|none", set_min_rate, add_min_rate },
	[VTC_VF_ATTR_MAX_RATE] = { "MBPS|none", set_max_rate, add_max_rate },
	[VTC_VF_ATTR_SPOOF_CHECK] = { "on|off|default", set_spoof_check,
				      add_spoof_check },
	[VTC_VF_ATTR_TRUST] = { "on|off|default", set_trust, add_trust },
	[VTC_VF_ATTR_LINK_STATE] = { "auto|enable|disable|default", set_link_state,
				     add_link_state },
	[VTC_VF_ATTR_RSS_QUERY] = { "on|off|default", set_rss_query, add_rss_query },
	[VTC_VF_ATTR_NODE_GUID] = { "GUID|none", set_node_guid, add_node_guid },
	[VTC_VF_ATTR_PORT_GUID] = { "GUID|none", set_port_guid, add_port_guid },
};

/* The attribute of a name, or VTC_VF_ATTR_COUNT. */
static unsigned int find_attr(const char *name)
{
	unsigned int i = 0;

	while (i < VTC_VF_ATTR_COUNT &&
	       strcmp(vtc_vf_attr_name((enum vtc_vf_attr)i), name) != 0)
		i++;
	return i;
}

static int unknown_attr(const struct tool *tool, const char *word)
{
	struct nearest nearest;

	nearest_begin(&nearest, word);
	for (unsigned int i = 0; i < VTC_VF_ATTR_COUNT; i++)
		nearest_offer(&nearest, vtc_vf_attr_name((enum vtc_vf_attr)i));
	return fail_unknown(tool, "attribute", word, nearest.best);
}

static int set_value(struct words *words, struct vtc_vf_config *config, unsigned int attr)
{
	const char *word = words->at[0];

	if (strcmp(word, "none") != 0 && strcmp(word, "default") != 0)
		return attributes[attr].set(config, words);
	take(words);
	return vtc_vf_config_clear(config, (enum vtc_vf_attr)attr);
}

int vfattr_read(const struct tool *tool, struct words words, struct vtc_vf_config *config,
		uint32_t *ret_asked)
{
	*ret_asked = 0;
	while (words.left > 0) {
		const char *name = take(&words);
		unsigned int attr = find_attr(name);
		const char *value = words.left ? words.at[0] : NULL;

		if (attr == VTC_VF_ATTR_COUNT)
			return unknown_attr(tool, name);
		if (*ret_asked & (1u << attr))
			return fail_usage(tool, "%s is given twice", name);
		if (!value)
			return fail_usage(tool, "%s needs a value: %s", name,
					  attributes[attr].value);
		if (set_value(&words, config, attr) < 0)
			return fail_usage(tool, "'%s' is no value for %s: %s", value,
					  name, attributes[attr].value);
		*ret_asked |= 1u << attr;
	}
	return 0;
}

void vfattr_json(struct json_object *to, const struct vtc_vf *vf)
{
	/*
	 * For a NULL the getters answer that they know nothing, which is what is meant
	 * here.
	 */
	for (unsigned int i = 0; i < VTC_VF_ATTR_COUNT; i++)
		attributes[i].add(to, vf);
}

void vfattr_explain(void)
{
	printf("\nAttributes ('none' and 'default' both clear):\n");
	for (unsigned int i = 0; i < VTC_VF_ATTR_COUNT; i++)
		printf("  %-12s %s\n", vtc_vf_attr_name((enum vtc_vf_attr)i),
		       attributes[i].value);
}
