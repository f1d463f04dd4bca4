#include "sequence.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* ---- chance ------------------------------------------------------------------------------ */

/* SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), and the step of its state. */
#define GOLDEN_GAMMA 0x9E3779B97F4A7C15ULL

static uint64_t mix(uint64_t number)
{
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9ULL;
    number = (number ^ (number >> 27)) * 0x94D049BB133111EBULL;
    return number ^ (number >> 31);
}

uint64_t sequence_seed(uint64_t seed, uint64_t index)
{
    return index == 0 ? seed : mix(seed + index * GOLDEN_GAMMA);
}

struct weighted {
    int value;
    unsigned int weight;
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What the generator believes of a slot. It is often wrong: calls fail. */
struct belief {
    bool open;
    bool bound;
    bool listening;
    bool connected;
    int domain;
    int type;
    uint8_t address;
    uint8_t port;
};

enum flavour { FLAVOUR_TCP, FLAVOUR_MIXED, FLAVOUR_MPTCP, FLAVOUR_UNIX };

struct generator {
    uint64_t random;
    struct sequence *sequence;
    uint32_t wanted; /* length */
    enum flavour flavour;
    uint8_t slots; /* used so far */
    struct belief beliefs[SLOTS];
};

static uint64_t next_random(struct generator *generator)
{
    generator->random += GOLDEN_GAMMA;
    return mix(generator->random);
}

static uint32_t below(struct generator *generator, uint32_t limit)
{
    return (uint32_t)((next_random(generator) >> 32) * limit >> 32);
}

static bool chance(struct generator *generator, uint32_t percent)
{
    return below(generator, 100) < percent;
}

static int pick(struct generator *generator, const struct weighted *choices, size_t count)
{
    uint32_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += choices[i].weight;
    }
    uint32_t drawn = below(generator, total);
    size_t i = 0;
    while (drawn >= choices[i].weight) {
        drawn -= choices[i++].weight;
    }
    return choices[i].value;
}

#define PICK(generator, choices) pick(generator, choices, COUNT(choices))

/* ---- arguments --------------------------------------------------------------------------- */

static uint8_t any_port(struct generator *generator)
{
    static const struct weighted ports[] = {{0, 62}, {1, 20}, {2, 10}, {PORT_ZERO, 8}};
    return (uint8_t)PICK(generator, ports);
}

static uint8_t any_address(struct generator *generator, int domain)
{
    static const struct weighted inet[] = {
        {ADDRESS_INET_ANY, 42},     {ADDRESS_INET_LOOPBACK, 40}, {ADDRESS_INET_SECOND_LOOPBACK, 8},
        {ADDRESS_INET_FOREIGN, 3},  {ADDRESS_UNSPEC_ANY, 4},     {ADDRESS_INET6_ANY, 2},
        {ADDRESS_UNKNOWN_FAMILY, 1}};
    static const struct weighted inet6[] = {
        {ADDRESS_INET6_ANY, 45},       {ADDRESS_INET6_LOOPBACK, 25},
        {ADDRESS_INET6_MAPPED_ANY, 6}, {ADDRESS_INET6_MAPPED_LOOPBACK, 15},
        {ADDRESS_INET6_FOREIGN, 3},    {ADDRESS_INET_LOOPBACK, 3},
        {ADDRESS_UNSPEC_ANY, 2},       {ADDRESS_UNKNOWN_FAMILY, 1}};
    static const struct weighted local[] = {{ADDRESS_UNIX_ABSTRACT, 45},
                                            {ADDRESS_UNIX_PATH, 35},
                                            {ADDRESS_UNIX_UNNAMED, 15},
                                            {ADDRESS_INET_ANY, 5}};
    switch (domain) {
    case AF_INET:
        return (uint8_t)PICK(generator, inet);
    case AF_INET6:
        return (uint8_t)PICK(generator, inet6);
    case AF_UNIX:
        return (uint8_t)PICK(generator, local);
    default:
        return chance(generator, 80) ? ADDRESS_NETLINK : (uint8_t)below(generator, ADDRESSES);
    }
}

