/*
 * The ports of services by name, as services(5) has them: of getservbyname(3), which allocates and
 * may ask a name server, what a library in somebody else's process may use.
 *
 * Async-signal-safe; errno is left changed.
 */
#ifndef LIBREUSE_SERVICES_H
#define LIBREUSE_SERVICES_H

#include <stddef.h>

/* The TCP port of a service, by its name or by another name of it. 0 where /etc/services has none.
 */
unsigned int services_port(const char *name, size_t length);

#endif
