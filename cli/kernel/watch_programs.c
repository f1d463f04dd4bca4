#include "watch_programs.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A value of WATCH_CALLS: what a thread that is in bind() or listen() has asked. */
struct call {
    struct watch_socket socket;
    uint64_t address; /* bind: of the sockaddr, in the program's memory */
    uint32_t length;
    int32_t fd;
    uint32_t port; /* that it was bound to before the call */
    uint32_t zero;
};

_Static_assert(sizeof(struct watch_socket) == 16 && sizeof(struct call) == 40 &&
                   sizeof(struct watch_failure) == 56,
               "the stack is laid out for these");

/* The stack, as every program here uses it: offsets from R10. */
enum {
    THREAD = -8,    /* a key of WATCH_CALLS */
    WORD = -16,     /* what was read last */
    ZERO = -20,     /* a key of WATCH_COUNTS */
    KIND = -24,     /* enum watch_kind */
    ASKED = -64,    /* struct call, whose beginning is a key of WATCH_FAILURES */
    FAILURE = -120, /* struct watch_failure */
};

enum {
    LEAVE,
    NO_SOCKET,
    NEW,
    KNOWN,
    TOO_LONG,
    IS_CUT,
    KEPT,
    COUNTED,
    WORKED,
    EMIT,
    HAS_ROOM,
    HAD_ASKED
};

/* What the macros below need: R6 is the context, R8 the call's result, R9 the record. */

#define ADDRESS_OF(to, offset) SET(to, R10), ADD_NUMBER(to, offset)
#define IN_RECORD(to, member)  SET(to, R9), ADD_NUMBER(to, RECORD(member))
#define LOOK_UP(map, key)      MAP(R1, map), ADDRESS_OF(R2, key), CALL(BPF_FUNC_map_lookup_elem)
#define DELETE(map, key)       MAP(R1, map), ADDRESS_OF(R2, key), CALL(BPF_FUNC_map_delete_elem)
#define UPDATE(map, key, value)                                                                    \
    MAP(R1, map), ADDRESS_OF(R2, key), ADDRESS_OF(R3, value), SET_NUMBER(R4, BPF_ANY),             \
        CALL(BPF_FUNC_map_update_elem)

#define SIZE(member)   sizeof(((struct watch_record *)0)->member)
#define RECORD(member) (int)offsetof(struct watch_record, member)
#define CALLED(member) (ASKED + (int)offsetof(struct call, member))
#define HAD(member)    (FAILURE + (int)offsetof(struct watch_failure, member))

/* The context of a system call's tracepoint, as `format` in its folder says for 64-bit kernels. */
#define ARGUMENT(number) (16 + 8 * (number))
#define RESULT           16

/* Reads the kernel's memory at a place in the structure `from`, R6 to R9; nothing reads as zeros.
 */
#define READ(size, from, place)                                                                    \
    SET(R3, from), ADD_PARAMETER(R3, place), SET_NUMBER(R2, size), CALL(BPF_FUNC_probe_read_kernel)
#define READ_TO_STACK(offset, size, from, place) ADDRESS_OF(R1, offset), READ(size, from, place)
#define READ_FACT(member, from, place)           IN_RECORD(R1, member), READ(SIZE(member), from, place)
#define FOLLOW(pointer, place)                   READ_TO_STACK(WORD, 8, pointer, place), LOAD64(pointer, R10, WORD)

#define COUNT(counter)                                                                             \
    STORE32_NUMBER(R10, ZERO, 0), LOOK_UP(WATCH_COUNTS, ZERO), IF_EQUAL(R0, 0, LEAVE),             \
        SET_NUMBER(R1, 1), ADD_IN_MEMORY64(R0, offsetof(struct watch_counts, counter), R1)

#define BEGIN                                                                                      \
    SET(R6, R1), CALL(BPF_FUNC_get_current_pid_tgid), STORE64(R10, THREAD, R0),                    \
        STORE64_NUMBER(R10, WORD, 0), STORE64_NUMBER(R10, CALLED(socket.sock), 0),                 \
        STORE64_NUMBER(R10, CALLED(socket.inode), 0), STORE64_NUMBER(R10, CALLED(address), 0),     \
        STORE32_NUMBER(R10, CALLED(length), 0), STORE64_NUMBER(R10, CALLED(port), 0),              \
        LOAD64(R7, R6, ARGUMENT(0)), STORE32(R10, CALLED(fd), R7)

