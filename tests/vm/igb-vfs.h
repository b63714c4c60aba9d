/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The suites of igb-vfs, in the order in which they run: the last one pulls the adapter.
 */
#ifndef VTC_TESTS_IGB_VFS_H
#define VTC_TESTS_IGB_VFS_H

#include <check.h>

Suite *count_suite(void);
Suite *held_suite(void);
Suite *attr_suite(void);
Suite *unplug_suite(void);

#endif
