/* Small questions about texts that several parts of the command ask. */
#ifndef LIBREUSE_TEXT_H
#define LIBREUSE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

bool starts_with(const char *text, const char *start);
bool ends_with(const char *text, const char *end);

/*
 * One word of a command that a person may copy into a shell: as it is where no byte of it means
 * something there, else quoted. The caller frees it.
 */
char *text_shell_word(const char *text);

/* The last part of a path, which is within it. */
const char *file_name(const char *path);

#endif
