/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The error record: fixed size, so that it can be written when memory is out. */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctx.h"

/* What usually helps; whoever knows better replaces it. */
static const char *usual_hint(int code)
{
	switch (code) {
	case -EPERM:
	case -EACCES:
		return "run as root, or with CAP_NET_ADMIN (pools: CAP_BPF, too) and write "
		       "access to sysfs and the state directory";
	case -EROFS:
		return "sysfs is mounted read-only here, as in an unprivileged container";
	case -ENOMEM:
		return "memory is out";
	case -E2BIG:
		return "the program was built for a newer libvtc: install that";
	case -EMFILE:
	case -ENFILE:
		return "close some file descriptors or raise the limit (ulimit -n)";
	default:
		return "";
	}
}

int vtc__err(struct vtc_ctx *ctx, int code, enum vtc_error_origin origin,
	     const char *operation, const char *subject, ...)
{
	struct vtc_error *e;
	va_list ap;

	if (!ctx)
		return code;

	e = &ctx->error;
	e->code = code;
	e->origin = origin;
	snprintf(e->operation, sizeof(e->operation), "%s", operation);
	va_start(ap, subject);
	vsnprintf(e->subject, sizeof(e->subject), subject, ap);
	va_end(ap);
	e->message[0] = '\0';
	snprintf(e->hint, sizeof(e->hint), "%s", usual_hint(code));
	return code;
}

void vtc__err_message(struct vtc_ctx *ctx, const char *format, ...)
{
	va_list ap;

	if (!ctx)
		return;
	va_start(ap, format);
	vsnprintf(ctx->error.message, sizeof(ctx->error.message), format, ap);
	va_end(ap);
}

void vtc__err_hint(struct vtc_ctx *ctx, const char *format, ...)
{
	va_list ap;

	if (!ctx)
		return;
	va_start(ap, format);
	vsnprintf(ctx->error.hint, sizeof(ctx->error.hint), format, ap);
	va_end(ap);
}

int vtc__err_arg(struct vtc_ctx *ctx, const char *operation, const char *what)
{
	return vtc__err(ctx, -EINVAL, VTC_ERROR_ORIGIN_ARG, operation, "%s", what);
}

int vtc_error_get_code(const struct vtc_error *error)
{
	return error ? error->code : 0;
}

enum vtc_error_origin vtc_error_get_origin(const struct vtc_error *error)
{
	return error ? error->origin : VTC_ERROR_ORIGIN_NONE;
}

const char *vtc_error_get_operation(const struct vtc_error *error)
{
	return error ? error->operation : "";
}

const char *vtc_error_get_subject(const struct vtc_error *error)
{
	return error ? error->subject : "";
}

const char *vtc_error_get_message(const struct vtc_error *error)
{
	return error ? error->message : "";
}

const char *vtc_error_get_hint(const struct vtc_error *error)
{
	return error ? error->hint : "";
}

int vtc_error_format(const struct vtc_error *error, char *buf, size_t len)
{
	const char *reason;

	if (!buf && len)
		return -EINVAL;
	if (!error || !error->code)
		return snprintf(buf, len, "no error");

	/* Not strerror(): that may use a buffer of its own and the locale. */
	reason = strerrordesc_np(-error->code);
	return snprintf(buf, len, "%s%s%s: %s%s%s%s%s%s", error->operation,
			error->subject[0] ? " on " : "", error->subject,
			reason ? reason : "unknown error", error->message[0] ? " (" : "",
			error->message, error->message[0] ? ")" : "",
			error->hint[0] ? "; " : "", error->hint);
}
