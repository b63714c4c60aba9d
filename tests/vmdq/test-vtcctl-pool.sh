# SPDX-License-Identifier: LGPL-2.1-or-later
#
# vtcctl's commands for pools on a real veth pair: what they do, print and answer, and what an
# administrator is told when something is wrong.

. "$top_srcdir"/tests/build/tap.sh

# A network of the test's own, with its own sysfs, state and BPF file system.
if [ -z "${VTC_POOL_NET-}" ]; then
	grep -q '^LIBXDP_LIBS = .' "$top_builddir"/tests/Makefile || skip_all "built without libxdp"
	[ "$(id -u)" = 0 ] || skip_all "pools need root"
	unshare -n -m true 2>/dev/null || skip_all "no network namespace can be made here"
	rm -rf "$scratch"
	VTC_POOL_NET=1 exec unshare -n -m --propagation private sh "$0"
fi
mount -t sysfs none /sys && mount -t bpf none /sys/fs/bpf && mount -t tmpfs none /run ||
	skip_all "file systems cannot be mounted here"
command -v ip >/dev/null && command -v ethtool >/dev/null || skip_all "ip or ethtool not found"
bash=$(command -v bash) || skip_all "bash not found"

vtcctl=$top_builddir/examples/vtcctl/vtcctl
[ -x "$vtcctl" ] || skip_all "vtcctl is not built"
out=$scratch/out err=$scratch/err
one=52:54:00:00:00:01 two=52:54:00:00:00:02 other=52:54:00:00:00:0e

run() {
	timeout 60 "$vtcctl" "$@" >"$out" 2>"$err"
	code=$?
}

fault() {
	echo "$1"
	sed 's/^/out: /' "$out"
	sed 's/^/err: /' "$err"
}

# exits NAME CODE PATTERN ARGUMENTS...: exit code, and a pattern that stderr (stdout if it is 0) matches.
exits() {
	name=$1 wanted=$2 pattern=$3
	shift 3
	run "$@"
	said=$err
	[ "$wanted" = 0 ] && said=$out
	verdict "$name" "$([ $code = "$wanted" ] || fault "exit code $code, not $wanted"
		grep -Eq -e "$pattern" "$said" || fault "nothing like '$pattern'")"
}

# says NAME PATTERN: standard output of the last one also matches.
says() { verdict "$1" "$(grep -Eq -e "$2" "$out" || fault "nothing like '$2'")"; }

# json NAME PATTERN ARGUMENTS...: well-formed, and without its blanks it matches.
json() {
	name=$1 pattern=$2
	shift 2
	run --json "$@"
	if command -v python3 >/dev/null; then
		python3 -c 'import json, sys
for line in [sys.stdin.read()]: json.loads(line)' <"$out" 2>"$scratch"/why ||
			{ verdict "$name" "$(fault "no JSON: $(cat "$scratch"/why)")"; return; }
	fi
	verdict "$name" "$([ $code = 0 ] || fault "exit code $code"
		tr -d ' \n' <"$out" | grep -Eq -e "$pattern" || fault "nothing like '$pattern'")"
}

# What the kernel has on the card: it must be as before in the end.
snapshot() {
	ip -d link show up0 | sed 's/<[^>]*>//; s/ state [A-Z]*//'
	tc qdisc show dev up0
	tc filter show dev up0 ingress
	ethtool -k up0
}

# send MAC COUNT: frames from the far end; the neighbour is only there for its address.
send() {
	ip neigh replace 10.77.8.2 lladdr "$1" dev wire0
	"$bash" -c "for i in \$(seq $2); do echo frame >/dev/udp/10.77.8.2/9; done"
}

# counted POOL FIELD: -1 if there is no such number.
counted() {
	run --json pool stats up0 "$1"
	n=$(sed -n "s/^ *\"$2\": *\([0-9]*\),*\$/\1/p" "$out")
	echo "${n:--1}"
}

arrived() { cat /sys/class/net/far1/statistics/rx_packets; }

