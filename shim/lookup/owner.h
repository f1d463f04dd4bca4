/*
 * Which process has a socket open, by what /proc/PID/fd shows: a few descriptors of the calling
 * process first, then every process that it may look into.
 *
 * Async-signal-safe.
 */
#ifndef LIBREUSE_OWNER_H
#define LIBREUSE_OWNER_H

#include <stdbool.h>
#include <stdint.h>

/* How the search for an owner ended. */
enum owner_search {
    OWNER_NOT_SOUGHT,
    OWNER_FOUND,
    OWNER_NONE,      /* no process has the socket open any more, or not yet: the kernel keeps it */
    OWNER_FORBIDDEN, /* the processes that may be looked into do not have it, but others may */
    OWNER_HIDDEN,    /* no process that can be seen has it: it is in another PID namespace, hidden
                        by /proc's mount options, or the kernel's own */
    OWNER_TIME_UP,   /* the time was not enough */
    OWNER_NO_PROC,   /* there is no /proc, or nothing in it */
    OWNER_REFUSED,   /* /proc could not be read, or the clock, as `error` says */
};

enum { PROGRAM_SIZE = 16 };

struct owner {
    enum owner_search search;
    int error; /* errno of OWNER_REFUSED */
    /* Of OWNER_FOUND. More processes than this one may have the socket: it is the first found. */
    int pid; /* as /proc numbers it */
    int fd;
    bool this_process;
    char program[PROGRAM_SIZE]; /* comm, NUL-terminated; empty where it could not be read */
};

/* Looks for the socket of this inode and user, until kernel_milliseconds() is `deadline`. */
void owner_find(uint64_t inode, uint32_t uid, int64_t deadline, struct owner *owner);

#endif
