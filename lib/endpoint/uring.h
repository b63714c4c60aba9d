/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VTC__URING_H
#define VTC__URING_H

#endif
