/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of our own that another program is to map: its size is sealed. */
#ifndef VTC__MEMFD_H
#define VTC__MEMFD_H

#include <stdint.h>

/* A descriptor, or -errno. */
int vtc__memfd_new(const char *name, uint64_t size);

#endif