wait_for() {
	tenths=50
	while ! "$@" >/dev/null 2>&1; do
		tenths=$((tenths - 1))
		[ $tenths -gt 0 ] || return 1
		sleep 0.1
	done
}

# No address of IPv6: nothing but our frames on the wire.
for name in up0:wire0 tap1:far1; do
	ip link add "${name%:*}" type veth peer name "${name#*:}" || skip_all "no veth can be made here"
	for end in "${name%:*}" "${name#*:}"; do
		sysctl -qw "net.ipv6.conf.$end.disable_ipv6=1" 2>/dev/null
		ip link set "$end" up
	done
done
ip addr add 10.77.8.1/24 dev wire0
ethtool -K far1 gro on
run explain up0 --target tap1
[ $code = 0 ] || skip_all "no pool can be made here: $(cat "$out" "$err" | paste -sd ' ')"
before=$(snapshot)

# ---- Explain ----

says "explain: each backend with its reason" '^vf +no +[a-z]'
says "explain: the one that would be taken" '^[a-z]+ +taken +[a-z]'
json "explain --json" '^\{"nic":"up0","backend":"[a-z]+","backends":\[\{"backend":"vf","usable":false,"taken":false,"reason":"[^"]+"\},.*\]\}$' \
	explain up0 --target tap1
exits "explain: a backend that cannot be" 7 'up0' explain up0 --backend vf
says "explain: its reason all the same" '^vf +no +[a-z].*SR-IOV'
exits "explain: no such card" 3 'nope.*no such' explain nope
exits "explain: more queues than a pool can have" 2 "'65' is no value for --queues" explain up0 --queues 65
exits "no pool yet" 0 '^NIC +POOL +BACKEND +STATE +OWNER$' pool list
verdict "nothing was changed" "$([ "$(snapshot)" = "$before" ] || snapshot)"

# ---- Create ----

exits "create: a dry run" 0 ' taken ' pool create up0 vm1 --target tap1 --filter $one --dry-run
verdict "which changes nothing" "$([ "$(snapshot)" = "$before" ] || snapshot)"
exits "create" 0 "^up0: pool vm1, backend [a-z]+, guard [a-z]+, filters $one\$" \
	pool create up0 vm1 --target tap1 --filter $one
says "create: why nothing better" '^  not vf: [a-z]'
exits "list" 0 '^up0 +vm1 +[a-z]+ +kept +-$' pool list
json "list --json" '^\[\{"nic":"up0","name":"vm1","backend":"[a-z]+","state":"kept"\}\]$' pool list up0
exits "show" 0 '^target +tap1$' pool show up0 vm1
says "show: it is kept" '^kept +on$'
says "show: its filters" "^filters +$one\$"
json "show --json" "\"target\":\"tap1\",\"filters\":\[\"$one\"\],\"everything\":false,\"group_copy\":false,.*\"kept\":true" \
	pool show up0 vm1
if ip link property add dev up0 altname alternative0 2>/dev/null; then
	json "as JSON, the card has one name" '^\{"nic":"up0","name":"vm1","filters"' pool filter alternative0 vm1 list
	ip link property del dev up0 altname alternative0
fi
exits "the same name again" 1 'File exists.*has a pool of this name' pool create up0 vm1 --target tap1
exits "the same name in a dry run" 1 'File exists' pool create up0 vm1 --target tap1 --dry-run
exits "a dry run with no such target" 3 "no interface 'nope'" pool create up0 vm2 --target nope --dry-run
exits "a dry run with the card as target" 1 'is the card itself' pool create up0 vm2 --target up0 --dry-run
exits "a dry run with another pool's filter" 5 'pool vm1 has one of the filters' \
	pool create up0 vm2 --target tap1 --filter $two --filter $one --dry-run
exits "a dry run with a filter twice" 1 'is given twice' \
	pool create up0 vm2 --target tap1 --filter $two --filter $two --dry-run
run pool create up0 all --target tap1 --everything
exits "a dry run of a second that takes everything" 5 'pool all takes everything' \
	pool create up0 vm2 --target tap1 --everything --dry-run
