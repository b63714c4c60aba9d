/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The checksum of a journal's file, so that one that lies can have the right one. */
#ifndef VTCT_JOURNALSUM_H
#define VTCT_JOURNALSUM_H

#include <stddef.h>

/* Puts it where it belongs; a file that is too short for one stays as it is. */
void vtct_journal_sum(unsigned char *data, size_t len);

#endif
