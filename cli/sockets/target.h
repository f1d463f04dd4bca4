/*
 * What the arguments of the subcommands name: a port, a process, an address. Each function returns
 * whether the text is understood; where it is not, it has said what was expected (output_error()).
 */
#ifndef LIBREUSE_TARGET_H
#define LIBREUSE_TARGET_H

#include "guest/address.h"

#include <stdbool.h>

/* 1 to 65535, in decimal, or the name of a TCP service in /etc/services. */
bool target_port(const char *text, unsigned int *port);

/* A process ID. */
bool target_pid(const char *text, int *pid);

/* A number that is one of them, or both: which is 0 where it cannot be. */
bool target_port_or_pid(const char *text, unsigned int *port, int *pid);

/*
 * [ADDRESS:]PORT with ADDRESS an IPv4 address, an IPv6 address in brackets, with %INTERFACE where
 * it is link-local, or * for every address. Without, or with *, `address` is left unknown. As
 * people paste it: also ":PORT", "tcp/PORT" and "PORT/udp", which set `protocol` (IPPROTO_...).
 */
bool target_socket(const char *text, struct address *address, unsigned int *port, int *protocol);

/*
 * Whether it is the path of an AF_UNIX socket, with a slash in it, or "@NAME" of the abstract
 * space, as ss(8) shows it. Too long a path is said, and leaves `address` unknown.
 */
bool target_unix(const char *text, struct address *address);

#endif