run pool remove up0 all
exits "no such card" 3 'no such network card' pool create nope vm1
exits "no such target" 3 'nope.*no such interface.*ip tuntap add' pool create up0 vm2 --target nope
exits "a name that is none" 2 "'a b' is no name for a pool" pool create up0 'a b'
exits "a backend that is none" 2 'is no value for --backend' pool create up0 vm2 --backend ntupel
exits "another pool's filter" 5 "Address already in use.*pool vm1" pool create up0 vm2 --target tap1 --filter $one
exits "and then there is no such pool" 3 "no pool 'vm2'; did you mean 'vm1'\?" pool show up0 vm2
for filter in 52:54 '' 5 @ @4095 $one@ $one@-1 $one/10; do
	exits "no filter: '$filter'" 2 'is no filter: MAC, MAC@VLAN or @VLAN' pool create up0 vm2 --filter "$filter"
done
exits "a filter for no station" 2 'is no address of a station' pool create up0 vm2 --filter 00:00:00:00:00:00@10
exits "a filter for a group" 2 'is the address of a group' pool create up0 vm2 --filter 01:00:5e:00:00:01

# ---- Frames ----

was=$(arrived)
send $one 20
send $other 10
wait_for sh -c "[ \$(cat /sys/class/net/far1/statistics/rx_packets) -ge $((was + 20)) ]"
verdict "frames for the pool arrive at its target, and no others" \
	"$([ "$(arrived)" = $((was + 20)) ] || echo "$(($(arrived) - was)) came")"
verdict "and are counted" "$([ "$(counted vm1 rx_packets)" = 20 ] || fault "not 20")"
exits "stats: a table" 0 '^up0 +vm1 +20 +20 ' pool stats
says "what is not counted is '-'" '^up0 .* - '
exits "stats: one pool" 0 '^up0 +vm1 ' pool stats up0 vm1
json "stats --json" '^\[\{"nic":"up0","name":"vm1","rx_packets":20,"rx_bytes":[0-9]+,.*"to_target":20' pool stats up0
exits "stats: again, with what came in between" 0 'PER-S' pool stats up0 --watch 1 --count 2
run --json pool stats --watch --count 2
verdict "stats --watch --json: an array on each line" \
	"$([ "$(grep -c '^\[{.*}\]$' "$out")" = 2 ] || fault "not two")"
verdict "and rates from the second on" \
	"$([ "$(grep -c rx_packets_per_second "$out")" = 1 ] || fault "not one")"
if ip link add gone0 type veth peer name gone1; then
	run pool create gone0 lost --target tap1 --filter $other
	ip link del gone0
	exits "a pool of a card that is gone stays in the list" 0 '^#[0-9]+ +lost ' pool list
	exits "stats: it does not stop the others" 0 '^up0 +vm1 ' pool stats
	exits "stats: nor again and again" 0 '^up0 +vm1 ' pool stats --watch 1 --count 2
	exits "recover forgets it" 0 'failed: 0$' pool recover
	exits "and it is in no list" 0 '^up0 +vm1 ' pool list
	verdict "not at all" "$(grep -q lost "$out" && fault "not so")"
fi
exits "stats: no such pool" 3 "no pool 'vm9'" pool stats up0 vm9
exits "stats: a time that is none" 2 'is no value for --watch|--watch takes' pool stats --watch 0

# ---- Filters ----