/* R7 becomes the socket behind the descriptor: current->files->fdt->fd[fd]->private_data->sk. */
#define FIND_SOCKET                                                                                \
    LOAD32(R7, R10, CALLED(fd)), CALL(BPF_FUNC_get_current_task), SET(R8, R0),                     \
        FOLLOW(R8, TASK_FILES), FOLLOW(R8, FILES_TABLE), READ_TO_STACK(WORD, 4, R8, TABLE_SIZE),   \
        LOAD32(R1, R10, WORD), IF_NOT_BELOW_REGISTER(R7, R1, NO_SOCKET), FOLLOW(R8, TABLE_FILES),  \
        SHIFT_LEFT(R7, 3), ADD(R7, R8), ADDRESS_OF(R1, WORD), SET_NUMBER(R2, 8), SET(R3, R7),      \
        CALL(BPF_FUNC_probe_read_kernel), LOAD64(R7, R10, WORD), SET(R8, R7),                      \
        FOLLOW(R8, FILE_INODE), READ_TO_STACK(WORD, 2, R8, INODE_MODE), LOAD16(R1, R10, WORD),     \
        AND_NUMBER(R1, S_IFMT), IF_NOT_EQUAL(R1, S_IFSOCK, NO_SOCKET), FOLLOW(R7, FILE_PRIVATE),   \
        FOLLOW(R7, SOCKET_SOCK), STORE64(R10, CALLED(socket.sock), R7),                            \
        READ_TO_STACK(CALLED(socket.inode), 8, R8, INODE_NUMBER)

#define KEEP_CALL                                                                                  \
    LABEL(NO_SOCKET), UPDATE(WATCH_CALLS, THREAD, ASKED), IF_EQUAL(R0, 0, LEAVE), COUNT(forgotten)

#define END LABEL(LEAVE), SET_NUMBER(R0, 0), EXIT

static const struct step bind_enter_steps[] = {
    BEGIN,
    LOAD64(R1, R6, ARGUMENT(1)),
    STORE64(R10, CALLED(address), R1),
    LOAD64(R1, R6, ARGUMENT(2)),
    STORE32(R10, CALLED(length), R1),
    FIND_SOCKET,
    KEEP_CALL,
    END,
};

static const struct step listen_enter_steps[] = {
    BEGIN, FIND_SOCKET, READ_TO_STACK(CALLED(port), 2, R7, SOCK_PORT), KEEP_CALL, END,
};

#define COPY_WORD(word) LOAD64(R1, R0, 8 * (word)), STORE64(R10, ASKED + 8 * (word), R1)

/* Takes the thread's call, which ends; FAILURE is empty but for the error of this one. */
#define END_CALL                                                                                   \
    SET(R6, R1), CALL(BPF_FUNC_get_current_pid_tgid), STORE64(R10, THREAD, R0),                    \
        LOOK_UP(WATCH_CALLS, THREAD), IF_EQUAL(R0, 0, LEAVE), COPY_WORD(0), COPY_WORD(1),          \
        COPY_WORD(2), COPY_WORD(3), COPY_WORD(4), DELETE(WATCH_CALLS, THREAD),                     \
        LOAD64(R8, R6, RESULT), STORE64_NUMBER(R10, FAILURE, 0),                                   \
        STORE64_NUMBER(R10, FAILURE + 8, 0), STORE64_NUMBER(R10, FAILURE + 16, 0),                 \
        STORE64_NUMBER(R10, FAILURE + 24, 0), STORE64_NUMBER(R10, FAILURE + 32, 0),                \
        STORE64_NUMBER(R10, FAILURE + 40, 0), STORE64_NUMBER(R10, FAILURE + 48, 0),                \
        SET_NUMBER(R1, 0), SUBTRACT(R1, R8), STORE32(R10, HAD(error), R1)

