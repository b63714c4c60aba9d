/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VTC__VHOST_INFLIGHT_H
#define VTC__VHOST_INFLIGHT_H

#endif
