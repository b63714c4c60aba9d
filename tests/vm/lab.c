/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lab's machine, seen without the library. What is returned as text stays for as long
 * as the test runs: a test program is short-lived, and nothing here is worth freeing.
 */
#include "lab.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PCI "bus/pci/devices/"

static char *format_text(const char *format, va_list ap)
{
	char *text;

	if (vasprintf(&text, format, ap) < 0)
		vtct_die("memory is out");
	return text;
}

#define FORMAT(text, format)                        \
	do {                                        \
		va_list ap;                         \
		va_start(ap, format);               \
		(text) = format_text((format), ap); \
		va_end(ap);                         \
	} while (0)

static char *sys_path(char *below)
{
	char *path;

	if (asprintf(&path, "/sys/%s", below) < 0)
		vtct_die("memory is out");
	free(below);
	return path;
}

static void cut_newline(char *text)
{
	size_t len = strlen(text);

	if (len && text[len - 1] == '\n')
		text[len - 1] = '\0';
}

const char *lab_pf(unsigned int number)
{
	const char *list = getenv("VTC_LAB_PFS");
	const char *address = list ? strtok(strdup(list), " ") : NULL;

	while (address && number--)
		address = strtok(NULL, " ");
	if (!address)
		vtct_die("the lab has too few adapters: run this by its test-*.sh");
	return address;
}

static char *read_path(const char *path)
{
	char *text = vtct_alloc(LAB_TEXT);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, LAB_TEXT - 1);

	if (n < 0)
		vtct_die("%s: %s", path, strerror(errno));
	close(fd);
	cut_newline(text);
	return text;
}

const char *lab_read(const char *format, ...)
{
	char *path;

	FORMAT(path, format);
	return read_path(sys_path(path));
}

long lab_read_number(const char *format, ...)
{
	char *path, *end, *text;
	long number;

	FORMAT(path, format);
	path = sys_path(path);
	text = read_path(path);
	number = strtol(text, &end, 0);
	if (end == text || *end)
		vtct_die("%s holds '%s', no number", path, text);
	return number;
}

const char *lab_link(const char *format, ...)
{
	char *path, *target, *slash;

	FORMAT(path, format);
	target = realpath(sys_path(path), NULL);
	if (!target)
		return "";
	slash = strrchr(target, '/');
	return slash + 1;
}

bool lab_exists(const char *format, ...)
{
	char *path;

	FORMAT(path, format);
	return access(sys_path(path), F_OK) == 0;
}

int lab_write(const char *text, const char *format, ...)
{
	ssize_t n;
	char *path;
	int fd, err;

	FORMAT(path, format);
	fd = open(sys_path(path), O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	err = n < 0 ? -errno : 0;
	close(fd);
	return err;
}

static char *run(const char *command, int *ret_status)
{
	FILE *pipe = popen(command, "re");
	size_t len = 0, room = 0;
	char *text = NULL;

	if (!pipe)
		vtct_die("%s: %s", command, strerror(errno));
	do {
		if (room - len < LAB_TEXT) {
			room += 4 * LAB_TEXT;
			text = vtct_realloc(text, room);
		}
		len += fread(text + len, 1, room - len - 1, pipe);
	} while (!feof(pipe));
	text[len] = '\0';
	cut_newline(text);
	*ret_status = pclose(pipe);
	return text;
}

const char *lab_output(const char *format, ...)
{
	char *command;
	int status;

	FORMAT(command, format);
	return run(command, &status);
}

const char *lab_do(const char *format, ...)
{
	char *command, *text;
	int status;

	FORMAT(command, format);
	text = run(command, &status);
	if (status)
		vtct_die("%s: wait status %#x: %s", command, (unsigned int)status, text);
	return text;
}

const char *lab_field(const char *text, const char *key)
{
	size_t len = strlen(key);
	const char *line;
	char *value;

	for (line = text; line; line = strchr(line, '\n')) {
		line += strspn(line, "\n \t");
		if (strncmp(line, key, len) != 0)
			continue;
		line += len + strspn(line + len, " \t");
		value = strndup(line, strcspn(line, "\n"));
		if (!value)
			vtct_die("memory is out");
		return value;
	}
	return "";
}

void lab_pause(void)
{
	struct timespec pause = { .tv_nsec = 50000000 };

	nanosleep(&pause, NULL);
}

const char *lab_netdev(const char *address)
{
	const struct dirent *entry;
	const char *name = "";
	char path[128];
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/" PCI "%s/net", address);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			name = strdup(entry->d_name);
	if (dir)
		closedir(dir);
	return name;
}

const char *lab_vf(const char *pf, unsigned int index)
{
	return lab_link(PCI "%s/virtfn%u", pf, index);
}

static bool vfs_have_netdevs(const char *pf, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (lab_netdev(lab_vf(pf, i))[0] == '\0')
			return false;
	return true;
}

static bool vfs_have_drivers(const char *pf, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (lab_exists(PCI "%s/virtfn%u/driver", pf, i))
			return true;
	return false;
}

static void set_vfs_down(const char *pf, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		lab_do("ip link set %s down", lab_netdev(lab_vf(pf, i)));
}

static int create_vfs(const char *pf, unsigned int count)
{
	char text[16];
	int err = lab_write("0", PCI "%s/sriov_numvfs", pf);

	snprintf(text, sizeof(text), "%u", count);
	if (!err && count)
		err = lab_write(text, PCI "%s/sriov_numvfs", pf);
	return err;
}

void lab_set_vfs(const char *pf, unsigned int count, bool probe)
{
	bool ready = lab_read_number(PCI "%s/sriov_numvfs", pf) == (long)count;
	int err = lab_write(probe ? "1" : "0", PCI "%s/sriov_drivers_autoprobe", pf);

	/* igb takes seconds to make VFs anew */
	ready = ready &&
		(probe ? vfs_have_netdevs(pf, count) : !vfs_have_drivers(pf, count));
	if (!err && !ready)
		err = create_vfs(pf, count);
	if (err)
		vtct_die("%s: %u VFs: %s", pf, count, strerror(-err));
	if (!probe)
		return;
	if (!lab_wait(vfs_have_netdevs(pf, count)))
		vtct_die("%s: the VFs get no network interfaces", pf);
	set_vfs_down(pf, count);
}

void lab_bind(const char *address, const char *driver)
{
	const char *now = lab_link(PCI "%s/driver", address);
	int err = 0;

	if (now[0])
		err = lab_write(address, PCI "%s/driver/unbind", address);
	if (!err)
		err = lab_write(driver[0] ? driver : "\n", PCI "%s/driver_override",
				address);
	if (!err && driver[0])
		err = lab_write(address, "bus/pci/drivers_probe");
	if (err || strcmp(lab_link(PCI "%s/driver", address), driver) != 0)
		vtct_die("%s: driver '%s' does not bind: %s", address, driver,
			 strerror(-err));
}

void lab_up(const char *address)
{
	const char *name = lab_netdev(address);

	lab_do("ip link set %s up", name);
	if (!lab_wait(lab_read_number("class/net/%s/carrier", name) == 1))
		vtct_die("%s: no link", name);
}

const char *lab_ip_vf(const char *netdev, unsigned int index)
{
	char key[16];

	snprintf(key, sizeof(key), "vf %u ", index);
	return lab_field(lab_do("ip -d link show dev %s", netdev), key);
}

const char *lab_error(const struct vtc_ctx *ctx)
{
	char *text = vtct_alloc(LAB_TEXT);

	vtc_error_format(vtc_ctx_last_error(ctx), text, LAB_TEXT);
	return text;
}