/* Begins a record of what is known of the call; R7 is the socket. */
#define BEGIN_RECORD                                                                               \
    LABEL(EMIT), MAP(R1, WATCH_RING), SET_NUMBER(R2, sizeof(struct watch_record)),                 \
        SET_NUMBER(R3, 0), CALL(BPF_FUNC_ringbuf_reserve), IF_NOT_EQUAL(R0, 0, HAS_ROOM),          \
        COUNT(lost), GO(LEAVE), LABEL(HAS_ROOM), SET(R9, R0), CALL(BPF_FUNC_ktime_get_ns),         \
        STORE64(R9, RECORD(time), R0), CALL(BPF_FUNC_get_current_cgroup_id),                       \
        STORE64(R9, RECORD(group), R0), CALL(BPF_FUNC_get_current_uid_gid),                        \
        STORE32(R9, RECORD(user), R0), LOAD64(R1, R10, THREAD), STORE32(R9, RECORD(thread), R1),   \
        SHIFT_RIGHT(R1, 32), STORE32(R9, RECORD(process), R1), IN_RECORD(R1, program),             \
        SET_NUMBER(R2, SIZE(program)), CALL(BPF_FUNC_get_current_comm), LOAD32(R1, R10, KIND),     \
        STORE32(R9, RECORD(kind), R1), LOAD64(R1, R10, HAD(since)),                                \
        STORE64(R9, RECORD(since), R1), LOAD32(R1, R10, HAD(error)),                               \
        STORE32(R9, RECORD(error), R1), LOAD32(R1, R10, HAD(tries)),                               \
        STORE32(R9, RECORD(tries), R1), LOAD32(R1, R10, CALLED(fd)), STORE32(R9, RECORD(fd), R1),  \
        LOAD64(R7, R10, CALLED(socket.sock)), STORE64(R9, RECORD(socket.sock), R7),                \
        LOAD64(R1, R10, CALLED(socket.inode)), STORE64(R9, RECORD(socket.inode), R1),              \
        STORE32_NUMBER(R9, RECORD(length), 0)

/* Adds what else is known of the task and the socket, and gives the record away. */
#define END_RECORD                                                                                 \
    CALL(BPF_FUNC_get_current_task), SET(R8, R0), FOLLOW(R8, TASK_GROUPS),                         \
        FOLLOW(R8, GROUPS_OURS), FOLLOW(R8, GROUP_NODE), FOLLOW(R8, NODE_NAME), SET(R3, R8),       \
        SET_NUMBER(R2, SIZE(group_name)), IN_RECORD(R1, group_name),                               \
        CALL(BPF_FUNC_probe_read_kernel_str), READ_FACT(family, R7, SOCK_FAMILY),                  \
        READ_FACT(type, R7, SOCK_TYPE), READ_FACT(protocol, R7, SOCK_PROTOCOL),                    \
        READ_FACT(port, R7, SOCK_PORT), READ_FACT(device, R7, SOCK_DEVICE),                        \
        READ_FACT(reuse_byte, R7, SOCK_REUSE), READ_FACT(v6only_byte, R7, SOCK_V6ONLY),            \
        READ_FACT(ipv4, R7, SOCK_IPV4), READ_FACT(ipv6, R7, SOCK_IPV6), FOLLOW(R7, SOCK_NETWORK),  \
        READ_FACT(network, R7, NETWORK_NUMBER), SET(R1, R9), SET_NUMBER(R2, 0),                    \
        CALL(BPF_FUNC_ringbuf_submit)

#define COPY_FAILURE_WORD(word) LOAD64(R1, R0, 8 * (word)), STORE64(R10, FAILURE + 8 * (word), R1)
#define COPY_ASKED_WORD(word)                                                                      \
    LOAD32(R1, R10, HAD(asked) + 4 * (word)), STORE32(R9, RECORD(asked) + 4 * (word), R1)

