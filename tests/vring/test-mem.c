/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vtct.h"
#include <vtc/vtc.h>
int main(void) { return vtct_main(suite_create("mem"), NULL); }
