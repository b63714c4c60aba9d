# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Two guests, each with its cards on one relay: what the one sends is copied once, into the
# other's memory. The second pair has different rings, the third differs in what the drivers
# can do: what one leaves to its device, the other does not take, so it is done on the way.

. "$top_srcdir"/tests/vm/vhost-user.sh

# ---- in the guests ----

reaches() {
	check "card $1: ping" "$traffic" ping "10.77.$1.1" 6
	check "card $1: datagrams of every size" "$traffic" udp "10.77.$1.1" 7
	check "card $1: a stream both ways" "$traffic" tcp "10.77.$1.1" 7 8000000
}

case ${1-} in
inside)
	for n in 1 2 3; do
		up $n
		reaches $n
	done
	exit $tap_failed
	;;
inside-too)
	answer "$2"/end
	for n in 1 2 3; do
		up $n 1
	done
	check "every byte that arrived is right" answers_well
	exit $tap_failed
	;;
esac

# ---- on the machine ----

memory 512
card 1 1 packed=off "$scratch"/one1
card 2 1 packed=on "$scratch"/one2
card 3 1 packed=on "$scratch"/one3
ours=$qemu
memory 512
card 1 1 packed=off "$scratch"/two1
card 2 1 packed=off,mrg_rxbuf=off "$scratch"/two2
card 3 1 packed=off,csum=off,gso=off,guest_csum=off,mrg_rxbuf=off "$scratch"/two3
theirs=$qemu

serve "vu:$scratch/one1" "vu:$scratch/two1" "vu:$scratch/one2" "vu:$scratch/two2" \
	"vu:$scratch/one3" "vu:$scratch/two3"
mkdir "$scratch"/share
qemu=$theirs
start_guest two -s 1 -m 512 -l virtio_net -w "$scratch"/share -- \
	sh "$0" inside-too "$scratch"/share
two=$guest
qemu=$ours
start_guest one -s 1 -m 512 -l virtio_net -- sh "$0" inside
end_guest one "$guest"
touch "$scratch"/share/end
end_guest two "$two"
check "the server ends well" end_server
for n in 1 2 3; do
	packets=$(($(counted one$n tx_packets) + $(counted two$n tx_packets)))
	copies=$(($(counted one$n copies) + $(counted two$n copies)))
	echo "# card $n: $packets packets, $copies copies"
	check "card $n: one copy of each packet" test $packets = $copies
	check "card $n: packets went" test $packets -gt 1000
done
finish
