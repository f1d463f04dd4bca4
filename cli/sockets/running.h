/*
 * What can be seen of a running process: whether libreuse.so is in it, with which settings it was
 * started, and where it listens. Each of these needs rights of its own; what they were not enough
 * for is said apart.
 */
#ifndef LIBREUSE_RUNNING_H
#define LIBREUSE_RUNNING_H

#include "losses.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A TCP socket of the process that listens. */
struct listener {
    int fd;
    char *address;
    unsigned int port;
    int armed;      /* SO_REUSEADDR: 1 on, 0 off, -1 not known */
    int reuse_port; /* SO_REUSEPORT, likewise */
    int ephemeral;  /* ephemeral_port(); -1, too, where it is of another network */
    uint64_t inode;
    struct claim claim;
    const struct loss *loss; /* of `losses`: it is not where its program had asked to be; NULL */
};

struct running {
    int pid;
    char *name;     /* comm */
    char *program;  /* the file that it runs; NULL where that is not known */
    bool has_ended; /* a zombie: it has nothing any more */
    bool is_kernel; /* a kernel thread: it never had */

    int maps_error;   /* errno with which its memory map was refused; 0 */
    char *library;    /* where the libreuse.so in it was loaded from; NULL where there is none */
    bool is_filtered; /* system calls of it go through a seccomp filter */
    bool is_replaced; /* that file has been removed or replaced since */

    struct losses losses; /* what that libreuse.so has written down */

    int environment_error; /* errno with which its environment was refused; 0 */
    char **settings;       /* the LIBREUSE_* variables that it was started with: NAME=VALUE */
    size_t settings_count;
    bool preload_names_us; /* its LD_PRELOAD names a libreuse.so */
    bool is_secure;        /* AT_SECURE: the loader has ignored LD_PRELOAD */
    bool is_guarded;       /* its control group is under a guard */

    int descriptors_error; /* errno with which its descriptors were refused; 0 */
    int socket_error;      /* errno with which one of its sockets was refused; 0 */
    struct listener *listeners;
    size_t listeners_count;
};

/* False where there is no such process. The caller frees it with running_free(). */
bool running_examine(struct running *running, int pid);

/* Whether none of the listeners before this one has its port: so that a port is named once. */
bool running_is_first_on_port(const struct running *running, size_t number);

/* The first of its listeners that is not where its program had asked to be; NULL. */
const struct listener *running_lost(const struct running *running);

/* How many of its listeners are on ephemeral ports. */
size_t running_count_ephemeral(const struct running *running);

void running_free(struct running *running);

#endif
