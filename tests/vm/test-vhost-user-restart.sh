# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The server is killed under traffic and comes again, and once more: streams over split rings
# go on. QEMU remembers no place in a packed ring whose device vanished, so there the driver
# has to come again; until then the rest is not disturbed.

. "$top_srcdir"/tests/vm/vhost-user.sh

# ---- in the guest ----

# The driver begins anew, and with it the ring.
driver_returns() {
	d=$(basename "$(readlink -f "/sys/class/net/$(device "$1")/device")")
	echo "$d" >/sys/bus/virtio/drivers/virtio_net/unbind || return
	echo "$d" >/sys/bus/virtio/drivers/virtio_net/bind || return
	up "$1" && "$traffic" ping "10.77.$1.1" 3 && "$traffic" tcp "10.77.$1.1" 7 2000000
}

if [ "${1-}" = inside ]; then
	for n in 1 2 3; do
		up $n
		check "card $n: ping before" "$traffic" ping 10.77.$n.1 3
	done
	"$traffic" tcp 10.77.2.1 7 0 >"$scratch"/second 2>&1 &
	second=$!
	check "split: one stream all the while" "$traffic" tcp 10.77.1.1 7 0
	wait $second
	check "split, two queue pairs: one stream all the while" test $? = 0
	sed 's/^/# /' "$scratch"/second
	check "packed: works when the driver came again" driver_returns 3
	exit $tap_failed
fi

# ---- on the machine ----

memory 512
card 1 1 packed=off
card 2 2 packed=off
card 3 1 packed=on
for n in 1 2 3; do
	queues=$([ $n = 2 ] && echo multi_queue)
	ip tuntap add "vtap$n" mode tap vnet_hdr $queues
done

serve_cards() {
	serve "vu:$scratch/card1" tap:vtap1 "vu:$scratch/card2,queues=2" tap:vtap2,queues=2 \
		"vu:$scratch/card3" tap:vtap3
}

# Bytes that the tap of card N has from the guest.
sent() { awk -v name="vtap$1:" '$1 == name { print $2 }' /proc/self/net/dev; }
sends() { [ "$(sent "$1")" -gt "$2" ]; }
flows() {
	for n in 1 2; do
		wait_for 300 sends $n $(($(sent $n) + 2000000)) || return
	done
}

serve_cards
wires 1 2 3
start_guest guest -m 512 -l virtio_net -- sh "$0" inside
wait_for 300 sends 3 1000
check "streams flow" flows
for time in 1 2 3; do
	kill -9 "$server"
	wait "$server"
	serve_cards
	check "streams flow after kill -9, time $time" flows
done
touch "$scratch"/end
end_guest guest "$guest"
check "every byte that arrived is right" far_ends_well
check "the server ends well" end_server
finish