exits "add filters" 0 "^$two@10\$" pool filter up0 vm1 add $two@10 @7
says "all are printed" '^@7$'
exits "list filters" 0 "^$one\$" pool filter up0 vm1 list
json "filters as JSON" "\"filters\":\[\"$one\",\"$two@10\",\"@7\"\]" pool filter up0 vm1 list
exits "a filter twice" 1 'File exists.*has this filter' pool filter up0 vm1 add $one
exits "a filter that is not there" 1 'no such filter.*pool filter up0 vm1 list' pool filter up0 vm1 remove $one@7
exits "remove filters" 0 "^$one\$" pool filter up0 vm1 remove @7 $two@10
verdict "they are gone" "$(grep -q '@' "$out" && fault "not so")"
exits "no action on filters" 2 "unknown action 'ad'; did you mean 'add'\?" pool filter up0 vm1 ad $one
exits "an action without a filter" 2 'FILTER is missing' pool filter up0 vm1 add
exits "a list with a filter" 2 'one word too many' pool filter up0 vm1 list $one
exits "a filter of no pool" 3 "no pool 'vm'; did you mean 'vm1'\?" pool filter up0 vm add $one

# ---- Rates ----

exits "no rate yet" 0 '^up0: pool vm1: no rate$' pool rate up0 vm1
for rate in fast 5foo -1 0 1e3 1000000tbit; do
	exits "no rate: $rate" 2 "is no value for --max" pool rate up0 vm1 --max=$rate
done
exits "a minimum above the maximum" 2 'min is above' pool rate up0 vm1 --min 2gbit --max 1gbit
exits "a weight that is too large" 2 'is no value for --weight' pool rate up0 vm1 --weight 1001
exits "none and some" 2 'none goes with no other' pool rate up0 vm1 --none --weight 1
run pool rate up0 vm1 --weight 4 --max 2.5gbit
if [ $code = 7 ]; then
	skip "a rate" "nothing here keeps one"
else
	verdict "a rate" "$([ $code = 0 ] || fault "exit code $code")"
	says "what became of it" '^up0: pool vm1: weight 4 [a-z]+, max 2.5gbit [a-z]+, by [a-z]'
	json "as JSON" '"rate":\{"weight":\{"value":4,"result":"[a-z]+"\},"max_bps":\{"value":2500000000,"result":"[a-z]+"\},"mechanism":"[^"]+"\}' \
		pool rate up0 vm1
	exits "show has it" 0 '^rate +weight 4 ' pool show up0 vm1
	exits "no rate any more" 0 'no rate$' pool rate up0 vm1 --none
fi

# ---- Somebody else's pool ----

"$top_builddir"/examples/vmdq-pool up0 theirs tap1 $two >"$scratch"/theirs 2>&1 &
theirs=$!
wait_for grep -q received "$scratch"/theirs
exits "a pool of a program is in use" 0 "^up0 +theirs +[a-z]+ +in-use +[0-9]+\$" pool list up0
exits "it can be looked at" 0 '^kept +off$' pool show up0 theirs
exits "its numbers, too" 0 '^up0 +theirs +0 ' pool stats up0 theirs
exits "but gets no filter" 5 'theirs.*busy|busy.*theirs' pool filter up0 theirs add $other
exits "nor a rate" 5 'busy' pool rate up0 theirs --weight 2
exits "nor is it audited" 5 'busy' pool audit up0 theirs
exits "nor removed" 5 'busy' pool remove up0 theirs
exits "nor in a dry run" 5 'busy' pool remove up0 theirs --dry-run
kill -9 $theirs
wait $theirs 2>/dev/null
exits "its process has died" 0 '^up0 +theirs +[a-z]+ +left-behind ' pool list
exits "recover" 0 '^pools left behind: 1, steps undone: [1-9][0-9]*, failed: 0$' pool recover up0
exits "nothing is left of it" 3 "no pool 'theirs'" pool show up0 theirs
json "recover --json" '^\{"pools":0,"undone":0,"failed":0\}$' pool recover
exits "recover: no such card" 3 'nope' pool recover nope
"$top_builddir"/examples/vmdq-pool up0 theirs tap1 $two >"$scratch"/theirs 2>&1 &
theirs=$!
wait_for grep -q received "$scratch"/theirs
kill -TERM $theirs
wait $theirs
verdict "a program that ends gives its pool back" "$([ $? = 0 ] || cat "$scratch"/theirs
	run pool list; grep theirs "$out")"

# ---- Examples ----

