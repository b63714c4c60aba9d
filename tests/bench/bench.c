/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clock and results of the benchmarks. */
#include "bench.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t bench_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t bench_cycles(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

void bench_die(const char *format, ...)
{
	va_list ap;

	fputs("bench: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void bench_add(struct bench_samples *samples, double value)
{
	if (samples->count == BENCH_RUNS_MAX)
		bench_die("more than %d runs", BENCH_RUNS_MAX);
	samples->at[samples->count++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct bench_samples sorted(const struct bench_samples *samples)
{
	struct bench_samples copy = *samples;

	if (copy.count == 0)
		bench_die("a result without a run");
	qsort(copy.at, copy.count, sizeof(copy.at[0]), compare);
	return copy;
}

double bench_median(const struct bench_samples *samples)
{
	struct bench_samples s = sorted(samples);

	return (s.at[(s.count - 1) / 2] + s.at[s.count / 2]) / 2;
}

static void add_number(struct json_object *row, const char *key, double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.6g", value);
	json_object_object_add(row, key, json_object_new_double_s(value, text));
}

static void add_text(struct json_object *row, const char *key, const char *text)
{
	json_object_object_add(row, key, text ? json_object_new_string(text) : NULL);
}

static void add_own(struct json_object *row, const struct bench_samples *own)
{
	struct bench_samples s = sorted(own);

	add_number(row, "value", bench_median(own));
	add_number(row, "min", s.at[0]);
	add_number(row, "max", s.at[s.count - 1]);
	json_object_object_add(row, "runs", json_object_new_int((int)s.count));
}

static void add_nothing(struct json_object *row)
{
	json_object_object_add(row, "value", NULL);
	json_object_object_add(row, "min", NULL);
	json_object_object_add(row, "max", NULL);
	json_object_object_add(row, "runs", json_object_new_int(0));
}

static void add_peer(struct json_object *row, const struct bench_row *r)
{
	json_object_object_add(row, "peer_value", NULL);
	json_object_object_add(row, "ratio", NULL);
	if (!r->theirs)
		return;
	add_number(row, "peer_value", bench_median(r->theirs));
	if (r->own)
		add_number(row, "ratio", bench_median(r->theirs) / bench_median(r->own));
}

void bench_print(const struct bench_row *r)
{
	struct json_object *row = json_object_new_object();

	add_text(row, "name", r->name);
	add_text(row, "unit", r->unit);
	if (r->own)
		add_own(row, r->own);
	else
		add_nothing(row);
	add_text(row, "peer", r->peer);
	add_peer(row, r);
	json_object_object_add(row, "target", NULL);
	if (r->target > 0)
		add_number(row, "target", r->target);
	add_text(row, "note", r->note);
	puts(json_object_to_json_string_ext(row, JSON_C_TO_STRING_PLAIN));
	json_object_put(row);
}
