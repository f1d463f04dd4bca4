/*
 * Every listening TCP socket of this network namespace, and whether the server that has it can be
 * restarted at once. That follows from the socket itself: what it accepts inherits SO_REUSEADDR, or
 * does not.
 */
#ifndef LIBREUSE_SURVEY_H
#define LIBREUSE_SURVEY_H

#include "losses.h"
#include "processes.h"
#include "socket_list.h"

#include <stdbool.h>
#include <stddef.h>

enum verdict {
    VERDICT_CLEAN,
    VERDICT_FAILS,
    VERDICT_INHERITED, /* heirs have it, too: see unit/heirs.h */
    VERDICT_LOST,
    VERDICT_UNKNOWN,
    VERDICTS
};

struct finding {
    struct entry entry;
    struct user user; /* the first; pid 0: nobody is known to have it */
    size_t other_users;
    bool is_first_of_process;          /* one finding of each process is */
    char *program;                     /* of the first user; NULL */
    char *runs;                        /* what that runs, if it is an interpreter; NULL */
    enum presence shim;                /* in the first user... */
    char version[LEDGER_VERSION_SIZE]; /* ...and its version; empty where that is not known */
    int reuse_address;                 /* 0, 1; -1: could not be read */
    int reuse_port;
    int ephemeral;    /* 1, 0; -1: not known */
    bool is_managers; /* systemd has it, for a socket unit */
    bool is_guarded;  /* the first user's control group is under a guard */
    bool shim_knows;  /* libreuse.so in it has seen its bind(), and tells what was lost */
    bool has_lost;    /* it is not where its program had asked to be... */
    struct loss loss; /* ...as libreuse.so in it knows */
    char *served_by;  /* not lost: the listener of its other family that has that port; NULL */
    enum verdict verdict;
    char *reason; /* why it could not be read; NULL */
    char *heirs;  /* of VERDICT_INHERITED: who has it; NULL */
};

struct survey {
    struct processes processes; /* all that have one of the sockets */
    struct finding *findings;
    size_t count;
    size_t verdicts[VERDICTS];
    bool complete;
};

/*
 * Whether it listens where the kernel puts a server that has lost its port, and nothing in it knows
 * whether it has: what libreuse.so has not armed, although its settings do not leave it out, has
 * gone past it (RTLD_DEEPBIND).
 */
bool survey_may_have_lost(const struct finding *finding);

/* False, and the reason is said, where they cannot be listed. Else survey_free() frees it. */
bool survey_make(struct survey *survey);

void survey_free(struct survey *survey);

#endif
