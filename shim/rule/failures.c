#include "failures.h"

#include "guest/kernel.h"
#include "guest/kernel_sockets.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

/*
 * Whoever works on a place owns it: the owner's identity is replaced by BUSY for the time, by
 * compare and exchange. Nobody waits for a busy place: to a signal handler that interrupts the
 * owner, and to another thread, the place is just not there.
 */
enum { FREE = 0 };
static const uint64_t BUSY = UINT64_MAX;

static struct place {
    _Alignas(8) _Atomic uint64_t socket; /* identity, FREE or BUSY */
    atomic_int fd;                       /* by which the socket was known last */
    struct failure failure;
} places[FAILURES];
static_assert((FAILURES & (FAILURES - 1)) == 0,
              "else the round over the victims is uneven at its end");

/*
 * Most failed sockets are closed, which nobody tells. After so many questions about other sockets
 * it is looked whether those that are remembered are still open, by the descriptor that they had or
 * by another one; what is not is forgotten, so that it does not cost a question at each bind() and
 * listen() for ever.
 */
enum { PATIENCE = 8 };
static atomic_uint questions_in_vain;

static atomic_uint remembered;  /* places with a failure; never fewer than there are */
static atomic_uint next_victim; /* the place that is given up next when all are taken */

/* A number that no other socket has, now or later; FREE where the descriptor is no socket. */
static uint64_t identity(int fd)
{
    uint64_t cookie = FREE;
    socklen_t length = sizeof cookie;
    if (kernel_get_option(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length)) {
        return cookie;
    }
    struct kernel_file file; /* an old kernel, qemu, or a filter that refuses */
    return kernel_file(fd, &file) && S_ISSOCK(file.mode) ? file.inode : FREE;
}

/* To be called with signals held: a handler that left by siglongjmp(3) would leave it busy. */
static bool own(struct place *place, uint64_t socket)
{
    return atomic_compare_exchange_strong(&place->socket, &socket, BUSY);
}

static void release(struct place *place, uint64_t socket)
{
    atomic_store(&place->socket, socket);
}

static bool holds(const struct place *place, uint64_t socket)
{
    return atomic_load_explicit(&place->socket, memory_order_relaxed) == socket;
}

static bool is_remembered(uint64_t socket)
{
    for (size_t i = 0; i < FAILURES; i++) {
        if (holds(&places[i], socket)) {
            return true;
        }
    }
    return false;
}

static struct place *own_place_of(uint64_t socket)
{
    for (size_t i = 0; i < FAILURES; i++) {
        if (holds(&places[i], socket) && own(&places[i], socket)) {
            return &places[i];
        }
    }
    return NULL;
}

/* A free place, else the next victim's. Null only where every place is busy at this moment. */
static struct place *own_place_for_another(void)
{
    struct place *place = own_place_of(FREE);
    uint64_t before = FREE;
    for (size_t i = 0; place == NULL && i < FAILURES; i++) {
        struct place *victim = &places[atomic_fetch_add(&next_victim, 1) % FAILURES];
        before = atomic_load(&victim->socket);
        if (before != BUSY && own(victim, before)) {
            place = victim;
        }
    }
    if (place != NULL && before == FREE) {
        atomic_fetch_add(&remembered, 1);
    }
    return place;
}

bool failures_any(void)
{
    return atomic_load_explicit(&remembered, memory_order_relaxed) != 0;
}

static void remember(int fd, uint64_t socket, const struct address *asked, int error)
{
    struct place *place = own_place_of(socket);
    if (place == NULL) {
        place = own_place_for_another();
        if (place == NULL) {
            return;
        }
        place->failure.asked.length = 0;
        place->failure.tries = 0;
        place->failure.since = kernel_milliseconds();
    }
    if (address_is_what_was_asked(asked, &place->failure.asked)) {
        place->failure.asked = asked->length > 0 ? *asked : place->failure.asked;
        place->failure.error = error;
    }
    place->failure.tries++;
    atomic_store(&place->fd, fd);
    release(place, socket);
}

void failures_remember(int fd, const struct address *asked, int error)
{
    const uint64_t socket = identity(fd);
    struct kernel_signals before;
    const bool held = kernel_hold_signals(&before);
    if (socket != FREE) {
        remember(fd, socket, asked, error);
    }
    if (held) {
        kernel_release_signals(&before);
    }
}

/* Whether the socket is not open by the descriptor that it was known by last. */
static bool is_elsewhere(const struct place *place, uint64_t socket)
{
    return socket != FREE && socket != BUSY && identity(atomic_load(&place->fd)) != socket;
}

/* How many descriptors are looked at: those of most programs. */
enum { DESCRIPTORS = 1024 };

/* A socket that was duplicated before its descriptor was closed is known by another one now. */
static void look_for_duplicates(void)
{
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        const uint64_t socket = identity(fd);
        for (size_t i = 0; socket != FREE && i < FAILURES; i++) {
            if (holds(&places[i], socket)) {
                atomic_store(&places[i].fd, fd);
            }
        }
    }
}

static void forget_closed(void)
{
    bool looked = false;
    for (size_t i = 0; i < FAILURES; i++) {
        const uint64_t socket = atomic_load(&places[i].socket);
        if (!looked && is_elsewhere(&places[i], socket)) {
            look_for_duplicates();
            looked = true;
        }
        if (is_elsewhere(&places[i], socket) && own(&places[i], socket)) {
            release(&places[i], FREE);
            atomic_fetch_sub(&remembered, 1);
        }
    }
}

/* Copies the failure; afterwards the place belongs to `socket`, or is free. */
static bool find(int fd, struct failure *failure, bool keep)
{
    const uint64_t socket = identity(fd);
    const bool is_in_vain = socket == FREE || !is_remembered(socket);
    if (is_in_vain && atomic_fetch_add(&questions_in_vain, 1) < PATIENCE) {
        return false;
    }
    struct kernel_signals before;
    const bool held = kernel_hold_signals(&before);
    struct place *place = is_in_vain ? NULL : own_place_of(socket);
    if (place != NULL) {
        *failure = place->failure;
        atomic_store(&place->fd, fd);
        release(place, keep ? socket : FREE);
        if (!keep) {
            atomic_fetch_sub(&remembered, 1);
        }
    }
    if (is_in_vain) {
        forget_closed();
        atomic_store(&questions_in_vain, 0);
    }
    if (held) {
        kernel_release_signals(&before);
    }
    return place != NULL;
}

bool failures_recall(int fd, struct failure *failure)
{
    return find(fd, failure, true);
}

bool failures_take(int fd, struct failure *failure)
{
    return find(fd, failure, false);
}
