/*
 * What is said of the next start of a unit, by "libreuse enable" and "libreuse disable": the
 * commands to run, in their order, and what is to be known besides.
 */
#ifndef LIBREUSE_RESTART_H
#define LIBREUSE_RESTART_H

#include "sockets/running.h"
#include "unit_check.h"

struct advice {
    struct sentences commands;
    struct sentences remarks;
};

/* Why a run without libreuse, or under --report-only, is not to be started at once. */
#define ADVICE_NO_RESCUE "bind() fails while connections of this run are in TIME_WAIT"

/*
 * Where the next run of a unit will not have its bind() rescued, that this one is armed is not
 * enough: it would fail in silence. Advises to stop the unit, wait until its ports are free, those
 * that it is known to have lost, too, and start it; `because` says what makes it so.
 */
void advise_waiting(struct advice *advice, const char *unit, const struct running *running,
                    const char *because);

/*
 * What has to stand before a command that looks at its sockets: "nsenter -t PID -n " where it has a
 * network namespace of its own, else nothing. The caller frees it.
 */
char *restart_elsewhere(const struct running *running);

/* Where the unit listens on ephemeral ports, and may have lost its own: what to run then. */
void advise_lost_port(struct advice *advice, const char *unit, const struct running *running);

/* Prints it, or writes it as two members of an object. */
void advice_print(const struct advice *advice);
void advice_json(const struct advice *advice, struct json *json);

void advice_free(struct advice *advice);

#endif
