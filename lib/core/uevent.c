/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernel uevents: see uevent.h. */
#include "uevent.h"

#include <errno.h>
#include <string.h>

#include "text.h"

static const char *value_of(const char *line, const char *key)
{
	size_t n = strlen(key);

	return strncmp(line, key, n) == 0 && line[n] == '=' ? line + n + 1 : NULL;
}

static void take_line(struct vtc__uevent *ev, const char *line)
{
	const struct {
		const char *key;
		const char **place;
	} keys[] = {
		{ "ACTION", &ev->action },	 { "DEVPATH", &ev->devpath },
		{ "SUBSYSTEM", &ev->subsystem }, { "PCI_SLOT_NAME", &ev->pci_slot },
		{ "INTERFACE", &ev->interface }, { "DRIVER", &ev->driver },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *value = value_of(line, keys[i].key);

		if (value)
			*keys[i].place = value;
	}
}

int vtc__uevent_parse(const char *data, size_t len, struct vtc__uevent *ret)
{
	struct vtc__uevent ev = { "", "", "", "", "", "" };
	const char *end = data + len;

	/* The first line is "action@devpath"; udev's own messages have no such line. */
	if (!len || data[len - 1] != '\0' || !strchr(data, '@'))
		return -EPROTO;
	for (const char *line = data + strlen(data) + 1; line < end;
	     line += strlen(line) + 1)
		take_line(&ev, line);
	if (!ev.action[0] || !ev.devpath[0])
		return -EPROTO;

	*ret = ev;
	return 0;
}