/* FAILURE becomes the value in R0. */
#define COPY_FAILURE                                                                               \
    COPY_FAILURE_WORD(0), COPY_FAILURE_WORD(1), COPY_FAILURE_WORD(2), COPY_FAILURE_WORD(3),        \
        COPY_FAILURE_WORD(4), COPY_FAILURE_WORD(5), COPY_FAILURE_WORD(6)

/* The record's address becomes that of FAILURE. */
#define COPY_ASKED                                                                                 \
    LOAD32(R1, R10, HAD(length)), STORE32(R9, RECORD(length), R1), COPY_ASKED_WORD(0),             \
        COPY_ASKED_WORD(1), COPY_ASKED_WORD(2), COPY_ASKED_WORD(3), COPY_ASKED_WORD(4),            \
        COPY_ASKED_WORD(5), COPY_ASKED_WORD(6)

/* Which failed, or which works after others on the same socket have failed. */
static const struct step bind_exit_steps[] = {
    END_CALL,
    LOAD64(R7, R10, CALLED(socket.sock)),
    IF_EQUAL(R8, 0, WORKED),
    STORE32_NUMBER(R10, KIND, WATCH_BIND_FAILED),
    IF_EQUAL(R7, 0, KEPT),
    CALL(BPF_FUNC_ktime_get_ns),
    STORE64(R10, HAD(time), R0),
    LOOK_UP(WATCH_FAILURES, ASKED),
    IF_EQUAL(R0, 0, NEW),
    LOAD64(R1, R10, HAD(time)), /* what it was asked to have first stays */
    STORE64(R0, offsetof(struct watch_failure, time), R1),
    LOAD32(R1, R0, offsetof(struct watch_failure, tries)),
    ADD_NUMBER(R1, 1),
    STORE32(R0, offsetof(struct watch_failure, tries), R1),
    STORE32(R10, HAD(tries), R1),
    GO(KEPT),
    LABEL(NEW),
    LOAD64(R1, R10, HAD(time)),
    STORE64(R10, HAD(since), R1),
    STORE32_NUMBER(R10, HAD(tries), 1),
    LOAD32(R2, R10, CALLED(length)),
    IF_ABOVE(R2, sizeof(struct sockaddr_in6), TOO_LONG),
    GO(IS_CUT),
    LABEL(TOO_LONG),
    SET_NUMBER(R2, sizeof(struct sockaddr_in6)),
    LABEL(IS_CUT),
    STORE32(R10, HAD(length), R2),
    ADDRESS_OF(R1, HAD(asked)),
    LOAD64(R3, R10, CALLED(address)),
    CALL(BPF_FUNC_probe_read_user),
    UPDATE(WATCH_FAILURES, ASKED, FAILURE),
    IF_EQUAL(R0, 0, COUNTED),
    COUNT(forgotten),
    LABEL(COUNTED),
    COUNT(failures),
    LABEL(KEPT),
    GO(EMIT),
    LABEL(WORKED),
    IF_EQUAL(R7, 0, LEAVE),
    LOOK_UP(WATCH_FAILURES, ASKED),
    IF_EQUAL(R0, 0, LEAVE),
    COPY_FAILURE,
    DELETE(WATCH_FAILURES, ASKED),
    STORE32_NUMBER(R10, KIND, WATCH_RECOVERED),
    BEGIN_RECORD,
    LOAD32(R1, R10, KIND),
    IF_EQUAL(R1, WATCH_RECOVERED, HAD_ASKED),
    LOAD32(R2, R10, CALLED(length)),
    IF_ABOVE(R2, SIZE(asked), KNOWN),
    STORE32(R9, RECORD(length), R2),
    IN_RECORD(R1, asked),
    LOAD64(R3, R10, CALLED(address)),
    CALL(BPF_FUNC_probe_read_user),
    IF_EQUAL(R0, 0, KNOWN),
    STORE32_NUMBER(R9, RECORD(length), 0),
    GO(KNOWN),
    LABEL(HAD_ASKED),
    COPY_ASKED,
    LABEL(KNOWN),
    END_RECORD,
    END,
};

/*
 * Which failed, or works after that, or which the kernel had to choose a port for although one was
 * asked for.
 */
