/*
 * What the libreuse.so in a running process has written down (report/ledger.h): its version, the
 * settings in force, and the ports that the program has lost. It is read from outside; the process
 * may have written anything there, so only what can be true is taken, and a loss counts only while
 * the process has that very socket.
 */
#ifndef LIBREUSE_LOSSES_H
#define LIBREUSE_LOSSES_H

#include "guest/address.h"
#include "lookup/claim.h"
#include "report/ledger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A port that a program has asked for in vain; it listens elsewhere, or was kept from it. */
struct loss {
    struct address asked;
    int error;      /* of bind() */
    int64_t time;   /* milliseconds since 1970 */
    uint64_t inode; /* of the socket that listens instead */
};

struct losses {
    bool is_read; /* false: there is no such library, it is older, or it may not be read */
    char version[LEDGER_VERSION_SIZE];
    char settings[LEDGER_SETTINGS_SIZE];
    bool leaves_out; /* some listeners are not armed by these settings */
    struct loss list[LEDGER_LOSSES];
    size_t count;
};

void losses_read(struct losses *losses, int pid);

/* The loss of the socket of this inode; NULL where it has lost nothing. */
const struct loss *losses_of(const struct losses *losses, uint64_t inode);

/*
 * Whether it is the other family of the same program that has the port: both of one program, one on
 * [::] without IPV6_V6ONLY. Then the port is served, and a restart ends as this start did. `claim`
 * is that of the socket that listens instead, the other one of a listener on the port `port`.
 */
bool loss_is_own_dual_stack(const struct loss *loss, const struct claim *claim,
                            const struct claim *other, unsigned int port);

/* "lost port 9999 at 12:01:07 (EADDRINUSE)". The caller frees it. */
char *loss_text(const struct loss *loss);

/* "EADDRINUSE". The caller frees it. */
char *loss_error_name(const struct loss *loss);

/* The members of a JSON object: asked for, error, time. */
struct json;
void loss_json(const struct loss *loss, struct json *json, const char *name);

#endif
