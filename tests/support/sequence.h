/*
 * Random sequences of socket calls, as data. The test generates them, sequence_host makes the calls
 * and writes down what came of each, once without and once with the shim, and the test compares.
 *
 * A sequence says what to do, not with which numbers: descriptors, ports and names are its own
 * first, second and third, so that it means the same in every run and beside every other sequence.
 *
 * Every second sequence is that of two processes, whose calls take turns as chance has it. They
 * share their descriptors, so that one can look at all sockets, and nothing else: each has a shim
 * of its own.
 */
#ifndef LIBREUSE_TESTS_SEQUENCE_H
#define LIBREUSE_TESTS_SEQUENCE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* IPPROTO_MPTCP, which the headers of older C libraries do not have. */
#define SEQUENCE_MPTCP 262

enum {
    MAX_OPERATIONS = 32,
    SLOTS = 16, /* descriptors that a sequence may create */
    OWN_PORTS = 3,
    FIRST_PORT = 1100, /* below the range from which the kernel takes ports for port 0 */
    MAX_SEQUENCES = 256,
    MAX_HOLDERS = 40,
    LONGEST_NAME = 32,
};

enum call {
    CALL_SOCKET, /* numbers: domain, type, protocol; SOCK_NONBLOCK is added */
    CALL_BIND,
    CALL_LISTEN, /* numbers: backlog */
    CALL_CONNECT,
    CALL_ACCEPT,
    CALL_CLOSE,
    CALL_SHUTDOWN,   /* numbers: how */
    CALL_SETSOCKOPT, /* numbers: level, option, value; SO_LINGER is on, for so many seconds */
    CALL_GETSOCKOPT, /* numbers: level, option */
    CALL_GETSOCKNAME,
    CALL_DUP,
    CALLS
};

/* What a call is made on: slot 0 to SLOTS - 1, or something that is not a socket. */
enum descriptor {
    DESCRIPTOR_MINUS_ONE = SLOTS,
    DESCRIPTOR_CLOSED,
    DESCRIPTOR_PIPE,
    DESCRIPTOR_DEV_NULL,
    DESCRIPTOR_INT_MAX,
    DESCRIPTOR_INT_MIN,
    DESCRIPTORS
};

enum address {
    ADDRESS_INET_ANY,
    ADDRESS_INET_LOOPBACK,
    ADDRESS_INET_SECOND_LOOPBACK, /* 127.0.0.2 */
    ADDRESS_INET_FOREIGN,         /* of no interface: 192.0.2.1 */
    ADDRESS_INET6_ANY,
    ADDRESS_INET6_LOOPBACK,
    ADDRESS_INET6_MAPPED_ANY, /* ::ffff:0.0.0.0 */
    ADDRESS_INET6_MAPPED_LOOPBACK,
    ADDRESS_INET6_FOREIGN, /* 2001:db8::1 */
    ADDRESS_UNSPEC_ANY,    /* AF_UNSPEC: bind() takes it for AF_INET, connect() disconnects */
    ADDRESS_UNIX_ABSTRACT,
    ADDRESS_UNIX_PATH,
    ADDRESS_UNIX_UNNAMED, /* the family alone: the kernel picks a name */
    ADDRESS_NETLINK,
    ADDRESS_UNKNOWN_FAMILY,
    ADDRESSES
};

/*
 * Port 0 to OWN_PORTS - 1 of the sequence, or one of these. AF_UNIX names are numbered by it too. A
 * connect() for which chance would decide who accepts it goes to port 0 instead.
 */
enum port { PORT_ZERO = OWN_PORTS, PORT_OF_PEER /* on which the slot `peer` listens */, PORTS };

enum length {
    LENGTH_RIGHT,
    LENGTH_0,
    LENGTH_1,
    LENGTH_2,
    LENGTH_ONE_LESS,
    LENGTH_INET,          /* sizeof(struct sockaddr_in), too little for IPv6 */
    LENGTH_INET6_RFC2133, /* without a scope: the least that the kernel takes for IPv6 */
    LENGTH_128,           /* sizeof(struct sockaddr_storage), the most that the kernel copies */
    LENGTH_129,
    LENGTH_MINUS_ONE,
    LENGTH_INT_MAX,
    LENGTH_INT_MIN,
    LENGTHS
};

enum pointer {
    POINTER_GOOD,
    POINTER_UNALIGNED,
    POINTER_READ_ONLY,
    POINTER_AT_THE_END, /* the byte after a right length is not mapped */
    POINTER_STRADDLING, /* the last bytes of a right length are not mapped */
    POINTER_NULL,
    POINTER_UNMAPPED,
    POINTER_KERNEL, /* an address that no process has */
    POINTERS
};

