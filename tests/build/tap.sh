# SPDX-License-Identifier: LGPL-2.1-or-later
#
# TAP for shell tests, to be sourced. A case is a name and the text of what is wrong: no text, no fault.

set -u
export LC_ALL=C

tap_count=0
tap_failed=0
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM

# verdict NAME FAULTS
verdict() {
	tap_count=$((tap_count + 1))
	if [ -z "$2" ]; then
		echo "ok $tap_count - $1"
	else
		tap_failed=1
		echo "not ok $tap_count - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
	fi
}

# skip NAME REASON
skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

# skip_all REASON
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

finish() {
	echo "1..$tap_count"
	exit $tap_failed
}

# The public headers, generated ones included.
public_headers() {
	ls "$top_srcdir"/include/vtc/*.h "$top_builddir"/include/vtc/*.h | sort -u |
		awk -F/ '!seen[$NF]++'
}

# The functions that the public headers declare with VTC_API, sorted.
declared_functions() {
	public_headers | xargs cat | awk '
	{ gsub(/\/\*.*\*\//, "") }
	/\/\*/ { comment = 1 }
	/\*\// { comment = 0; next }
	comment || /^[ \t]*#/ { next }
	/^VTC_API / { text = ""; open = 1 }
	open { text = text " " $0 }
	open && /;/ {
		open = 0
		if (match(text, /[A-Za-z_][A-Za-z_0-9]*\(/))
			print substr(text, RSTART, RLENGTH - 1)
	}' | sort
}

# The functions of the symbol map, sorted.
mapped_functions() {
	sed -n '/global:/,/local:/s/^[ \t]*\([A-Za-z_][A-Za-z_0-9]*\);.*/\1/p' "$top_srcdir"/lib/libvtc.map | sort
}