static int any_backlog(struct generator *generator)
{
    static const struct weighted backlogs[] = {{16, 30}, {128, 30},     {-1, 10},
                                               {0, 6},   {INT_MAX, 10}, {INT_MIN, 4}};
    return PICK(generator, backlogs);
}

static uint8_t not_a_socket(struct generator *generator)
{
    return (uint8_t)(SLOTS + below(generator, DESCRIPTORS - SLOTS));
}

/* ---- operations -------------------------------------------------------------------------- */

static bool is_full(const struct generator *generator)
{
    return generator->sequence->length >= generator->wanted;
}

/* A part of the operations is made wrong, wherever they come from. */
static void disturb(struct generator *generator, struct operation *operation)
{
    static const struct weighted parts[] = {
        {offsetof(struct operation, descriptor), 2}, {offsetof(struct operation, address), 2},
        {offsetof(struct operation, port), 2},       {offsetof(struct operation, length), 5},
        {offsetof(struct operation, pointer), 5},
    };
    switch (PICK(generator, parts)) {
    case offsetof(struct operation, descriptor):
        /* Closing the host's own pipe would do harm. */
        operation->descriptor =
            operation->call == CALL_CLOSE ? DESCRIPTOR_CLOSED : not_a_socket(generator);
        break;
    case offsetof(struct operation, address):
        operation->address = (uint8_t)below(generator, ADDRESSES);
        break;
    case offsetof(struct operation, port):
        operation->port = any_port(generator);
        break;
    case offsetof(struct operation, length):
        operation->length = (uint8_t)below(generator, LENGTHS);
        break;
    default:
        operation->pointer = (uint8_t)below(generator, POINTERS);
        break;
    }
}

static void emit(struct generator *generator, struct operation operation)
{
    enum { DISTURBED_PERCENT = 7 };
    if (is_full(generator)) {
        return;
    }
    if (operation.call != CALL_SOCKET && chance(generator, DISTURBED_PERCENT)) {
        disturb(generator, &operation);
    }
    generator->sequence->operations[generator->sequence->length++] = operation;
}

/* SLOTS when there is none left. */
static uint8_t new_slot(struct generator *generator)
{
    return generator->slots < SLOTS ? generator->slots++ : SLOTS;
}

static uint8_t emit_socket(struct generator *generator, int domain, int type, int protocol)
{
    uint8_t slot = new_slot(generator);
    if (slot < SLOTS) {
        generator->beliefs[slot] = (struct belief){.open = true, .domain = domain, .type = type};
        emit(generator, (struct operation){.call = CALL_SOCKET,
                                           .result = slot,
                                           .numbers = {domain, type, protocol}});
    }
    return slot;
}

static void emit_bind(struct generator *generator, uint8_t slot, uint8_t address, uint8_t port)
{
    struct belief *belief = &generator->beliefs[slot];
    belief->bound = true;
    belief->address = address;
    belief->port = port;
    emit(generator, (struct operation){
                        .call = CALL_BIND, .descriptor = slot, .address = address, .port = port});
}

static void emit_listen(struct generator *generator, uint8_t slot)
{
    generator->beliefs[slot].listening = true;
    emit(generator, (struct operation){.call = CALL_LISTEN,
                                       .descriptor = slot,
                                       .numbers = {any_backlog(generator)}});
}

static void emit_accept(struct generator *generator, uint8_t listener)
{
    uint8_t slot = new_slot(generator);
    if (slot < SLOTS) {
        generator->beliefs[slot] = generator->beliefs[listener];
        generator->beliefs[slot].listening = false;
        generator->beliefs[slot].connected = true;
        emit(generator,
             (struct operation){.call = CALL_ACCEPT, .descriptor = listener, .result = slot});
    }
}

static void emit_connect(struct generator *generator, uint8_t slot, uint8_t address, uint8_t port,
                         uint8_t peer)
{
    generator->beliefs[slot].connected = true;
    emit(generator, (struct operation){.call = CALL_CONNECT,
                                       .descriptor = slot,
                                       .address = address,
                                       .port = port,
                                       .peer = peer});
}

static void emit_close(struct generator *generator, uint8_t slot)
{
    generator->beliefs[slot].open = false;
    emit(generator, (struct operation){.call = CALL_CLOSE, .descriptor = slot});
}

