# SPDX-License-Identifier: LGPL-2.1-or-later
. "$top_srcdir"/tests/vm/lab.sh
lab -l veth,tun,bridge,cls_bpf,sch_ingress -- "$top_builddir"/tests/vmdq/guard-frames
