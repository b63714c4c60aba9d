# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The house style: formatted by clang-format, licensed in the first line, short functions, nothing left for later.

. "$top_srcdir"/tests/build/tap.sh
cd "$top_srcdir" || exit 1

sources=$(find lib include tests examples -name '*.[ch]' -o -name '*.h.in' | sort)
formatted=$(printf '%s\n' $sources | grep -v '\.in$')
scripts=$(find tests examples -name '*.sh' -o -name Makefile.am | sort)

if [ -n "$CLANG_FORMAT" ]; then
	verdict "clang-format would change nothing" \
		"$("$CLANG_FORMAT" --style=file --dry-run -Werror $formatted 2>&1 | grep 'error:')"
else
	skip "clang-format would change nothing" "clang-format not found"
fi

verdict "the first line of each source is its licence" "$(for file in $sources; do
	sed -n 1p "$file" | grep -Eq '^/\* SPDX-License-Identifier: (LGPL-2\.1-or-later( OR GPL-2\.0-only)?|MIT|GPL-2\.0) \*/$' || echo "$file"
done)"
verdict "kernel modules alone are GPL" "$(grep -lE '^/\* SPDX-License-Identifier: GPL-2\.0 \*/$' $sources |
	grep -v '^tests/vm/vtcsim/')"
verdict "examples may be copied: MIT" "$(for file in $(printf '%s\n' $sources | grep '^examples/'); do
	sed -n 1p "$file" | grep -q ': MIT ' || echo "$file"
done)"
verdict "scripts are licensed" "$(for file in $scripts; do
	sed -n 1,2p "$file" | grep -q 'SPDX-License-Identifier: ' || echo "$file"
done)"

verdict "no line is longer than 90 columns, but for whole strings" "$(for file in $sources; do
	expand "$file" | awk -v file="$file" 'length($0) > 90 && !/"/ { print file ":" FNR }'
done)"

# A function runs from a brace in the first column to the next one.
awk '
FNR == 1 { start = 0 }
/^{/ { start = FNR }
/^}/ && start { print FNR - start - 1, FILENAME ":" start; start = 0 }' $sources | sort -n >"$scratch"/lengths
verdict "no function is longer than 80 lines" "$(awk '$1 > 80' "$scratch"/lengths)"
grep -E ' (lib|examples)/' "$scratch"/lengths | awk '
{ length_of[NR] = $1; over += $1 > 60 }
END { if (NR) printf "# functions of lib and examples: %d, median %d lines, 90%% within %d, longest %d, over 60: %d\n",
	NR, length_of[int((NR + 1) / 2)], length_of[int(NR * 0.9 + 0.5)], length_of[NR], over }'

mark='TO''DO|FIX''ME|XX''X'
verdict "nothing is left for later" "$(grep -nEw "$mark" $sources $scripts)"
finish
