/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For people and scripts: send one Ethernet frame from the first of some interfaces, and
 * print which of the others got it. NAME@TAG is an interface which the first one reaches
 * with a VLAN tag; TAG is the VLAN's number, plus 8192 for each step of priority.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

#define SETTLE_MS 30000

static int usage(void)
{
	fputs("usage: frames FROM[@TAG] NAME[@TAG]... MAC[@TAG]\n", stderr);
	return 2;
}

/* Cut "@TAG" off, and return its value. */
static uint16_t cut_tag(char *word)
{
	char *at = strchr(word, '@');

	if (!at)
		return WIRE_NO_VLAN;
	*at = '\0';
	return (uint16_t)strtoul(at + 1, NULL, 0);
}

static int add_ports(struct wire *wire, char **names, int count)
{
	for (int i = 0; i < count; i++) {
		uint16_t tag = cut_tag(names[i]);
		int err = wire_add(wire, names[i]);

		if (err)
			return err;
		wire->ports[i].reach_tci = tag;
	}
	return wire_settle(wire, SETTLE_MS);
}

static int print(const struct wire *wire, const struct wire_result *result)
{
	for (unsigned int i = 1; i < wire->count; i++) {
		if (!result->arrived[i])
			continue;
		if (!result->intact[i]) {
			fprintf(stderr, "frames: %s: not what was sent\n",
				wire->ports[i].name);
			return -EBADMSG;
		}
		printf("%s", wire->ports[i].name);
		if (result->tci[i] != WIRE_NO_VLAN)
			printf("@%u", (unsigned int)result->tci[i]);
		printf("\n");
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct wire wire = { .count = 0 };
	struct wire_result result;
	struct vtc_mac to;
	uint16_t tag;
	int err;

	if (argc < 4)
		return usage();
	tag = cut_tag(argv[argc - 1]);
	if (vtc_mac_parse(argv[argc - 1], &to))
		return usage();
	err = add_ports(&wire, argv + 1, argc - 2);
	if (!err)
		err = wire_send(&wire, 0, &to, tag, &result);
	if (!err)
		err = print(&wire, &result);
	wire_close(&wire);
	return err ? 1 : 0;
}
