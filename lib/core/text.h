/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text forms that the kernel and people use. */
#ifndef VTC__TEXT_H
#define VTC__TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VTC__BDF_LEN 16 /* "10000:01:10.2" and its NUL, with room for a wide domain */

/*
 * Whole text as an unsigned number (decimal, or hexadecimal with 0x). -EPROTO: it is
 * none.
 */
int vtc__text_u64(const char *text, uint64_t max, uint64_t *ret);

/*
 * A PCI address in the form that sysfs uses. Accepts "1:0.0", "01:00.0" and
 * "0000:01:00.0"; -EINVAL: it is none.
 */
int vtc__text_bdf(const char *text, char *buf, size_t len);

bool vtc__text_starts(const char *text, const char *prefix);

/* strcpy that says whether it fitted: 0, or -EOVERFLOW. */
int vtc__text_copy(char *buf, size_t len, const char *text);

#endif
