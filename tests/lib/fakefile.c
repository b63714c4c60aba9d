/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of the fake kernel: those of the tree, with faults in front and SR-IOV behind. */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fakekernel-internal.h"

/* Below the root, for patterns and stores; other paths as they are. */
static const char *relative(const struct vtct_kernel *k, const char *path)
{
	size_t len = strlen(k->tree->root);

	if (strncmp(path, k->tree->root, len) == 0 && path[len] == '/')
		return path + len + 1;
	return path;
}

/* The path with its links resolved, as the store functions know their device. */
static int resolve(struct vtct_kernel *k, const char *path, char *buf, size_t len)
{
	char root[VTCT_PATH_MAX], real[VTCT_PATH_MAX];
	int err;

	err = vtc__sys_kernel.realpath(NULL, path, real, sizeof(real));
	if (!err)
		err = vtc__sys_kernel.realpath(NULL, k->tree->root, root, sizeof(root));
	if (err)
		return err;
	if (strncmp(real, root, strlen(root)) != 0)
		return -EXDEV;
	if (strlen(real) - strlen(root) > len)
		return -ENAMETOOLONG;
	strcpy(buf, real + strlen(root) + 1);
	return 0;
}

ssize_t vtct_file_read(void *priv, const char *path, void *buf, size_t len)
{
	struct vtct_kernel *k = priv;
	int fault = vtct_fault(k, VTCT_READ, relative(k, path));
	char real[VTCT_PATH_MAX];
	int err;

	if (fault < 0)
		return fault;
	if (fault > 0 && (size_t)fault < len)
		len = (size_t)fault;
	if (resolve(k, path, real, sizeof(real)) == 0) {
		err = vtct_tree_read_error(k->tree, real);
		if (err)
			return err;
	}
	return vtc__sys_kernel.read(NULL, path, buf, len);
}

/* What the kernel does when text is written to a file; -ENXIO: it is an ordinary one. */
static int store(struct vtct_kernel *k, const char *real, const char *text)
{
	struct vtct_pf *pf = vtct_pf_of_file(k, real, "sriov_numvfs");

	if (pf)
		return vtct_numvfs_store(k, pf, text);
	pf = vtct_pf_of_file(k, real, "sriov_drivers_autoprobe");
	return pf ? vtct_autoprobe_store(k, pf, text) : -ENXIO;
}

static int write_text(struct vtct_kernel *k, const char *path, const void *data,
		      size_t len)
{
	char real[VTCT_PATH_MAX], text[64];
	int err = resolve(k, path, real, sizeof(real));

	if (err)
		return err;
	if (k->not_root)
		return -EACCES;
	if (len >= sizeof(text))
		return vtc__sys_kernel.write(NULL, path, data, len);
	memcpy(text, data, len);
	text[len] = '\0';
	err = store(k, real, text);
	return err == -ENXIO ? vtc__sys_kernel.write(NULL, path, data, len) : err;
}

int vtct_file_write(void *priv, const char *path, const void *data, size_t len)
{
	struct vtct_kernel *k = priv;
	int err = vtct_fault(k, VTCT_WRITE, relative(k, path));

	vtct_inside++;
	if (!err)
		err = write_text(k, path, data, len);
	vtct_inside--;
	return err;
}

ssize_t vtct_file_readlink(void *priv, const char *path, char *buf, size_t len)
{
	struct vtct_kernel *k = priv;
	int fault = vtct_fault(k, VTCT_READLINK, relative(k, path));

	return fault ? fault : vtc__sys_kernel.readlink(NULL, path, buf, len);
}

int vtct_file_realpath(void *priv, const char *path, char *buf, size_t len)
{
	struct vtct_kernel *k = priv;
	int fault = vtct_fault(k, VTCT_REALPATH, relative(k, path));

	return fault ? fault : vtc__sys_kernel.realpath(NULL, path, buf, len);
}

int vtct_file_list(void *priv, const char *path, vtc__name_fn fn, void *arg)
{
	struct vtct_kernel *k = priv;
	int fault = vtct_fault(k, VTCT_LIST, relative(k, path));

	return fault ? fault : vtc__sys_kernel.list(NULL, path, fn, arg);
}

