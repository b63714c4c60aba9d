/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All of libvtc. Each header can also be included alone.
 */
#ifndef VTC_VTC_H
#define VTC_VTC_H

#include <vtc/agency.h>
#include <vtc/channel.h>
#include <vtc/ctx.h>
#include <vtc/error.h>
#include <vtc/export.h>
#include <vtc/mem.h>
#include <vtc/monitor.h>
#include <vtc/nethdr.h>
#include <vtc/nic.h>
#include <vtc/pf.h>
#include <vtc/pool.h>
#include <vtc/port.h>
#include <vtc/relay.h>
#include <vtc/types.h>
#include <vtc/version.h>
#include <vtc/vf.h>
#include <vtc/vring.h>

#endif
