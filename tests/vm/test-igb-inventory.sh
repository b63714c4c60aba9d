# SPDX-License-Identifier: LGPL-2.1-or-later
. "$top_srcdir"/tests/vm/lab.sh
lab -n 2 -W 0 -l igb -- "$programs"/igb-inventory