static void emit_shutdown(struct generator *generator, uint8_t slot)
{
    emit(generator, (struct operation){.call = CALL_SHUTDOWN,
                                       .descriptor = slot,
                                       .numbers = {(int32_t)below(generator, 4)}});
}

static void emit_setsockopt(struct generator *generator, uint8_t slot)
{
    static const int32_t options[][3] = {
        {SOL_SOCKET, SO_REUSEADDR, 1},  {SOL_SOCKET, SO_REUSEADDR, 0},
        {SOL_SOCKET, SO_REUSEPORT, 1},  {SOL_SOCKET, SO_REUSEPORT, 0},
        {IPPROTO_IPV6, IPV6_V6ONLY, 1}, {IPPROTO_IPV6, IPV6_V6ONLY, 0},
        {SOL_SOCKET, SO_LINGER, 0}};
    static const struct weighted choices[] = {{0, 32}, {1, 28}, {2, 10}, {3, 5},
                                              {4, 8},  {5, 5},  {6, 12}};
    const int32_t *chosen = options[PICK(generator, choices)];
    emit(generator, (struct operation){.call = CALL_SETSOCKOPT,
                                       .descriptor = slot,
                                       .numbers = {chosen[0], chosen[1], chosen[2]}});
}

static void emit_getsockopt(struct generator *generator, uint8_t slot)
{
    static const struct weighted options[] = {{SO_REUSEADDR, 40},  {SO_ERROR, 25},
                                              {SO_ACCEPTCONN, 10}, {SO_PROTOCOL, 10},
                                              {SO_DOMAIN, 5},      {SO_REUSEPORT, 10}};
    emit(generator, (struct operation){.call = CALL_GETSOCKOPT,
                                       .descriptor = slot,
                                       .numbers = {SOL_SOCKET, PICK(generator, options)}});
}

static void emit_dup(struct generator *generator, uint8_t original)
{
    uint8_t slot = new_slot(generator);
    if (slot < SLOTS) {
        generator->beliefs[slot] = generator->beliefs[original];
        emit(generator,
             (struct operation){.call = CALL_DUP, .descriptor = original, .result = slot});
    }
}

/* ---- scenes: what programs do ------------------------------------------------------------ */

static uint8_t open_any_socket(struct generator *generator)
{
    static const int kinds[][3] = {{AF_INET, SOCK_STREAM, 0},
                                   {AF_INET6, SOCK_STREAM, 0},
                                   {AF_INET, SOCK_DGRAM, 0},
                                   {AF_INET6, SOCK_DGRAM, 0},
                                   {AF_INET, SOCK_RAW, IPPROTO_TCP},
                                   {AF_INET6, SOCK_RAW, IPPROTO_TCP},
                                   {AF_INET, SOCK_RAW, IPPROTO_UDP},
                                   {AF_UNIX, SOCK_STREAM, 0},
                                   {AF_UNIX, SOCK_DGRAM, 0},
                                   {AF_UNIX, SOCK_SEQPACKET, 0},
                                   {AF_NETLINK, SOCK_RAW, 0},
                                   {AF_INET, SOCK_STREAM, SEQUENCE_MPTCP},
                                   {AF_INET6, SOCK_STREAM, SEQUENCE_MPTCP},
                                   {AF_INET, SOCK_STREAM, IPPROTO_TCP},
                                   {AF_INET, SOCK_STREAM, IPPROTO_UDP}};
    static const struct weighted tcp[] = {{0, 55}, {1, 32}, {13, 4}, {2, 4},
                                          {3, 2},  {4, 2},  {7, 1}};
    static const struct weighted mixed[] = {{0, 5}, {1, 4}, {2, 5}, {3, 4}, {4, 3},  {5, 1},
                                            {6, 1}, {7, 2}, {8, 1}, {9, 1}, {10, 1}, {14, 1}};
    static const struct weighted mptcp[] = {{11, 45}, {12, 25}, {0, 20}, {1, 10}};
    static const struct weighted local[] = {{7, 45}, {8, 25}, {9, 25}, {0, 5}};
    const int *kind = kinds[0];
    switch (generator->flavour) {
    case FLAVOUR_TCP:
        kind = kinds[PICK(generator, tcp)];
        break;
    case FLAVOUR_MIXED:
        kind = kinds[PICK(generator, mixed)];
        break;
    case FLAVOUR_MPTCP:
        kind = kinds[PICK(generator, mptcp)];
        break;
    case FLAVOUR_UNIX:
        kind = kinds[PICK(generator, local)];
        break;
    }
    return emit_socket(generator, kind[0], kind[1], kind[2]);
}

