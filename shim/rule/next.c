#include "next.h"

#include "guest/kernel_sockets.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>

/* dlsym() returns an object pointer where POSIX wants a function's; a union converts. */
union function {
    void *object;
    int (*bind)(int, const struct sockaddr *, socklen_t);
    int (*listen)(int, int);
};

/* Null until resolved. Threads that resolve at the same time store the same value. */
static void *_Atomic found_bind;
static void *_Atomic found_listen;

/* This copy's functions; there are none in the command. */
extern int own_bind(int, const struct sockaddr *, socklen_t) __attribute__((weak));
extern int own_listen(int, int) __attribute__((weak));

/*
 * A preload that replaces dlsym() makes it look for what comes next to itself: that may be the
 * shim.
 *
 * RTLD_NEXT means "after the object that contains the caller", which the loader learns from the
 * return address: dlsym() must never become a tail call. Here work remains to be done after it.
 */
static void *resolve(void *_Atomic *found, const char *name, union function own,
                     union function fallback)
{
    void *next = dlsym(RTLD_NEXT, name);
    if (next == NULL || next == own.object) {
        next = fallback.object;
    }
    atomic_store_explicit(found, next, memory_order_relaxed);
    return next;
}

static void *resolve_bind(void)
{
    return resolve(&found_bind, "bind", (union function){.bind = own_bind},
                   (union function){.bind = kernel_bind});
}

static void *resolve_listen(void)
{
    return resolve(&found_listen, "listen", (union function){.listen = own_listen},
                   (union function){.listen = kernel_listen});
}

/*
 * The loader gives all copies the exported object of the first. It is volatile, so that no compiler
 * takes it for this copy's own.
 */
static const char this_copy;
extern const void *const volatile libreuse_first_copy;
__attribute__((visibility("default"))) const void *const volatile libreuse_first_copy = &this_copy;

bool next_is_first_copy(void)
{
    return libreuse_first_copy == &this_copy;
}

void next_resolve(void)
{
    resolve_bind();
    resolve_listen();
}

int next_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    union function next = {.object = atomic_load_explicit(&found_bind, memory_order_relaxed)};
    if (next.object == NULL) {
        next.object = resolve_bind();
    }
    return next.bind(fd, addr, len);
}

int next_listen(int fd, int backlog)
{
    union function next = {.object = atomic_load_explicit(&found_listen, memory_order_relaxed)};
    if (next.object == NULL) {
        next.object = resolve_listen();
    }
    return next.listen(fd, backlog);
}
