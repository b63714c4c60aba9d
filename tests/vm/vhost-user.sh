# SPDX-License-Identifier: LGPL-2.1-or-later
#
# To be sourced by the tests whose guests have network cards that libvtc serves, outside the
# guest and, as `inside`, in it. Card N is 10.77.N.2 there; 10.77.N.1 is the machine's end.

case ${1-} in
inside*) ;;
*)
	. "$top_srcdir"/tests/vm/lab.sh
	# a network of the test's own: nothing of the machine's is seen or touched
	if [ -z "${VTC_LAB_NET-}" ]; then
		as_root=
		[ "$(id -u)" = 0 ] || as_root=-r
		unshare $as_root -n true 2>/dev/null || {
			echo "1..0 # SKIP no network namespace can be made here"
			exit 0
		}
		VTC_LAB_NET=1 exec unshare $as_root -n sh "$0" "$@"
	fi
	;;
esac
. "$top_srcdir"/tests/build/tap.sh
programs=$top_builddir/tests/vm
traffic=$programs/traffic

# wait_for TENTHS COMMAND...: until it succeeds, so long at most.
wait_for() {
	tenths=$1
	shift
	while ! "$@" >/dev/null 2>&1; do
		tenths=$((tenths - 1))
		[ $tenths -gt 0 ] || return 1
		sleep 0.1
	done
}

# check NAME COMMAND...: a case, wrong if the command fails; what it says is said.
check() {
	case_name=$1
	shift
	if "$@" >"$scratch"/said 2>&1; then
		verdict "$case_name" ''
		sed 's/^/# /' "$scratch"/said
	else
		verdict "$case_name" "$* fails: $(cat "$scratch"/said)"
	fi
}

children=

# in_background NAME COMMAND...: its output goes to files of this name.
in_background() {
	job=$1
	shift
	: >"$scratch/$job.out"
	"$@" >"$scratch/$job.out" 2>"$scratch/$job.err" </dev/null &
	child=$!
	children="$children $child"
}

# ---- the end that answers ----

listens() { grep -q '^ *[0-9]*: 00000000:0007 ' /proc/net/tcp; }

# answer FILE: streams and datagrams, until the file is there. Who can reach us finds it listening, so
# it comes before the addresses.
answer() {
	in_background far "$traffic" serve 7 "$1"
	far=$child
	wait_for 100 listens
}

# It has ended, and has compared all that came.
answers_well() { wait "$far" && cat "$scratch"/far.err && ! grep -q . "$scratch"/far.err; }

# ---- on the machine ----

qemu=
server=

end_children() {
	# shellcheck disable=SC2086
	[ -z "$children" ] || kill $children 2>/dev/null
	children=
	wait
	rm -rf "$scratch"
}
trap end_children EXIT

# What this test asks QEMU for, in $qemu, for `guest`. Memory in MB; it can be shared.
memory() {
	qemu="-object memory-backend-memfd,id=mem,size=${1}M,share=on -machine memory-backend=mem"
}

# card N QUEUE-PAIRS OPTIONS [SOCKET]: a network card whose device is at a socket.
card() {
	mac=$(printf '52:54:00:00:30:%02x' "$1")
	qemu="$qemu -chardev socket,id=c$1,path=${4-$scratch/card$1},reconnect-ms=300"
	qemu="$qemu -netdev vhost-user,id=n$1,chardev=c$1,queues=$2"
	qemu="$qemu -device virtio-net-pci,id=card$1,netdev=n$1,mac=$mac,romfile=${3:+,$3}"
	[ "$2" = 1 ] || qemu="$qemu,mq=on,vectors=$((2 * $2 + 2))"
}

# try_to_serve PORT PORT...: the server of these joins; see vu-server.
try_to_serve() {
	in_background server "$programs"/vu-server "$@"
	server=$child
	while ! grep -q ready "$scratch"/server.out; do
		kill -0 "$server" 2>/dev/null || return
		sleep 0.1
	done
}

# serve PORT PORT...: the kernel gives a tap free only some time after its process was killed.
serve() {
	wait_for 50 try_to_serve "$@" && return
	echo "Bail out! no server: $(cat "$scratch"/server.err)"
	exit 1
}

# The machine's end of the wires N...
wires() {
	ip link set lo up
	for n; do
		ip addr add "10.77.$n.1/24" dev "vtap$n" && ip link set "vtap$n" up
	done
	answer "$scratch"/end
}

# start_guest NAME OPTION... -- COMMAND...: with the cards that were named since `memory`.
start_guest() {
	guest=$1
	shift
	in_background "$guest" "$here"/run -t 600 -e top_srcdir -e top_builddir -q "$qemu" "$@"
	guest=$child
}

# print_cases NAME: those of a guest, with our numbers.
print_cases() {
	awk -v count="$tap_count" '
	/^(not )?ok [0-9]+ / { sub(/ok [0-9]+/, "ok " ++count) }
	{ print }' "$scratch/$1.out"
	sed 's/^/# /' "$scratch/$1.err"
	tap_count=$((tap_count + $(grep -c '^\(not \)\{0,1\}ok ' "$scratch/$1.out")))
	! grep -q '^not ok' "$scratch/$1.out" || tap_failed=1
}

# end_guest NAME PROCESS: wait for its end; its cases are ours.
end_guest() {
	status=0
	wait "$2" || status=$?
	print_cases "$1"
	[ $status != 77 ] || skip_all "the lab is not set up: run tests/vm/setup"
	check "the guest ends well" test $status = 0
}

# pack_root FOLDER: what `run --root` is to give a guest, to run this test `inside`.
pack_root() {
	mkdir -p "$1"/tests/vm "$1"/tests/build
	cp "$0" "$top_srcdir"/tests/vm/vhost-user.sh "$traffic" "$1"/tests/vm/
	cp "$top_srcdir"/tests/build/tap.sh "$1"/tests/build/
	ldd "$traffic" | sed -n 's/.*[\t ]\(\/[^ ]*\) (0x.*/\1/p' | while read -r lib; do
		mkdir -p "$1/${lib%/*}" && cp -L "$lib" "$1$lib"
	done
}

# The far end of the streams has compared all that came.
far_ends_well() {
	touch "$scratch"/end
	answers_well
}

# The server ends when told to, and says what it has counted.
end_server() {
	kill -TERM "$server" && wait "$server" && cat "$scratch"/server.err &&
		! grep -q . "$scratch"/server.err
}

# counted PORT FIELD: the sum over the queues of a port (a name's end), as last printed.
counted() {
	awk -v port="$1" -v field="$2=" '
	/^port / { sum = ($2 ~ (port "$")) ? 0 : sum; here = $2 ~ (port "$") }
	here && /^  queue=/ {
		for (i = 1; i <= NF; i++)
			if (index($i, field) == 1)
				sum += substr($i, length(field) + 1)
	}
	END { print sum + 0 }' "$scratch"/server.out
}

# ---- in the guest ----

# device N: the name of card N's interface.
device() {
	mac=$(printf '52:54:00:00:30:%02x' "$1")
	for d in /sys/class/net/*; do
		[ "$(cat "$d"/address)" != "$mac" ] || echo "${d##*/}"
	done
}

has_device() { [ -n "$(device "$1")" ]; }

# up N [HOST]: use card N as 10.77.N.HOST, or 2.
up() {
	wait_for 100 has_device "$1" || return
	d=$(device "$1")
	ip addr add "10.77.$1.${2-2}/24" dev "$d" && ip link set "$d" up
}

# feature N BIT: 1 if card N's driver negotiated it.
feature() { cut -c $(($2 + 1)) "/sys/class/net/$(device "$1")/device/features"; }
