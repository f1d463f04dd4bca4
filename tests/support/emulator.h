/*
 * Running programs of another architecture: the runner is built with -DEMULATOR='"PROGRAM",
 * "WORD"...', the words in front of a program's own command line. Without it everything runs as it
 * is.
 *
 * A runner with an emulator leaves out the tests that cannot run there, and says so for each: see
 * tests/cross/not_emulated.h.
 */
#ifndef LIBREUSE_TESTS_EMULATOR_H
#define LIBREUSE_TESTS_EMULATOR_H

/* As execv(2), with the environment of the caller; a program of this machine is not emulated. */
void execute(const char *path, const char *const arguments[]);

#endif