static void bind_and_listen(struct generator *generator, uint8_t slot, uint8_t address,
                            uint8_t port)
{
    if (chance(generator, 18)) {
        emit_setsockopt(generator, slot);
    }
    emit_bind(generator, slot, address, port);
    if (chance(generator, 12)) {
        emit_setsockopt(generator, slot);
    }
    if (chance(generator, 78)) {
        emit_listen(generator, slot);
    }
}

static void start_server(struct generator *generator)
{
    uint8_t slot = open_any_socket(generator);
    if (slot < SLOTS) {
        bind_and_listen(generator, slot, any_address(generator, generator->beliefs[slot].domain),
                        any_port(generator));
    }
}

enum trait { TRAIT_OPEN, TRAIT_BOUND, TRAIT_LISTENING, TRAIT_CONNECTED };

static bool has(const struct belief *belief, enum trait trait)
{
    switch (trait) {
    case TRAIT_BOUND:
        return belief->open && belief->bound;
    case TRAIT_LISTENING:
        return belief->open && belief->listening;
    case TRAIT_CONNECTED:
        return belief->open && belief->connected;
    default:
        return belief->open;
    }
}

/* A slot that is believed to have the trait; SLOTS when there is none. */
static uint8_t any_with(struct generator *generator, enum trait trait)
{
    uint8_t found[SLOTS];
    uint32_t count = 0;
    for (uint8_t slot = 0; slot < generator->slots; slot++) {
        if (has(&generator->beliefs[slot], trait)) {
            found[count++] = slot;
        }
    }
    return count == 0 ? SLOTS : found[below(generator, count)];
}

/* An address under which a socket of this domain may reach the listener. */
static uint8_t address_towards(struct generator *generator, int domain, uint8_t listener)
{
    if (domain == AF_INET) {
        return listener == ADDRESS_INET_SECOND_LOOPBACK ? ADDRESS_INET_SECOND_LOOPBACK
                                                        : ADDRESS_INET_LOOPBACK;
    }
    if (domain == AF_INET6) {
        return listener == ADDRESS_INET6_LOOPBACK ||
                       (listener == ADDRESS_INET6_ANY && chance(generator, 60))
                   ? ADDRESS_INET6_LOOPBACK
                   : ADDRESS_INET6_MAPPED_LOOPBACK;
    }
    return listener;
}

static void connect_to_server(struct generator *generator)
{
    uint8_t listener = any_with(generator, TRAIT_LISTENING);
    if (listener == SLOTS) {
        start_server(generator);
        return;
    }
    const struct belief *server = &generator->beliefs[listener];
    int domain = server->domain == AF_INET && chance(generator, 10) ? AF_INET6 : server->domain;
    uint8_t client = emit_socket(generator, domain, server->type, 0);
    if (client == SLOTS) {
        return;
    }
    if (chance(generator, 20)) {
        emit_bind(generator, client, any_address(generator, domain), any_port(generator));
    }
    bool by_peer = server->port == PORT_ZERO || !server->bound;
    emit_connect(generator, client, address_towards(generator, domain, server->address),
                 by_peer && domain != AF_UNIX ? PORT_OF_PEER : server->port, listener);
    if (chance(generator, 80)) {
        emit_accept(generator, listener);
    }
}

