# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every function of the symbol map is in the API manual, and doxygen has nothing to complain about.

. "$top_srcdir"/tests/build/tap.sh

[ -n "$DOXYGEN" ] || skip_all "doxygen not found"

cd "$scratch" || exit 1
# HTML stays on: without it doxygen 1.9 complains of parameters that are documented.
{
	cat "$top_builddir"/doc/Doxyfile
	printf 'GENERATE_XML = YES\nXML_PROGRAMLISTING = NO\n'
} >Doxyfile
complaints=$($DOXYGEN Doxyfile 2>&1) || complaints="${complaints:-doxygen failed}"
verdict "doxygen finds nothing to complain about" "$complaints"

# A function counts as documented when it has a brief, a thread rule, @since, and a result unless it is void.
cat xml/*.xml | awk '
function text(line) { gsub(/<[^>]*>/, "", line); gsub(/[ \t]/, "", line); return line }
/<memberdef kind="function"/ { name = brief = ""; since = thread = result = void = 0 }
/<name>vtc_/ { name = text($0) }
/<type>void<\/type>/ { void = 1 }
/<briefdescription>/ { inbrief = 1 }
inbrief { brief = brief text($0) }
/<\/briefdescription>/ { inbrief = 0 }
/kind="since"/ { since = 1 }
/<title>Thread<\/title>/ { thread = 1 }
/kind="return"|kind="retval"/ { result = 1 }
/<\/memberdef>/ {
	if (name != "" && brief != "" && since && thread && (void || result))
		print name
	name = ""
}' | sort -u >documented
mapped_functions >map
verdict "every mapped function has @brief, @return or @retval, a thread rule and @since" "$(comm -23 map documented)"
finish
