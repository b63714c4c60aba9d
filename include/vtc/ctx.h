/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file vtc/ctx.h
 * The context: everything that libvtc remembers.
 */
#ifndef VTC_CTX_H
#define VTC_CTX_H

#include <stdint.h>

#include <vtc/error.h>
#include <vtc/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup ctx Context
 * @brief Where everything hangs: kernel connection, log, last error.
 *
 * libvtc has no global state. A program makes a context, and all objects come from it.
 * Objects hold a reference of their own, so they may be closed in any order.
 *
 * **Threads.** A context and everything that came from it belong to one thread at a time;
 * the caller serialises. Two contexts never interact. The library starts no thread, sets
 * no signal handler, reads no environment variable, and never ends the process. Using a
 * context on both sides of a fork() is not supported. In the documentation of a function,
 * "thread: ctx" means this rule and "thread: any" means that it may be called anywhere.
 * @{
 */

/** How important a log line is; the numbers are those of syslog(3). */
enum vtc_log_level {
	VTC_LOG_NONE = 0,    /**< Nothing (as a limit). */
	VTC_LOG_ERR = 3,     /**< Something failed. */
	VTC_LOG_WARNING = 4, /**< Something odd, dealt with. */
	VTC_LOG_INFO = 6,    /**< Changes that were made. */
	VTC_LOG_DEBUG = 7,   /**< Each request to the kernel. */
};

/**
 * @brief Takes one log line.
 * @param data what vtc_ctx_opts.log_data was
 * @param level one of enum vtc_log_level
 * @param message the line, without newline; gone when the function returns
 *
 * Called on the thread that called the library. It must not call libvtc.
 */
typedef void (*vtc_log_fn)(void *data, int level, const char *message);

/**
 * @brief Tells the time.
 * @param data what vtc_ctx_opts.clock_data was
 * @return nanoseconds on a clock that never goes back
 *
 * For programs that run under simulated time, and for tests.
 */
typedef uint64_t (*vtc_clock_fn)(void *data);

/** A context. */
struct vtc_ctx;

/** Options of vtc_ctx_new(). Zero in a field means its default. */
struct vtc_ctx_opts {
	uint32_t sz;		/**< sizeof(struct vtc_ctx_opts). */
	uint32_t flags;		/**< No flag is defined: 0. */
	const char *sysfs_root; /**< Where sysfs is mounted; NULL: "/sys". Copied. */
	const char *state_dir;	/**< For locks; NULL: "/run/libvtc". Copied. */
	vtc_clock_fn clock;	/**< NULL: CLOCK_MONOTONIC. */
	void *clock_data;	/**< Passed to @ref clock. */
	vtc_log_fn log;		/**< NULL: no log. */
	void *log_data;		/**< Passed to @ref log. */
	uint32_t log_level;	/**< Highest level to log; 0: #VTC_LOG_WARNING. */
	uint32_t reserved;	/**< Must be 0. */
};

/** Initialiser for struct vtc_ctx_opts. */
#define VTC_CTX_OPTS_INIT                                                        \
	{                                                                        \
		(uint32_t)sizeof(struct vtc_ctx_opts), 0, 0, 0, 0, 0, 0, 0, 0, 0 \
	}

/**
 * @brief Make a context.
 *
 * Touches neither the kernel nor any file: connections are opened when first needed.
 *
 * @param[in] opts options, NULL for the defaults
 * @param[out] ret_ctx the context, with one reference; vtc_ctx_unref() gives it back
 * @retval 0 made
 * @retval -EINVAL @p ret_ctx is NULL, a flag or level is unknown, or a path is empty,
 *         relative or longer than 255 bytes
 * @retval -E2BIG @p opts is newer than this library and uses what it adds
 * @retval -ENOMEM memory is out
 * @thread{any}
 * @since 0.1
 */
VTC_API int vtc_ctx_new(const struct vtc_ctx_opts *opts, struct vtc_ctx **ret_ctx);

/**
 * @brief Take one more reference.
 * @param[in] ctx the context, may be NULL
 * @return @p ctx
 * @thread{any}
 * @since 0.1
 */
VTC_API struct vtc_ctx *vtc_ctx_ref(struct vtc_ctx *ctx);

/**
 * @brief Give a reference back; the last one closes what the context opened.
 * @param[in] ctx the context, may be NULL
 * @return NULL, always
 * @thread{any}
 * @since 0.1
 */
VTC_API struct vtc_ctx *vtc_ctx_unref(struct vtc_ctx *ctx);

/**
 * @brief The record of the last call that failed on this context.
 * @param[in] ctx the context, may be NULL
 * @return the record, never NULL unless @p ctx is; borrowed from the context
 * @thread{ctx}
 * @since 0.1
 */
VTC_API const struct vtc_error *vtc_ctx_last_error(const struct vtc_ctx *ctx);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
