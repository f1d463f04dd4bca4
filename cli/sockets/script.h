/*
 * What an interpreter runs: "python3" is no answer where two of them are there. By the command
 * line, as /proc/PID/cmdline has it: the script, module, jar or main class.
 *
 * Pure functions.
 */
#ifndef LIBREUSE_SCRIPT_H
#define LIBREUSE_SCRIPT_H

#include <stddef.h>

/*
 * Finds it in the arguments, each of which ends with a NUL; the last one may be cut off. What is
 * too long keeps its end: "...r/app/manage.py". "" where the program is none of the interpreters
 * that are known, or its arguments do not tell. `size` is 8 or more.
 */
void script_find(char *script, size_t size, const char *arguments, size_t length);

#endif
