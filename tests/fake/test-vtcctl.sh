# SPDX-License-Identifier: LGPL-2.1-or-later
#
# vtcctl against a sysfs tree of our own: what it prints, as text and as JSON, and its exit codes.

. "$top_srcdir"/tests/build/tap.sh
. "$top_srcdir"/tests/lib/sysfs-tree.sh

vtcctl=$top_builddir/examples/vtcctl/vtcctl
[ -x "$vtcctl" ] || skip_all "vtcctl is not built"
sysfs_tree "$scratch"/sysfs
out=$scratch/out err=$scratch/err

# run ARGUMENTS...: call vtcctl on the tree; its exit code is in $code.
run() {
	"$vtcctl" --sysfs "$scratch"/sysfs --state-dir "$scratch"/state "$@" >"$out" 2>"$err"
	code=$?
}

# fault TEXT: what is wrong, and what was printed.
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

# compact: JSON of which blanks do not matter; names from the PCI ID database are left out.
compact() { tr -d ' \n' | sed 's/"vendor":[^,]*,"model":[^,]*,//g'; }

# equal NAME GOT WANTED
equal() {
	verdict "$1" "$([ "$2" = "$3" ] || printf 'got:    %s\nwanted: %s\n' "$2" "$3")"
}

# ---- Text ----

run list
equal "list: exit code" $code 0
equal "list: the table, but for the models" "$(awk '
	NR == 1 { model = index($0, "  MODEL") }
	{ line = substr($0, 1, model - 1); sub(/ *$/, "", line); print line }' "$out")" \
"ADDRESS       KIND  DRIVER    NETDEVS  VFS  PF                 USE
0000:04:00.0  nic   -         -          -  -                  no-driver
0000:3b:00.0  pf    igb       eth7     2/7  -                  busy
0000:3b:10.0  vf    vfio-pci  -          -  0000:3b:00.0 vf 0  passed-through
0000:3b:10.2  vf    -         -          -  0000:3b:00.0 vf 1  no-driver"

run show eth7
equal "show: by the name of an interface" "$code $(sed -n 1p "$out")" "0 address      0000:3b:00.0"
for line in 'driver       igb' 'VFs          2/7' 'autoprobe    on' 'CPUs         0-3' 'resets       flr bus' \
	'VF offset    128' 'NUMA node    0'; do
	verdict "show: $line" "$(grep -qxF "$line" "$out" || fault "not there")"
done
verdict "show: the interface" "$(grep -Eq '^eth7 +990007  02:00:00:00:00:07  1500  on  on +1000' "$out" || fault "not there")"
run show 04:00.0
verdict "show: a short address; what cannot be known is '?', what is not there '-'" \
	"$(grep -qx 'address      0000:04:00.0' "$out" && grep -qx 'NUMA node    ?' "$out" &&
		grep -qx 'driver       -' "$out" || fault "not so")"

# ---- JSON ----

run --json list
equal "list --json: a NIC without driver" \
	"$(compact <"$out" | sed 's/^\[{\([^}]*\)}.*/\1/')" \
	'"address":"0000:04:00.0","bus":"pci","kind":"nic","netdevs":[],"use":"no-driver","vendor_id":"8086","device_id":"10d3","numa_node":null,"cpus":null,"msix":null'
equal "list --json: the PF" \
	"$(compact <"$out" | sed 's/.*{\("address":"0000:3b:00.0".*\)},{"address":"0000:3b:10.0".*/\1/')" \
	'"address":"0000:3b:00.0","bus":"pci","kind":"pf","driver":"igb","netdevs":[{"name":"eth7","ifindex":990007,"mac":"02:00:00:00:00:07","mtu":1500,"up":true,"carrier":true,"speed_mbps":1000}],"use":"busy","vendor_id":"8086","device_id":"10c9","num_vfs":2,"total_vfs":7,"vf_offset":128,"vf_stride":2,"autoprobe":true,"numa_node":0,"cpus":"0-3","reset_methods":["flr","bus"],"msix":null'
