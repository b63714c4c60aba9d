/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The backends, in the order in which they are tried. */
#include "pool.h"

const struct vtc__backend *const vtc__backends[] = {
	&vtc__backend_vf,  &vtc__backend_ntuple, &vtc__backend_macvlan,
	&vtc__backend_xdp, &vtc__backend_tc,	 NULL,
};
