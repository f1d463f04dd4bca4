/*
 * net.ipv4.ip_local_port_range: the ports that the kernel gives to a socket that was not bound to
 * one, when it connects or listens. Of the calling thread's network namespace; for IPv6, too.
 */
#ifndef LIBREUSE_LOCAL_PORTS_H
#define LIBREUSE_LOCAL_PORTS_H

#include <stdbool.h>

/* Zero where it is not known. */
struct local_ports {
    unsigned int first;
    unsigned int last;
};

/* Async-signal-safe. */
void local_ports_read(struct local_ports *ports);

/* Whether the port is one of them; false, too, where they are not known. */
bool local_ports_have(const struct local_ports *ports, unsigned int port);

#endif
