/*
 * What the kernel shows: the TCP sockets that have a part in the story, as /proc/net/tcp
 * lists them, and which server has them. Each look replaces what the last one has seen.
 */
#ifndef DEMO_SOCKETS_H
#define DEMO_SOCKETS_H

#include <stdbool.h>
#include <stdio.h>

struct tcp_socket {
    unsigned state; /* TCP_LISTEN and the like of <netinet/tcp.h> */
    unsigned local_port;
    unsigned peer_port;
    char row[256]; /* of the table for the viewer */
};

void look_at_sockets(void);

/* A socket in this state, NULL if the last look has seen none. */
const struct tcp_socket *find_socket(unsigned state);

/*
 * Looks, and tells whether there is one socket for each pattern, fnmatch(3) for its row, and no
 * other. The list ends with NULL. The sockets are put into its order.
 */
bool sockets_are(const char *const patterns[]);

/* Prints what the last look has seen. */
void print_sockets(FILE *out);

#endif
