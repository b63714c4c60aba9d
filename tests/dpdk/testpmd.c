/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program with a prompt, as a child; see testpmd.h. */
#include "testpmd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROMPT	    "testpmd> "
#define PATIENCE_MS 60000
#define OUTPUT_MAX  (1u << 20)
#define ARGS_MAX    128

/* EAL would look for devices, huge pages and other processes of DPDK. */
#define EAL_ALWAYS "--no-pci --no-telemetry --iova-mode=va"

struct testpmd {
	pid_t pid;
	int in, out;
	char prompt[16];
	testpmd_meanwhile_fn meanwhile;
	void *data;
	size_t len;
	char output[OUTPUT_MAX];
};

static bool executable(const char *dir, size_t len)
{
	char path[512];

	snprintf(path, sizeof(path), "%.*s/dpdk-testpmd", (int)len, dir);
	return access(path, X_OK) == 0;
}

bool testpmd_installed(void)
{
	const char *dir = getenv("PATH");

	while (dir && *dir) {
		size_t len = strcspn(dir, ":");

		if (executable(dir, len))
			return true;
		dir += len + (dir[len] == ':');
	}
	return false;
}

/* ---- Start and end ---- */

static void split(char *line, char **args)
{
	char *save = NULL, *word = strtok_r(line, " ", &save);
	unsigned int n = 0;

	for (; word && n < ARGS_MAX - 1; word = strtok_r(NULL, " ", &save))
		args[n++] = word;
	args[n] = NULL;
}

static void become(const char *command, pid_t parent, int in, int out)
{
	char *args[ARGS_MAX], *line = strdup(command);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!line || getppid() != parent)
		_exit(126);
	split(line, args);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execvp(args[0], args);
	_exit(127);
}

static bool spawn(struct testpmd *t, const char *command)
{
	int in[2], out[2];
	pid_t parent = getpid();

	/* Not a pipe: who has ended already is no reason for a signal. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0)
		return false;
	if (pipe2(out, O_CLOEXEC) < 0) {
		close(in[0]);
		close(in[1]);
		return false;
	}
	t->pid = fork();
	if (t->pid == 0)
		become(command, parent, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	t->in = in[1];
	t->out = out[0];
	return t->pid > 0;
}

static void end(struct testpmd *t)
{
	close(t->in);
	close(t->out);
	if (t->pid > 0)
		waitpid(t->pid, NULL, 0);
	free(t);
}

void testpmd_kill(struct testpmd *t)
{
	if (!t)
		return;
	if (t->pid > 0)
		kill(t->pid, SIGKILL);
	end(t);
}

/* ---- Lines and prompts ---- */

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

static bool prompted(const struct testpmd *t)
{
	size_t len = strlen(t->prompt);

	return t->len >= len && memcmp(t->output + t->len - len, t->prompt, len) == 0;
}

/* Only the end of what is too much is kept. */
static bool read_some(struct testpmd *t)
{
	ssize_t n;

	if (t->len > OUTPUT_MAX / 2) {
		memmove(t->output, t->output + t->len - 4096, 4096);
		t->len = 4096;
	}
	n = read(t->out, t->output + t->len, OUTPUT_MAX - 1 - t->len);
	if (n <= 0)
		return false;
	t->len += (size_t)n;
	t->output[t->len] = '\0';
	return true;
}

static bool wait_output(struct testpmd *t)
{
	struct pollfd p = { .fd = t->out, .events = POLLIN };

	if (t->meanwhile)
		t->meanwhile(t->data);
	return poll(&p, 1, t->meanwhile ? 0 : 100) > 0;
}

static bool wait_prompt(struct testpmd *t)
{
	long long until = now_ms() + PATIENCE_MS;

	while (!prompted(t)) {
		if (wait_output(t) && !read_some(t))
			return false;
		if (now_ms() > until)
			return false;
	}
	return true;
}

struct testpmd *testpmd_start_other(const char *prompt, const char *command,
				    testpmd_meanwhile_fn meanwhile, void *data)
{
	struct testpmd *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	snprintf(t->prompt, sizeof(t->prompt), "%s", prompt);
	t->meanwhile = meanwhile;
	t->data = data;
	if (spawn(t, command) && wait_prompt(t))
		return t;
	fprintf(stderr, "# %s\n%s\n", command, t->output);
	testpmd_kill(t);
	return NULL;
}

static unsigned int last_processor(void)
{
	unsigned int i = CPU_SETSIZE;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 0;
	while (--i > 0 && !CPU_ISSET(i, &set))
		;
	return i;
}

/* Its results go through stdio, its prompt does not: unbuffered, they come in order. */
struct testpmd *testpmd_start(const char *name, unsigned int processor, const char *eal,
			      const char *arguments, testpmd_meanwhile_fn meanwhile,
			      void *data)
{
	char command[8192];

	if (processor == TESTPMD_LAST)
		processor = last_processor();
	snprintf(
		command, sizeof(command),
		"stdbuf -oL dpdk-testpmd --lcores 0@%u,1@%u --file-prefix %s-%d " EAL_ALWAYS
		" %s -- -i --nb-cores=1 --no-flush-rx %s",
		processor, processor, name, getpid(), eal, arguments);
	return testpmd_start_other(PROMPT, command, meanwhile, data);
}

const char *testpmd_do(struct testpmd *t, const char *format, ...)
{
	char line[512];
	va_list ap;
	int len;

	va_start(ap, format);
	len = vsnprintf(line, sizeof(line) - 1, format, ap);
	va_end(ap);
	line[len++] = '\n';
	t->len = 0;
	t->output[0] = '\0';
	if (send(t->in, line, (size_t)len, MSG_NOSIGNAL) != len || !wait_prompt(t))
		return NULL;
	return t->output;
}

const char *testpmd_output(const struct testpmd *t)
{
	return t->output;
}

pid_t testpmd_pid(const struct testpmd *t)
{
	return t->pid;
}

void testpmd_quit(struct testpmd *t)
{
	long long until = now_ms() + PATIENCE_MS;

	if (!t)
		return;
	if (send(t->in, "quit\n", 5, MSG_NOSIGNAL) != 5)
		kill(t->pid, SIGKILL);
	t->len = 0;
	while (now_ms() < until)
		if (wait_output(t) && !read_some(t))
			break;
	testpmd_kill(t);
}
