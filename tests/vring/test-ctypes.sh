# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The shared library from another language, by its exported functions alone: no macro, no inline
# function, no structure that only a C compiler can lay out.

. "$top_srcdir"/tests/build/tap.sh

library=$top_builddir/lib/.libs/libvtc.so
python=$(command -v python3) || skip_all "python3 not found"
"$python" -c 'import ctypes, sys; sys.exit(sys.version_info < (3, 6))' 2>/dev/null ||
	skip_all "python3 is too old, or has no ctypes"
[ -e "$library" ] || skip_all "built with --disable-shared"
$NM -D -u "$library" | grep -q ' __\(a\|ub\|t\)san_' && skip_all "python3 cannot load a sanitizer"

for layout in split packed; do
	verdict "a $layout ring from python, both sides" \
		"$(PYTHONDONTWRITEBYTECODE=1 timeout 60 "$python" "$top_srcdir"/tests/vring/test-ctypes.py \
			"$library" $layout 2>&1)"
done
finish
