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
                        by /proc's options (OWNER_FORBIDDEN, if even pid 1 is), or the kernel's */
    OWNER_TIME_UP,   /* the time was not enough */
    OWNER_NO_PROC,   /* there is no /proc, or nothing in it */
    OWNER_REFUSED,   /* /proc could not be read, or the clock, as `error` says */
};

enum { PROGRAM_SIZE = 16 };

/* A process beside the owner: a child, an heir, one that the socket was passed to; or, where no
 * owner was found, one that may be it. */
struct sharer {
    int pid;
    char program[PROGRAM_SIZE];
};

enum { SHARERS_NAMED = 2, SCRIPT_SIZE = 48 };

struct owner {
    enum owner_search search;
    int error; /* errno of OWNER_REFUSED */
    /* Of OWNER_FOUND: the calling process, or else the first one that was found. */
    int pid; /* as /proc numbers it */
    int fd;
    bool this_process;
    char program[PROGRAM_SIZE]; /* comm, NUL-terminated; empty where it could not be read */
    char script[SCRIPT_SIZE];   /* what it runs, if that is an interpreter; the command adds it */
    unsigned int sharers;       /* how many more processes have the socket, as far as is known... */
    unsigned int named_count;   /* ...of which these have names of their own */
    struct sharer named[SHARERS_NAMED];
    /* Of OWNER_FORBIDDEN: how many processes may not be looked into, of those of the socket's user
       if there are such; named[] has the first. */
    unsigned int unseen;
};

/*
 * Looks for the socket of this inode and user, until kernel_milliseconds() is `deadline`. Where the
 * calling process has it, the others are left for owner_find_sharers().
 */
void owner_find(uint64_t inode, uint32_t uid, int64_t deadline, struct owner *owner);

/* Adds the other processes to an owner that is the calling process. */
void owner_find_sharers(uint64_t inode, uint32_t uid, int64_t deadline, struct owner *owner);

/* Whether /proc's options hide processes (hidepid=): there is no pid 1 in it. */
bool owner_may_be_hidden(void);

/* Notes a process that has the socket: as the owner where there is none yet, or as a sharer. */
void owner_note(struct owner *owner, int pid, int fd, const char program[PROGRAM_SIZE]);

/* Notes a process that may not be looked into. */
void owner_note_unseen(struct owner *owner, int pid, const char program[PROGRAM_SIZE]);

#endif
