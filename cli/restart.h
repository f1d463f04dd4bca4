/*
 * What is said of restarts that nothing rescues, by "libreuse enable" and "libreuse disable".
 */
#ifndef LIBREUSE_RESTART_H
#define LIBREUSE_RESTART_H

#include "running.h"

/*
 * Where the next run of a unit will not have its bind() rescued, that this one is armed is not
 * enough: it would fail in silence. Prints the commands that stop the unit, wait until its ports
 * are free, and start it; `without` says what makes it so.
 */
void restart_print_waiting(const char *unit, const struct running *running, const char *without);

/*
 * What has to stand before a command that looks at its sockets: "nsenter -t PID -n " where it has a
 * network namespace of its own, else nothing. The caller frees it.
 */
char *restart_elsewhere(const struct running *running);

/* Where the unit listens on ephemeral ports: what to run if it has lost its port. */
void restart_print_lost_port(const char *unit, const struct running *running);

#endif
