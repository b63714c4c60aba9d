# SPDX-License-Identifier: LGPL-2.1-or-later
. "$top_srcdir"/tests/vm/lab.sh
lacks='the lab has no newer kernel'
lab -K newer -t 480 -l netdevsim,vtcsim,sch_mqprio -- "$programs"/vmdq-shaper
