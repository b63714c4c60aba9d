/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VFs that a real VFIO user holds: the kernel's write to sriov_numvfs then sleeps, and
 * cannot be interrupted, until the holder lets go. The holder here is what a virtual
 * machine would be.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "igb-vfs.h"
#include "lab.h"

#define PCI "bus/pci/devices/"

struct holder {
	pid_t pid;
	int release; /* closing it makes the holder let go */
};

static void must(bool ok, const char *what)
{
	if (!ok)
		vtct_die("%s: %s", what, strerror(errno));
}

/*
 * Open the device as a VMM does: group into container, IOMMU on, device from the group.
 */
static void take_device(const char *vf)
{
	char path[64];
	int container, group;

	snprintf(path, sizeof(path), "/dev/vfio/%s", lab_link(PCI "%s/iommu_group", vf));
	container = open("/dev/vfio/vfio", O_RDWR);
	must(container >= 0, "/dev/vfio/vfio");
	group = open(path, O_RDWR);
	must(group >= 0, path);
	must(ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) == 0, "container");
	must(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) == 0, "IOMMU");
	must(ioctl(group, VFIO_GROUP_GET_DEVICE_FD, vf) >= 0, "device");
}

static struct holder hold(const char *vf)
{
	int ready[2], release[2];
	struct holder holder;
	char byte = 0;

	must(pipe(ready) == 0 && pipe(release) == 0, "pipe");
	holder.pid = fork();
	must(holder.pid >= 0, "fork");
	if (holder.pid == 0) {
		close(release[1]);
		take_device(vf);
		must(write(ready[1], &byte, 1) == 1, "write");
		_exit(read(release[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(release[0]);
	close(ready[1]);
	must(read(ready[0], &byte, 1) == 1, "the holder");
	close(ready[0]);
	holder.release = release[1];
	return holder;
}

static void let_go(struct holder *holder)
{
	int status = -1;

	close(holder->release);
	waitpid(holder->pid, &status, 0);
	ck_assert_int_eq(status, 0);
}

/* How many processes call this one their parent, ended ones included. */
static int count_children(void)
{
	const char *text = lab_output("cat /proc/[0-9]*/stat 2>/dev/null | "
				      "sed 's/.*) . //' | cut -d' ' -f1 | grep -cx %d",
				      (int)getpid());

	/* the shell that counts is one of them */
	return atoi(text) - 1;
}

static const char *passed_through_vf(const char *bdf)
{
	const char *vf;

	if (strcmp(lab_link(PCI "%s/virtfn1/driver", bdf), "vfio-pci") == 0)
		return lab_vf(bdf, 1);
	lab_set_vfs(bdf, 2, true);
	vf = lab_vf(bdf, 1);
	lab_bind(vf, "vfio-pci");
	return vf;
}

START_TEST(a_holder_is_named)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;
	const char *bdf = lab_pf(0);
	struct vtc_ctx *ctx = NULL;
	struct vtc_pf *pf = NULL;
	struct holder holder;

	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_pf_open(ctx, bdf, &pf), 0);
	holder = hold(passed_through_vf(bdf));
	opts.flags = VTC_PF_F_DESTROY;
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 0, &opts), -EBUSY);
	ck_assert_has(lab_error(ctx), "vf 1");
	ck_assert_has(lab_error(ctx), "vfio-pci");
	ck_assert_int_eq(lab_read_number(PCI "%s/sriov_numvfs", bdf), 2);
	let_go(&holder);
	vtc_pf_close(pf);
	vtc_ctx_unref(ctx);
}
END_TEST

START_TEST(a_write_that_blocks_ends_at_the_deadline)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;
	const char *bdf = lab_pf(0);
	struct vtc_ctx *ctx = NULL;
	struct vtc_pf *pf = NULL;
	struct holder holder = hold(passed_through_vf(bdf));
	int fds = vtct_count_fds(), children = count_children();

	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_pf_open(ctx, bdf, &pf), 0);
	opts.flags = VTC_PF_F_DESTROY | VTC_PF_F_DESTROY_IN_USE;
	opts.timeout_ms = 1500;
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 0, &opts), -ETIMEDOUT);
	ck_assert_has(lab_error(ctx), "sriov_numvfs");
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 0, &opts), -EBUSY);
	ck_assert_has(lab_error(ctx), "blocks");
	/* the helper is nobody's child to wait for */
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), 0);

	let_go(&holder);
	ck_assert(lab_wait(lab_read_number(PCI "%s/sriov_numvfs", bdf) == 0));
	ck_assert(lab_wait(vtc_pf_set_num_vfs(pf, 0, &opts) == 0));
	opts.timeout_ms = 0;
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 1, &opts), 1);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 0, &opts), 1);

	vtc_pf_close(pf);
	vtc_ctx_unref(ctx);
	ck_assert_int_eq(count_children(), children - 1);
	ck_assert_int_eq(vtct_count_fds(), fds - 1);
}
END_TEST

/*
 * The context goes while its helper still sleeps in the kernel: nothing waits, nothing
 * leaks.
 */
START_TEST(a_context_may_end_before_its_write)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;
	const char *bdf = lab_pf(0);
	struct vtc_ctx *ctx = NULL;
	struct vtc_pf *pf = NULL;
	struct holder holder = hold(passed_through_vf(bdf));
	int fds = vtct_count_fds();

	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_pf_open(ctx, bdf, &pf), 0);
	opts.flags = VTC_PF_F_DESTROY | VTC_PF_F_DESTROY_IN_USE;
	opts.timeout_ms = 500;
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 0, &opts), -ETIMEDOUT);
	vtc_pf_close(pf);
	vtc_ctx_unref(ctx);
	ck_assert_int_eq(vtct_count_fds(), fds);
	let_go(&holder);
	ck_assert(lab_wait(lab_read_number(PCI "%s/sriov_numvfs", bdf) == 0));
}
END_TEST

/* While one process waits for the kernel, another is told that it has to wait, too. */
START_TEST(two_processes_take_turns)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;
	const char *bdf = lab_pf(0);
	struct holder holder = hold(passed_through_vf(bdf));
	struct vtc_ctx *ctx = NULL;
	struct vtc_pf *pf = NULL;
	int err, status = -1;
	pid_t other = fork();

	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_pf_open(ctx, bdf, &pf), 0);
	opts.flags = VTC_PF_F_DESTROY | VTC_PF_F_DESTROY_IN_USE;
	if (other == 0) {
		close(holder.release);
		opts.timeout_ms = LAB_WAIT_S * 1000;
		_exit(vtc_pf_set_num_vfs(pf, 0, &opts) == 1 ? 0 : 1);
	}
	ck_assert(lab_wait(
		lab_output("flock -n /run/libvtc/pf-%s.lock echo free", bdf)[0] == '\0'));
	opts.timeout_ms = 200;
	err = vtc_pf_set_num_vfs(pf, 0, &opts);
	ck_assert_msg(err == -EBUSY, "%d: %s", err, lab_error(ctx));
	ck_assert_has(lab_error(ctx), "another process");

	let_go(&holder);
	waitpid(other, &status, 0);
	ck_assert_int_eq(status, 0);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 0, &opts), 0);
	vtc_pf_close(pf);
	vtc_ctx_unref(ctx);
}
END_TEST

Suite *held_suite(void)
{
	return vtct_suite(
		"held", a_holder_is_named, a_write_that_blocks_ends_at_the_deadline,
		a_context_may_end_before_its_write, two_processes_take_turns, NULL);
}
