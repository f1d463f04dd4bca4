/*
 * The sockets on a port that a bind() there meets, and the processes that have them: as a table for
 * a person, and in JSON.
 */
#ifndef LIBREUSE_PORT_SOCKETS_H
#define LIBREUSE_PORT_SOCKETS_H

#include "processes.h"
#include "socket_list.h"
#include "terminal/output.h"
#include "trial.h"

#include <stdbool.h>

struct port_sockets {
    struct sockets sockets;
    const struct processes *processes; /* of the trials */
};

/*
 * Those that the addresses which were tried in vain meet. The trials must last as long, and be
 * explained. port_sockets_free() frees them.
 */
void port_sockets_list(const struct trials *trials, struct port_sockets *port);

void port_sockets_free(struct port_sockets *port);

/* Whether a socket is there whose process is not known, though it has one. */
bool port_sockets_have_unknown(const struct port_sockets *port);

void port_sockets_show(const struct port_sockets *port);

/* The member "sockets". */
void port_sockets_json(const struct port_sockets *port, struct json *json);

#endif
