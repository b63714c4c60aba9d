/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as the attributes that drivers answer with; the first picks the command. */
#include <linux/ethtool_netlink.h>
#include <vtc/nic.h>

#include "fuzz.h"

static const struct {
	const char *family;
	uint8_t command;
} answers[] = {
	{ "ethtool", ETHTOOL_MSG_FEATURES_GET },
	{ "ethtool", ETHTOOL_MSG_CHANNELS_GET },
	{ "netdev", 1 },  /* NETDEV_CMD_DEV_GET */
	{ "devlink", 1 }, /* DEVLINK_CMD_GET */
	{ "net-shaper", 5 },
};
#define ANSWERS (sizeof(answers) / sizeof(answers[0]))

static uint16_t families[ANSWERS];

static void add_families(struct vtct_kernel *k)
{
	const uint8_t both[] = { ETHTOOL_MSG_FEATURES_GET, ETHTOOL_MSG_CHANNELS_GET };
	size_t i;

	families[0] = families[1] = vtct_genl_family(k, "ethtool", both, sizeof(both));
	for (i = 2; i < ANSWERS; i++)
		families[i] =
			vtct_genl_family(k, answers[i].family, &answers[i].command, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vtc_inventory_opts opts = VTC_INVENTORY_OPTS_INIT;
	struct vtct_kernel *k = vtct_fuzz_kernel();
	struct vtc_inventory *inventory;
	static struct vtc_ctx *ctx;
	struct vtct_buf attrs = VTCT_BUF_INIT;
	size_t pick;

	if (!len)
		return 0;
	if (!ctx) {
		ctx = vtct_kernel_ctx(k);
		add_families(k);
	}
	pick = data[0] % ANSWERS;
	vtct_buf_add(&attrs, data + 1, len - 1);
	vtct_genl_answer(k, families[pick], answers[pick].command, &attrs);
	opts.flags = VTC_INVENTORY_F_CAPS;
	if (vtc_inventory_new(ctx, &opts, &inventory) == 0) {
		vtct_walk_inventory(inventory);
		vtc_inventory_free(inventory);
	}
	vtct_genl_error(k, families[pick], answers[pick].command, -95);
	vtct_buf_free(&attrs);
	return 0;
}
