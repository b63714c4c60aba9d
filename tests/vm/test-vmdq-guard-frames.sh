# SPDX-License-Identifier: LGPL-2.1-or-later
. "$top_srcdir"/tests/vm/lab.sh
# An emulated processor is slow.
export CK_TIMEOUT_MULTIPLIER=20
lab -e CK_TIMEOUT_MULTIPLIER -l veth,tun,bridge,cls_bpf,sch_ingress -- "$top_builddir"/tests/vmdq/guard-frames
