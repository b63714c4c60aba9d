# SPDX-License-Identifier: LGPL-2.1-or-later
#
# To be sourced by the tests of this tier: each is one boot of the lab's guest.

here=$top_srcdir/tests/vm
programs=$top_builddir/tests/vm

# lab OPTION... -- COMMAND...: run a command which prints TAP in the guest; skip without a lab.
lab()
{
	status=0
	"$here"/run -t 240 -e top_srcdir -e top_builddir "$@" || status=$?
	if [ $status = 77 ]; then
		echo "1..0 # SKIP the lab is not set up: run tests/vm/setup"
		exit 0
	fi
	exit $status
}
