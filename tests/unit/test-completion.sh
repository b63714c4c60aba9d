# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The completion of vtcctl for bash offers what fits, and knows no other words than vtcctl itself.

. "$top_srcdir"/tests/build/tap.sh
. "$top_srcdir"/tests/lib/sysfs-tree.sh

vtcctl=$top_builddir/examples/vtcctl
[ -x "$vtcctl"/vtcctl ] || skip_all "vtcctl is not built"
bash=$(command -v bash) || skip_all "bash not found"
sysfs_tree "$scratch"/sysfs
PATH=$vtcctl:$PATH

# candidates LINE [WORDBREAKS]: what is offered with the cursor at the end of the line, in order.
candidates() {
	LINE=$1 BREAKS=${2-' :='} "$bash" --norc -c '
	. "$top_srcdir"/examples/vtcctl/vtcctl.bash-completion
	COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_WORDBREAKS=$BREAKS
	_vtcctl
	printf "%s\n" "${COMPREPLY[@]}"' | sort | paste -sd ' '
}

# offers NAME LINE WORDS
offers() {
	offered=$(candidates "$2")
	fault=
	[ "$offered" = "$3" ] || fault="'$2' offers '$offered', not '$3'"
	verdict "$1" "$fault"
}

sysfs="vtcctl --sysfs $scratch/sysfs"

offers "commands" "vtcctl " "explain list pool show switch vf watch"
offers "a command that was begun" "vtcctl sh" "show"
offers "sockets" "vtcctl switch --socket $scratch/sy" "$scratch/sysfs"
offers "nothing for a number of seconds" "vtcctl switch --stats " ""
offers "options behind one that takes a number" "vtcctl switch --stats 5 --du" "--duration"
offers "commands of a group" "vtcctl vf " "create remove set show"
offers "commands for pools" "vtcctl pool " "audit create filter list rate recover remove show stats"
offers "interfaces that may have a pool" "$sysfs pool create e" "eth7"
offers "interfaces behind options with values" "$sysfs explain --queues 2 --backend xdp e" "eth7"
offers "backends" "vtcctl explain eth7 --backend " "auto macvlan ntuple tc vf xdp"
offers "targets" "$sysfs pool create eth7 vm1 --target e" "eth7"
offers "nothing for a rate" "vtcctl pool rate eth7 vm1 --max " ""
offers "actions on filters" "vtcctl pool filter eth7 vm1 " "add list remove"
offers "nothing for a filter to add" "vtcctl pool filter eth7 vm1 add " ""
offers "options behind one that may take a number" "vtcctl pool stats --watch 5 --co" "--count"
offers "all devices" "$sysfs show " "0000:04:00.0 0000:3b:00.0 0000:3b:10.0 0000:3b:10.2 eth7"
offers "PFs only" "$sysfs vf create " "0000:3b:00.0 eth7"
offers "an interface that was begun" "$sysfs vf set e" "eth7"
offers "of an address only what follows the last colon" "$sysfs show 0000:3b:1" "10.0 10.2"
verdict "the whole address where colons do not cut" \
	"$([ "$(candidates "$sysfs show 0000:04" " ")" = 0000:04:00.0 ] || candidates "$sysfs show 0000:04" " ")"
offers "no device for a number" "$sysfs vf create eth7 " ""
offers "attributes" "vtcctl vf set eth7 0 m" "mac max-rate min-rate"
offers "values of a switch" "vtcctl vf set eth7 0 trust " "default off on"
offers "values of the link state" "vtcctl vf set eth7 0 link-state " "auto default disable enable"
offers "what refines a VLAN" "vtcctl vf set eth7 0 vlan 5 q" "qos"
offers "VLAN protocols" "vtcctl vf set eth7 0 vlan 5 qos 3 proto " "802.1ad 802.1q"
offers "levels to wait for" "vtcctl vf create eth7 2 --wait " "driver linked netdev none"
offers "options of a command" "vtcctl vf remove eth7 --d" "--destroy-in-use --dry-run"
offers "options of every command" "vtcctl list --s" "--state-dir --sysfs"
offers "directories" "vtcctl --sysfs $scratch/sy" "$scratch/sysfs"

# words OPTION... : the options, or the attributes, that the help of a command names.
options_of() {
	vtcctl "$@" --help | sed -n 's/^  \(    \|-[A-Za-z], \)--\([a-z-]*\).*/--\2/p' | sort | paste -sd ' '
}
for command in list show "vf create" "vf set" "vf show" "vf remove" watch switch explain "pool create" \
	"pool list" "pool show" "pool filter" "pool rate" "pool stats" "pool audit" "pool remove" "pool recover"; do
	offers "the options of $command are those of its help" "vtcctl $command --" "$(options_of $command)"
done
offers "attributes are those of the help" "vtcctl vf set eth7 0 " \
	"$(vtcctl vf set --help | sed -n '/^Attributes/,/^$/s/^  \([a-z-]*\) .*/\1/p' | sort | paste -sd ' ')"
verdict "the help names attributes" "$(vtcctl vf set --help | grep -q '^  trust ' || echo "no trust")"
finish
