/*
 * What the arguments of the subcommands name: a port, a process, an address. Each function returns
 * whether the text is understood; where it is not, it has said what was expected (output_error()).
 */
#ifndef LIBREUSE_TARGET_H
#define LIBREUSE_TARGET_H

#include "guest/address.h"
#include "trial.h"

#include <stdbool.h>

/*
 * 1 to 65535, in decimal, or the name of a TCP service in /etc/services; also as people paste it
 * (see below), as long as that is a TCP port of every address.
 */
bool target_port(const char *text, unsigned int *port);

/* A process ID. */
bool target_pid(const char *text, int *pid);

/* A number that is a port, a process ID, or both; or else a port. What it cannot be is 0. */
bool target_port_or_pid(const char *text, unsigned int *port, int *pid);

/*
 * [ADDRESS:]PORT with ADDRESS an IPv4 address, an IPv6 address in brackets, with %INTERFACE where
 * it is link-local, * for every address, or localhost for both loopback addresses. Without, or with
 * *, `address` is left unknown. As people paste it from a URL, from ss(8), netstat(8), a firewall's
 * rule or a report: ":PORT", "tcp/PORT" and "PORT/udp", which set `protocol` (IPPROTO_...), else
 * the caller's; ":::PORT"; "127.0.0.53%lo:PORT"; "SCHEME://ADDRESS:PORT/"; "0.0.0.0:PORT:".
 */
bool target_socket(const char *text, struct trial_target *target);

/*
 * Whether it names an AF_UNIX socket: a path with a slash in it, "@NAME" of the abstract
 * name space, or a file that is there and no port. `address.length` is 0 where it is too long to be
 * one, which then was said.
 */
bool target_unix(const char *text, struct address *address);

#endif
