/*
 * The kernel's part of "libreuse watch": programs on the tracepoints of bind() and listen(), and
 * the maps that they share. They follow sockets, not descriptors: at each call the socket behind
 * the descriptor is read from the task's own table of files, so that dup(), fork(), exec(), threads
 * and a number that is used again need no care. What failed is a record in a ring buffer (Linux
 * 5.8); what worked costs no record, unless the same socket's bind() had failed before.
 */
#ifndef LIBREUSE_WATCH_PROGRAMS_H
#define LIBREUSE_WATCH_PROGRAMS_H

#include "bpf.h"
#include "watch_layout.h"

#include <stdbool.h>
#include <stdint.h>

enum watch_map { WATCH_CALLS, WATCH_FAILURES, WATCH_COUNTS, WATCH_RING, WATCH_MAPS };

/* The ring's bytes: some 10,000 records, those of a second in a bad crash loop. */
enum { WATCH_RING_SIZE = 4 << 20 };

/* How many failures WATCH_FAILURES has room for. */
enum { WATCH_FAILURES_KEPT = 16384 };

/* A socket: its address in the kernel may be another's later, together with its inode it is not. */
struct watch_socket {
    uint64_t sock; /* 0: the descriptor is no socket, or is not open */
    uint64_t inode;
};

/*
 * A value of WATCH_FAILURES: the first failed bind() of a socket that no bind() has bound since, or
 * the failed listen() of one that is bound.
 */
struct watch_failure {
    uint64_t since; /* when the first one failed, as `time` below */
    uint64_t time;  /* when the last one failed */
    int32_t error;
    uint32_t tries;
    uint32_t length;   /* of `asked`; 0 for listen() */
    uint8_t asked[28]; /* the size of struct sockaddr_in6: only internet sockets can be swallowed */
};

/* The only value of WATCH_COUNTS, with the key 0. */
struct watch_counts {
    uint64_t lost;      /* records for which the ring had no room */
    uint64_t forgotten; /* calls and failures that found no room in their map */
    uint64_t failures;  /* that were written to WATCH_FAILURES */
};

enum watch_kind {
    WATCH_BIND_FAILED,
    WATCH_RECOVERED, /* a bind() worked, of whatever address, whose socket is in WATCH_FAILURES */
    WATCH_LISTEN_FAILED,
    WATCH_LISTEN_RECOVERED, /* a listen() worked on a bound socket on which it had failed */
    WATCH_SWALLOWED,        /* an unbound socket that is in WATCH_FAILURES listens */
};

/* A record of the ring. The socket's facts are as the kernel has them when the call returns. */
struct watch_record {
    uint64_t time; /* CLOCK_MONOTONIC, in nanoseconds */
    struct watch_socket socket;
    uint64_t group; /* the ID of its cgroup2 control group */
    uint64_t since; /* recovered, swallowed: when the first bind() failed */
    uint32_t kind;  /* enum watch_kind */
    int32_t error;
    uint32_t thread; /* as the first PID namespace numbers them */
    uint32_t process;
    uint32_t user; /* as the first user namespace numbers them */
    int32_t fd;
    uint32_t tries;   /* recovered, swallowed: failed binds */
    uint32_t network; /* the inode of its network namespace, as of /proc/PID/ns/net */
    uint16_t family;
    uint16_t type;
    uint16_t protocol;
    uint16_t port; /* local, in host byte order; 0: it is not bound */
    uint32_t device;
    uint8_t reuse_byte; /* the bytes of bit fields: see watch_layout.h */
    uint8_t v6only_byte;
    uint8_t zero[2];
    uint8_t ipv4[4]; /* the local address */
    uint8_t ipv6[16];
    uint32_t length; /* of `asked`; 0: it is not known */
    char program[16];
    char
        group_name[96]; /* of its control group the last part, which is told when it is gone, too */
    uint8_t asked[128]; /* what the bind() that failed was given */
};

int watch_map_create(enum watch_map map);

/* The end of a call comes first: a program there does nothing where none was at its beginning. */
enum watch_program {
    WATCH_BIND_EXIT,
    WATCH_LISTEN_EXIT,
    WATCH_BIND_ENTER,
    WATCH_LISTEN_ENTER,
    WATCH_PROGRAMS
};

/* Its tracepoint, as tracepoint_attach() takes it. */
const char *watch_program_place(enum watch_program program);

/* Loads a program on these WATCH_MAPS maps. -1 as of bpf_program_load(). */
int watch_program_load(enum watch_program program, const int *maps,
                       const struct watch_layout *layout, char **why);

#endif
