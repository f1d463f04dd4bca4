/*
 * Whether a bind() of a port would work now: it is really tried, without and with SO_REUSEADDR, on
 * sockets that never listen and are closed at once. Who is in the way is what the shim's report
 * would say.
 */
#ifndef LIBREUSE_TRIAL_H
#define LIBREUSE_TRIAL_H

#include "guest/address.h"
#include "lookup/holders.h"
#include "processes.h"
#include "socket_list.h"

#include <stdbool.h>
#include <stddef.h>

/* What is to be tried. */
struct trial_target {
    struct address address; /* unknown: both wildcards... */
    bool is_loopback;       /* ...or both loopback addresses */
    unsigned int port;
    int protocol; /* IPPROTO_TCP or IPPROTO_UDP */
};

/* What became of one address. */
struct trial {
    struct address asked;
    int fd;           /* of a socket that could not be bound: open until it is explained; -1 */
    int socket_error; /* there are no such sockets: the family is not there */
    int plain;        /* the errno of bind(), 0 */
    int reuse;        /* the same with SO_REUSEADDR; of no meaning for UDP */
    struct holders_question question;
    struct holders holders; /* where the port is held */
    char *sentence;         /* what the shim would say; NULL where the address is free */
    char *also;             /* who holds a port that may not be tried; NULL */
};

enum { TRIALS = 2 };

struct trials {
    struct trial list[TRIALS];
    size_t count;
    struct sockets sockets; /* all that are on the port, where one of them could not be bound... */
    struct processes processes; /* ...and who has those: once they are explained */
};

/* Tries. The caller frees the result with trials_free(). */
void trials_make(const struct trial_target *target, struct trials *trials);

/* Adds the sentences. */
void trials_explain(const struct trial_target *target, struct trials *trials);

void trials_free(struct trials *trials);

/* An AF_UNIX name or path. It is not tried: bind() would leave the file. */
struct unix_trial {
    struct address asked;
    int error;     /* the errno that bind() would have, 0 */
    bool is_known; /* false: of an abstract name, nobody tells whether a socket has it */
    struct holders holders;
    char *sentence; /* as of a trial */
};

/* The caller frees the sentence. */
void unix_trial_make(struct unix_trial *trial, const struct address *asked);

/* A host without IPv6 is no reason to say that [::] is held, when nobody has asked for it. */
bool trial_counts(const struct trial_target *target, const struct trial *trial);

/* The exit status that they come to. What was found goes before what could not be tried. */
int trials_status(const struct trial_target *target, const struct trials *trials);

/* When a program that does not set SO_REUSEADDR gets the port, where that can be foreseen. */
bool trial_is_free_in(const struct trial *trial, unsigned int *seconds);

#endif
