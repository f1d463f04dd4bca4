/*
 * The table of failed binds, with PLACES places and DESCRIPTORS descriptors (tests/prove/run makes
 * it so small). Each call is made once in every state that the table can be in: which socket has
 * which place, which places somebody else is at work on, and what the kernel says of each
 * descriptor, or refuses to say. As each call keeps what can be of the table, so does every
 * sequence of calls. What two threads do at the very same time is not followed here
 * (tests/unit/failures.c).
 */
#include "prove.h"

#include "rule/failures.c"

enum { NONE = FAILURES };

/* What the kernel knows: which socket each descriptor is, FREE where it is none. */
static uint64_t sockets[DESCRIPTORS];
static bool has_cookies;

static uint64_t socket_of(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS ? sockets[fd] : FREE;
}

bool kernel_get_option(int fd, int level, int name, void *value, socklen_t *length)
{
    MUST(level == SOL_SOCKET && name == SO_COOKIE && *length == sizeof(uint64_t));
    if (!has_cookies || socket_of(fd) == FREE) {
        return false;
    }
    *(uint64_t *)value = socket_of(fd);
    return true;
}

bool kernel_file(int fd, struct kernel_file *file)
{
    *file = (struct kernel_file){.mode = S_IFSOCK, .inode = socket_of(fd)};
    return socket_of(fd) != FREE;
}

bool kernel_hold_signals(struct kernel_signals *before)
{
    (void)before;
    return nondet_bool();
}

void kernel_release_signals(const struct kernel_signals *before)
{
    (void)before;
}

int64_t kernel_milliseconds(void)
{
    return nondet_signed();
}

bool address_is_what_was_asked(const struct address *address, const struct address *asked)
{
    MUST(address != NULL && asked != NULL);
    return nondet_bool();
}

static bool is_taken(uint64_t socket)
{
    return socket != FREE && socket != BUSY;
}

static unsigned int count_taken(void)
{
    unsigned int count = 0;
    for (size_t i = 0; i < FAILURES; i++) {
        count += is_taken(places[i].socket);
    }
    return count;
}

/* How many places others are at work on now; of these, some count as remembered. */
static unsigned int count_busy(void)
{
    unsigned int count = 0;
    for (size_t i = 0; i < FAILURES; i++) {
        count += places[i].socket == BUSY;
    }
    return count;
}

/* No socket has two places, and the number that are remembered is right: what each call keeps. */
static bool is_sound(void)
{
    for (size_t i = 0; i < FAILURES; i++) {
        for (size_t other = 0; other < i; other++) {
            if (is_taken(places[i].socket) && places[i].socket == places[other].socket) {
                return false;
            }
        }
    }
    return remembered >= count_taken() && remembered <= count_taken() + count_busy();
}

static size_t place_of(uint64_t socket)
{
    for (size_t i = 0; i < FAILURES; i++) {
        if (is_taken(socket) && places[i].socket == socket) {
            return i;
        }
    }
    return NONE;
}

static void any_state(void)
{
    has_cookies = nondet_bool();
    for (size_t i = 0; i < FAILURES; i++) {
        places[i].socket = nondet_number();
        places[i].fd = nondet_int();
        places[i].failure.error = nondet_int();
        places[i].failure.tries = nondet_unsigned();
        places[i].failure.since = nondet_signed();
        places[i].failure.asked.length = nondet_unsigned();
    }
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        sockets[fd] = nondet_number();
        GIVEN(sockets[fd] != BUSY); /* the kernel counts them up from 1 */
    }
    remembered = nondet_unsigned();
    next_victim = nondet_unsigned();
    questions_in_vain = nondet_unsigned();
    GIVEN(is_sound());
}

void prove_remember(void)
{
    const int fd = nondet_int();
    struct address asked = {.length = nondet_unsigned()};
    any_state();
    const uint64_t socket = socket_of(fd);
    const uint64_t another = nondet_number();
    const size_t before = place_of(socket);
    const size_t of_another = place_of(another);
    const bool has_room = place_of(FREE) != NONE || count_taken() + count_busy() < FAILURES;
    const bool all_busy = count_busy() == FAILURES;
    const struct failure old = places[before != NONE ? before : 0].failure;
    failures_remember(fd, &asked, nondet_int());
    MUST(is_sound());
    const size_t after = place_of(socket);
    MUST((after != NONE) == (socket != FREE && !all_busy));
    if (after != NONE) {
        const struct failure *now = &places[after].failure;
        MUST(places[after].fd == fd);
        MUST(before == NONE ? now->tries == 1 : now->tries == old.tries + 1);
        MUST(before == NONE || (after == before && now->since == old.since));
        MUST(failures_any());
    }
    /* nobody else loses a place, unless there was none left */
    MUST(of_another == NONE || place_of(another) == of_another ||
         (!has_room && before == NONE && another != socket));
}

void prove_recall(void)
{
    const int fd = nondet_int();
    struct failure failure;
    any_state();
    const size_t before = place_of(socket_of(fd));
    const struct failure old = places[before != NONE ? before : 0].failure;
    const bool found = failures_recall(fd, &failure);
    MUST(is_sound());
    MUST(found == (before != NONE));
    if (found) {
        MUST(place_of(socket_of(fd)) == before);
        MUST(failure.error == old.error && failure.tries == old.tries);
        MUST(failure.since == old.since && failure.asked.length == old.asked.length);
    }
}

void prove_take(void)
{
    const int fd = nondet_int();
    struct failure failure;
    any_state();
    const unsigned int count = remembered;
    const size_t before = place_of(socket_of(fd));
    const bool found = failures_take(fd, &failure);
    MUST(is_sound());
    MUST(found == (before != NONE));
    MUST(place_of(socket_of(fd)) == NONE);
    MUST(!found || remembered == count - 1);
}

/* A question about another socket: only what is closed is forgotten. */
void prove_forget(void)
{
    const int fd = nondet_int();
    const int open = nondet_int();
    struct failure failure;
    any_state();
    const uint64_t socket = socket_of(open);
    const size_t before = place_of(socket);
    GIVEN(socket != socket_of(fd));
    failures_recall(fd, &failure);
    MUST(is_sound());
    MUST(place_of(socket) == before);
}
