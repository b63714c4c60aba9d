/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Log lines: formatted here, so that the callback is easy to write in any language. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

#include "ctx.h"

void vtc__log(struct vtc_ctx *ctx, enum vtc_log_level level, const char *format, ...)
{
	char line[512];
	va_list ap;

	if (!ctx->opts.log || (uint32_t)level > ctx->opts.log_level)
		return;
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	ctx->opts.log(ctx->opts.log_data, (int)level, line);
}