verdict "list --json: a VF knows its PF and number" \
	"$(compact <"$out" | grep -q '"address":"0000:3b:10.2",[^{]*"pf":"0000:3b:00.0","index":1,' || fault "not so")"
equal "list --json: a field for each nic" "$(grep -c '"address"' "$out")" 4
run show 0000:3b:10.0 --json
verdict "show --json: has capabilities, and says why it has no attributes" \
	"$(compact <"$out" | grep -q '"capabilities":{"ntuple":null,.*"vfs_error":"..*","attributes":null}$' || fault "not so")"

# ---- Errors ----

exits "no such device" 3 '^vtcctl: .*no-such' show no-such
exits "no such PF" 3 '^vtcctl: .*no-such' vf create no-such 2
exits "no PF" 7 '^vtcctl: .*04:00.0.*Operation not supported.*physical function' vf create 04:00.0 2
exits "more VFs than possible" 1 '^vtcctl: .*0000:3b:00.0' vf create eth7 8
exits "VFs in use are safe; the advice names the option" 5 'Device or resource busy.*vfio-pci.*--destroy-in-use$' vf remove eth7
exits "VFs are not destroyed without leave" 5 'Device or resource busy' vf create eth7 3
exits "as many VFs as there are" 0 '^0000:3b:00.0: 2 VFs, as it was$' vf create eth7 2
exits "a dry run says what would be" 0 '^0000:3b:00.0: would get 0 VFs \(has 2\)$' vf remove eth7 --destroy-in-use --dry-run
equal "nothing was written" "$(cat "$scratch"/sysfs/bus/pci/devices/0000:3b:00.0/sriov_numvfs)" 2
exits "no sysfs" 1 'No such file' list --sysfs "$scratch"/nowhere
run --json show no-such
equal "--json: the error is an object" "$code $(tr -d ' \n' <"$err" | sed 's/:"[^"]*"/:""/g; s/"hint".*//')" \
	'3 {"error":"","exit_code":3,"errno":19,"origin":"","operation":"","subject":"","message":"",'
run --json vf create no-such 1
verdict "--json: libvtc's record with all its fields" \
	"$(tr -d ' \n' <"$err" | grep -Eq '^\{"error":"[^"]+","exit_code":3,"errno":19,"origin":"[a-z]+","operation":"[^"]+","subject":"[^"]+","message":"[^"]*","hint":"[^"]*"\}$' || fault "not so")"
"$vtcctl" --sysfs "$scratch"/sysfs list >/dev/full 2>"$err"
equal "what cannot be written is a failure" $? 1

# ---- Command line ----

exits "no command" 2 'a command is missing'
exits "a mistyped command" 2 "unknown command 'lsit'; did you mean 'list'\?" lsit
exits "a mistyped command of a group" 2 "unknown command 'crate'; did you mean 'create'\?" vf crate
exits "half a command" 2 "'vf' alone" vf
exits "a mistyped option" 2 "unknown option '--dryrun'; did you mean '--dry-run'\?" vf create eth7 1 --dryrun
exits "an option of another command" 2 "unknown option '--stats'" list --stats
exits "a missing parameter" 2 'vf create: COUNT is missing' vf create eth7
exits "and its usage" 2 '^usage: vtcctl vf create PF COUNT' vf create eth7
exits "a parameter too many" 2 "'more' is one word too many" list more
exits "no number of VFs" 2 "'-1' is no number|unknown option '-1'" vf create eth7 -1
exits "a number with something behind it" 2 "'2x' is no number" vf create eth7 2x
exits "no choice" 2 "'soon' is no value for --wait \(linked\|driver\|netdev\|none\)" vf create eth7 1 --wait soon
exits "an option without its value" 2 '--timeout needs a value' vf create eth7 1 --timeout
exits "a mistyped attribute" 2 "unknown attribute 'vlna'; did you mean 'vlan'\?" vf set eth7 0 vlna 5
exits "an attribute without value" 2 'mac needs a value: ADDRESS' vf set eth7 0 mac
exits "no address" 2 "'02:00' is no value for mac" vf set eth7 0 mac 02:00
exits "a multicast address" 2 'is no value for mac' vf set eth7 0 mac 01:00:00:00:00:01
exits "a VLAN out of range" 2 "'4095' is no value for vlan" vf set eth7 0 vlan 4095
exits "a priority out of range" 2 "is no value for vlan" vf set eth7 0 vlan 5 qos 8
exits "an unknown VLAN protocol" 2 "is no value for vlan" vf set eth7 0 vlan 5 proto 802.3
exits "a GUID that is too short" 2 "is no value for node-guid" vf set eth7 0 node-guid 00:11
exits "an attribute twice" 2 'trust is given twice' vf set eth7 0 trust on trust off
exits "no list of VFs" 2 "'3-1' is no list of VF numbers" vf set eth7 3-1 trust on
exits "a relative directory" 2 'absolute' list --sysfs relative
run vf create eth7 --json
equal "--json: a usage error is an object" "$code $(tr -d ' \n' <"$err")" \
	'2 {"error":"COUNTismissing","exit_code":2,"command":"vfcreate"}'

# ---- What switch refuses ----

vm=$scratch/vm
long=$(printf '%0110d' 0)
exits "a switch of nothing" 2 'nothing to switch between: --socket is missing' switch
exits "a switch with a word" 2 "'$vm' is one word too many" switch "$vm"
exits "an address for no port" 2 "'x=y' is no value for --mac" switch --socket "$vm" --mac x=y
exits "an address of a group" 2 "'01:00:00:00:00:01' is no address" \
	switch --socket "$vm" --mac "$vm=01:00:00:00:00:01"
exits "an address twice" 2 'is given twice' switch --socket "$vm" --socket "$vm"2 \
	--mac "$vm=02:00:00:00:00:01" --mac "$vm"2=02:00:00:00:00:01
exits "a capture of no port" 2 "'y=z' is no value for --capture" switch --socket "$vm" --capture y=z
exits "a capture that cannot be written" 1 'No such file or directory' \
	switch --socket "$vm" --capture "$vm=$scratch/none/file"
exits "more sockets than fit" 2 '--socket can be given 32 times' \
	switch $(seq -f "--socket $vm%g" 33)
exits "a socket in no directory" 1 'No such file or directory' switch --socket "$scratch"/none/vm
exits "a socket's path that is too long" 1 'at most 107 bytes' switch --socket "$scratch/$long"
touch "$scratch"/file
exits "a file that is no socket" 5 'is no socket' switch --socket "$scratch"/file
exits "a tap's name that is too long" 1 '15 characters' switch --socket "$vm" --tap sixteen-and-more
verdict "no socket is left behind" "$(ls "$vm"* 2>/dev/null)"
verdict "nor is the file gone" "$([ -e "$scratch"/file ] || echo "it is")"
exits "a switch for a second" 0 '^relay: packets 0' switch --socket "$vm" --duration 1
run switch --socket "$vm" --duration 1 --json
equal "--json: an object on a line" "$code $(grep -c '^{"ports":\[{"port":".*"state":"waiting".*}\],"relay":{.*}}$' "$out")" "0 1"

# ---- Help and watch ----

exits "--version" 0 '^vtcctl [0-9]+\.[0-9]+\.[0-9]+ \(libvtc [0-9]+\.[0-9]+\.[0-9]+\)$' --version
exits "--help names all commands" 0 '^  vf remove PF' --help
exits "--help of a command" 0 '^  min-rate +MBPS\|none' vf set --help
exits "--help of a group leaves the others out" 0 '^  vf create' vf --help
verdict "indeed" "$(grep -q '^  watch' "$out" && fault "watch is there")"
run watch --timeout 1
equal "watch ends when the time is up" $code 0
exits "watch that waited for an event in vain" 6 'timed out' watch --count 100000 --timeout 1
finish