struct operation {
    uint8_t call;
    uint8_t process;    /* 0 or 1: which of the two that share the descriptors makes the call */
    uint8_t descriptor; /* enum descriptor */
    uint8_t result;     /* slot for the new descriptor of socket(), accept(), dup() */
    uint8_t address;
    uint8_t port;
    uint8_t peer;
    uint8_t length;
    uint8_t pointer;
    int32_t numbers[3];
};

/* No operation to explain. */
#define EXPLAIN_NOTHING (-1)

struct sequence {
    uint64_t seed;   /* it is generated from */
    uint32_t number; /* among all of its network: decides its ports and names */
    uint32_t length;
    int32_t explained; /* the operation before which the holders of its port are written down */
    struct operation operations[MAX_OPERATIONS];
};

/* errno before every call: a call that succeeds must leave it. */
#define ERRNO_BEFORE 4242

/* Stands for a port or a name that the kernel has picked at random. */
#define PICKED_PORT 0xFFFF
#define PICKED_NAME "(picked)"

/* A socket from outside. Options that the socket does not have are the negated errno. */
struct state {
    int32_t name_length; /* of getsockname(), or the negated errno */
    int32_t type;
    int32_t reuse_address;
    int32_t reuse_port;
    int32_t only_ipv6;
    int32_t listening; /* SO_ACCEPTCONN */
    int32_t tcp_state; /* TCP_ESTABLISHED and so on */
    int32_t backlog;   /* of a listener: as the kernel keeps it */
    int32_t queued;    /* of a listener: connections that wait for accept() */
    int32_t file_flags;
    int32_t descriptor_flags;
    int32_t ready;  /* poll(2) */
    int32_t unread; /* FIONREAD */
    int32_t pending_error;
    uint8_t name[LONGEST_NAME];
};

/* Who has had a say in the SO_REUSEADDR of a TCP socket. */
enum {
    HISTORY_LISTENED = 1,         /* a listen() on it has succeeded */
    HISTORY_ACCEPTED = 2,         /* it came from accept() */
    HISTORY_PROGRAM = 4,          /* the program has set the option since */
    HISTORY_BOUND_WITH_REUSE = 8, /* a bind() succeeded while the program had switched it on */
};

struct outcome {
    int32_t made; /* whether the call has returned */
    int32_t result;
    int32_t error;
    int32_t value;   /* of getsockopt() */
    int32_t history; /* of the socket, after the call */
    int32_t is_open; /* whether `state` is that of an open descriptor */
    struct state state;
};

/* Somebody on the port that an operation asks for, just before it. */
struct holder {
    int32_t slot; /* -1: no descriptor of the host's */
    int32_t family;
    int32_t only_ipv6;
    int32_t tcp_state;
    int32_t listening;
    int32_t reuse_address; /* -1: cannot be seen from outside */
    int32_t reuse_port;
    int32_t history;
    uint8_t host[16]; /* the address, 4 or 16 bytes of it */
};

struct record {
    uint64_t nanoseconds; /* how long the sequence took */
    struct outcome outcomes[MAX_OPERATIONS];
    struct outcome last[SLOTS]; /* every slot at the end: only history, is_open, state */
    int32_t next_descriptor;    /* the lowest that is free when all is closed */
    uint32_t holder_count;
    struct holder holders[MAX_HOLDERS];
};

/* One run of sequence_host: its descriptor 0 is a file that holds this. */
struct batch {
    uint32_t count;
    uint32_t done;              /* sequences that the host has finished */
    uint32_t remembers_binding; /* kernel_remembers_binding() of the host, without the shim */
    struct sequence sequences[MAX_SEQUENCES];
    struct record records[MAX_SEQUENCES];
};

/*
 * The seed of the sequence number `index` of a run with this seed. The first sequence's is the seed
 * of the run, so that every sequence can be had alone.
 */
uint64_t sequence_seed(uint64_t seed, uint64_t index);

/* Fills the sequence, except for its number, from the seed. */
void sequence_generate(struct sequence *sequence, uint64_t seed);

/* The operation as a line of C, as far as C has words for it. */
void sequence_describe(const struct operation *operation, char *text, size_t size);

/* "EADDRINUSE"; "errno 7" for one that no sequence is expected to meet. The text is static. */
const char *sequence_error_name(int error);

/* "listen". */
const char *sequence_call_name(enum call call);

#endif
