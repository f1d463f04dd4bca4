/*
 * The exit statuses of libreuse(1), the same for every command.
 */
#ifndef LIBREUSE_EXIT_STATUS_H
#define LIBREUSE_EXIT_STATUS_H

/* Scripts rely on these; libreuse(1) lists them. */
enum {
    STATUS_FINE = 0,
    STATUS_FOUND = 1,   /* what was looked for, or was asked about, is not fine */
    STATUS_USAGE = 2,   /* an option or argument is wrong */
    STATUS_REFUSED = 3, /* not permitted, or not supported by the kernel or the system */

    /* "libreuse run" only, like env(1); otherwise its status is the program's */
    STATUS_RUN_FAILED = 125,    /* libreuse itself failed, its usage included */
    STATUS_RUN_CANNOT = 126,    /* the program is there and cannot be run, or is refused */
    STATUS_RUN_NOT_FOUND = 127, /* the program is not there */
};

#endif