static void hang_up(struct generator *generator)
{
    uint8_t slot = any_with(generator, TRAIT_CONNECTED);
    if (slot == SLOTS) {
        connect_to_server(generator);
        return;
    }
    uint32_t drawn = below(generator, 100);
    if (drawn < 12) {
        emit(generator, (struct operation){.call = CALL_SETSOCKOPT,
                                           .descriptor = slot,
                                           .numbers = {SOL_SOCKET, SO_LINGER, 0}});
    } else if (drawn < 30) {
        emit_shutdown(generator, slot);
    } else if (drawn < 36) {
        emit_connect(generator, slot, ADDRESS_UNSPEC_ANY, PORT_ZERO, 0);
        return;
    }
    if (chance(generator, 85)) {
        emit_close(generator, slot);
    }
}

/* The next start of a server, mostly after it has been stopped. */
static void restart_server(struct generator *generator)
{
    uint8_t old = any_with(generator, TRAIT_BOUND);
    if (old == SLOTS) {
        start_server(generator);
        return;
    }
    struct belief server = generator->beliefs[old];
    if (chance(generator, 75)) {
        emit_close(generator, old);
    } else if (chance(generator, 50)) {
        emit_shutdown(generator, old);
    }
    uint8_t slot = chance(generator, 85) ? emit_socket(generator, server.domain, server.type, 0)
                                         : open_any_socket(generator);
    if (slot < SLOTS) {
        bool same = chance(generator, 70);
        bind_and_listen(generator, slot,
                        same ? server.address
                             : any_address(generator, generator->beliefs[slot].domain),
                        server.port);
    }
}

static void emit_reuse(struct generator *generator, uint8_t slot, int32_t value)
{
    emit(generator,
         (struct operation){
             .call = CALL_SETSOCKOPT,
             .descriptor = slot,
             .numbers = {SOL_SOCKET, chance(generator, 85) ? SO_REUSEADDR : SO_REUSEPORT, value}});
}

/* Two sockets on one port, as SO_REUSEADDR allows until one listens: then listen() refuses. */
static void share_port(struct generator *generator)
{
    const uint8_t port = any_port(generator);
    const int domain = chance(generator, 65) ? AF_INET : AF_INET6;
    const uint8_t address = any_address(generator, domain);
    uint8_t slots[2];
    for (size_t i = 0; i < COUNT(slots); i++) {
        slots[i] = emit_socket(generator, domain, SOCK_STREAM, 0);
        if (slots[i] == SLOTS) {
            return;
        }
        emit_reuse(generator, slots[i], 1);
        emit_bind(generator, slots[i], address, port);
    }
    for (size_t i = 0; i < COUNT(slots); i++) {
        if (chance(generator, 40)) {
            emit_reuse(generator, slots[i], 0);
        }
        if (chance(generator, 80)) {
            emit_listen(generator, slots[i]);
        }
    }
}

static void do_anything(struct generator *generator)
{
    static const struct weighted calls[] = {
        {CALL_SOCKET, 8},     {CALL_BIND, 24},       {CALL_LISTEN, 16},  {CALL_CONNECT, 10},
        {CALL_ACCEPT, 8},     {CALL_CLOSE, 10},      {CALL_SHUTDOWN, 7}, {CALL_SETSOCKOPT, 14},
        {CALL_GETSOCKOPT, 6}, {CALL_GETSOCKNAME, 3}, {CALL_DUP, 4}};
    uint8_t slot = any_with(generator, TRAIT_OPEN);
    if (slot == SLOTS) {
        start_server(generator);
        return;
    }
    const int domain = generator->beliefs[slot].domain;
    switch (PICK(generator, calls)) {
    case CALL_SOCKET:
        open_any_socket(generator);
        break;
    case CALL_BIND:
        emit_bind(generator, slot, any_address(generator, domain), any_port(generator));
        break;
    case CALL_LISTEN:
        emit_listen(generator, slot);
        break;
    case CALL_CONNECT:
        emit_connect(generator, slot, any_address(generator, domain), any_port(generator), 0);
        break;
    case CALL_ACCEPT:
        emit_accept(generator, slot);
        break;
    case CALL_CLOSE:
        emit_close(generator, slot);
        break;
    case CALL_SHUTDOWN:
        emit_shutdown(generator, slot);
        break;
    case CALL_SETSOCKOPT:
        emit_setsockopt(generator, slot);
        break;
    case CALL_GETSOCKOPT:
        emit_getsockopt(generator, slot);
        break;
    case CALL_DUP:
        emit_dup(generator, slot);
        break;
    default:
        emit(generator, (struct operation){.call = CALL_GETSOCKNAME, .descriptor = slot});
        break;
    }
}

