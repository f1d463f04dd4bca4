#include "guard_programs.h"

#include "btf.h"
#include "terminal/output.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Since Linux 5.12; older headers, with which this can be built, do not have them. */
#ifndef BPF_ATOMIC
#define BPF_ATOMIC 0xc0
#endif
#ifndef BPF_FETCH
#define BPF_FETCH 0x01
#endif
#ifndef BPF_CMPXCHG
#define BPF_CMPXCHG (0xf0 | BPF_FETCH)
#endif

/* Where the memory is R0, it becomes `from`; R0 is what it was. */
#define EXCHANGE_IF_R0(to, offset, from)                                                           \
    PLAIN(BPF_STX | BPF_ATOMIC | BPF_DW, to, from, offset, BPF_CMPXCHG)

/* The stack, as every program here uses it: offsets from R10. */
enum {
    PORT = -16,   /* struct guard_port */
    COOKIE = -24, /* of the socket */
    OPTION = -32, /* the value of SO_REUSEADDR; a key of GUARD_COUNTS */
    NOTED = -48,  /* struct guard_noted */
    TUPLE = -88,  /* struct bpf_sock_tuple */
};
_Static_assert(sizeof(struct guard_port) == 16 && sizeof(struct guard_noted) == 16,
               "the stack is laid out for these");

enum {
    LEAVE,
    IS_FREE,
    IPV4,
    IPV6,
    HAS_TURN,
    UNKNOWN,
    IS_KEPT,
    NO_PORT,
    NO_TURN,
    ARMED,
    FIRST,
    HAS_OPTION,
    IS_BUSY
};

/* What the macros below need in R6 is the context, in R7 a value of GUARD_PORTS, in R8 the cookie.
 */

#define ADDRESS_OF(to, offset) SET(to, R10), ADD_NUMBER(to, offset)

#define LOOK_UP(map, key)      MAP(R1, map), ADDRESS_OF(R2, key), CALL(BPF_FUNC_map_lookup_elem)

#define CALL_FOR_OPTION(function)                                                                  \
    SET(R1, R6), SET_NUMBER(R2, SOL_SOCKET), SET_NUMBER(R3, SO_REUSEADDR), ADDRESS_OF(R4, OPTION), \
        SET_NUMBER(R5, sizeof(int)), CALL(function)

#define READ_OPTION STORE64_NUMBER(R10, OPTION, 0), CALL_FOR_OPTION(BPF_FUNC_getsockopt)
#define SWITCH_OPTION(value)                                                                       \
    STORE64_NUMBER(R10, OPTION, 0), STORE32_NUMBER(R10, OPTION, value),                            \
        CALL_FOR_OPTION(BPF_FUNC_setsockopt)

/* The network namespace becomes the first half of PORT, and the socket's cookie COOKIE and R8. */
#define FIND_NETWORK SET(R1, R6), CALL(BPF_FUNC_get_netns_cookie), STORE64(R10, PORT, R0)
#define FIND_COOKIE                                                                                \
    SET(R1, R6), CALL(BPF_FUNC_get_socket_cookie), SET(R8, R0), STORE64(R10, COOKIE, R0)

/* Takes a turn that nobody has; R0 is not 0 where somebody has it. Gives it back if it is ours. */
#define TAKE(turn)                                                                                 \
    SET_NUMBER(R0, 0), SET(R1, R8), EXCHANGE_IF_R0(R7, offsetof(struct guard_noted, turn), R1)
#define GIVE_BACK(turn)                                                                            \
    SET(R0, R8), SET_NUMBER(R1, 0), EXCHANGE_IF_R0(R7, offsetof(struct guard_noted, turn), R1)

/* Gives back the turn whose value of GUARD_TURNS is in R7, and ends it. */
#define RETURN_TURN                                                                                \
    LOAD64(R1, R7, 0), STORE64(R10, PORT, R1), LOAD64(R1, R7, 8), STORE64(R10, PORT + 8, R1),      \
        LOOK_UP(GUARD_PORTS, PORT), IF_EQUAL(R0, 0, NO_PORT), SET(R7, R0), GIVE_BACK(ipv4_turn),   \
        GIVE_BACK(ipv6_turn), LABEL(NO_PORT)
