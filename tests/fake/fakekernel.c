/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fake kernel keeps its promises: what rests on a fake that lies proves nothing. */
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/sys.h"
#include "fakekernel.h"
#include "vtct.h"

static struct vtct_tree *tree;
static struct vtct_kernel *k;
static struct vtct_pf *pf;

static void set_up(void)
{
	tree = vtct_tree_new();
	k = vtct_kernel_new(tree);
	pf = vtct_kernel_igb(k, 0);
}

static void tear_down(void)
{
	vtct_kernel_free(k);
	vtct_tree_free(tree);
}

static int write_num_vfs(const char *text)
{
	char path[VTCT_PATH_MAX];

	snprintf(path, sizeof(path), "%s/bus/pci/devices/0000:01:00.0/sriov_numvfs",
		 tree->root);
	return vtct_sys.write(k, path, text, strlen(text));
}

START_TEST(manifest_makes_what_it_says)
{
	vtct_tree_add(tree, "a/b/text = one two\n"
			    "a/b/bytes : 00ff 41\n"
			    "# remark\n"
			    "\n"
			    "c/link -> a/b/text\n"
			    "d/e/\n"
			    "a/bad ! 5");
	ck_assert_str_eq(vtct_tree_get(tree, "a/b/text"), "one two");
	ck_assert_str_eq(vtct_tree_get(tree, "c/link"), "one two");
	ck_assert_int_eq(vtct_tree_get(tree, "a/b/bytes")[2], 'A');
	ck_assert_int_eq(vtct_tree_has(tree, "d/e"), 1);
	ck_assert_int_eq(vtct_tree_read_error(tree, "a/bad"), -EIO);
	vtct_tree_remove(tree, "a");
	ck_assert_int_eq(vtct_tree_has(tree, "a"), 0);
}
END_TEST

START_TEST(numvfs_follows_the_kernels_rules)
{
	ck_assert_errno(write_num_vfs("abc"), -EINVAL);
	ck_assert_errno(write_num_vfs("65536"), -ERANGE);
	ck_assert_errno(write_num_vfs("8"), -ERANGE);
	ck_assert_errno(write_num_vfs("0"), 0);
	ck_assert_errno(write_num_vfs("2\n"), 0);
	ck_assert_errno(write_num_vfs("2"), 0);
	ck_assert_errno(write_num_vfs("3"), -EBUSY);
	ck_assert_str_eq(vtct_tree_get(tree, "bus/pci/devices/0000:01:00.0/sriov_numvfs"),
			 "2");
	ck_assert_str_eq(
		vtct_tree_get(tree, "bus/pci/devices/0000:01:10.2/physfn/sriov_numvfs"),
		"2");
	ck_assert_str_eq(vtct_tree_get(tree, "class/net/enp1s0f0v1/ifindex"), "30001");
	ck_assert_errno(write_num_vfs("0"), 0);
	ck_assert_int_eq(vtct_tree_has(tree, "bus/pci/devices/0000:01:10.2"), 0);
	pf->driver[0] = '\0';
	ck_assert_errno(write_num_vfs("2"), -ENOENT);
}
END_TEST

START_TEST(driver_and_netdev_come_late)
{
	pf->driver_delay_ns = pf->netdev_delay_ns = 10 * VTCT_NS_PER_MS;
	ck_assert_errno(write_num_vfs("1"), 0);
	ck_assert_int_eq(vtct_tree_has(tree, "bus/pci/drivers/igbvf/0000:01:10.0"), 0);
	vtct_advance(k, 10 * VTCT_NS_PER_MS);
	ck_assert_int_eq(vtct_tree_has(tree, "bus/pci/drivers/igbvf/0000:01:10.0"), 1);
	ck_assert_int_eq(vtct_tree_has(tree, "class/net/enp1s0f0v0"), 0);
	vtct_advance(k, 10 * VTCT_NS_PER_MS);
	ck_assert_int_eq(vtct_tree_has(tree, "class/net/enp1s0f0v0"), 1);
	ck_assert_ptr_nonnull(vtct_link_find(k, 30000));
}
END_TEST

START_TEST(faults_hit_once_or_by_path)
{
	char buf[16], path[VTCT_PATH_MAX];

	snprintf(path, sizeof(path), "%s/class/net/enp1s0f0/ifindex", tree->root);
	vtct_fail_nth(k, VTCT_READ, 2, -EINTR);
	ck_assert_int_eq(vtct_sys.read(k, path, buf, sizeof(buf)), 2);
	ck_assert_int_eq(vtct_sys.read(k, path, buf, sizeof(buf)), -EINTR);
	ck_assert_int_eq(vtct_sys.read(k, path, buf, sizeof(buf)), 2);
	vtct_fail_path(k, VTCT_READ, "*/ifindex", -ENODEV);
	ck_assert_int_eq(vtct_sys.read(k, path, buf, sizeof(buf)), -ENODEV);
	vtct_fail_clear(k);
	vtct_fail_path(k, VTCT_READ, "*/ifindex", 1);
	ck_assert_int_eq(vtct_sys.read(k, path, buf, sizeof(buf)), 1);
}
END_TEST