/* The kernel ends MPTCP connections in its own time, so that what is left of them is chance. */
static bool connects(const struct operation *operation)
{
    return operation->call == CALL_CONNECT || operation->call == CALL_ACCEPT;
}

static void leave_out_connections(struct sequence *sequence)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < sequence->length; i++) {
        if (!connects(&sequence->operations[i])) {
            sequence->operations[kept++] = sequence->operations[i];
        }
    }
    sequence->length = kept;
}

/* A socket is used by the process that made it, with few exceptions. */
static void divide_between_processes(struct generator *generator)
{
    enum { STRANGER_PERCENT = 5 };
    struct sequence *sequence = generator->sequence;
    uint8_t owners[DESCRIPTORS] = {0};
    for (uint32_t i = 0; i < sequence->length; i++) {
        struct operation *operation = &sequence->operations[i];
        const bool is_new = operation->call == CALL_SOCKET;
        const uint8_t owner = is_new ? chance(generator, 50) : owners[operation->descriptor];
        if (is_new || operation->call == CALL_ACCEPT || operation->call == CALL_DUP) {
            owners[operation->result] = owner;
        }
        operation->process = chance(generator, STRANGER_PERCENT) ? !owner : owner;
    }
}

void sequence_generate(struct sequence *sequence, uint64_t seed)
{
    enum { SHORTEST = 5, LONGEST = 26 };
    enum scene { SERVER, CONNECTION, HANGING_UP, RESTART, SHARED_PORT, ANYTHING };
    static const struct weighted flavours[] = {
        {FLAVOUR_TCP, 76}, {FLAVOUR_MIXED, 13}, {FLAVOUR_MPTCP, 5}, {FLAVOUR_UNIX, 6}};
    static const struct weighted scenes[] = {{SERVER, 12},  {CONNECTION, 22}, {HANGING_UP, 24},
                                             {RESTART, 20}, {SHARED_PORT, 5}, {ANYTHING, 26}};
    struct generator generator = {.random = seed, .sequence = sequence};
    sequence->seed = seed;
    sequence->length = 0;
    sequence->explained = EXPLAIN_NOTHING;
    generator.wanted = SHORTEST + below(&generator, LONGEST - SHORTEST);
    generator.flavour = (enum flavour)PICK(&generator, flavours);
    start_server(&generator);
    /* Without a slot left, a scene may have nothing to add: so many rounds are enough. */
    for (uint32_t round = 0; round < 2 * LONGEST && !is_full(&generator); round++) {
        switch ((enum scene)PICK(&generator, scenes)) {
        case SERVER:
            start_server(&generator);
            break;
        case CONNECTION:
            connect_to_server(&generator);
            break;
        case HANGING_UP:
            hang_up(&generator);
            break;
        case RESTART:
            restart_server(&generator);
            break;
        case SHARED_PORT:
            share_port(&generator);
            break;
        case ANYTHING:
            do_anything(&generator);
            break;
        }
    }
    if (generator.flavour == FLAVOUR_MPTCP) {
        leave_out_connections(sequence);
    }
    if (chance(&generator, 50)) {
        divide_between_processes(&generator);
    }
}

/* ---- words ------------------------------------------------------------------------------- */

struct word {
    int number;
    const char *text;
};

static const char *word_for(const struct word *words, size_t count, int number, char *fallback,
                            size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i].number == number) {
            return words[i].text;
        }
    }
    snprintf(fallback, size, "%d", number);
    return fallback;
}

#define WORD(constant)                                                                             \
    {                                                                                              \
        constant, #constant                                                                        \
    }

const char *sequence_call_name(enum call call)
{
    static const char *const names[CALLS] = {"socket",     "bind",        "listen",   "connect",
                                             "accept",     "close",       "shutdown", "setsockopt",
                                             "getsockopt", "getsockname", "dup"};
    return names[call];
}

