# SPDX-License-Identifier: LGPL-2.1-or-later
#
# vtcctl and create-vfs on a real driver (igb), from nothing to VFs and back. What they say is
# compared with what sysfs and ip(8) say.

if [ "${1-}" != inside ]; then
	. "$top_srcdir"/tests/vm/lab.sh
	[ -x "$top_builddir"/examples/vtcctl/vtcctl ] || {
		echo "1..0 # SKIP vtcctl is not built"
		exit 0
	}
	lab -n 1 -l igb,igbvf -- sh "$top_srcdir"/tests/vm/test-vtcctl.sh inside
fi

. "$top_srcdir"/tests/build/tap.sh
vtcctl=$top_builddir/examples/vtcctl/vtcctl
create_vfs=$top_builddir/examples/create-vfs
pf=0000:01:00.0
sysfs=/sys/bus/pci/devices/$pf
eth=$(ls $sysfs/net)
out=$scratch/out
ip link set "$eth" up

count() { cat $sysfs/sriov_numvfs; }

# vf INDEX PATTERN: whether ip says so of this VF.
vf() { ip -d link show "$eth" | grep -E "^ *vf $1 " | grep -Eq -e "$2"; }

# expect NAME CODE ARGUMENTS... -- CONDITION...: exit code of vtcctl, and a command that then succeeds.
expect() {
	name=$1 wanted=$2 code=0 call=
	shift 2
	while [ "$1" != -- ]; do
		call="$call $1"
		shift
	done
	shift
	$vtcctl $call >"$out" 2>&1 || code=$?
	verdict "$name" "$([ $code = "$wanted" ] && "$@" || {
		echo "vtcctl$call: exit code $code, expected $wanted; not so: $*"
		cat "$out"
		ip -d link show "$eth"
	})"
}
says() { grep -Eq -e "$1" "$out"; }
has() { [ "$(count)" = "$1" ]; }
both() { vf "$1" "$2" && vf "$3" "$4"; }

