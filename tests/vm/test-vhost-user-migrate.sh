# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A guest moves to another QEMU while streams flow both ways: through one network card with
# split and one with packed rings. What the device writes meanwhile is in the log of dirty
# pages, or the streams would tell: for that, much of what arrived waits for its reader, in
# pages that nobody but the device has written to since they were copied.

. "${top_srcdir-}"/tests/vm/vhost-user.sh

stream() { "$traffic" tcp "$1" 7 0 "$2" && echo right; }
right() { cat "$1" && grep -q '^right$' "$1"; }

if [ "${1-}" = inside ]; then
	for n in 1 2; do
		up $n
		check "card $n: ping before" "$traffic" ping 10.77.$n.1 3
	done
	for n in 1 2; do
		stream 10.77.$n.1 20 >/stream$n 2>&1 &
	done
	wait
	for n in 1 2; do
		check "card $n: one stream all the while" right /stream$n
	done
	for n in 1 2; do
		check "card $n: ping behind" "$traffic" ping 10.77.$n.1 3
	done
	exit $tap_failed
fi

# ---- on the machine ----

# Two taps at one bridge, as two machines on one cable.
bridge() {
	ip link add "vbr$1" type bridge && ip link set "vbr$1" up
	for end in from to; do
		ip link set "vtap$end$1" master "vbr$1" && ip link set "vtap$end$1" up
	done
	ip addr add "10.77.$1.1/24" dev "vbr$1"
}

# cards END: of the QEMU at this end, which also listens to us.
cards() {
	memory 256
	card 1 1 packed=off,rx_queue_size=1024,tx_queue_size=1024 "$scratch/$1"1
	card 2 1 packed=on "$scratch/$1"2
	mkfifo "$scratch/monitor-$1.in" "$scratch/monitor-$1.out"
	qemu="$qemu -chardev pipe,id=side,path=$scratch/monitor-$1 -mon side,mode=readline"
	in_background "$1-says" cat "$scratch/monitor-$1.out"
}

tell() { echo "$2" >"$scratch/monitor-$1.in"; }

# Bytes that the tap of card N at an end has from the guest.
sent() { awk -v name="vtap$1:" '$1 == name { print $2 }' /proc/self/net/dev; }
sends() { [ "$(sent "$1")" -gt "$2" ]; }
flows() {
	for n in 1 2; do
		wait_for 200 sends "$1$n" $(($(sent "$1$n") + 2000000)) || return
	done
}

migrated() {
	tell from "info migrate"
	grep -qa 'tatus: *completed' "$scratch"/from-says.out
}

# At first it cannot end: each page is copied as soon as the guest's processor has touched it,
# and what the device writes there later is seen by nobody else.
migrates() {
	tell from "migrate_set_parameter max-bandwidth 10G"
	tell from "migrate_set_parameter downtime-limit 1"
	tell from "migrate -d unix:$scratch/way"
	sleep 6
	tell from "migrate_set_parameter downtime-limit 20000"
	wait_for 600 migrated && return
	tail -n 30 "$scratch"/from-says.out
	return 1
}

serve "vu:$scratch/from1" tap:vtapfrom1 "vu:$scratch/to1" tap:vtapto1 \
	"vu:$scratch/from2" tap:vtapfrom2 "vu:$scratch/to2" tap:vtapto2
wires
bridge 1
bridge 2
mkdir "$scratch"/root
pack_root "$scratch"/root
cards from
start_guest from -a init_on_alloc=0 -r "$scratch"/root -l virtio_net -m 256 -e top_srcdir= -e top_builddir= \
	-- sh "/tests/vm/${0##*/}" inside
from=$guest
check "streams flow before" flows from
cards to
start_guest to -r "$scratch"/root -l virtio_net -m 256 --incoming "unix:$scratch/way" -- true
to=$guest
wait_for 200 test -S "$scratch"/way
check "the guest moves while streams flow" migrates
check "streams flow behind" flows to
print_cases from
touch "$scratch"/end
end_guest to "$to"
check "every byte that arrived is right" far_ends_well
check "the server ends well" end_server
finish