const char *sequence_error_name(int error)
{
    static const struct word words[] = {WORD(EACCES),
                                        WORD(EADDRINUSE),
                                        WORD(EADDRNOTAVAIL),
                                        WORD(EAFNOSUPPORT),
                                        WORD(EAGAIN),
                                        WORD(EALREADY),
                                        WORD(EBADF),
                                        WORD(ECONNABORTED),
                                        WORD(ECONNREFUSED),
                                        WORD(ECONNRESET),
                                        WORD(EFAULT),
                                        WORD(EHOSTUNREACH),
                                        WORD(EINPROGRESS),
                                        WORD(EINVAL),
                                        WORD(EISCONN),
                                        WORD(ENETUNREACH),
                                        WORD(ENOENT),
                                        WORD(ENOPROTOOPT),
                                        WORD(ENOTCONN),
                                        WORD(ENOTSOCK),
                                        WORD(EOPNOTSUPP),
                                        WORD(EPERM),
                                        WORD(EPIPE),
                                        WORD(EPROTONOSUPPORT),
                                        WORD(EPROTOTYPE),
                                        WORD(ENAMETOOLONG),
                                        WORD(ENOBUFS),
                                        WORD(EPFNOSUPPORT),
                                        WORD(ESOCKTNOSUPPORT),
                                        WORD(EDESTADDRREQ),
                                        WORD(ENOTTY),
                                        WORD(EINTR),
                                        WORD(EMFILE),
                                        WORD(ENOMEM),
                                        {ERRNO_BEFORE, "unchanged"}};
    static char fallback[32];
    char number[16];
    const char *text = word_for(words, COUNT(words), error, number, sizeof number);
    if (text == number) {
        snprintf(fallback, sizeof fallback, "errno %s", number);
        return fallback;
    }
    return text;
}

static const char *descriptor_words(uint8_t descriptor, char *text, size_t size)
{
    static const struct word words[] = {
        {DESCRIPTOR_MINUS_ONE, "-1"},    {DESCRIPTOR_CLOSED, "<closed descriptor>"},
        {DESCRIPTOR_PIPE, "<pipe>"},     {DESCRIPTOR_DEV_NULL, "</dev/null>"},
        {DESCRIPTOR_INT_MAX, "INT_MAX"}, {DESCRIPTOR_INT_MIN, "INT_MIN"}};
    if (descriptor < SLOTS) {
        snprintf(text, size, "s%u", descriptor);
        return text;
    }
    return word_for(words, COUNT(words), descriptor, text, size);
}

static void describe_name(const struct operation *operation, char *text, size_t size)
{
    static const char *const hosts[ADDRESSES] = {"0.0.0.0",
                                                 "127.0.0.1",
                                                 "127.0.0.2",
                                                 "192.0.2.1",
                                                 "[::]",
                                                 "[::1]",
                                                 "[::ffff:0.0.0.0]",
                                                 "[::ffff:127.0.0.1]",
                                                 "[2001:db8::1]",
                                                 "AF_UNSPEC 0.0.0.0",
                                                 "abstract name",
                                                 "path",
                                                 "AF_UNIX",
                                                 "AF_NETLINK",
                                                 "unknown family"};
    const char *host = hosts[operation->address];
    if (operation->address == ADDRESS_UNIX_UNNAMED || operation->address == ADDRESS_NETLINK) {
        snprintf(text, size, "{%s}", host);
    } else if (operation->address == ADDRESS_UNIX_ABSTRACT ||
               operation->address == ADDRESS_UNIX_PATH) {
        snprintf(text, size, "{%s %u}", host, operation->port);
    } else if (operation->port == PORT_ZERO) {
        snprintf(text, size, "{%s port 0}", host);
    } else if (operation->port == PORT_OF_PEER) {
        snprintf(text, size, "{%s port of s%u}", host, operation->peer);
    } else {
        snprintf(text, size, "{%s port P%u}", host, operation->port);
    }
}

