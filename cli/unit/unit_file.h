/*
 * A variable in the files that a unit is made of. systemctl(1) shows the sum of them; what one file
 * contributes only the file itself tells: whether it comes after libreuse's own drop-in, and what
 * there would be without that.
 */
#ifndef LIBREUSE_UNIT_FILE_H
#define LIBREUSE_UNIT_FILE_H

#include <stdbool.h>

/*
 * What the Environment= lines of a unit file or drop-in (systemd.syntax(7)) make of a variable that
 * has this value before: `*value`, or NULL where it is not set. Specifiers like %h stay as they
 * are. True where the file says anything about it. The caller frees the value.
 */
bool unit_file_variable(const char *path, const char *name, char **value);

/* The same for a file that EnvironmentFile= names. */
bool environment_file_variable(const char *path, const char *name, char **value);

/* A text as it must stand in a unit file, where % begins a specifier. The caller frees it. */
char *unit_file_percent(const char *text);

/* "NAME=VALUE", whose specifiers are escaped already, as one quoted word. The caller frees it. */
char *unit_file_assignment(const char *name, const char *value);

#endif
