# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The guard in a kernel in which libxdp has a dispatcher for it.
. "$top_srcdir"/tests/vm/lab.sh
# An emulated processor is slow.
export CK_TIMEOUT_MULTIPLIER=20
lab -e CK_TIMEOUT_MULTIPLIER -l veth,tun,bridge -- "$top_builddir"/tests/vmdq/guard
