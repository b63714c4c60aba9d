# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The man pages are sound, and vtcctl(8) names every command and option that vtcctl has.

. "$top_srcdir"/tests/build/tap.sh

if command -v groff >/dev/null; then
	for page in "$top_srcdir"/doc/*.[1-9]; do
		verdict "groff finds nothing to complain about in ${page##*/}" \
			"$(groff -t -man -ww -z -Tutf8 "$page" 2>&1)"
	done
else
	skip "groff finds nothing to complain about" "groff not found"
fi

vtcctl=$top_builddir/examples/vtcctl/vtcctl
if [ -x "$vtcctl" ]; then
	sed 's/\\-/-/g' "$top_srcdir"/doc/vtcctl.8 >"$scratch"/page
	"$vtcctl" --help | sed -n '/^Commands:/,/^$/s/^  \(vf [a-z]*\|pool [a-z]*\|[a-z]*\) .*/\1/p' >"$scratch"/commands
	verdict "there are commands" "$(grep -qx 'vf set' "$scratch"/commands || echo none)"
	verdict "each command has a paragraph in vtcctl(8)" "$(while read -r command; do
		grep -Eq "^\.B $command( |$)" "$scratch"/page || echo "$command"
	done <"$scratch"/commands)"
	verdict "each option has a paragraph in vtcctl(8)" "$(while read -r command; do
		"$vtcctl" $command --help
	done <"$scratch"/commands | sed -n 's/^  \(    \|-[A-Za-z], \)--\([a-z-]*\).*/--\2/p' | sort -u | while read -r option; do
		grep -A1 '^\.TP' "$scratch"/page | grep -Eq -e "^\.B.* ?$option( |\"|$)" || echo "$option"
	done)"
else
	skip "vtcctl(8) names what vtcctl has" "vtcctl is not built"
fi
finish