START_TEST(netlink_answers_arrive_as_datagrams)
{
	struct ifinfomsg head = { .ifi_index = 3 };
	int fd = vtct_sys.nl_open(k, NETLINK_ROUTE);
	struct vtct_buf buf = VTCT_BUF_INIT;
	union {
		struct nlmsghdr msg;
		unsigned char data[8192];
	} in;
	size_t msg = vtct_msg(&buf, RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK, 7, &head,
			      sizeof(head));
	ssize_t len;

	vtct_create_vfs(k, pf, 2);
	vtct_put_u32(&buf, IFLA_EXT_MASK, RTEXT_FILTER_VF);
	vtct_msg_end(&buf, msg);
	ck_assert_int_eq(vtct_sys.poll(k, fd, 1), 0);
	ck_assert_int_eq(vtct_sys.nl_send(k, fd, buf.data, buf.len), (ssize_t)buf.len);
	ck_assert_int_eq(vtct_sys.poll(k, fd, 1), 1);
	len = vtct_sys.nl_recv(k, fd, NULL, 0);
	ck_assert_int_eq(vtct_sys.nl_recv(k, fd, &in, sizeof(in)), len);
	ck_assert_int_eq(in.msg.nlmsg_type, RTM_NEWLINK);
	ck_assert_int_eq(in.msg.nlmsg_seq, 7);
	ck_assert_int_gt(len, 2 * 296);
	vtct_sys.nl_recv(k, fd, &in, sizeof(in));
	ck_assert_int_eq(in.msg.nlmsg_type, NLMSG_ERROR);
	ck_assert_int_eq(vtct_sys.poll(k, fd, 1), 0);
	ck_assert_int_eq(vtct_sys.nl_recv(k, fd, &in, sizeof(in)), -EAGAIN);
	vtct_sys.close(k, fd);
	vtct_buf_free(&buf);
}
END_TEST

START_TEST(a_vf_takes_296_bytes)
{
	int fd = vtct_sys.nl_open(k, NETLINK_ROUTE);
	struct ifinfomsg head = { .ifi_index = 3 };
	ssize_t len[2];
	int i;

	for (i = 0; i < 2; i++) {
		struct vtct_buf buf = VTCT_BUF_INIT;
		size_t msg = vtct_msg(&buf, RTM_GETLINK, NLM_F_REQUEST, 7, &head,
				      sizeof(head));

		vtct_create_vfs(k, pf, (uint32_t)i + 1);
		vtct_put_u32(&buf, IFLA_EXT_MASK, RTEXT_FILTER_VF);
		vtct_msg_end(&buf, msg);
		vtct_sys.nl_send(k, fd, buf.data, buf.len);
		len[i] = vtct_sys.nl_recv(k, fd, buf.data, buf.len);
		vtct_buf_free(&buf);
	}
	ck_assert_int_eq(len[1] - len[0], 296);
	vtct_sys.close(k, fd);
}
END_TEST

START_TEST(slow_write_outlives_its_deadline)
{
	char path[VTCT_PATH_MAX];
	int helper = -1;

	snprintf(path, sizeof(path), "%s/%s/sriov_numvfs", tree->root, pf->dir);
	pf->numvfs_ns = 50 * VTCT_NS_PER_MS;
	ck_assert_errno(
		vtct_sys.write_slow(k, path, "2", 1, 20 * VTCT_NS_PER_MS, &helper),
		-ETIMEDOUT);
	ck_assert_int_eq(pf->num_vfs, 0);
	ck_assert_int_eq(vtct_sys.poll(k, helper, 10 * VTCT_NS_PER_MS), 0);
	ck_assert_int_eq(vtct_sys.poll(k, helper, 30 * VTCT_NS_PER_MS), 1);
	ck_assert_int_eq(pf->num_vfs, 2);
	vtct_sys.reap(k, helper);
}
END_TEST

START_TEST(listeners_hear_what_they_joined)
{
	int fd = vtct_sys.nl_open(k, NETLINK_KOBJECT_UEVENT);
	char text[512] = "";

	ck_assert_errno(vtct_sys.nl_join(k, fd, 1), 0);
	ck_assert_errno(write_num_vfs("1"), 0);
	ck_assert_int_gt(vtct_sys.nl_recv(k, fd, text, sizeof(text)), 0);
	ck_assert_str_eq(text, "add@/devices/pci0000:00/0000:00:01.0/0000:01:10.0");
	vtct_overrun(k, NETLINK_KOBJECT_UEVENT);
	ck_assert_int_eq(vtct_sys.nl_recv(k, fd, text, sizeof(text)), -ENOBUFS);
	ck_assert_int_eq(vtct_sys.nl_recv(k, fd, text, sizeof(text)), -EAGAIN);
	vtct_sys.close(k, fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fakekernel");
	TCase *tcase = tcase_create("fakekernel");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, manifest_makes_what_it_says);
	tcase_add_test(tcase, numvfs_follows_the_kernels_rules);
	tcase_add_test(tcase, driver_and_netdev_come_late);
	tcase_add_test(tcase, faults_hit_once_or_by_path);
	tcase_add_test(tcase, netlink_answers_arrive_as_datagrams);
	tcase_add_test(tcase, a_vf_takes_296_bytes);
	tcase_add_test(tcase, slow_write_outlives_its_deadline);
	tcase_add_test(tcase, listeners_hear_what_they_joined);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
