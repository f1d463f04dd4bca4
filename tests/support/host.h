/*
 * The obedient host: a program, with or without the shim, that makes the socket calls that the test
 * tells it to make. Each function here is one call inside the host.
 *
 * The answer is what the host's call returned; where a call can only succeed or fail, 0 or its
 * errno. A call that succeeds must leave errno alone, and every function here asserts that. A host
 * that dies or hangs fails the running test.
 */
#ifndef LIBREUSE_TESTS_HOST_H
#define LIBREUSE_TESTS_HOST_H

#include "process.h"
#include "sockets.h"
#include "syscalls.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

struct host {
    struct process process;
    int channel;
    int child_channel;
    struct system_calls *trace; /* where not NULL, the next call's system calls are put there */
};

/* Asserts that a call inside a host gave this errno; 0 is success. */
#define EXPECT_ERROR(call, expected)                                                               \
    do {                                                                                           \
        int error_ = (call);                                                                       \
        cr_assert_eq(error_, (expected), "%s gave \"%s\" (%d) instead of \"%s\" (%d)", #call,      \
                     strerror(error_), error_, strerror(expected), (expected));                    \
    } while (0)

#define EXPECT_SUCCESS(call) EXPECT_ERROR(call, 0)

/* Asserts that a call inside a host returned this number. */
#define EXPECT_VALUE(call, expected)                                                               \
    do {                                                                                           \
        long value_ = (call);                                                                      \
        long expected_ = (expected);                                                               \
        cr_assert_eq(value_, expected_, "%s gave %ld instead of %ld", #call, value_, expected_);   \
    } while (0)

struct host start_host(enum shim shim);

/* The path, the input and whether there is a shim are the obedient host's; the rest is given. */
struct host start_host_as(enum shim shim, struct program program);

/* Makes the host return from main(), and waits for that. */
void end_host(struct host *host);

/* A TCP socket over IPv4, and any other. */
int host_tcp_socket(struct host *host);
int host_socket(struct host *host, int family, int type, int protocol);

int host_bind(struct host *host, int fd, const char *address);
int host_bind_to(struct host *host, int fd, const struct address *address);
int host_bind_at(struct host *host, int fd, uintptr_t pointer, uint32_t length);
int host_bind_at_edge(struct host *host, int fd, const char *address);
int host_bind_in_vfork(struct host *host, int fd, const char *address);
int host_listen(struct host *host, int fd);
int host_listen_with_queue(struct host *host, int fd, int backlog);

/* A bind() that takes its time: the test goes on meanwhile. Nothing else may be told until the end.
 */
void host_begin_bind(struct host *host, int fd, const char *address);
bool host_has_bound(struct host *host); /* or has failed to */
int host_end_bind(struct host *host);

/* A listen() that ends the host with this status. */
void expect_exit_in_listen(struct host *host, int fd, int status);

int host_connect(struct host *host, int fd, const char *address);
int host_accept(struct host *host, int fd);
void host_close(struct host *host, int fd);
int host_dup2(struct host *host, int from, int to);
int host_get_option(struct host *host, int fd, int option); /* of SOL_SOCKET */
void host_set_option(struct host *host, int fd, int level, int option, int value);
uint16_t host_port(struct host *host, int fd);

/* Sends a line to the host's socket `fd` by its peer `client`, and asserts that it comes back. */
void expect_service(struct host *host, int fd, int client);

/* Asserts that the peer of the host's socket has closed its side; waits for that. */
void expect_host_end_of_stream(struct host *host, int fd);

int host_open(struct host *host, const char *path);
void host_write(struct host *host, int fd, const char *text);
void host_limit_files(struct host *host, int size);
void host_use_up_descriptors(struct host *host);

/*
 * What hosts do to themselves, or what is done to them before they start: another user than root,
 * no capabilities, a seccomp filter (see filter.h), another root folder, other namespaces, other
 * file systems. The running test ends as skipped where the machine does not allow it.
 */
void host_become_user(struct host *host, unsigned id);
void host_drop_rights(struct host *host);
void host_filter(struct host *host, long number, int64_t first_argument, uint32_t action);
void host_filter_argument(struct host *host, long number, unsigned int place, int64_t argument,
                          uint32_t action);
void host_chroot(struct host *host, const char *path);
void host_unshare(struct host *host, int flags);
void host_mount(struct host *host, const char *type, const char *folder, const char *options);

/* The host forks; the child obeys too. Once for a host. */
struct host fork_host(struct host *host);

/* The host goes on in another thread, and its first one ends: pthread_exit(3) in main(). */
void host_leave_main(struct host *host);

/* Makes a forked child end, and waits for that. */
void end_forked_host(struct host *child);

void host_catch(struct host *host, int signal_number);
int host_caught(struct host *host);
void host_block(struct host *host, int signal_number);
void host_raise(struct host *host, int signal_number);
bool host_has_pending(struct host *host, int signal_number);

/* How many descriptors the host has open. */
unsigned count_descriptors(const struct host *host);

/*
 * The program listens on a socket whose bind() of this address fails with EADDRINUSE: it has lost
 * its port, and the kernel gives it another. The result is that one.
 */
uint16_t host_lose_port(struct host *host, const char *address);

/* A listener at this address on a new socket: socket(), bind() and listen() all succeed. */
int host_serve(struct host *host, const char *address);

/* A server has served one client at this address and was killed: its TIME_WAIT socket is left. */
void leave_time_wait(enum shim shim, const char *address);

#endif
