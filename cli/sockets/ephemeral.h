/*
 * The ports that the kernel gives out by itself. Where a server's bind() has failed and it listens
 * all the same, it listens on one of them: that is how a server that has lost its port can be
 * suspected from outside. It is no proof: a server may have asked for such a port.
 */
#ifndef LIBREUSE_EPHEMERAL_H
#define LIBREUSE_EPHEMERAL_H

/*
 * Whether a port is one of net.ipv4.ip_local_port_range and not of ip_local_reserved_ports, in this
 * network: 1, 0; -1 where that is not known. They are read at the first call.
 */
int ephemeral_port(unsigned int port);

/* What is to be said of a listener on such a port, after the word "ephemeral: ". */
extern const char ephemeral_meaning[];

#endif
