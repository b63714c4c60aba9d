/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests in the lab's guest share: the machine's devices, and a second opinion on
 * them that owes nothing to the library: sysfs read plainly, and what ip and its kind
 * print. All of them leave the program, as a broken lab, when the machine does not do as
 * told.
 */
#ifndef VTC_TESTS_LAB_H
#define VTC_TESTS_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vtc/vtc.h>

#include "vtct.h"

#define LAB_TEXT   4096
#define LAB_WAIT_S 30 /* for what the emulated hardware does in its own time */

/* Bus address of the lab's adapter, from 0. */
const char *lab_pf(unsigned int number);

/* A file below /sys, without its last newline. */
const char *lab_read(const char *format, ...) __attribute__((format(printf, 1, 2)));
long lab_read_number(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Last component of a symbolic link below /sys; "" if there is none. */
const char *lab_link(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool lab_exists(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Returns 0 or a negative errno number. */
int lab_write(const char *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * What a shell command prints, without its last newline; lab_do() insists on its success.
 */
const char *lab_output(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *lab_do(const char *format, ...) __attribute__((format(printf, 1, 2)));
/*
 * The rest of the first line of text that begins with key, blanks left out; "" if none.
 */
const char *lab_field(const char *text, const char *key);

/* Wait until what is true, for LAB_WAIT_S at most; returns it. */
#define lab_wait(what)                                    \
	({                                                \
		unsigned int lab_turns = LAB_WAIT_S * 20; \
		while (!(what) && lab_turns--)            \
			lab_pause();                      \
		(what);                                   \
	})
void lab_pause(void);

/* The network interface of a PCI device; "" if it has none here. */
const char *lab_netdev(const char *address);
/* Address of a PF's VF, by the kernel's link; "" if there is none. */
const char *lab_vf(const char *pf, unsigned int index);
/*
 * Bring a PF to a number of VFs through sysfs: all with drivers and their interfaces
 * down, or all without drivers. VFs that are so already stay, with their attributes.
 */
void lab_set_vfs(const char *pf, unsigned int count, bool probe);
/* Bind a driver to a VF, or none (""). */
void lab_bind(const char *address, const char *driver);
/* Switch a PF on, and wait for its link. */
void lab_up(const char *address);

/* What ip prints of one VF: the line that begins with "vf N". */
const char *lab_ip_vf(const char *netdev, unsigned int index);

/* The text of the context's last error. */
const char *lab_error(const struct vtc_ctx *ctx);

#define ck_assert_has(text, part)                                                   \
	do {                                                                        \
		const char *lab_text = (text);                                      \
		ck_assert_msg(strstr(lab_text, (part)), "no \"%s\" in: %s", (part), \
			      lab_text);                                            \
	} while (0)

#define ck_assert_has_not(text, part)                                             \
	do {                                                                      \
		const char *lab_text = (text);                                    \
		ck_assert_msg(!strstr(lab_text, (part)), "\"%s\" in: %s", (part), \
			      lab_text);                                          \
	} while (0)

#endif
