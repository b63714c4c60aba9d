# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Who may include whom: core <- nic <- sriov <- vmdq and core <- vring <- endpoint, all below agency; libnl and libpci in the files named for them; the
# public headers know nothing but the C library's types; the examples know nothing but the public headers.

. "$top_srcdir"/tests/build/tap.sh
cd "$top_srcdir" || exit 1

# Lines of "file include", the include with its < or ", for the C files below the given folders.
includes() {
	find "$@" -name '*.[ch]' -o -name '*.h.in' | sort | xargs awk '
	/^[ \t]*#[ \t]*include/ { sub(/^[ \t]*#[ \t]*include[ \t]*/, ""); sub(/[>"][^>"]*$/, ""); print FILENAME, $0 }'
}

includes include >"$scratch"/public
includes lib >"$scratch"/lib
includes examples >"$scratch"/examples

verdict "there are includes to look at" "$(for list in public lib; do
	[ -s "$scratch"/$list ] || echo "none in $list"
done)"
verdict "public headers include C types and each other" \
	"$(grep -Ev ' <(stddef\.h|stdint\.h|stdbool\.h|vtc/[a-z]+\.h)$' "$scratch"/public)"
verdict "libnl is known to lib/core/netlink.c and lib/core/attr.c" \
	"$(grep ' [<"]netlink/' "$scratch"/lib | grep -Ev '^lib/core/(netlink|attr)\.c ')"
verdict "libpci is known to lib/nic/names.c" \
	"$(grep ' [<"]pci/' "$scratch"/lib | grep -v '^lib/nic/names\.c ')"
verdict "liburing is known to lib/endpoint/uring.c" \
	"$(grep ' [<"]liburing' "$scratch"/lib | grep -v '^lib/endpoint/uring\.c ')"
verdict "libbpf and libxdp are known to the guard and the AF_XDP socket" \
	"$(grep -E ' [<"](bpf|xdp)/' "$scratch"/lib |
		grep -Ev '^lib/(vmdq/(guard-[a-z]*\.[ch]|(guard|flood)\.bpf\.c)|endpoint/xsk-socket\.c) ')"
verdict "no room looks up" "$(awk '
	function room(path,   part) {
		return split(path, part, "/") > 2 ? part[2] : ""
	}
	BEGIN {
		below["core"] = " core "
		below["nic"] = " core nic "
		below["sriov"] = " core nic sriov "
		below["vring"] = " core vring "
		below["endpoint"] = " core vring endpoint "
		below["vmdq"] = " core nic sriov vmdq "
		below["agency"] = " core nic sriov vmdq vring endpoint agency "
	}
	{
		own = room($1)
		path = substr($2, 2)
		while (sub(/^\.\.\//, "", path)) ;
		sub(/^lib\//, "", path)
		if (substr($2, 1, 1) != "\"" || path !~ /\//)
			next
		split(path, part, "/")
		if (!(own in below))
			print $1 ": which room is this?"
		else if (!(part[1] in below))
			print $1 " includes the unknown room " part[1]
		else if (!index(below[own], " " part[1] " "))
			print $1 " includes " $2 "\""
	}' "$scratch"/lib)"
verdict "core knows nothing of the upper nouns' headers" \
	"$(grep -E '^lib/core/[^ ]* [<"]vtc/(nic|monitor|pf|vf|mem|vring|nethdr|channel|port|relay|pool|agency)\.h$|^lib/nic/[^ ]* [<"]vtc/(pf|vf|pool|agency)\.h$' "$scratch"/lib)"
verdict "vrings know nothing of channels and the network functions of the machine" \
	"$(grep -E '^lib/vring/[^ ]* [<"]vtc/(nic|monitor|pf|vf|channel|port|relay|pool|agency)\.h$|^lib/endpoint/[^ ]* [<"]vtc/(nic|monitor|pf|vf|pool|agency)\.h$|^lib/vmdq/[^ ]* [<"]vtc/(mem|vring|nethdr|channel|port|relay|agency)\.h$' "$scratch"/lib)"
verdict "examples use public headers only" \
	"$(grep -E ' [<"](netlink|pci|linux)/| "\.\./|[<"](core|nic|sriov|vmdq|vring|endpoint|agency)/' "$scratch"/examples)"
finish
