# SPDX-License-Identifier: LGPL-2.1-or-later
. "$top_srcdir"/tests/vm/lab.sh
lab -t 480 -l vtcsim -- "$programs"/vmdq-sim
