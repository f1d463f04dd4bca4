/*
 * Switches SO_REUSEADDR on, from outside, on the sockets of a running server. The listeners come
 * first: from then on every connection that they accept inherits the option. Then the connections,
 * in a new list, which has those that were accepted meanwhile.
 */
#ifndef LIBREUSE_ARMING_H
#define LIBREUSE_ARMING_H

#include "processes.h"
#include "remote.h"
#include "socket_list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What became of a socket. */
struct armed {
    uint64_t inode;
    struct entry entry;
    struct user user;      /* through which it was reached; pid 0: nobody is known to have it */
    size_t other_users;    /* processes that have it, too */
    int before, after;     /* of SO_REUSEADDR: 0, 1; -1 where it is not known */
    int error;             /* why it could not be read or set; 0 */
    const char *no_access; /* why nobody is known to have it; NULL */
};

struct arming {
    unsigned int port; /* 0: those of the process */
    int pid;
    bool dry_run;
    struct entry *listeners; /* where it is a process: its listening sockets */
    size_t listener_count;
    struct armed *outcomes; /* by inode */
    size_t count;
    size_t room;
    struct remote remote;
};

/* What is on the selected addresses and belongs to no process. */
struct leftovers {
    size_t time_wait;
    uint32_t time_wait_ms;
    size_t waiting;   /* connections that the server has not accepted yet */
    size_t finishing; /* that the kernel brings to their end alone */
    size_t bound;     /* that are bound and do not listen */
};

/*
 * Where it is a process: finds its listening sockets, which must be known before all else. False
 * where there are none.
 */
bool arming_find_listeners(struct arming *arming);

/*
 * Arms everything. A busy server accepts what waits within moments, and closes what was listed: it
 * is looked at again until a pass has met nothing that it could not reach. False, and the reason is
 * said, where the sockets cannot be listed.
 */
bool arming_do(struct arming *arming);

/* What is left, when everything is armed. */
struct leftovers arming_leftovers(const struct arming *arming);

/* What became of them. */
struct sums {
    size_t armed;   /* by us; in a dry run: would be */
    size_t already; /* were on before */
    size_t refused;
    const struct armed *first_refused;
    const struct armed *unarmed_listener; /* that was: its program does not set the option */
};

struct sums arming_sum_up(const struct arming *arming);

/* All of it as a JSON object, to standard output. */
void arming_json(const struct arming *arming, const struct leftovers *leftovers);

void arming_free(struct arming *arming);

#endif
