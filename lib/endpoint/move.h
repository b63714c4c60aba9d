/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VTC__MOVE_H
#define VTC__MOVE_H

#endif
