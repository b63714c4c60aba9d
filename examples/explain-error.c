/* SPDX-License-Identifier: MIT */
/*
 * cc explain-error.c $(pkg-config --cflags --libs vtc)
 *
 * Provoke some errors, harmless ones, and print every field of the error record: the
 * number is for the program, the rest for the person who has to mend things.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <vtc/nic.h>
#include <vtc/pf.h>

static const char *origin_name(enum vtc_error_origin origin)
{
	switch (origin) {
	case VTC_ERROR_ORIGIN_NONE:
		return "none";
	case VTC_ERROR_ORIGIN_ARG:
		return "the caller's parameters";
	case VTC_ERROR_ORIGIN_SYSFS:
		return "sysfs";
	case VTC_ERROR_ORIGIN_NETLINK:
		return "netlink";
	case VTC_ERROR_ORIGIN_PCI:
		return "libpci";
	case VTC_ERROR_ORIGIN_DEVICE:
		return "the device";
	case VTC_ERROR_ORIGIN_LIBRARY:
		return "a rule of libvtc";
	default:
		return "the system"; /* also for values newer than this program */
	}
}

static void explain(const struct vtc_ctx *ctx, const char *provoked, int result)
{
	const struct vtc_error *error = vtc_ctx_last_error(ctx);
	char line[1024];

	vtc_error_format(error, line, sizeof(line));
	printf("%s\n", provoked);
	printf("  returned   %d\n", result);
	printf("  code       %d (%s)\n", vtc_error_get_code(error),
	       strerror(-vtc_error_get_code(error)));
	printf("  origin     %s\n", origin_name(vtc_error_get_origin(error)));
	printf("  operation  %s\n", vtc_error_get_operation(error));
	printf("  subject    %s\n", vtc_error_get_subject(error));
	printf("  message    %s\n", vtc_error_get_message(error));
	printf("  hint       %s\n", vtc_error_get_hint(error));
	printf("  as a line  %s\n\n", line);
}

/* Each should fail; a success would be the surprise. */
static int provoke(struct vtc_ctx *ctx)
{
	struct vtc_inventory_opts opts = VTC_INVENTORY_OPTS_INIT;
	struct vtc_inventory *inventory;
	struct vtc_pf *pf;
	int r;

	r = vtc_pf_open(ctx, "no-such-device", &pf);
	if (r == 0)
		return 1;
	explain(ctx, "a device that is not there", r);
	r = vtc_pf_open(ctx, "../../etc/passwd", &pf);
	if (r == 0)
		return 1;
	explain(ctx, "a name that is a path", r);
	opts.flags = 1u << 31;
	r = vtc_inventory_new(ctx, &opts, &inventory);
	if (r == 0)
		return 1;
	explain(ctx, "a flag that does not exist", r);
	return 0;
}

int main(int argc, char **argv)
{
	struct vtc_ctx *ctx;
	int r;

	if (argc > 1) {
		puts("usage: explain-error");
		return strcmp(argv[1], "--help") != 0;
	}
	r = vtc_ctx_new(NULL, &ctx);
	if (r < 0) {
		fprintf(stderr, "explain-error: %s\n", strerror(-r));
		return 1;
	}
	r = provoke(ctx);
	vtc_ctx_unref(ctx);
	return r;
}