# refuses NAME PATTERN PROGRAM ARGUMENTS...: it fails, and says why.
refuses() {
	name=$1 pattern=$2
	shift 2
	timeout 60 "$top_builddir"/examples/"$@" >"$out" 2>"$err"
	code=$?
	verdict "$name" "$([ $code = 1 ] && grep -q "$pattern" "$err" || fault "exit code $code")"
}
refuses "vmdq-pool: an address that is none" "^vmdq-pool: 'vm' is no address" vmdq-pool up0 theirs tap1 $two vm
refuses "vmdq-agency: the same" "^vmdq-agency: '/run/vm' is not SOCKET=MAC" vmdq-agency up0 /run/vm
refuses "vmdq-agency: too many machines" 'at most 16 machines' vmdq-agency up0 $(seq -f "/run/%g=$two" 17)
exits "no pool was made for that" 0 '^up0 +vm1 ' pool list
verdict "but that one" "$([ "$(wc -l <"$out")" = 2 ] || fault "not so")"

# ---- Audit ----

exits "audit: all there" 0 '^up0: pool vm1: steps checked: [1-9][0-9]*, repaired: 0, failed: 0$' pool audit up0 vm1
ip link set up0 down
ip link set up0 up
exits "audit: after the card was down" 0 ', failed: 0$' pool audit up0 vm1
json "audit --json" '"checked":[1-9][0-9]*,"repaired":[0-9]+,"failed":0,"lost":\[.*\]\}$' pool audit up0 vm1
was=$(arrived)
send $one 5
wait_for sh -c "[ \$(cat /sys/class/net/far1/statistics/rx_packets) -ge $((was + 5)) ]"
verdict "frames arrive as before" "$([ "$(arrived)" = $((was + 5)) ] || echo "$(($(arrived) - was)) came")"

# ---- Rights ----

nobody() { timeout 60 setpriv --reuid=65534 --clear-groups "$@" >"$out" 2>"$err"; }
if nobody "$vtcctl" --version; then
	nobody "$vtcctl" pool create up0 vm3 --target tap1
	verdict "not root: no pool is made, and it is said why" \
		"$([ $? = 4 ] && grep -Eq 'permitted|denied' "$err" && grep -q 'run as root' "$err" || fault "not so")"
	nobody "$vtcctl" pool list
	verdict "not root: the list" "$([ $? = 4 ] && grep -Eq 'permitted|denied' "$err" || fault "not so")"
else
	skip "not root" "vtcctl cannot be run as nobody here: $(paste -sd ' ' "$err")"
fi

# ---- Remove ----

exits "remove: no such pool" 3 "up0 has no pool 'vm2'; did you mean 'vm1'\?" pool remove up0 vm2
exits "remove: a dry run" 0 '^up0: pool vm1 would be removed$' pool remove up0 vm1 --dry-run
json "remove --json" '"name":"vm1",.*"dry_run":false\}$' pool remove up0 vm1
exits "no pool is left" 0 '^NIC' pool list
verdict "none at all" "$([ "$(wc -l <"$out")" = 1 ] || fault "not so")"
after=$(snapshot)
verdict "the card is as before" "$([ "$after" = "$before" ] || {
	printf '%s\n' "$before" >"$scratch"/before
	printf '%s\n' "$after" | diff "$scratch"/before -
})"
run --json pool show up0 vm1
verdict "--json: an error is an object" \
	"$([ $code = 3 ] && tr -d ' \n' <"$err" | grep -Eq \
		'^\{"error":"[^"]+","exit_code":3,"errno":2,"origin":"library","operation":"find","subject":"vm1","message":"[^"]+","hint":"[^"]+"\}$' || fault "not so")"
run --json pool create up0 vm1 --target nope --dry-run
verdict "--json: so is that of a dry run" \
	"$([ $code = 3 ] && tr -d ' \n' <"$err" | grep -Eq \
		'"errno":19,"origin":"[a-z]+","operation":"[^"]+","subject":"vm1","message":"[^"]+","hint":"[^"]+"\}$' || fault "not so")"
finish
