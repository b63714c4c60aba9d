/* SPDX-License-Identifier: MIT */
/*
 * cc list-nics.c $(pkg-config --cflags --libs vtc)
 *
 * Print the network functions of this machine: what each is, who uses it, and for a VF
 * which PF it belongs to. Changes nothing and needs no rights.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <vtc/nic.h>

/*
 * A getter says 1: known, 0: there is none, or -ENODATA: unknown. Keep the three apart.
 */
static const char *text_or(int known, const char *text)
{
	if (known == 1)
		return text;
	return known == 0 ? "-" : "?";
}

static const char *use_name(const struct vtc_nic *nic)
{
	enum vtc_nic_use use;

	if (vtc_nic_get_use(nic, &use) != 1)
		return "?";
	switch (use) {
	case VTC_NIC_USE_FREE:
		return "free";
	case VTC_NIC_USE_NO_DRIVER:
		return "no driver";
	case VTC_NIC_USE_HIDDEN:
		return "in another network namespace";
	case VTC_NIC_USE_PASSED:
		return "passed through";
	case VTC_NIC_USE_OTHER:
		return "driver without interface";
	default:
		return "busy";
	}
}

static void print_relation(const struct vtc_nic *nic)
{
	uint32_t used, total, index;
	const struct vtc_nic *pf;

	if (vtc_nic_get_num_vfs(nic, &used) == 1 &&
	    vtc_nic_get_total_vfs(nic, &total) == 1)
		printf(", PF with %u of %u VFs", used, total);
	if (vtc_nic_get_pf(nic, &pf) == 1 && vtc_nic_get_vf_index(nic, &index) == 1)
		printf(", VF %u of %s", index, vtc_nic_get_address(pf));
}

static void print_nic(const struct vtc_nic *nic)
{
	const struct vtc_netdev *netdev = NULL;
	const char *driver = NULL;
	int known = vtc_nic_get_driver(nic, &driver);

	printf("%s: driver %s, %s", vtc_nic_get_address(nic), text_or(known, driver),
	       use_name(nic));
	print_relation(nic);
	while ((netdev = vtc_netdev_foreach_next(nic, netdev)))
		printf(", interface %s", vtc_netdev_get_name(netdev));
	putchar('\n');
}

static int list(struct vtc_ctx *ctx)
{
	struct vtc_inventory *inventory;
	const struct vtc_nic *nic = NULL;
	int r = vtc_inventory_new(ctx, NULL, &inventory);

	if (r < 0)
		return r;
	while ((nic = vtc_nic_foreach_next(inventory, nic)))
		print_nic(nic);
	vtc_inventory_free(inventory);
	return 0;
}

int main(int argc, char **argv)
{
	struct vtc_ctx *ctx;
	char text[1024];
	int r;

	if (argc > 1) {
		puts("usage: list-nics");
		return strcmp(argv[1], "--help") != 0;
	}
	r = vtc_ctx_new(NULL, &ctx);
	if (r < 0) {
		fprintf(stderr, "list-nics: %s\n", strerror(-r));
		return 1;
	}
	r = list(ctx);
	if (r < 0) {
		vtc_error_format(vtc_ctx_last_error(ctx), text, sizeof(text));
		fprintf(stderr, "list-nics: %s\n", text);
	}
	vtc_ctx_unref(ctx);
	return r < 0;
}