#define END_TURN                                                                                   \
    RETURN_TURN, MAP(R1, GUARD_TURNS), ADDRESS_OF(R2, COOKIE), CALL(BPF_FUNC_map_delete_elem)

#define COUNT(member)                                                                              \
    STORE32_NUMBER(R10, OPTION, 0), LOOK_UP(GUARD_COUNTS, OPTION), IF_EQUAL(R0, 0, LEAVE),         \
        SET_NUMBER(R1, 1), ADD_IN_MEMORY64(R0, offsetof(struct guard_counts, member), R1)

/* All of them let everything pass: they help, and refuse nothing. */
#define PASS                  LABEL(LEAVE), SET_NUMBER(R0, 1), EXIT

#define IN_OPERATION(member)  offsetof(struct bpf_sock_ops, member)
#define IN_ADDRESS(member)    offsetof(struct bpf_sock_addr, member)
#define IN_SOCKET(member)     offsetof(struct bpf_sock, member)
#define IPV6_WORD(word)       (IN_ADDRESS(user_ip6) + (word) * sizeof(uint32_t))
#define IN_TUPLE(member)      (TUPLE + (int)offsetof(struct bpf_sock_tuple, member))
#define TUPLE_IPV6_WORD(word) (IN_TUPLE(ipv6.daddr) + (word) * (int)sizeof(uint32_t))

/*
 * A socket that sets the option itself needs nobody, and so its port is not noted. One that was
 * helped in bind() has the option on, and a turn.
 */
static const struct step listen_steps[] = {
    SET(R6, R1),
    LOAD32(R1, R6, IN_OPERATION(op)),
    IF_NOT_EQUAL(R1, BPF_SOCK_OPS_TCP_LISTEN_CB, LEAVE),
    READ_OPTION,
    IF_NOT_EQUAL(R0, 0, LEAVE),
    LOAD32(R9, R10, OPTION),
    FIND_COOKIE,
    LOOK_UP(GUARD_TURNS, COOKIE),
    IF_EQUAL(R0, 0, NO_TURN),
    SET(R7, R0),
    LOAD32(R9, R7, offsetof(struct guard_port, port)),
    END_TURN,
    LOAD32(R1, R6, IN_OPERATION(local_port)),
    IF_DIFFERENT(R1, R9, ARMED), /* that bind() had failed all the same */
    COUNT(restarted),
    GO(ARMED),
    LABEL(NO_TURN),
    IF_NOT_EQUAL(R9, 0, LEAVE),
    SWITCH_OPTION(1),
    IF_NOT_EQUAL(R0, 0, LEAVE),
    LABEL(ARMED),
    COUNT(armed),
    FIND_NETWORK,
    LOAD32(R1, R6, IN_OPERATION(local_port)),
    STORE32(R10, PORT + 8, R1),
    STORE32_NUMBER(R10, PORT + 12, 0),
    STORE64_NUMBER(R10, NOTED, 0),
    STORE64_NUMBER(R10, NOTED + 8, 0),
    MAP(R1, GUARD_PORTS),
    ADDRESS_OF(R2, PORT),
    ADDRESS_OF(R3, NOTED),
    SET_NUMBER(R4, BPF_NOEXIST),
    CALL(BPF_FUNC_map_update_elem),
    PASS,
};

/*
 * Only an unbound TCP socket without the option, on a port that is noted, as port 0 never is: R7 is
 * what is noted. One
 * that was helped to another bind() in vain has the option from that, and its turn is this port's.
 */
