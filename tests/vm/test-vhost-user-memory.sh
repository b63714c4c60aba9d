# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A guest gets more memory while streams flow, uses it for what it sends, and gives it back.

. "$top_srcdir"/tests/vm/vhost-user.sh

# Memory that is plugged begins at 4 GiB, far above what the guest has otherwise.
plugged_from=0x100000000

# ---- in the guest ----

monitor() { "$top_srcdir"/tests/vm/qmp "$1"; }

blocks() { find /sys/firmware/memmap /sys/devices/system/memory -maxdepth 1 -name 'memory*' | wc -l; }
more_blocks() { [ "$(blocks)" -gt "$1" ]; }
fewer_blocks() { [ "$(blocks)" -le "$1" ]; }

# The kernel prefers movable memory for files, which is what these pages are.
plug() {
	echo online_movable >/sys/devices/system/memory/auto_online_blocks
	monitor '{"execute":"object-add","arguments":{"qom-type":"memory-backend-memfd",
		"id":"more","size":536870912,"share":true}}' &&
		monitor '{"execute":"device_add","arguments":{"driver":"pc-dimm",
		"id":"dimm","memdev":"more"}}' && wait_for 200 more_blocks "$before"
}

unplug() {
	monitor '{"execute":"device_del","arguments":{"id":"dimm"}}' &&
		wait_for 300 fewer_blocks "$before"
}

if [ "${1-}" = inside ]; then
	before=$(blocks)
	for n in 1 2; do
		up $n
		check "card $n: ping before" "$traffic" ping 10.77.$n.1 3
	done
	"$traffic" tcp 10.77.1.1 7 60000000 >"$scratch"/stream 2>&1 &
	stream=$!
	check "memory is plugged while a stream flows" plug
	for n in 1 2; do
		check "card $n: sends what lies in it" "$traffic" pages 10.77.$n.1 7 \
			33554432 $plugged_from
		check "card $n: streams both ways" "$traffic" tcp 10.77.$n.1 7 4000000
	done
	check "memory is taken away again" unplug
	wait $stream
	check "the stream was right" test $? = 0
	for n in 1 2; do
		check "card $n: streams both ways behind" "$traffic" tcp 10.77.$n.1 7 4000000
	done
	exit $tap_failed
fi

# ---- on the machine ----

memory 512
card 1 1 packed=off
card 2 1 packed=on
serve "vu:$scratch/card1" tap:vtap1 "vu:$scratch/card2" tap:vtap2
wires 1 2
start_guest guest -m 512,slots=2,maxmem=2048M -l virtio_net -- sh "$0" inside
end_guest guest "$guest"
check "every byte that arrived is right" far_ends_well
check "the server ends well" end_server
finish
