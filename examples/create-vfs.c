/* SPDX-License-Identifier: MIT */
/*
 * cc create-vfs.c $(pkg-config --cflags --libs vtc)
 *
 * Create two VFs, give each an address and a VLAN, print what they have, and take them
 * away again: the whole way there and back. Without --yes it only says what it would do.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <vtc/vf.h>

#define VF_COUNT 2

/* Locally administered addresses, so that they belong to nobody. */
static int make_config(uint32_t index, struct vtc_vf_config **ret_config)
{
	struct vtc_mac mac = { { 0x02, 0x00, 0x5e, 0x10, 0x00, (uint8_t)(index + 1) } };
	struct vtc_vlan vlan = { .id = (uint16_t)(100 + index), .qos = 3 };
	int r = vtc_vf_config_new(index, ret_config);

	if (r == 0)
		r = vtc_vf_config_set_mac(*ret_config, &mac);
	if (r == 0)
		r = vtc_vf_config_set_vlan(*ret_config, &vlan);
	return r;
}

/* All VFs in one call: it puts everything back if one attribute of one VF fails. */
static int configure(struct vtc_pf *pf)
{
	struct vtc_vf_config *configs[VF_COUNT] = { NULL };
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < VF_COUNT; i++)
		r = make_config(i, &configs[i]);
	if (r == 0)
		r = vtc_vf_apply(pf, configs, VF_COUNT, NULL);
	for (uint32_t i = 0; i < VF_COUNT; i++)
		vtc_vf_config_free(configs[i]);
	return r;
}

static void print_vf(const struct vtc_vf *vf)
{
	char mac_text[VTC_MAC_TEXT_LEN] = "-";
	struct vtc_vlan vlan = { 0 };
	const char *address;
	struct vtc_mac mac;

	if (vtc_vf_get_address(vf, &address) != 1)
		address = "-";
	if (vtc_vf_get_mac(vf, &mac) == 1)
		vtc_mac_format(&mac, mac_text, sizeof(mac_text));
	if (vtc_vf_get_vlan(vf, &vlan) < 0)
		puts("the driver does not tell the VLAN");
	printf("VF %u: %s mac %s vlan %u qos %u\n", vtc_vf_get_index(vf), address,
	       mac_text, vlan.id, vlan.qos);
}

static int show(struct vtc_pf *pf)
{
	struct vtc_vf_list *list;
	const struct vtc_vf *vf;
	int r = vtc_vf_list_new(pf, NULL, &list);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < vtc_vf_list_get_count(list); i++) {
		if (vtc_vf_list_get(list, i, &vf) == 0)
			print_vf(vf);
		else
			printf("VF %u: not reported\n", i);
	}
	vtc_vf_list_free(list);
	return 0;
}

/*
 * Only VFs that this program created are destroyed: without VTC_PF_F_DESTROY others are
 * safe.
 */
static int there_and_back(struct vtc_pf *pf, int yes)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;
	int r, undone;

	/* To switch the PF on would be one more thing to undo. */
	opts.down = VTC_PF_DOWN_IGNORE;
	opts.flags = yes ? 0 : VTC_PF_F_DRY_RUN;
	r = vtc_pf_set_num_vfs(pf, VF_COUNT, &opts);
	if (r < 0 || !yes)
		return r;
	if (r == 0) {
		puts("the VFs are somebody else's: nothing done");
		return 0;
	}
	r = configure(pf);
	if (r == 0)
		r = show(pf);
	opts.flags = VTC_PF_F_DESTROY | VTC_PF_F_DESTROY_IN_USE;
	undone = vtc_pf_set_num_vfs(pf, 0, &opts);
	return r < 0 ? r : undone;
}

int main(int argc, char **argv)
{
	int yes = argc == 3 && strcmp(argv[2], "--yes") == 0;
	struct vtc_pf *pf = NULL;
	struct vtc_ctx *ctx;
	char text[1024];
	int r;

	if (argc < 2 || argc > 3 || argv[1][0] == '-' || (argc == 3 && !yes)) {
		puts("usage: create-vfs PF [--yes]");
		return argc != 2 || strcmp(argv[1], "--help") != 0;
	}
	r = vtc_ctx_new(NULL, &ctx);
	if (r < 0) {
		fprintf(stderr, "create-vfs: %s\n", strerror(-r));
		return 1;
	}
	r = vtc_pf_open(ctx, argv[1], &pf);
	if (r == 0)
		r = there_and_back(pf, yes);
	if (r < 0) {
		vtc_error_format(vtc_ctx_last_error(ctx), text, sizeof(text));
		fprintf(stderr, "create-vfs: %s\n", text);
	} else if (!yes) {
		printf("%s: %s; use --yes\n", vtc_pf_get_address(pf),
		       r ? "would get VFs, and lose them again" : "has its VFs already");
	}
	vtc_pf_close(pf);
	vtc_ctx_unref(ctx);
	return r < 0;
}
