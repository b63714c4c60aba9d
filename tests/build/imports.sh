# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A library does not end the process, write to its streams, change its signals, read its environment,
# start threads or keep state of its own. Only the libpci file may jump, to survive that library's exit,
# and keep the place to jump to, per thread, because that library's hooks take no argument.

. "$top_srcdir"/tests/build/tap.sh

static=$top_builddir/lib/.libs/libvtc.a
[ -e "$static" ] || skip_all "built with --disable-static"

cat >"$scratch"/forbidden <<'END'
exit|_exit|_Exit|quick_exit|abort|__assert_fail|__assert|raise|kill|atexit|on_exit|__cxa_atexit
setjmp|_setjmp|__sigsetjmp|sigsetjmp|longjmp|_longjmp|siglongjmp|__longjmp_chk
printf|vprintf|fprintf|vfprintf|puts|fputs|putchar|putc|fputc|fwrite|perror|psignal|err|errx|warn|warnx
__printf_chk|__vprintf_chk|__fprintf_chk|__vfprintf_chk|syslog|vsyslog|__syslog_chk|stdout|stderr|stdin
signal|sigaction|sigprocmask|alarm|setitimer
getenv|secure_getenv|setenv|putenv|unsetenv|environ|setlocale
pthread_create|thrd_create|fork|vfork|clone|system|popen|execve|execv|execvp|posix_spawn|posix_spawnp
strtok|strerror|gmtime|localtime|readdir_r|gets
END
tr '|' '\n' <"$scratch"/forbidden | sort >"$scratch"/names

$NM -A -u "$static" 2>/dev/null | awk 'NF { split($1, part, ":"); print part[2], $NF }' |
	sed 's/@.*//' >"$scratch"/imports

verdict "the static library can be read" "$($NM "$static" 2>&1 | grep -q ' T vtc_' || echo "no function found")"
verdict "nothing forbidden is imported" "$(awk '
	NR == FNR { forbidden[$1] = 1; next }
	$1 == "names.o" && $2 ~ /setjmp$|longjmp/ { next }
	$2 in forbidden { print $1 " imports " $2 }' "$scratch"/names "$scratch"/imports)"

$NM -A -f sysv "$static" 2>/dev/null | awk -F'|' 'NF >= 7 {
	section = $7
	gsub(/ /, "", section)
	sub(/\t.*/, "", section)
	split($1, part, ":")
	if (section ~ /^\.data\.rel\.ro/ || (part[2] == "names.o" && section == ".tbss"))
		next
	# libpci tells its error hook nothing about the caller, so that has to be noted per thread.
	if (part[2] == "names.o" && section == ".tbss")
		next
	if (section ~ /^\.(data|bss|tdata|tbss)($|\.)/ || section ~ /COM/)
		print part[2] ":" part[3] " in " section
}' >"$scratch"/writable
verdict "no object that can be written" "$(cat "$scratch"/writable)"

$READELF -W -S "$static" 2>/dev/null | awk '
	/^File: / { file = $2 }
	$0 ~ / \.(init_array|fini_array|ctors|dtors)/ { print file }' >"$scratch"/constructors
verdict "no constructor, no destructor" "$(cat "$scratch"/constructors)"
finish
