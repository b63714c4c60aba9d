/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text forms: see text.h. */
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* One run of digits, at most max; *text moves behind it. */
static int run_u64(const char **text, unsigned int base, uint64_t max, uint64_t *ret)
{
	const char *start = *text;
	uint64_t value = 0;

	for (;; (*text)++) {
		unsigned int d = (unsigned int)digit(**text);

		if (d >= base)
			break;
		if (value > (max - d) / base || d > max)
			return -EPROTO;
		value = value * base + d;
	}
	if (*text == start)
		return -EPROTO;

	*ret = value;
	return 0;
}

int vtc__text_u64(const char *text, uint64_t max, uint64_t *ret)
{
	unsigned int base = 10;
	uint64_t value;
	int err;

	if (vtc__text_starts(text, "0x")) {
		text += 2;
		base = 16;
	}
	err = run_u64(&text, base, max, &value);
	if (err || *text)
		return -EPROTO;

	*ret = value;
	return 0;
}

static int bdf_part(const char **text, uint64_t max, char end, unsigned int *ret)
{
	uint64_t value;

	if (run_u64(text, 16, max, &value) || **text != end)
		return -EINVAL;
	if (end)
		(*text)++;
	*ret = (unsigned int)value;
	return 0;
}

int vtc__text_bdf(const char *text, char *buf, size_t len)
{
	unsigned int domain = 0, bus, device, function;
	const char *colon = strchr(text, ':');
	int n;

	if (!colon)
		return -EINVAL;
	if (strchr(colon + 1, ':') && bdf_part(&text, UINT32_MAX, ':', &domain))
		return -EINVAL;
	if (bdf_part(&text, 0xff, ':', &bus) || bdf_part(&text, 0x1f, '.', &device) ||
	    bdf_part(&text, 7, '\0', &function))
		return -EINVAL;

	n = snprintf(buf, len, "%04x:%02x:%02x.%x", domain, bus, device, function);
	return n < 0 || (size_t)n >= len ? -EINVAL : 0;
}

bool vtc__text_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

int vtc__text_copy(char *buf, size_t len, const char *text)
{
	size_t need = strlen(text) + 1;

	if (need > len)
		return -EOVERFLOW;
	memcpy(buf, text, need);
	return 0;
}
