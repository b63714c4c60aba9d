/* SPDX-License-Identifier: MIT */
/*
 * vtcctl: show network functions, and create and configure virtual functions. It uses
 * nothing but the public interface of libvtc, so it is also the largest example of it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <vtc/version.h>

#include "args.h"
#include "fail.h"

static void log_line(void *data, int level, const char *message)
{
	(void)data;
	fprintf(stderr, "vtcctl: %s%s\n", level == VTC_LOG_DEBUG ? "debug: " : "",
		message);
}

static int open_ctx(struct tool *tool)
{
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;
	int r;

	opts.sysfs_root = tool->settings.sysfs_root;
	opts.state_dir = tool->settings.state_dir;
	if (tool->settings.verbose) {
		opts.log = log_line;
		opts.log_level =
			tool->settings.verbose > 1 ? VTC_LOG_DEBUG : VTC_LOG_INFO;
	}
	r = vtc_ctx_new(&opts, &tool->ctx);
	if (r == -EINVAL)
		return fail_usage(
			tool, "--sysfs and --state-dir take absolute paths of at most "
			      "255 bytes");
	return r < 0 ? fail_plain(tool, r, "start libvtc", NULL, NULL) : 0;
}

static int run_command(struct tool *tool)
{
	int code = args_check(tool);

	if (code == 0)
		code = open_ctx(tool);
	if (code == 0)
		code = tool->command->run(tool);
	vtc_ctx_unref(tool->ctx);
	return code;
}

int main(int argc, char **argv)
{
	struct tool tool = { 0 };
	int code = args_parse(&tool, argc, argv);

	if (code == 0 && tool.settings.version)
		printf("vtcctl %s (libvtc %s)\n", VTC_VERSION_STRING,
		       vtc_version_get_string());
	else if (code == 0 && !tool.settings.help)
		code = run_command(&tool);
	/* What could not be written was not said: a full disk is a failure. */
	errno = 0;
	if (fflush(stdout) != 0 || ferror(stdout))
		return fail_plain(&tool, errno ? -errno : -EIO, "write the output", NULL,
				  NULL);
	return code;
}
