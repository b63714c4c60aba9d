# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The models of the rings, searched in full by spin; and each with a fault, which must be found, or the
# search proves nothing.

. "$top_srcdir"/tests/build/tap.sh

models=$top_srcdir/tests/model
command -v spin >/dev/null || skip_all "spin is not there (Debian: spin)"

# search OPTIMISE MODEL DEFINE...: what spin says of a model's variant, within bounds of memory and time.
search() {
	optimise=$1 model=$2
	shift 2
	rm -rf "$scratch"/pan
	mkdir "$scratch"/pan
	(cd "$scratch"/pan && spin -a "$@" "$models/$model.pml" &&
		${CC:-cc} $optimise -w -DSAFETY -DMEMLIM=600 -o pan pan.c &&
		timeout 30 ./pan -m2000000 -w20) 2>&1
}

# Of a full search spin says that it reached all it could, and how many errors there were.
right() {
	search -O1 "$@" >"$scratch"/log
	grep -q 'errors: 0$' "$scratch"/log && grep -q 'states, stored' "$scratch"/log &&
		! grep -Eiq '^error|not completed|max search depth too small' "$scratch"/log ||
		grep -E '^(pan|error|spin)|errors:|not completed' "$scratch"/log || echo "no result"
}

wrong() {
	search -O0 "$@" >"$scratch"/log
	grep -Eq '^pan:1: (invalid end state|assertion violated)' "$scratch"/log ||
		{ echo "the fault was not found"; grep -E '^(error|spin)|errors:' "$scratch"/log; }
}

verdict "split ring, flags: no notification is lost" "$(right notify)"
verdict "split ring, event index: no notification is lost" "$(right notify -DEVENT_IDX)"
verdict "packed ring of 1: no notification is lost" "$(right notify -DPACKED -DRING=1)"
verdict "packed ring of 2: no notification is lost" "$(right notify -DPACKED)"
verdict "packed ring of 3: no notification is lost" "$(right notify -DPACKED -DRING=3)"
for wish in FLAGS EVENT_IDX PACKED; do
	verdict "$wish: publishing without a fence is found" "$(wrong notify -D$wish -DNO_FENCE)"
	verdict "$wish: sleeping without a fence is found" "$(wrong notify -D$wish -DNO_SLEEP_FENCE)"
	verdict "$wish: sleeping without a second look is found" "$(wrong notify -D$wish -DNO_RECHECK)"
done
verdict "an index that overtakes its entries is found" "$(wrong notify -DNO_RELEASE)"
verdict "an event without wrap counter is found" "$(wrong notify -DPACKED -DNO_WRAP)"

verdict "packed ring of 1: every chain once" "$(right packed -DSIZE=1 -DLONGEST=1)"
verdict "packed ring of 2: every chain once" "$(right packed -DSIZE=2)"
verdict "packed ring of 3: every chain once" "$(right packed -DSIZE=3)"
for fault in NO_FLIP_DRIVER NO_FLIP_DEVICE NO_SKIP HEAD_FIRST; do
	verdict "packed ring: $fault is found" "$(wrong packed -D$fault)"
done
finish
