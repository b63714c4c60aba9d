# SPDX-License-Identifier: LGPL-2.1-or-later
#
# For `make installcheck`: each example builds against the installed library with pkg-config only, shared
# and static, and answers --help.

. "$top_srcdir"/tests/build/tap.sh

PKG_CONFIG_PATH=$installed_pkgconfigdir${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
PKG_CONFIG_DISABLE_UNINSTALLED=1
export PKG_CONFIG_PATH PKG_CONFIG_DISABLE_UNINSTALLED
libdir=$installed_libdir

# relocated ARGS...: pkg-config for a tree that `make install DESTDIR=...` staged.
relocated() {
	if [ -n "$installed_destdir" ]; then
		$PKG_CONFIG --define-variable=libdir="$libdir" \
			--define-variable=includedir="$installed_includedir" "$@"
	else
		$PKG_CONFIG "$@"
	fi
}

# build NAME WAY FLAGS...: compile the example NAME and let it print its help.
build() {
	name=$1 way=$2
	shift 2
	sources=$top_srcdir/examples/$name.c
	modules=vtc
	[ -e "$sources" ] || {
		sources=$(ls "$top_srcdir"/examples/"$name"/*.c)
		modules="vtc json-c"
	}
	said=$($CC -D_GNU_SOURCE -o "$scratch"/program $sources "$@" $(relocated $way --cflags --libs $modules) 2>&1 &&
		LD_LIBRARY_PATH=$libdir "$scratch"/program --help 2>&1) || {
		echo "$said"
		echo "$CC $name: failed"
	}
}

cat >"$scratch"/use.c <<'END'
#include <vtc/vtc.h>

int main(void)
{
	return vtc_version_get_number() != VTC_VERSION_NUMBER;
}
END
use() {
	$CC -o "$scratch"/use "$scratch"/use.c "$@" 2>&1 && LD_LIBRARY_PATH=$libdir "$scratch"/use || echo "failed"
}

# A directory with only the archive makes the linker take it.
mkdir "$scratch"/static
[ -e "$libdir"/libvtc.a ] && cp "$libdir"/libvtc.a "$scratch"/static

verdict "the smallest program, shared" "$(use $(relocated --cflags --libs vtc))"
if [ -e "$libdir"/libvtc.a ]; then
	verdict "the smallest program, static" \
		"$(use -L"$scratch"/static $(relocated --static --cflags --libs vtc))"
fi
for name in $example_names; do
	verdict "$name, shared" "$(build "$name" "")"
	[ -e "$libdir"/libvtc.a ] || continue
	verdict "$name, static" "$(build "$name" --static -L"$scratch"/static)"
	verdict "$name, static, needs no libvtc.so" \
		"$($READELF -d "$scratch"/program | grep 'NEEDED.*libvtc')"
done
finish
