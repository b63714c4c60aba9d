/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file vtc/error.h
 * What went wrong: the error record of a context.
 */
#ifndef VTC_ERROR_H
#define VTC_ERROR_H

#include <stddef.h>

#include <vtc/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup error Errors
 * @brief One number for the program, one record for the person.
 *
 * Every function that can fail returns 0 or a count, or a negative kernel errno number.
 * The number is meant for the program. For the person who has to mend things, each
 * context keeps one record of fixed size (so it works when memory is out, too): what was
 * tried, on what, who refused, what the kernel said about it, and what to do next.
 *
 * The record is written by a call that fails, left alone by calls that succeed, and
 * valid until the next failing call on the same context. Functions that take no context
 * and no object that belongs to one do not write it.
 *
 * Meanings that hold everywhere:
 *
 * | result | meaning |
 * | --- | --- |
 * | -EINVAL | a parameter is NULL, out of range, over-long, or has an unknown flag |
 * | -E2BIG | an options struct is newer than the library and uses what it adds |
 * | -ENOMEM | memory is out; nothing was changed |
 * | -ENODEV | there is no such device, or it vanished during the call |
 * | -ENODATA | not reported: unknown is not the same as zero or off |
 * | -EOPNOTSUPP | the driver, the kernel or this build of the library cannot do it |
 * | -EBUSY | somebody uses it; the record says who |
 * | -ETIMEDOUT | the deadline passed; the record says what is still going on |
 * | -EPROTO | the kernel's answer made no sense; nothing was taken from it |
 * | -EPERM, -EACCES | more rights are needed (most changes need CAP_NET_ADMIN and root) |
 * @{
 */

/** Who refused. Treat a value that you do not know as #VTC_ERROR_ORIGIN_SYSTEM. */
enum vtc_error_origin {
	VTC_ERROR_ORIGIN_NONE = 0,    /**< No call has failed yet. */
	VTC_ERROR_ORIGIN_ARG = 1,     /**< The caller's parameters. */
	VTC_ERROR_ORIGIN_SYSFS = 2,   /**< A file below /sys. */
	VTC_ERROR_ORIGIN_NETLINK = 3, /**< An answer of rtnetlink or generic netlink. */
	VTC_ERROR_ORIGIN_PCI = 4,     /**< libpci. */
	VTC_ERROR_ORIGIN_SYSTEM = 5,  /**< Another system call. */
	VTC_ERROR_ORIGIN_DEVICE = 6,  /**< Accepted, but then not done as asked. */
	VTC_ERROR_ORIGIN_LIBRARY = 7, /**< A rule of libvtc, such as a safety catch. */
};

/** The error record of a context. It belongs to the context. */
struct vtc_error;

/**
 * @brief The error number.
 * @param[in] error the record, may be NULL
 * @return the negative errno number which the failing call returned, 0 if none failed
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_error_get_code(const struct vtc_error *error);

/**
 * @brief Who refused.
 * @param[in] error the record, may be NULL
 * @return the origin
 * @thread{ctx}
 * @since 0.1
 */
VTC_API enum vtc_error_origin vtc_error_get_origin(const struct vtc_error *error);

/**
 * @brief What was tried, such as "set VF VLAN".
 * @param[in] error the record, may be NULL
 * @return text, never NULL; it lives as long as the record is valid
 * @thread{ctx}
 * @since 0.1
 */
VTC_API const char *vtc_error_get_operation(const struct vtc_error *error);

/**
 * @brief On what, such as "0000:3b:00.0 vf 4" or a path.
 * @param[in] error the record, may be NULL
 * @return text, never NULL; it lives as long as the record is valid
 * @thread{ctx}
 * @since 0.1
 */
VTC_API const char *vtc_error_get_subject(const struct vtc_error *error);

/**
 * @brief What the other side said: the kernel's extended-ack text, or our own finding.
 * @param[in] error the record, may be NULL
 * @return text, never NULL, "" if nothing was said; it lives as long as the record is
 * valid
 * @thread{ctx}
 * @since 0.1
 */
VTC_API const char *vtc_error_get_message(const struct vtc_error *error);

/**
 * @brief What a person may do next.
 * @param[in] error the record, may be NULL
 * @return text, never NULL, "" if there is no advice; it lives as long as the record is
 * valid
 * @thread{ctx}
 * @since 0.1
 */
VTC_API const char *vtc_error_get_hint(const struct vtc_error *error);

/**
 * @brief Write the whole record as one line of text.
 *
 * The line reads like
 * "set VF VLAN on 0000:01:00.0 vf 1: Protocol not supported: (kernel's words); hint".
 *
 * @param[in] error the record, may be NULL
 * @param[out] buf where to write, NUL-terminated and cut if need be; may be NULL if
 *             @p len is 0
 * @param[in] len size of @p buf in bytes
 * @return length of the whole line without its NUL, whether or not it fitted
 * @retval -EINVAL @p buf is NULL and @p len is not 0
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_error_format(const struct vtc_error *error, char *buf, size_t len);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