#define IS_TO_BE_HELPED                                                                            \
    SET(R6, R1), LOAD32(R1, R6, IN_ADDRESS(protocol)), IF_NOT_EQUAL(R1, IPPROTO_TCP, LEAVE),       \
        LOAD32(R1, R6, IN_ADDRESS(type)), IF_NOT_EQUAL(R1, SOCK_STREAM, LEAVE),                    \
        LOAD64(R1, R6, IN_ADDRESS(sk)), IF_EQUAL(R1, 0, LEAVE),                                    \
        LOAD32(R1, R1, IN_SOCKET(src_port)), IF_NOT_EQUAL(R1, 0, LEAVE), FIND_COOKIE,              \
        LOOK_UP(GUARD_TURNS, COOKIE), IF_EQUAL(R0, 0, NO_TURN), SET(R7, R0), RETURN_TURN,          \
        LABEL(NO_TURN), LOAD32(R1, R6, IN_ADDRESS(user_port)), TO_BIG_ENDIAN(R1, 16),              \
        STORE32(R10, PORT + 8, R1), STORE32_NUMBER(R10, PORT + 12, 0), FIND_NETWORK,               \
        LOOK_UP(GUARD_TURNS, COOKIE), IF_EQUAL(R0, 0, FIRST), LOAD64(R1, R10, PORT + 8),           \
        STORE64(R0, 8, R1), GO(HAS_OPTION), LABEL(FIRST), READ_OPTION, IF_NOT_EQUAL(R0, 0, LEAVE), \
        LOAD32(R1, R10, OPTION), IF_NOT_EQUAL(R1, 0, LEAVE), LABEL(HAS_OPTION),                    \
        LOOK_UP(GUARD_PORTS, PORT), IF_EQUAL(R0, 0, LEAVE), SET(R7, R0)

/* Where somebody listens at the address of TUPLE, the kernel refuses in any case. */
#define NOBODY_LISTENS(family)                                                                     \
    LOAD32(R1, R6, IN_ADDRESS(user_port)), STORE16(R10, IN_TUPLE(family.dport), R1),               \
        SET_NUMBER(R1, 0), STORE16(R10, IN_TUPLE(family.sport), R1), SET(R1, R6),                  \
        ADDRESS_OF(R2, TUPLE), SET_NUMBER(R3, sizeof((struct bpf_sock_tuple *)0)->family),         \
        SET_NUMBER(R4, BPF_F_CURRENT_NETNS), SET_NUMBER(R5, 0), CALL(BPF_FUNC_sk_lookup_tcp),      \
        IF_EQUAL(R0, 0, IS_FREE), SET(R1, R0), CALL(BPF_FUNC_sk_release), GO(LEAVE),               \
        LABEL(IS_FREE)

#define HELP                                                                                       \
    MAP(R1, GUARD_TURNS), ADDRESS_OF(R2, COOKIE), ADDRESS_OF(R3, PORT), SET_NUMBER(R4, BPF_ANY),   \
        CALL(BPF_FUNC_map_update_elem), IF_EQUAL(R0, 0, IS_KEPT), GIVE_BACK(ipv4_turn),            \
        GIVE_BACK(ipv6_turn), GO(LEAVE), LABEL(IS_KEPT), SWITCH_OPTION(1), GO(LEAVE),              \
        LABEL(IS_BUSY), SWITCH_OPTION(0)

static const struct step bind4_steps[] = {
    IS_TO_BE_HELPED,
    LOAD32(R1, R6, IN_ADDRESS(user_ip4)),
    STORE32(R10, IN_TUPLE(ipv4.daddr), R1),
    STORE32_NUMBER(R10, IN_TUPLE(ipv4.saddr), 0),
    NOBODY_LISTENS(ipv4),
    TAKE(ipv4_turn),
    IF_NOT_EQUAL(R0, 0, IS_BUSY),
    HELP,
    PASS,
};

/* Whether IPV6_V6ONLY is set; UNKNOWN where it cannot be seen. */
enum { V6ONLY_PLACE, V6ONLY_MASK, PARAMETERS };
#define IF_IPV6_ONLY(label)                                                                        \
    LOAD64(R1, R6, IN_ADDRESS(sk)), IF_EQUAL(R1, 0, LEAVE), CALL(BPF_FUNC_skc_to_tcp6_sock),       \
        IF_EQUAL(R0, 0, UNKNOWN), STORE64_NUMBER(R10, OPTION, 0), ADDRESS_OF(R1, OPTION),          \
        SET_NUMBER(R2, 1), SET(R3, R0), ADD_PARAMETER(R3, V6ONLY_PLACE),                           \
        CALL(BPF_FUNC_probe_read_kernel), LOAD8(R1, R10, OPTION), SET_PARAMETER(R2, V6ONLY_MASK),  \
        AND(R1, R2), IF_NOT_EQUAL(R1, 0, label)

