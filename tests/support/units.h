/*
 * A systemd for a test: units that a stand-in for systemctl(1) tells of, and a folder
 * /etc/systemd/system that only the calling process and its children see.
 */
#ifndef LIBREUSE_TESTS_UNITS_H
#define LIBREUSE_TESTS_UNITS_H

#include "process.h"

#define UNITS "/etc/systemd/system/"

/*
 * Enters a mount namespace with an empty UNITS, and puts the stand-in first in PATH. Ends the test
 * as skipped where the machine has no such folder. There are no units then.
 */
void enter_private_units(void);

/*
 * Lets systemctl show this for the unit of that name: lines NAME=VALUE after those that every
 * loaded service has. It replaces what was shown before.
 */
void show_unit(const char *name, const char *lines);

/* The same for exactly this text; and what "systemctl show-environment" prints. */
void show_exactly(const char *name, const char *text);
void show_environment(const char *text);

/* From now on systemctl ends with this status and message; or there is none in PATH. */
void break_systemctl(int status, const char *message);
void remove_systemctl(void);

/* The content of a file, which lives until the test ends; NULL where there is none. */
char *file_content(const char *path);

/* Asserts that a folder of UNITS has so many entries; 0 where it is not there. */
void expect_entries(const char *path, unsigned int count);

#endif
