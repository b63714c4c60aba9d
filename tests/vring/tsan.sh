#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# test-threads under ThreadSanitizer: the library's rings and the test are compiled anew for it. Prints the
# test's own TAP. (A peer that rewrites memory while we read it is a race on purpose: test-hostile is
# not run here.)

set -u

dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT

skip()
{
	echo "1..0 # SKIP $1"
	exit 0
}

echo 'int main(void) { return 0; }' >"$dir/probe.c"
$CC -fsanitize=thread -o "$dir/probe" "$dir/probe.c" 2>"$dir/log" ||
	skip "$CC has no ThreadSanitizer"
"$dir/probe" 2>"$dir/log" || skip "ThreadSanitizer does not run here: $(head -n 1 "$dir/log")"
libs="check libnl-3.0"
flags=$(${PKG_CONFIG:-pkg-config} --cflags --libs $libs 2>/dev/null) || skip "pkg-config does not know $libs"

if ! $CC -g -O1 -fsanitize=thread -D_GNU_SOURCE -I"$top_builddir/include" -I"$top_srcdir/include" \
	-I"$top_srcdir/lib" -I"$top_srcdir/tests/lib" -o "$dir/test-threads" \
	"$top_srcdir"/lib/core/*.c "$top_srcdir"/lib/vring/*.c "$top_srcdir/tests/lib/vtct.c" \
	"$top_srcdir/tests/vring/test-threads.c" $flags -pthread >"$dir/log" 2>&1; then
	sed 's/^/# /' "$dir/log"
	echo "1..1"
	echo "not ok 1 - compile for ThreadSanitizer"
	exit 1
fi
TSAN_OPTIONS="exitcode=66 halt_on_error=1" "$dir/test-threads" 2>"$dir/log"
status=$?
sed 's/^/# /' "$dir/log"
exit $status
