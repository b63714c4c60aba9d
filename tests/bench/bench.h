/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every benchmark program shares: a clock, and results. A result is one line of JSON
 * on standard output; tests/bench/report makes the table and the file of the lines of all
 * programs.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_RUNS_MAX 256

/* The measurements of one thing. */
struct bench_samples {
	double at[BENCH_RUNS_MAX];
	size_t count;
};

/* One result. Of all measurements, less is better. */
struct bench_row {
	const char *name; /* <area>.<what>.<variant>, stable for ever */
	const char *unit;
	const struct bench_samples
		*own;	  /* NULL: it could not be measured, the note says why */
	const char *peer; /* NULL: there is none to compare with */
	const struct bench_samples *theirs;
	double target; /* the ratio to reach, 0: none is set */
	const char *note;
};

uint64_t bench_now_ns(void);
/* Of the time stamp counter; 0 if there is none. */
uint64_t bench_cycles(void);
void bench_add(struct bench_samples *samples, double value);
double bench_median(const struct bench_samples *samples);

/* The ratio is that of the medians: how many times less than the peer. */
void bench_print(const struct bench_row *row);

/* End the program: a benchmark that cannot run has no result. */
void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