static const struct step listen_exit_steps[] = {
    END_CALL,
    LOAD32(R9, R10, CALLED(port)),
    IF_EQUAL(R8, 0, WORKED),
    STORE32_NUMBER(R10, KIND, WATCH_LISTEN_FAILED),
    IF_EQUAL(R9, 0, KEPT),
    CALL(BPF_FUNC_ktime_get_ns),
    STORE64(R10, HAD(time), R0),
    STORE64(R10, HAD(since), R0),
    STORE32_NUMBER(R10, HAD(tries), 1),
    UPDATE(WATCH_FAILURES, ASKED, FAILURE),
    COUNT(failures),
    LABEL(KEPT),
    GO(EMIT),
    LABEL(WORKED),
    LOOK_UP(WATCH_FAILURES, ASKED),
    IF_EQUAL(R0, 0, LEAVE),
    COPY_FAILURE,
    DELETE(WATCH_FAILURES, ASKED),
    STORE32_NUMBER(R10, KIND, WATCH_SWALLOWED),
    IF_EQUAL(R9, 0, KNOWN),
    STORE32_NUMBER(R10, KIND, WATCH_LISTEN_RECOVERED),
    LOAD32(R1, R10, HAD(length)),
    IF_NOT_EQUAL(R1, 0, LEAVE), /* a second bind() of a bound socket, which says nothing */
    LABEL(KNOWN),
    BEGIN_RECORD,
    COPY_ASKED,
    END_RECORD,
    END,
};

/*
 * Plain hash maps: one that forgets what is least used would forget what is needed. The calls end
 * by themselves; of the failures, those of sockets that are closed unbound stay until there are
 * too many, and then the oldest go: watcher.c.
 */
static struct map shape(enum watch_map map)
{
    enum { CALLS = 4096 };
    switch (map) {
    case WATCH_CALLS:
        return (struct map){.name = "watch_calls",
                            .type = BPF_MAP_TYPE_HASH,
                            .key_size = sizeof(uint64_t),
                            .value_size = sizeof(struct call),
                            .entries = CALLS};
    case WATCH_FAILURES:
        return (struct map){.name = "watch_failures",
                            .type = BPF_MAP_TYPE_HASH,
                            .key_size = sizeof(struct watch_socket),
                            .value_size = sizeof(struct watch_failure),
                            .entries = WATCH_FAILURES_KEPT};
    case WATCH_COUNTS:
        return (struct map){.name = "watch_counts",
                            .type = BPF_MAP_TYPE_ARRAY,
                            .key_size = sizeof(uint32_t),
                            .value_size = sizeof(struct watch_counts),
                            .entries = 1};
    default:
        return (struct map){
            .name = "watch_ring", .type = BPF_MAP_TYPE_RINGBUF, .entries = WATCH_RING_SIZE};
    }
}

int watch_map_create(enum watch_map map)
{
    const struct map wanted = shape(map);
    return bpf_map_create(&wanted);
}

static const struct {
    const char *place;
    struct bpf_program program;
} programs[WATCH_PROGRAMS] = {
    [WATCH_BIND_EXIT] = {"syscalls/sys_exit_bind", PROGRAM("watch_bind_exit", bind_exit_steps)},
    [WATCH_LISTEN_EXIT] = {"syscalls/sys_exit_listen",
                           PROGRAM("watch_lis_exit", listen_exit_steps)},
    [WATCH_BIND_ENTER] = {"syscalls/sys_enter_bind", PROGRAM("watch_bind", bind_enter_steps)},
    [WATCH_LISTEN_ENTER] = {"syscalls/sys_enter_listen",
                            PROGRAM("watch_listen", listen_enter_steps)},
};

const char *watch_program_place(enum watch_program program)
{
    return programs[program].place;
}

int watch_program_load(enum watch_program program, const int *maps,
                       const struct watch_layout *layout, char **why)
{
    const struct names names = {.maps = maps,
                                .map_count = WATCH_MAPS,
                                .parameters = layout->places,
                                .parameter_count = WATCH_PLACES};
    return bpf_program_load(BPF_PROG_TYPE_TRACEPOINT, 0, &programs[program].program, &names, why);
}
