/*
 * Processes that keep a listener open after its server has been stopped: they have inherited it and
 * are not part of the server. The server's next restart fails for as long as they run, whatever is
 * set on the socket.
 *
 * A process is taken for such an heir where
 * - nothing in it can accept a connection: no file that it has mapped names such a call;
 * - or it is in another unit of systemd (or another control group) than the server;
 * - or it runs another program, and the server is not among its ancestors.
 * Those that systemd stops together with the server (KillMode=control-group or mixed) are none.
 * Where something cannot be read, nothing is said.
 */
#ifndef LIBREUSE_HEIRS_H
#define LIBREUSE_HEIRS_H

#include "sockets/processes.h"
#include "sockets/survey.h"

/*
 * The heirs among the users of one socket, as a sentence; NULL where there are none: "next restart
 * fails while sleep[26001], which has inherited this listener (fd 3), runs: close-on-exec, or
 * KillMode=control-group". The caller frees it.
 */
char *heirs_sentence(const struct user *users, size_t count);

/* Judges the listeners of a survey by it: VERDICT_INHERITED. */
void heirs_judge(struct survey *survey);

#endif
