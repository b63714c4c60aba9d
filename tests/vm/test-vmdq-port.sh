# SPDX-License-Identifier: LGPL-2.1-or-later
. "$top_srcdir"/tests/vm/lab.sh
lab -n 1 -W 0 -l igb -- "$programs"/vmdq-port