# values SEPARATOR KEY...: one line for each JSON object that begins with SEPARATOR; 0 is unset.
values() {
	start=$1
	shift
	tr -d ' \n' | sed "s/{\"$start\":/\n&/g" | awk -v keys="$*" '
	NR > 1 {
		count = split(keys, key, " ")
		for (i = 1; i <= count; i++) {
			value = "-"
			if (match($0, "\"" key[i] "\":\"?[^\",}]+"))
				value = substr($0, RSTART + length(key[i]) + 3, RLENGTH - length(key[i]) - 3)
			sub(/^"/, "", value)
			printf "%s ", (value == "0" && i > 1 ? "-" : value)
		}
		print ""
	}'
}

# What both say of VFs and of the PF's interface, in JSON.
ip_vfs() { ip -d -j link show "$eth" | values vf vf address vlan qos max_tx spoofchk trust link_state; }
our_vfs() { $vtcctl --json vf show $pf | values index index mac id qos max_rate_mbps spoof_check trust link_state; }
ip_link() { ip -d -j link show "$eth" | values ifindex ifname ifindex mtu address; }
our_link() { $vtcctl --json show $pf | values name name ifindex mtu mac | head -n 1; }
same() { [ -n "$1" ] && [ "$1" = "$2" ]; }

expect "the PF without VFs" 0 list -- says "^$pf  pf    igb     $eth +0/7 "
expect "a dry run creates nothing" 0 vf create $eth 3 --dry-run -- has 0
expect "VFs are created" 0 vf create $eth 3 --wait netdev -- has 3
expect "all are listed" 0 list -- says "^0000:01:10\.4  vf    igbvf   .*  $pf vf 2  free "
expect "so many already" 0 vf create $pf 3 -- says '3 VFs, as it was'
expect "another number needs leave" 5 vf create $pf 2 -- has 3

expect "attributes of two VFs" 0 vf set $eth 0-1 vlan 100 qos 3 spoof-check off max-rate 100 -- \
	both 0 'vlan 100, qos 3, .*max_tx_rate 100Mbps, spoof checking off' 1 'vlan 100, qos 3'
expect "an address" 0 vf set $pf 0 mac 02:00:00:00:00:01 -- vf 0 'link/ether 02:00:00:00:00:01'
expect "a dry run sets nothing" 0 vf set $pf 2 vlan 7 --dry-run -- says 'vlan +would-set'
verdict "indeed" "$(vf 2 vlan && ip link show "$eth")"
expect "what igb lacks puts the rest back" 7 vf set $pf 2 vlan 7 link-state enable -- says 'link-state +failed'
verdict "it is put back" "$(vf 2 vlan && ip link show "$eth")"
expect "--best-effort keeps the rest" 7 vf set $pf 2 vlan 7 link-state enable --best-effort -- vf 2 'vlan 7'
expect "what was set is shown" 0 vf show $pf 0 -- says '^ 0  0000:01:10\.0  02:00:00:00:00:01 .* 100 qos 3 802\.1q +- +100 +off '
expect "in JSON as ip says it" 0 --json vf show $pf -- same "$(ip_vfs)" "$(our_vfs)"
expect "the PF's interface, too" 0 --json show $pf -- same "$(ip_link | head -n 1)" "$(our_link)"
expect "through the VF, too" 0 --json show 0000:01:10.0 -- says '"max_rate_mbps": ?100'
expect "none clears" 0 vf set $pf 0-2 vlan none max-rate none spoof-check default -- \
	vf 0 'link/ether 02:00:00:00:00:01.* spoof checking on'
verdict "no VLAN is left" "$(ip link show "$eth" | grep vlan)"
expect "a VF that is not there" 1 vf set $pf 5 vlan 7 -- says 'the PF has 3 VFs'

ip link set "$(ls /sys/bus/pci/devices/0000:01:10.2/net)" up
expect "a VF in use is safe" 5 vf create $pf 2 --destroy -- says 'in use: vf 1 .*--destroy-in-use'
expect "unless told otherwise" 0 vf create $pf 2 --destroy-in-use -- has 2
expect "VFs are removed" 0 vf remove $pf -- has 0

# Changes of the MTU until the watcher has seen one: then it listens.
$vtcctl --json watch --count 100 --timeout 60000 >"$scratch"/events 2>&1 &
watcher=$!
for i in $(seq 100); do
	ip link set "$eth" mtu $((1400 + i))
	grep -q link-changed "$scratch"/events && break
	sleep 0.1
done
$vtcctl vf create $pf 1 --wait none >/dev/null
for i in $(seq 100); do
	grep -q vf-added "$scratch"/events && break
	sleep 0.1
done
kill $watcher
verdict "watch tells of a new VF" "$(grep -q '^{"event":"vf-added","address":"0000:01:10.0","pf":"0000:01:00.0","index":0}$' \
	"$scratch"/events || cat "$scratch"/events)"

setpriv --bounding-set -net_admin --inh-caps -net_admin $vtcctl vf set $pf 0 vlan 7 >"$out" 2>&1
code=$?
verdict "attributes need CAP_NET_ADMIN" "$([ $code = 4 ] && says 'Operation not permitted' || cat "$out")"
$vtcctl vf remove $pf >/dev/null

$create_vfs "$eth" >"$out" 2>&1
code=$?
verdict "create-vfs asks first" "$([ $code = 0 ] && has 0 && says 'use --yes' || cat "$out")"
$create_vfs "$eth" --yes >"$out" 2>&1
code=$?
verdict "create-vfs creates, configures, and undoes itself" "$([ $code = 0 ] && has 0 &&
	says '^VF 1: 0000:01:10.2 mac 02:00:5e:10:00:02 vlan 101 qos 3$' || cat "$out")"

ip link set "$eth" down
expect "a PF that is down" 1 vf create $pf 2 -- says 'ip link set eth[0-9]+ up'
expect "is switched on if told" 0 vf create $pf 2 --if-down up -- has 2
finish
