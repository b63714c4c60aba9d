/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VTC__TAP_H
#define VTC__TAP_H

#endif
