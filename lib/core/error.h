/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing the error record. Only the layer that knows what the caller wanted writes it:
 * sysfs and netlink below it return bare numbers, because a failed probe is no error.
 */
#ifndef VTC__ERROR_H
#define VTC__ERROR_H

#include <vtc/error.h>

struct vtc_ctx;

struct vtc_error {
	int code;
	enum vtc_error_origin origin;
	char operation[64];
	char subject[192];
	char message[320];
	char hint[320];
};

/*
 * Begin a new record, with a hint that fits the code. Returns code, so that a caller can
 * "return vtc__err(...)". ctx may be NULL.
 */
int vtc__err(struct vtc_ctx *ctx, int code, enum vtc_error_origin origin,
	     const char *operation, const char *subject, ...)
	__attribute__((format(printf, 5, 6)));

/* Add to the record that vtc__err() began. */
void vtc__err_message(struct vtc_ctx *ctx, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void vtc__err_hint(struct vtc_ctx *ctx, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* For the most common case: a parameter of the caller is bad. Always -EINVAL. */
int vtc__err_arg(struct vtc_ctx *ctx, const char *operation, const char *what);

#endif
