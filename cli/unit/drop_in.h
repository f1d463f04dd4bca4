/*
 * The files that "libreuse enable" and "libreuse guard" write for a unit, in
 * /etc/systemd/system/UNIT.d: reading them, replacing them in one step, and removing them. A file
 * of that name that does not begin with libreuse's own first line belongs to somebody else, and so
 * does what is behind a symbolic link: neither is read, replaced or removed.
 */
#ifndef LIBREUSE_DROP_IN_H
#define LIBREUSE_DROP_IN_H

#include <stdbool.h>
#include <stddef.h>

/* Where units' drop-ins are, and the files' names there. */
#define DROP_IN_FOLDER     "/etc/systemd/system"
#define DROP_IN_NAME       "50-libreuse.conf"
#define DROP_IN_GUARD_NAME "50-libreuse-guard.conf"

/* The beginning of the files' first lines; the rest of that line is free. */
#define DROP_IN_MARK       "# Written by libreuse enable"
#define DROP_IN_GUARD_MARK "# Written by libreuse guard"

/* Which of the files. */
enum drop_in_file { DROP_IN_PRELOAD, DROP_IN_GUARD };

enum drop_in {
    DROP_IN_NONE,
    DROP_IN_OURS,
    DROP_IN_FOREIGN,   /* somebody else's file, or a symbolic link in the way */
    DROP_IN_UNREADABLE /* errno */
};

/* A name such that no path leads elsewhere: the characters that systemd allows in unit names. */
bool drop_in_is_unit_name(const char *unit);

/* The path of the file. The caller frees it. */
char *drop_in_path(enum drop_in_file file, const char *unit);

/* What is there; the text of DROP_IN_OURS, which the caller frees, else NULL. */
enum drop_in drop_in_read(enum drop_in_file file, const char *unit, char **text);

/*
 * Writes or replaces the file, or removes it and the folder where that is empty then. False and
 * errno where that fails.
 */
bool drop_in_write(enum drop_in_file file, const char *unit, const char *text);
bool drop_in_remove(enum drop_in_file file, const char *unit);

/* The units that have a file of ours, in the order of the alphabet. The caller frees each. */
char **drop_in_units(enum drop_in_file file, size_t *count);

#endif
