/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Log lines to the caller's callback. */
#ifndef VTC__LOG_H
#define VTC__LOG_H

#include <vtc/ctx.h>

void vtc__log(struct vtc_ctx *ctx, enum vtc_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
