# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Faults at changes in the life of a pool on the simulated card: those that set queues and the RSS table aside.
# All of them take an emulated processor most of an hour: FAULTS_FROM=1 FAULTS_COUNT=1000 FAULTS_LIMIT=7200.
. "$top_srcdir"/tests/vm/lab.sh
: "${FAULTS_FROM=5}" "${FAULTS_COUNT=3}" "${FAULTS_BACKEND=ntuple}"
lab -t "${FAULTS_LIMIT-900}" -e "FAULTS_FROM=$FAULTS_FROM" -e "FAULTS_COUNT=$FAULTS_COUNT" \
	-e CK_TIMEOUT_MULTIPLIER=10 -l vtcsim -- sh -c '
	echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
	modprobe -r vtcsim && modprobe vtcsim && mount -t bpf bpf /sys/fs/bpf &&
		ip link set vtcwire0 up && ip link set vtcsim0 up &&
		exec "$0" vtcsim0 "$1"' "$top_builddir"/tests/vmdq/faults "$FAULTS_BACKEND"
