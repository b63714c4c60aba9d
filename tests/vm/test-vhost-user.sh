# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A guest's network cards on libvtc, with taps behind them: every kind of ring, with and
# without what a driver may leave out; then the driver goes and comes, and the guest reboots.

. "$top_srcdir"/tests/vm/vhost-user.sh

# Card N of 16: bits of N-1 are packed, no merged buffers, no event index, two queue pairs.
cards=16
bit() { echo $((($1 - 1) / $2 % 2)); }
kind() {
	[ "$(bit "$1" 1)" = 1 ] && printf packed || printf split
	[ "$(bit "$1" 2)" = 0 ] || printf ', buffers not merged'
	[ "$(bit "$1" 4)" = 0 ] || printf ', no event index'
	[ "$(bit "$1" 8)" = 0 ] || printf ', two queue pairs'
}

# ---- in the guest ----

# The driver has what was asked for: packed is bit 34, merging 15, event index 29, queues 22.
negotiated() {
	[ "$(feature "$1" 34)$(feature "$1" 15)$(feature "$1" 29)$(feature "$1" 22)" = \
		"$(bit "$1" 1)$((1 - $(bit "$1" 2)))$((1 - $(bit "$1" 4)))$(bit "$1" 8)" ]
}

# Streams from both processors use both queue pairs.
streams() {
	taskset -c 0 "$traffic" tcp "10.77.$1.1" 7 "$2" &
	stream=$!
	taskset -c 1 "$traffic" tcp "10.77.$1.1" 7 "$2" && wait $stream
}

reaches() { "$traffic" ping "10.77.$1.1" 3 && "$traffic" tcp "10.77.$1.1" 7 2000000; }

all_reach() {
	for n in $(seq $cards); do
		up "$n" && reaches "$n" || return
	done
}

# Both levels: the network driver, and that of the PCI device below it.
driver_returns() {
	d=$(readlink -f "/sys/class/net/$(device "$1")/device") || return
	pci=$(basename "$(dirname "$d")")
	d=$(basename "$d")
	echo "$d" >/sys/bus/virtio/drivers/virtio_net/unbind || return
	echo "$d" >/sys/bus/virtio/drivers/virtio_net/bind || return
	up "$1" && reaches "$1" || return
	echo "$pci" >/sys/bus/pci/drivers/virtio-pci/unbind || return
	echo "$pci" >/sys/bus/pci/drivers/virtio-pci/bind || return
	up "$1" && reaches "$1"
}

every_kind() {
	for n in $(seq $cards); do
		up "$n"
		check "$(kind "$n"): negotiated" negotiated "$n"
		check "$(kind "$n"): ping" "$traffic" ping "10.77.$n.1" 6
		check "$(kind "$n"): datagrams of every size" "$traffic" udp "10.77.$n.1" 7
		check "$(kind "$n"): streams both ways" streams "$n" 4000000
	done
}

if [ "${1-}" = inside ]; then
	share=$2
	if [ -e "$share"/count ]; then
		. "$share"/count
		check "all work after a reboot" all_reach
		exit $tap_failed
	fi
	every_kind
	for n in 1 2 15 16; do
		check "$(kind $n): the driver goes and comes" driver_returns $n
	done
	rmmod virtio_net && modprobe virtio_net
	check "all work when the module was reloaded" all_reach
	echo "tap_count=$tap_count tap_failed=$tap_failed" >"$share"/count
	sync
	echo b >/proc/sysrq-trigger
	sleep 60
	exit 1
fi

# ---- on the machine ----

memory 1024
joins=
for n in $(seq $cards); do
	queues=$((1 + $(bit "$n" 8)))
	options=packed=$([ "$(bit "$n" 1)" = 1 ] && echo on || echo off)
	[ "$(bit "$n" 2)" = 0 ] || options=$options,mrg_rxbuf=off
	[ "$(bit "$n" 4)" = 0 ] || options=$options,event_idx=off
	card "$n" $queues $options
	joins="$joins vu:$scratch/card$n,queues=$queues tap:vtap$n,queues=$queues"
done
# shellcheck disable=SC2086
serve $joins
# shellcheck disable=SC2046
wires $(seq $cards)
mkdir "$scratch"/share
qemu="$qemu -action reboot=reset"
start_guest guest -l virtio_net -w "$scratch"/share -- sh "$0" inside "$scratch"/share
end_guest guest "$guest"
check "every byte that arrived is right" far_ends_well
check "the server ends well" end_server
for n in $(seq $cards); do
	for field in rx_dropped_bad tx_dropped_size tx_dropped_error; do
		check "$(kind "$n"): no $field" test "$(counted "/card$n" $field)" = 0
	done
done
finish
