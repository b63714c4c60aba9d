/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inventory: whether the time for one VF stays the same from 16 to 256 VFs, on files
 * that look like sysfs; and on the real sysfs of igb, against the programs that one would
 * ask otherwise.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vtc/vtc.h>

#include "bench.h"
#include "command.h"
#include "device.h"
#include "tree.h"
#include "vtct.h"

#define ROUNDS	   15
#define TRIES	   5 /* in a round */
#define IGB_ROUNDS 20
#define IGB_NICS   16 /* 2 PFs of 7 VFs each */

#define LINEAR_NOTE                                                                            \
	"vtc_inventory_new() without capabilities, of one PF with N VFs (driver, interface, "  \
	"IOMMU group each), as files and links in memory; less the time for a PF without VF, " \
	"divided by N; each run is the best of 5"
#define FIXED_NOTE \
	"vtc_inventory_new() without capabilities, of one PF without VF; each run is the best of 5"
#define MEMORY_NOTE "heap that an inventory of one PF and 256 VFs holds, divided by 256"
#define IGB_NOTE                                                                               \
	"2 PFs with 7 VFs each, all with drivers: vtc_inventory_new() in a process that runs " \
	"already, the peer as two processes whose output is read but not parsed. Real kernel " \
	"and igb driver on an emulated processor: the ratio says more than the time."

struct tree {
	const char *name;
	uint32_t vfs;
	struct vtct_tree *files;
	struct vtc_ctx *ctx;
	struct bench_samples result, bytes_per_vf;
};

/* The first one has no VF, and is what an inventory costs at least. */
static struct tree trees[] = {
	{ .name = "nic.inventory-1.fixed", .vfs = 0 },
	{ .name = "nic.inventory-16.linear", .vfs = 16 },
	{ .name = "nic.inventory-32.linear", .vfs = 32 },
	{ .name = "nic.inventory-64.linear", .vfs = 64 },
	{ .name = "nic.inventory-128.linear", .vfs = 128 },
	{ .name = "nic.inventory-256.linear", .vfs = 256 },
};

#define TREES	  (sizeof(trees) / sizeof(trees[0]))
#define FIXED	  (&trees[0])
#define REFERENCE (&trees[2])
#define LARGEST	  (&trees[TREES - 1])

/* ---- One inventory ---- */

static size_t count_nics(const struct vtc_inventory *inventory)
{
	const struct vtc_nic *nic = NULL;
	size_t count = 0;

	while ((nic = vtc_nic_foreach_next(inventory, nic)))
		count++;
	return count;
}

/* It must hold exactly so many nics. */
static uint64_t take_inventory(struct vtc_ctx *ctx, size_t nics)
{
	struct vtc_inventory *inventory;
	uint64_t start = bench_now_ns(), end;
	char text[512];

	if (vtc_inventory_new(ctx, NULL, &inventory) < 0) {
		vtc_error_format(vtc_ctx_last_error(ctx), text, sizeof(text));
		bench_die("%s", text);
	}
	end = bench_now_ns();
	if (count_nics(inventory) != nics)
		bench_die("%zu nics instead of %zu", count_nics(inventory), nics);
	vtc_inventory_free(inventory);
	return end - start;
}

/* The least of a few: what else goes on in the machine only ever adds. */
static double least_ns(struct vtc_ctx *ctx, size_t nics)
{
	uint64_t least = UINT64_MAX;
	int i;

	for (i = 0; i < TRIES; i++) {
		uint64_t ns = take_inventory(ctx, nics);

		least = ns < least ? ns : least;
	}
	return (double)least;
}

static double bytes_held(struct vtc_ctx *ctx)
{
	size_t before = mallinfo2().uordblks, after;
	struct vtc_inventory *inventory;

	if (vtc_inventory_new(ctx, NULL, &inventory) < 0)
		bench_die("no inventory");
	after = mallinfo2().uordblks;
	vtc_inventory_free(inventory);
	return (double)(after - before);
}

/* ---- Linear ---- */

