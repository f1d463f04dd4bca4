/*
 * EADDRINUSE and what the shim says about it: holders of port 9999, and the line of a host that was
 * refused. What goes wrong here fails the running test.
 */
#ifndef LIBREUSE_TESTS_IN_USE_H
#define LIBREUSE_TESTS_IN_USE_H

#include "host.h"

#include <stdint.h>

#define PORT 9999

/* Users that nobody is. */
#define HOLDERS_USER 65533
#define HOSTS_USER   65534

/* CLOCK_MONOTONIC. */
int64_t milliseconds(void);

/* A socket of the host cannot have this address: what the host is told, after "EADDRINUSE: ". */
const char *refused(struct host *host, int fd, const char *address);

/* The same of a new TCP socket in a new host. */
const char *refused_to_a_host(const char *address);

/* obedient_host[811]. The text is static. */
const char *who(const struct host *host);

/* Asserts that the line names this descriptor. */
void expect_descriptor(const char *rest, int fd);

/* "127.0.0.1:40000", by which a socket of this test is known to its peer. The text is static. */
const char *name_of_client(int client);

/* Asserts that a number of seconds follows these words, from 1 to `most`. */
void expect_seconds(const char *rest, const char *words, unsigned long most);

/* The same of TIME_WAIT: not more has passed since the kernel began to count than a slow machine
 * needs for a test. */
void expect_time_wait_seconds(const char *rest, const char *words);

/* A server that has one client, and does not run under the shim. */
struct scene {
    struct host server;
    int listener;
    int connection; /* the server's */
    int client;     /* the test's */
};
struct scene serve_one_client(const char *address);

/* The server is gone; a child that it had forked goes on to serve the client. */
struct host leave_to_child(struct scene *scene);

/* The server is gone, and its client keeps its side open: the kernel waits for the client. */
void leave_fin_wait2(struct scene *scene);

/* The remains of connections to a server that did not run under the shim: one to each address. */
void leave_time_wait_of(const char *const *clients, unsigned count);
extern const char *const three_clients[3];

/* A listener with IPV6_V6ONLY. */
int serve_ipv6_only(struct host *host, const char *address);

/* A listener on 0.0.0.0:9999 of HOLDERS_USER. */
void hold_port_as_another_user(void);

/* A host may not use netlink, as with RestrictAddressFamilies=: the kernel answers with `error`. */
void forbid_netlink(struct host *host, int error);

#endif