/*
 * An IPv4 address as an IPv6 one takes IPv4's turn. The address of all is of both families, and
 * takes both turns, or of IPv6 alone.
 */
static const struct step bind6_steps[] = {
    IS_TO_BE_HELPED,
    LOAD32(R1, R6, IPV6_WORD(0)),
    STORE32(R10, TUPLE_IPV6_WORD(0), R1),
    LOAD32(R1, R6, IPV6_WORD(1)),
    STORE32(R10, TUPLE_IPV6_WORD(1), R1),
    LOAD32(R1, R6, IPV6_WORD(2)),
    STORE32(R10, TUPLE_IPV6_WORD(2), R1),
    LOAD32(R1, R6, IPV6_WORD(3)),
    STORE32(R10, TUPLE_IPV6_WORD(3), R1),
    STORE32_NUMBER(R10, IN_TUPLE(ipv6.saddr), 0),
    STORE32_NUMBER(R10, IN_TUPLE(ipv6.saddr) + 4, 0),
    STORE32_NUMBER(R10, IN_TUPLE(ipv6.saddr) + 8, 0),
    STORE32_NUMBER(R10, IN_TUPLE(ipv6.saddr) + 12, 0),
    NOBODY_LISTENS(ipv6),
    LOAD32(R1, R10, TUPLE_IPV6_WORD(0)),
    LOAD32(R2, R10, TUPLE_IPV6_WORD(1)),
    OR(R1, R2),
    IF_NOT_EQUAL(R1, 0, IPV6),
    LOAD32(R1, R10, TUPLE_IPV6_WORD(2)),
    TO_BIG_ENDIAN(R1, 32),
    SET_NUMBER(R9, false),
    IF_EQUAL(R1, 0xffff, IPV4),
    LOAD32(R2, R10, TUPLE_IPV6_WORD(3)),
    OR(R1, R2),
    IF_NOT_EQUAL(R1, 0, IPV6),
    IF_IPV6_ONLY(IPV6),
    LABEL(UNKNOWN),
    SET_NUMBER(R9, true),
    LABEL(IPV4),
    TAKE(ipv4_turn),
    IF_NOT_EQUAL(R0, 0, IS_BUSY),
    IF_EQUAL(R9, false, HAS_TURN),
    LABEL(IPV6),
    TAKE(ipv6_turn),
    IF_EQUAL(R0, 0, HAS_TURN),
    GIVE_BACK(ipv4_turn), /* where it is ours */
    GO(IS_BUSY),
    LABEL(HAS_TURN),
    HELP,
    PASS,
};

static const struct step close_steps[] = {
    SET(R6, R1),
    LOAD32(R1, R6, IN_SOCKET(protocol)),
    IF_NOT_EQUAL(R1, IPPROTO_TCP, LEAVE),
    FIND_COOKIE,
    LOOK_UP(GUARD_TURNS, COOKIE),
    IF_EQUAL(R0, 0, LEAVE),
    SET(R7, R0),
    END_TURN,
    PASS,
};

/*
 * Of the ports, the least used are forgotten first, such as those of network namespaces that are
 * gone; each processor may keep places in reserve, which must not be all that there are. A turn is
 * never forgotten: nobody would give it back. Where there are too many, no more are given.
 */
static struct map shape(enum guard_map map)
{
    enum { PORTS = 4096, TURNS = 1024, IN_RESERVE = 256 };
    const uint32_t reserve = (uint32_t)sysconf(_SC_NPROCESSORS_CONF) * IN_RESERVE;
    switch (map) {
    case GUARD_PORTS:
        return (struct map){.name = "guard_ports",
                            .type = BPF_MAP_TYPE_LRU_HASH,
                            .key_size = sizeof(struct guard_port),
                            .value_size = sizeof(struct guard_noted),
                            .entries = PORTS + reserve};
    case GUARD_TURNS:
        return (struct map){.name = "guard_turns",
                            .type = BPF_MAP_TYPE_HASH,
                            .key_size = sizeof(uint64_t),
                            .value_size = sizeof(struct guard_port),
                            .entries = TURNS};
    default:
        return (struct map){.name = "guard_counts",
                            .type = BPF_MAP_TYPE_ARRAY,
                            .key_size = sizeof(uint32_t),
                            .value_size = sizeof(struct guard_counts),
                            .entries = 1};
    }
}

