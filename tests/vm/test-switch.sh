# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Two guests on vtcctl switch, with a tap as uplink: they reach each other and the machine,
# every byte that arrives is right, and what goes between them is copied once.

. "$top_srcdir"/tests/vm/vhost-user.sh

# ---- in the guests ----

# join CARD HOST: on the one network of the switch.
join() {
	wait_for 100 has_device "$1" || return
	d=$(device "$1")
	ip addr add "10.77.1.$2/24" dev "$d" && ip link set "$d" up
}

case ${1-} in
inside)
	join 1 2
	check "ping the machine" "$traffic" ping 10.77.1.1 6
	check "ping the other guest" wait_for 200 "$traffic" ping 10.77.1.3 6
	check "a stream both ways with the machine" "$traffic" tcp 10.77.1.1 7 16000000
	check "a stream both ways with the other guest" "$traffic" tcp 10.77.1.3 7 16000000
	exit $tap_failed
	;;
inside-too)
	answer "$2"/end
	join 2 3
	check "every byte that arrived is right" answers_well
	exit $tap_failed
	;;
esac

# ---- on the machine ----

vtcctl=$top_builddir/examples/vtcctl/vtcctl
[ -x "$vtcctl" ] || skip_all "vtcctl is not built"

# said PORT FIELD: what the last line of statistics says of a port (a name's end).
said() {
	tail -n 1 "$scratch"/server.out |
		sed "s/.*\"port\":\"[^\"]*$1\"//; s/\"port\":.*//; s/.*\"$2\":\([0-9]*\).*/\1/"
}

start_switch() {
	in_background server "$vtcctl" --json switch --socket "$scratch"/one --socket "$scratch"/two \
		--tap vtap1 --mac "$scratch"/two=52:54:00:00:30:02 --capture "$scratch/two=$scratch/two.pcapng"
	server=$child
	wait_for 50 test -S "$scratch"/two && wait_for 50 ip link show vtap1
}

# It has said that the guests went.
end_switch() { kill -TERM "$server" && wait "$server"; }

memory 512
card 1 1 "" "$scratch"/one
ours=$qemu
memory 512
card 2 1 "" "$scratch"/two
theirs=$qemu

check "the switch starts" start_switch
wires 1
mkdir "$scratch"/share
qemu=$theirs
start_guest two -s 1 -m 512 -l virtio_net -w "$scratch"/share -- sh "$0" inside-too "$scratch"/share
two=$guest
qemu=$ours
start_guest one -s 1 -m 512 -l virtio_net -- sh "$0" inside
end_guest one "$guest"
touch "$scratch"/share/end
end_guest two "$two"
check "every byte that came out of the tap is right" far_ends_well
check "the switch ends well" end_switch
for port in one two vtap1; do
	echo "# $port: $(said $port rx_packets) packets in, $(said $port tx_packets) out," \
		"$(said $port copies) copies, no room for $(said $port tx_room), nobody for $(said $port tx_down)"
	check "$port: packets went" test "$(said $port tx_packets)" -gt 200
done
check "one copy of each packet to a guest" test "$(said two copies)" = "$(said two tx_packets)"
check "the sockets are gone" test ! -e "$scratch"/one -a ! -e "$scratch"/two
check "what passed was captured" test -s "$scratch"/two.pcapng
finish
