# SPDX-License-Identifier: LGPL-2.1-or-later
#
# From what callgrind counted to rows: the instructions of the device side for a packet, and two parts of
# them. Checks: translation, and every look at whether the driver or the caller kept the rules; that is
# source lines of functions that do nothing else, or conditions that are unlikely. Records: writing down
# what is in flight, which is what a part of the checks looks at. Inlined code counts as the line it was
# written in.

BEGIN {
	split("vtc__locate vtc__map_near vtc__map_find vtc__chain_done available easy_room", names, " ")
	for (i in names)
		checks[names[i]] = 1
}

# Learn which lines of a file are checks.
function learn(path,   line, n, only) {
	known[path] = 1
	while ((getline line <path) > 0) {
		n++
		if (line ~ /^[A-Za-z].*\(/ && match(line, /[A-Za-z_0-9]+\(/))
			only = substr(line, RSTART, RLENGTH - 1) in checks
		if (line ~ /state = VTC__FREE;|->flight\[.*\] = |->pulled\[.*\] = /)
			kind[path, n] = "records"
		# Those tell ways apart that are all within the rules.
		else if (only || line ~ /vtc__unlikely\(/ && line !~ /\((logs|f->slots|flags)/)
			kind[path, n] = "checks"
		if (line ~ /^}/)
			only = 0
	}
	close(path)
}

/^(fl|fi|fe)=/ {
	file = substr($0, 4)
	ours = file ~ /\/lib\/vring\//
	if (ours && !(file in known))
		learn(file)
	next
}
/^calls=/ { getline; next }
/^[0-9]+ [0-9]+/ {
	if (ours) {
		all += $2
		if ((file, $1) in kind)
			part[kind[file, $1]] += $2
	} else if (file !~ /\/bench\//) {
		all += $2
	}
}

function row(name, unit, value, target, note,   number, goal) {
	number = value == "" ? "null" : sprintf("%.6g", value)
	goal = target ? "\"the part to keep below\",\"peer_value\":" target : "null,\"peer_value\":null"
	printf "{\"name\":\"ring.%s-b32-64.%s\",\"unit\":\"%s\",\"value\":%s,\"min\":%s,\"max\":%s,\"runs\":%d,", \
		format, name, unit, number, number, number, value != ""
	printf "\"peer\":%s,\"ratio\":%s,\"target\":%s,\"note\":\"%s\"}\n", goal, \
		target && value != "" ? sprintf("%.4g", target / value) : "null", target ? 1 : "null", \
		value != "" ? note : "not measured: callgrind is not there or cannot read this build"
}

function share(of) {
	return all ? 100 * part[of] / all : ""
}

END {
	row("instructions", "insn", all ? all / packets : "", 0, \
		"Device side, burst 32, one processor, counted by callgrind: all of pull, push and flush, for a packet")
	row("checks", "%", share("checks"), 35, \
		"Of these instructions: translation and validation, told apart by source line (tests/bench/share.awk)")
	row("records", "%", share("records"), 0, \
		"Of these instructions: noting what is in flight, told apart by source line (tests/bench/share.awk)")
}