int guard_map_create(enum guard_map map)
{
    const struct map wanted = shape(map);
    return bpf_map_create(&wanted);
}

bool guard_map_fits(enum guard_map map, int map_fd)
{
    const struct map wanted = shape(map);
    struct bpf_map_info info = {0};
    return bpf_describe(map_fd, &info, sizeof info) && info.type == wanted.type &&
           info.key_size == wanted.key_size && info.value_size == wanted.value_size;
}

static const struct {
    enum bpf_prog_type type;
    enum bpf_attach_type place;
    struct bpf_program program;
} programs[GUARD_PROGRAMS] = {
    [GUARD_LISTEN] = {BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS,
                      PROGRAM("guard_listen", listen_steps)},
    [GUARD_BIND4] = {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND,
                     PROGRAM("guard_bind4", bind4_steps)},
    [GUARD_BIND6] = {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_BIND,
                     PROGRAM("guard_bind6", bind6_steps)},
    [GUARD_CLOSE] = {BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_RELEASE,
                     PROGRAM("guard_close", close_steps)},
};

const char *guard_program_name(enum guard_program program)
{
    return programs[program].program.name;
}

enum bpf_attach_type guard_program_place(enum guard_program program)
{
    return programs[program].place;
}

char *guard_programs_at(int group_fd, enum guard_program program)
{
    enum { MOST = 64 }; /* as the kernel: BPF_CGROUP_MAX_PROGS */
    uint32_t ids[MOST];
    uint32_t count = MOST;
    char *names = NULL;
    if (!bpf_cgroup_programs(group_fd, guard_program_place(program), ids, &count) || count < 2) {
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct bpf_prog_info info = {0};
        const int fd = bpf_program_open(ids[i]);
        const bool is_known = fd >= 0 && bpf_describe(fd, &info, sizeof info) && info.name[0] != 0;
        char *longer =
            output_format("%s%s%.*s", names != NULL ? names : "", names != NULL ? ", " : "",
                          (int)sizeof info.name, is_known ? info.name : "(without a name)");
        free(names);
        names = longer;
        if (fd >= 0) {
            close(fd);
        }
    }
    return names;
}

/* Where the kernel has IPV6_V6ONLY of a socket, by its own description. False without one. */
static bool find_v6only(int32_t parameters[PARAMETERS])
{
    struct btf btf;
    struct btf_place common;
    struct btf_place v6only;
    if (!btf_load(&btf)) {
        return false;
    }
    const bool found = btf_find(&btf, "sock", "__sk_common", &common) &&
                       btf_find(&btf, "sock_common", "skc_ipv6only", &v6only);
    if (found) {
        parameters[V6ONLY_PLACE] = (int32_t)(common.offset + v6only.offset);
        parameters[V6ONLY_MASK] = btf_mask(&v6only);
    }
    btf_free(&btf);
    return found;
}

/* The steps of bind6, without the look at the socket. */
static void make_blind(struct step steps[])
{
    static const struct step look = CALL(BPF_FUNC_skc_to_tcp6_sock);
    static const struct step nothing = SET_NUMBER(R0, 0);
    memcpy(steps, bind6_steps, sizeof bind6_steps);
    for (size_t i = 0; i < sizeof bind6_steps / sizeof bind6_steps[0]; i++) {
        if (steps[i].code == look.code && steps[i].number == look.number) {
            steps[i] = nothing;
        }
    }
}

int guard_program_load(enum guard_program program, const int *maps, char **why)
{
    int32_t parameters[PARAMETERS] = {0};
    struct step blind_steps[sizeof bind6_steps / sizeof bind6_steps[0]];
    struct bpf_program wanted = programs[program].program;
    if (program == GUARD_BIND6 && !find_v6only(parameters)) {
        make_blind(blind_steps);
        wanted.steps = blind_steps;
    }
    const struct names names = {.maps = maps,
                                .map_count = GUARD_MAPS,
                                .parameters = parameters,
                                .parameter_count = PARAMETERS};
    return bpf_program_load(programs[program].type, programs[program].place, &wanted, &names, why);
}
