# SPDX-License-Identifier: LGPL-2.1-or-later
#
# To be sourced by the tests of this tier: each is one boot of the lab's guest.

here=$top_srcdir/tests/vm
programs=$top_builddir/tests/vm
lacks='the lab is not set up' # or what else it lacks for a test

# lab OPTION... -- COMMAND...: run a command which prints TAP in the guest; skip without a lab. A guest in
# which something hangs until the limit (emulated adapters do, now and then) is told of, and tried once more.
lab()
{
	printed=$(mktemp)
	for try in 1 2; do
		status=0
		"$here"/run -t 240 -e top_srcdir -e top_builddir "$@" >"$printed" || status=$?
		[ $status = 124 ] && [ $try = 1 ] || break
		sed 's/^/# hung: /' "$printed"
	done
	cat "$printed"
	rm -f "$printed"
	if [ $status = 77 ]; then
		echo "1..0 # SKIP $lacks: run tests/vm/setup"
		exit 0
	fi
	exit $status
}
