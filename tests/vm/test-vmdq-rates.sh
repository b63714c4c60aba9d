# SPDX-License-Identifier: LGPL-2.1-or-later
. "$top_srcdir"/tests/vm/lab.sh
lab -- "$programs"/vmdq-rates
