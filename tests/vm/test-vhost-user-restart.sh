# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The server is killed under traffic and comes again, three times, and the streams go on: over
# split rings, and over packed ones, where QEMU remembers no place but the ring tells it. It
# does not if chains are of many descriptors: then the driver has to come again.

. "$top_srcdir"/tests/vm/vhost-user.sh

# ---- in the guest ----

# The driver begins anew, and with it the ring.
driver_returns() {
	d=$(basename "$(readlink -f "/sys/class/net/$(device "$1")/device")")
	echo "$d" >/sys/bus/virtio/drivers/virtio_net/unbind || return
	echo "$d" >/sys/bus/virtio/drivers/virtio_net/bind || return
	up "$1" && "$traffic" ping "10.77.$1.1" 3 && "$traffic" tcp "10.77.$1.1" 8 2000000
}

start_stream() {
	"$traffic" tcp "10.77.$1.1" 7 0 >"$scratch/stream$1" 2>&1
	echo $? >"$scratch/status$1"
}

# stream_ended NAME N: right to its end.
stream_ended() {
	check "$1: one stream all the while" test "$(cat "$scratch/status$2")" = 0
	sed 's/^/# /' "$scratch/stream$2"
}

if [ "${1-}" = inside ]; then
	for n in 1 2 3 4; do
		up $n
		check "card $n: ping before" "$traffic" ping 10.77.$n.1 3
	done
	for n in 1 2 3; do
		start_stream $n &
	done
	wait
	stream_ended "split" 1
	stream_ended "split, two queue pairs" 2
	stream_ended "packed" 3
	check "packed: the driver comes again" driver_returns 3
	check "packed, no indirect chains: works when the driver came again" driver_returns 4
	exit $tap_failed
fi

# ---- on the machine ----

memory 512
card 1 1 packed=off
card 2 2 packed=off
card 3 1 packed=on
card 4 1 packed=on,indirect_desc=off
for n in 1 2 3 4; do
	queues=$([ $n = 2 ] && echo multi_queue)
	# shellcheck disable=SC2086
	ip tuntap add "vtap$n" mode tap vnet_hdr $queues
done

serve_cards() {
	serve "vu:$scratch/card1" tap:vtap1 "vu:$scratch/card2,queues=2" tap:vtap2,queues=2 \
		"vu:$scratch/card3" tap:vtap3 "vu:$scratch/card4" tap:vtap4
}

# Bytes that the tap of card N has from the guest.
sent() { awk -v name="vtap$1:" '$1 == name { print $2 }' /proc/self/net/dev; }
sends() { [ "$(sent "$1")" -gt "$2" ]; }
flows() {
	for n in 1 2 3; do
		echo "card $n:"
		wait_for 300 sends $n $(($(sent $n) + 2000000)) || return
	done
}

serve_cards
wires 1 2 3 4
in_background later "$traffic" serve 8 "$scratch"/later
start_guest guest -m 512 -l virtio_net -- sh "$0" inside
wait_for 600 sends 4 1000
check "streams flow" flows
for time in 1 2 3; do
	kill -9 "$server"
	wait "$server" 2>/dev/null
	serve_cards
	check "streams flow after kill -9, time $time" flows
done
touch "$scratch"/end
end_guest guest "$guest"
touch "$scratch"/later
check "every byte that arrived is right" far_ends_well
check "the server ends well" end_server
finish
