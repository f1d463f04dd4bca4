/*
 * Taking something away from the running test, as a hardened machine would: for the rest of its
 * process's life.
 */
#ifndef LIBREUSE_TESTS_REFUSE_H
#define LIBREUSE_TESTS_REFUSE_H

/* socket(AF_NETLINK) fails with this error from now on. */
void refuse_netlink(int error);

/* clock_gettime() fails as a system call. */
void refuse_clock(void);

/* There is no /proc, nor any other file: the root is an empty folder. */
void hide_proc(void);

#endif