/* ---- Writes that take their time ---- */

static void slow_write_ends(void *arg)
{
	struct vtct_slow *slow = arg;
	struct vtct_slow **at = &slow->k->slow;
	const uint64_t one = 1;

	(void)write_text(slow->k, slow->path, slow->text, strlen(slow->text));
	if (slow->fd < 0) { /* reaped: nobody waits for it any more */
		while (*at != slow)
			at = &(*at)->next;
		*at = slow->next;
		free(slow);
		return;
	}
	if (write(slow->fd, &one, sizeof(one)) < 0)
		vtct_die("eventfd: %s", strerror(errno));
}

static uint64_t write_time_ns(struct vtct_kernel *k, const char *path)
{
	char real[VTCT_PATH_MAX];
	struct vtct_pf *pf;

	if (resolve(k, path, real, sizeof(real)) < 0)
		return 0;
	pf = vtct_pf_of_file(k, real, "sriov_numvfs");
	return pf ? pf->numvfs_ns : 0;
}

static int start_slow_write(struct vtct_kernel *k, const char *path, const void *data,
			    size_t len, uint64_t takes_ns)
{
	struct vtct_slow *slow = vtct_alloc(sizeof(*slow));

	if (len >= sizeof(slow->text) || strlen(path) >= sizeof(slow->path))
		vtct_die("slow write is too long");
	slow->k = k;
	strcpy(slow->path, path);
	memcpy(slow->text, data, len);
	slow->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (slow->fd < 0)
		vtct_die("eventfd: %s", strerror(errno));
	slow->next = k->slow;
	k->slow = slow;
	vtct_at(k, takes_ns, slow_write_ends, slow);
	return slow->fd;
}

int vtct_file_write_slow(void *priv, const char *path, const void *data, size_t len,
			 uint64_t timeout_ns, int *ret_helper)
{
	struct vtct_kernel *k = priv;
	int err = vtct_fault(k, VTCT_WRITE_SLOW, relative(k, path));
	uint64_t takes_ns;

	if (err)
		return err;
	vtct_inside++;
	takes_ns = write_time_ns(k, path);
	if (takes_ns > timeout_ns) {
		*ret_helper = start_slow_write(k, path, data, len, takes_ns);
		vtct_advance(k, timeout_ns);
		err = -ETIMEDOUT;
	} else {
		vtct_advance(k, takes_ns);
		err = write_text(k, path, data, len);
	}
	vtct_inside--;
	return err;
}

void vtct_file_reap(void *priv, int helper)
{
	struct vtct_kernel *k = priv;
	struct vtct_slow **at, *slow;
	int ended = vtc__sys_kernel.poll(NULL, helper, 0);

	vtct_inside++;
	for (at = &k->slow; (slow = *at); at = &slow->next)
		if (slow->fd == helper)
			break;
	if (!slow)
		vtct_die("reap of what is no helper: %d", helper);
	slow->fd = -1;
	if (ended) {
		*at = slow->next;
		free(slow);
	}
	close(helper);
	vtct_inside--;
}

int vtct_file_lock(void *priv, const char *dir, const char *name)
{
	struct vtct_kernel *k = priv;
	int fault = vtct_fault(k, VTCT_LOCK, name);

	return fault ? fault : vtc__sys_kernel.lock(NULL, dir, name);
}

void vtct_file_unlock(void *priv, int fd)
{
	(void)priv;
	vtc__sys_kernel.unlock(NULL, fd);
}

int vtct_file_replace(void *priv, const char *dir, const char *name, const void *data,
		      size_t len)
{
	struct vtct_kernel *k = priv;
	int fault = vtct_fault(k, VTCT_REPLACE, name);

	return fault ? fault : vtc__sys_kernel.replace(NULL, dir, name, data, len);
}

int vtct_file_remove(void *priv, const char *dir, const char *name)
{
	struct vtct_kernel *k = priv;
	int fault = vtct_fault(k, VTCT_REMOVE, name);

	return fault ? fault : vtc__sys_kernel.remove(NULL, dir, name);
}