static void make_tree(struct tree *tree)
{
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;
	struct vtct_pf *pf = vtct_alloc(sizeof(*pf));

	vtct_pf_igb(pf, 0);
	pf->total_vfs = pf->num_vfs = tree->vfs;
	tree->files = vtct_tree_new();
	vtct_tree_add_pf(tree->files, pf);
	free(pf);
	opts.sysfs_root = tree->files->root;
	opts.state_dir = tree->files->state;
	if (vtc_ctx_new(&opts, &tree->ctx) < 0)
		bench_die("no context");
	take_inventory(tree->ctx, tree->vfs + 1);
}

static void measure_round(void)
{
	double fixed = least_ns(FIXED->ctx, 1);
	struct tree *tree;

	bench_add(&FIXED->result, fixed / 1e3);
	for (tree = FIXED + 1; tree < trees + TREES; tree++) {
		double ns = least_ns(tree->ctx, tree->vfs + 1);

		bench_add(&tree->result, (ns - fixed) / tree->vfs);
		bench_add(&tree->bytes_per_vf, bytes_held(tree->ctx) / tree->vfs);
	}
}

static void report_linear(void)
{
	struct tree *tree;

	bench_print(&(struct bench_row){
		.name = FIXED->name,
		.unit = "us",
		.own = &FIXED->result,
		.note = FIXED_NOTE,
	});
	for (tree = FIXED + 1; tree < trees + TREES; tree++)
		bench_print(&(struct bench_row){
			.name = tree->name,
			.unit = "ns/VF",
			.own = &tree->result,
			.peer = "itself with 32 VFs",
			.theirs = &REFERENCE->result,
			.target = tree->vfs > REFERENCE->vfs ? 0.8 : 0,
			.note = LINEAR_NOTE,
		});
	bench_print(&(struct bench_row){
		.name = "nic.inventory-256.memory",
		.unit = "B/VF",
		.own = &LARGEST->bytes_per_vf,
		.note = MEMORY_NOTE,
	});
}

static void linear(void)
{
	struct tree *tree;
	int round;

	for (tree = trees; tree < trees + TREES; tree++)
		make_tree(tree);
	for (round = 0; round < ROUNDS; round++)
		measure_round();
	report_linear();
	for (tree = trees; tree < trees + TREES; tree++) {
		vtc_ctx_unref(tree->ctx);
		vtct_tree_free(tree->files);
	}
	vtct_remove_dir(vtct_dir());
}

/* ---- igb ---- */

static uint64_t ask_programs(void)
{
	uint64_t start = bench_now_ns();

	free(command_read("lspci -D -vmm"));
	free(command_read("ip -d -j link"));
	return bench_now_ns() - start;
}

static void report_igb(const struct bench_samples *own,
		       const struct bench_samples *theirs, const char *note)
{
	bench_print(&(struct bench_row){
		.name = "nic.inventory-2x7.igb",
		.unit = "us",
		.own = own,
		.peer = "lspci -D -vmm, ip -d -j link",
		.theirs = theirs,
		.note = note,
	});
}

static void igb(void)
{
	static struct bench_samples own, theirs;
	struct vtc_ctx *ctx;
	int round;

	if (vtc_ctx_new(NULL, &ctx) < 0)
		bench_die("no context");
	take_inventory(ctx, IGB_NICS);
	ask_programs();
	for (round = 0; round < IGB_ROUNDS; round++) {
		bench_add(&own, (double)take_inventory(ctx, IGB_NICS) / 1e3);
		bench_add(&theirs, (double)ask_programs() / 1e3);
	}
	report_igb(&own, &theirs, IGB_NOTE);
	vtc_ctx_unref(ctx);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--linear") == 0)
		linear();
	else if (argc == 2 && strcmp(argv[1], "--igb") == 0)
		igb();
	else if (argc == 3 && strcmp(argv[1], "--absent") == 0)
		report_igb(NULL, NULL, argv[2]);
	else
		bench_die("usage: inventory --linear | --igb | --absent REASON");
	return 0;
}
