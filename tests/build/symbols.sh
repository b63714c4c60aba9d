# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The symbol map, the public headers and the libraries name the same functions, and none outside our prefix.

. "$top_srcdir"/tests/build/tap.sh

shared=$top_builddir/lib/.libs/libvtc.so
static=$top_builddir/lib/.libs/libvtc.a

mapped_functions >"$scratch"/map
declared_functions >"$scratch"/headers

verdict "the map is not empty" "$([ -s "$scratch"/map ] || echo "no symbol found in lib/libvtc.map")"
verdict "the map has each symbol once" "$(uniq -d "$scratch"/map)"
verdict "the map is sorted" "$(sed -n 's/^\t\(vtc_[a-z_0-9]*\);$/\1/p' "$top_srcdir"/lib/libvtc.map |
	sort -c 2>&1)"
verdict "everything in the map is declared in a header" "$(comm -23 "$scratch"/map "$scratch"/headers)"
verdict "everything declared in a header is in the map" "$(comm -13 "$scratch"/map "$scratch"/headers)"
verdict "everything in the map starts with vtc_" "$(grep -v '^vtc_[a-z]' "$scratch"/map)"

if [ -e "$shared" ]; then
	$NM -D --defined-only "$shared" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$scratch"/exports
	verdict "everything in the map is exported" "$(comm -23 "$scratch"/map "$scratch"/exports)"
	verdict "everything exported is in the map" "$(comm -13 "$scratch"/map "$scratch"/exports)"
	verdict "every export carries the node VTC_0" \
		"$($NM -D --defined-only "$shared" | awk '$2 != "A" && $3 !~ /@@VTC_0$/')"
	verdict "the SONAME is libvtc.so.0" \
		"$($READELF -d "$shared" | awk '/SONAME/ { found = $NF } END { if (found != "[libvtc.so.0]") print found }')"
else
	skip "exports of the shared library" "built with --disable-shared"
fi

if [ -e "$static" ]; then
	verdict "the static library defines only vtc_ and vtc__ symbols" \
		"$($NM -g --defined-only "$static" | awk 'NF == 3 && $3 !~ /^vtc_/')"
	verdict "an internal symbol says so with vtc__" \
		"$($NM -g --defined-only "$static" | awk 'NF == 3 && $3 !~ /^vtc__/ { print $3 }' | sort |
			comm -23 - "$scratch"/map)"
else
	skip "symbols of the static library" "built with --disable-static"
fi
finish
