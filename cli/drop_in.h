/*
 * The file that "libreuse enable" writes for a unit, /etc/systemd/system/UNIT.d/50-libreuse.conf:
 * reading it, replacing it in one step, and removing it. A file of that name that does not begin
 * with libreuse's own first line belongs to somebody else, and so does what is behind a symbolic
 * link: neither is read, replaced or removed.
 */
#ifndef LIBREUSE_DROP_IN_H
#define LIBREUSE_DROP_IN_H

#include <stdbool.h>
#include <stddef.h>

/* Where units' drop-ins are, and the file's name there. */
#define DROP_IN_FOLDER "/etc/systemd/system"
#define DROP_IN_NAME   "50-libreuse.conf"

/* The beginning of the file's first line; the rest of that line is free. */
#define DROP_IN_MARK "# Written by libreuse enable"

enum drop_in {
    DROP_IN_NONE,
    DROP_IN_OURS,
    DROP_IN_FOREIGN,   /* somebody else's file, or a symbolic link in the way */
    DROP_IN_UNREADABLE /* errno */
};

/* A name such that no path leads elsewhere: the characters that systemd allows in unit names. */
bool drop_in_is_unit_name(const char *unit);

/* The path of the file. The caller frees it. */
char *drop_in_path(const char *unit);

/* What is there; the text of DROP_IN_OURS, which the caller frees, else NULL. */
enum drop_in drop_in_read(const char *unit, char **text);

/*
 * Writes or replaces the file, or removes it and the folder where that is empty then. False and
 * errno where that fails.
 */
bool drop_in_write(const char *unit, const char *text);
bool drop_in_remove(const char *unit);

/* The units that have a file of ours, in the order of the alphabet. The caller frees each. */
char **drop_in_units(size_t *count);

#endif
