/*
 * Programs for "libreuse run" and "libreuse check" to examine, and installations of the command.
 */
#ifndef LIBREUSE_TESTS_TARGET_H
#define LIBREUSE_TESTS_TARGET_H

#include "process.h"

/* Where the Makefile puts the programs; see tests/targets. */
#define TARGETS BUILD_FOLDER "/targets/"

/*
 * Starts libreuse, or another program that is given, with the arguments and the environment that
 * are given, waits for its end, and asserts its exit status.
 */
struct process call(int status, struct program program);

/* Ends the test as skipped where the target could not be built on this machine. */
void need_target(const char *path);

/* The same, and also where the kernel does not execute it, as a 64-bit kernel without the 32-bit
 * system calls does with a 32-bit program. */
void need_to_run(const char *path);

/* A new folder in /tmp that everybody may enter, and whose content is removed when the test ends.
 */
const char *new_folder(void);

/* "FOLDER/NAME"; lives until the test ends. */
char *path_in(const char *folder, const char *name);

/* Copies a file, with this mode; creates a file with this content. */
void copy_file(const char *from, const char *to, unsigned int mode);
void write_file(const char *path, const char *content, unsigned int mode);

/* A folder with a copy of the command and of the library, such that everybody may use both. */
const char *new_installation(void);

#endif
