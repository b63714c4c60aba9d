/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What marks a function as part of the public API. The library is built with hidden
 * visibility: only what carries VTC_API here and stands in the symbol map is exported.
 */
#ifndef VTC_EXPORT_H
#define VTC_EXPORT_H

/** Marks a public function. */
#if defined(__GNUC__)
#define VTC_API __attribute__((visibility("default")))
#else
#define VTC_API
#endif

#endif
