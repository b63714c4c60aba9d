# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Each public header compiles alone, as old and new C and as C++, without a warning, and its structs have no holes.

. "$top_srcdir"/tests/build/tap.sh

paths="-I$top_builddir/include -I$top_srcdir/include"
warnings="-Wall -Wextra -Wpedantic -Werror"

# alone HEADER COMPILER FLAGS: what the compiler says about a file that includes HEADER, twice, and no other.
alone() {
	suffix=c
	case $3 in *c++*) suffix=cc ;; esac
	printf '#include <vtc/%s>\n#include <vtc/%s>\nint alone;\n' "$1" "$1" >"$scratch"/alone.$suffix
	$2 $3 $warnings $paths -fsyntax-only "$scratch"/alone.$suffix 2>&1 && return
	echo "$2 $3 failed"
}

# Every pair of a compiler of this machine and a standard.
{
	for compiler in gcc clang; do
		command -v $compiler >/dev/null &&
			printf "$compiler %s\n" -std=c99 -std=c11 "-std=c11 -Wpadded -Wno-pragmas" \
				"-std=c11 -m32 -ffreestanding -Wpadded"
	done
	for compiler in g++ clang++; do
		command -v $compiler >/dev/null && printf "$compiler %s\n" -std=c++17
	done
} >"$scratch"/ways
[ -s "$scratch"/ways ] || echo "$CC -std=c99" >"$scratch"/ways

for path in $(public_headers); do
	header=${path##*/}
	while read -r compiler flags; do
		verdict "$header: $compiler $flags" "$(alone "$header" "$compiler" "$flags")"
	done <"$scratch"/ways
	verdict "$header comes with vtc.h" "$([ "$header" = vtc.h ] ||
		grep -q "#include <vtc/$header>" "$top_srcdir"/include/vtc/vtc.h || echo "not included")"
	verdict "$header is installed" "$(grep -q "vtc/$header" "$top_srcdir"/include/Makefile.am || echo "not listed")"
done
finish
