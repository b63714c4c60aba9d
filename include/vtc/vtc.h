/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All of libvtc. Each header can also be included alone.
 */
#ifndef VTC_VTC_H
#define VTC_VTC_H

#include <vtc/export.h>
#include <vtc/version.h>

#endif
