#include "failures.h"

#include "kernel.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>

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
    struct failure failure;
} places[FAILURES];

static atomic_uint remembered;  /* places with a failure; never fewer than there are */
static atomic_uint next_victim; /* the place that is given up next when all are taken */

/* A number that no other socket has, now or later; FREE where the descriptor is no socket. */
static uint64_t identity(int fd)
{
    uint64_t cookie = FREE;
    socklen_t length = sizeof cookie;
    if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0) {
        return cookie;
    }
    const bool unknown = errno == ENOPROTOOPT || errno == EINVAL; /* an old kernel, or qemu */
    struct kernel_file file;
    return unknown && kernel_file(fd, &file) ? file.inode : FREE;
}

static bool own(struct place *place, uint64_t socket)
{
    return atomic_compare_exchange_strong(&place->socket, &socket, BUSY);
}

static void release(struct place *place, uint64_t socket)
{
    atomic_store(&place->socket, socket);
}

static struct place *own_place_of(uint64_t socket)
{
    for (size_t i = 0; i < FAILURES; i++) {
        if (atomic_load_explicit(&places[i].socket, memory_order_relaxed) == socket &&
            own(&places[i], socket)) {
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

void failures_remember(int fd, const struct address *asked, int error)
{
    const uint64_t socket = identity(fd);
    if (socket == FREE) {
        return;
    }
    struct place *place = own_place_of(socket);
    if (place == NULL) {
        place = own_place_for_another();
        if (place == NULL) {
            return;
        }
        place->failure.tries = 0;
        place->failure.since = kernel_milliseconds();
    }
    place->failure.asked = *asked;
    place->failure.error = error;
    place->failure.tries++;
    release(place, socket);
}

/* Copies the failure; afterwards the place belongs to `socket`, or is free. */
static bool find(int fd, struct failure *failure, bool keep)
{
    const uint64_t socket = identity(fd);
    struct place *place = socket != FREE ? own_place_of(socket) : NULL;
    if (place == NULL) {
        return false;
    }
    *failure = place->failure;
    release(place, keep ? socket : FREE);
    if (!keep) {
        atomic_fetch_sub(&remembered, 1);
    }
    return true;
}

bool failures_recall(int fd, struct failure *failure)
{
    return find(fd, failure, true);
}

bool failures_take(int fd, struct failure *failure)
{
    return find(fd, failure, false);
}
