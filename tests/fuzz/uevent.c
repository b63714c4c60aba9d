/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a kernel uevent. */
#include <string.h>

#include "core/uevent.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static volatile size_t sink;
	struct vtc__uevent ev;

	if (vtc__uevent_parse((const char *)data, len, &ev) == 0)
		sink = sink + strlen(ev.action) + strlen(ev.devpath) +
		       strlen(ev.subsystem) + strlen(ev.pci_slot) + strlen(ev.interface) +
		       strlen(ev.driver);
	return 0;
}
