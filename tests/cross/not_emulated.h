/*
 * The tests that cannot run where the program under test runs under qemu's user mode, all of them.
 */
#ifndef LIBREUSE_TESTS_CROSS_NOT_EMULATED_H
#define LIBREUSE_TESTS_CROSS_NOT_EMULATED_H

#include <stdbool.h>

/* Whether the test is on the list; if so, says on stdout that it is not run, and why. */
bool announce_not_emulated(const char *suite, const char *name, bool big_endian);

#endif
