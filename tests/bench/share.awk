# SPDX-License-Identifier: LGPL-2.1-or-later
#
# From what callgrind counted to rows: the instructions of the device side for a packet, and the part of
# them that checks or translates. A source line is of that part if it is in a function that does nothing
# else, or is a condition that is never true with a peer that keeps the rules. Inlined code counts as
# the line it was written in.

BEGIN {
	split("vtc__locate vtc__map_near vtc__map_find vtc__chain_done available easy_room", names, " ")
	for (i in names)
		checks[names[i]] = 1
}

# Learn which lines of a file are checks.
function learn(path,   line, n, part) {
	known[path] = 1
	while ((getline line <path) > 0) {
		n++
		if (line ~ /^[A-Za-z].*\(/ && match(line, /[A-Za-z_0-9]+\(/))
			part = substr(line, RSTART, RLENGTH - 1) in checks
		if (part || line ~ /vtc__unlikely\(/)
			check[path, n] = 1
		if (line ~ /^}/)
			part = 0
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
		if ((file, $1) in check)
			part += $2
	} else if (file !~ /\/bench\//) {
		all += $2
	}
}

function row(name, unit, value, peer, peer_value, target, note,   ratio) {
	ratio = peer_value == "null" ? "null" : sprintf("%.4g", peer_value / value)
	printf "{\"name\":\"ring.%s-b32-64.%s\",\"unit\":\"%s\",\"value\":%.6g,\"min\":%.6g,\"max\":%.6g,\"runs\":1,", \
		format, name, unit, value, value, value
	printf "\"peer\":%s,\"peer_value\":%s,\"ratio\":%s,\"target\":%s,\"note\":\"%s\"}\n", \
		peer, peer_value, ratio, target, note
}

END {
	if (!all)
		exit 1
	row("instructions", "insn", all / packets, "null", "null", "null", \
		"Device side, burst 32, one processor, counted by callgrind: all of pull, push and flush, for a packet")
	row("checks", "%", 100 * part / all, "\"the part to keep below\"", "35", "1", \
		"Of these instructions: translation and validation, told apart by source line (tests/bench/share.awk)")
}
