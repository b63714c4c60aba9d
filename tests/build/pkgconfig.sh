# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A program builds and runs against the build tree with nothing but vtc-uninstalled.pc.

. "$top_srcdir"/tests/build/tap.sh

PKG_CONFIG_PATH=$top_builddir${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export PKG_CONFIG_PATH

cat >"$scratch"/version.c <<'END'
#include <stdio.h>
#include <vtc/vtc.h>

int main(void)
{
	puts(vtc_version_get_string());
	return 0;
}
END

# build FLAGS...: the version that a program built so prints, or what went wrong.
build() {
	$CC -o "$scratch"/version "$scratch"/version.c "$@" 2>&1 &&
		LD_LIBRARY_PATH=$top_builddir/lib/.libs "$scratch"/version 2>&1
}

expect() {
	[ "$2" = "$($PKG_CONFIG --modversion vtc)" ] || verdict "$1" "${2:-nothing printed}"
	[ "$2" = "$($PKG_CONFIG --modversion vtc)" ] && verdict "$1" ""
}

if [ -e "$top_builddir"/lib/.libs/libvtc.so ]; then
	expect "shared, from the build tree" "$(build $($PKG_CONFIG --cflags --libs vtc))"
else
	skip "shared, from the build tree" "built with --disable-shared"
fi
if [ -e "$top_builddir"/lib/.libs/libvtc.a ]; then
	mkdir "$scratch"/static && cp "$top_builddir"/lib/.libs/libvtc.a "$scratch"/static
	expect "static, from the build tree" \
		"$(build -L"$scratch"/static $($PKG_CONFIG --static --cflags --libs vtc))"
else
	skip "static, from the build tree" "built with --disable-static"
fi
verdict "public flags name no dependency" \
	"$(grep -q '^Requires: .' "$top_builddir"/vtc.pc || $PKG_CONFIG --libs vtc | grep -E -- '-l(nl|pci)')"
finish
