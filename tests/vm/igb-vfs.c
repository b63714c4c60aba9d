/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Virtual functions of a real driver (igb): their number, their attributes, and their
 * end.
 */
#include "igb-vfs.h"

#include <stdlib.h>

#include "lab.h"

int main(void)
{
	lab_do("modprobe -a igbvf vfio-pci");
	lab_up(lab_pf(0));
	return vtct_main(count_suite(), held_suite(), attr_suite(), unplug_suite(), NULL);
}
