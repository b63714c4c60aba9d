/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VTC__RELAY_H
#define VTC__RELAY_H

#endif
