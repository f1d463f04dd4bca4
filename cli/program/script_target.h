/*
 * What a shell script becomes at its end, as far as its text tells without a shell: the program of
 * its last line that begins with "exec".
 */
#ifndef LIBREUSE_SCRIPT_TARGET_H
#define LIBREUSE_SCRIPT_TARGET_H

#include <stddef.h>

/*
 * The name as it is written, a path or one for PATH, and the number of the line. NULL where there
 * is no such line, where only the shell knows the name (a variable, a pattern, a path from the
 * current folder), or where it is a program like env(1) that executes another. The caller frees it.
 */
char *script_target(const char *text, size_t length, size_t *line);

#endif