static void describe_address(const struct operation *operation, char *text, size_t size)
{
    static const char *const pointers[POINTERS] = {"",
                                                   " unaligned",
                                                   " in read-only memory",
                                                   " at the end of mapped memory",
                                                   " across the end of mapped memory",
                                                   NULL,
                                                   NULL,
                                                   NULL};
    static const char *const lengths[LENGTHS] = {"its size",     "0",  "1",       "2",
                                                 "its size - 1", "16", "24",      "128",
                                                 "129",          "-1", "INT_MAX", "INT_MIN"};
    char name[64] = "";
    switch (operation->pointer) {
    case POINTER_NULL:
        snprintf(name, sizeof name, "NULL");
        break;
    case POINTER_UNMAPPED:
        snprintf(name, sizeof name, "<unmapped memory>");
        break;
    case POINTER_KERNEL:
        snprintf(name, sizeof name, "<the kernel's memory>");
        break;
    default:
        describe_name(operation, name, sizeof name);
        break;
    }
    const char *where = pointers[operation->pointer];
    snprintf(text, size, "%s%s, %s", name, where == NULL ? "" : where, lengths[operation->length]);
}

static void describe_socket(const struct operation *operation, char *text, size_t size)
{
    static const struct word domains[] = {WORD(AF_INET), WORD(AF_INET6), WORD(AF_UNIX),
                                          WORD(AF_NETLINK)};
    static const struct word types[] = {WORD(SOCK_STREAM), WORD(SOCK_DGRAM), WORD(SOCK_RAW),
                                        WORD(SOCK_SEQPACKET)};
    static const struct word protocols[] = {
        WORD(IPPROTO_TCP), WORD(IPPROTO_UDP), {SEQUENCE_MPTCP, "IPPROTO_MPTCP"}};
    char numbers[3][16];
    const int32_t *given = operation->numbers;
    snprintf(text, size, "s%u = socket(%s, %s, %s)", operation->result,
             word_for(domains, COUNT(domains), given[0], numbers[0], sizeof numbers[0]),
             word_for(types, COUNT(types), given[1], numbers[1], sizeof numbers[1]),
             word_for(protocols, COUNT(protocols), given[2], numbers[2], sizeof numbers[2]));
}

static const char *option_word(const int32_t *numbers, char *text, size_t size)
{
    static const struct word words[] = {WORD(SO_REUSEADDR), WORD(SO_REUSEPORT),  WORD(SO_LINGER),
                                        WORD(SO_ERROR),     WORD(SO_ACCEPTCONN), WORD(SO_PROTOCOL),
                                        WORD(SO_DOMAIN)};
    if (numbers[0] == IPPROTO_IPV6) {
        return "IPV6_V6ONLY";
    }
    return word_for(words, COUNT(words), numbers[1], text, size);
}

static void describe_call(const struct operation *operation, char *text, size_t size)
{
    char on[32];
    char rest[160] = "";
    char number[16];
    const int32_t *numbers = operation->numbers;
    descriptor_words(operation->descriptor, on, sizeof on);
    switch (operation->call) {
    case CALL_SOCKET:
        describe_socket(operation, text, size);
        return;
    case CALL_ACCEPT:
    case CALL_DUP:
        snprintf(text, size, "s%u = %s(%s)", operation->result,
                 sequence_call_name((enum call)operation->call), on);
        return;
    case CALL_BIND:
    case CALL_CONNECT:
        rest[0] = ',';
        rest[1] = ' ';
        describe_address(operation, rest + 2, sizeof rest - 2);
        break;
    case CALL_LISTEN:
    case CALL_SHUTDOWN:
        snprintf(rest, sizeof rest, ", %d", numbers[0]);
        break;
    case CALL_SETSOCKOPT:
        snprintf(rest, sizeof rest, ", %s, %d", option_word(numbers, number, sizeof number),
                 numbers[2]);
        break;
    case CALL_GETSOCKOPT:
        snprintf(rest, sizeof rest, ", %s", option_word(numbers, number, sizeof number));
        break;
    default:
        break;
    }
    snprintf(text, size, "%s(%s%s)", sequence_call_name((enum call)operation->call), on, rest);
}

void sequence_describe(const struct operation *operation, char *text, size_t size)
{
    const int length =
        snprintf(text, size, "%s", operation->process == 0 ? "" : "[other process] ");
    describe_call(operation, text + length, size - (size_t)length);
}
