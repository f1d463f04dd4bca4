#include "next.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Old kernels of i386 and s390x know the socket calls only by numbers behind socketcall(2). */
#ifdef SYS_socketcall
enum { SOCKETCALL_BIND = 2, SOCKETCALL_LISTEN = 4 };
#endif

static int kernel_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
#ifdef SYS_socketcall
    unsigned long arguments[] = {(unsigned long)fd, (unsigned long)addr, (unsigned long)len};
    return (int)syscall(SYS_socketcall, SOCKETCALL_BIND, arguments);
#else
    return (int)syscall(SYS_bind, fd, addr, len);
#endif
}

static int kernel_listen(int fd, int backlog)
{
#ifdef SYS_socketcall
    unsigned long arguments[] = {(unsigned long)fd, (unsigned long)backlog};
    return (int)syscall(SYS_socketcall, SOCKETCALL_LISTEN, arguments);
#else
    return (int)syscall(SYS_listen, fd, backlog);
#endif
}

/* dlsym() returns an object pointer where POSIX wants a function's; a union converts. */
union function {
    void *object;
    int (*bind)(int, const struct sockaddr *, socklen_t);
    int (*listen)(int, int);
};

/* Null until resolved. Threads that resolve at the same time store the same value. */
static void *_Atomic found_bind;
static void *_Atomic found_listen;

/*
 * RTLD_NEXT means "after the object that contains the caller", which the loader learns from the
 * return address: dlsym() must never become a tail call. Here work remains to be done after it.
 */
static void *resolve(void *_Atomic *found, const char *name, union function fallback)
{
    void *next = dlsym(RTLD_NEXT, name);
    if (next == NULL) {
        next = fallback.object;
    }
    atomic_store_explicit(found, next, memory_order_relaxed);
    return next;
}

static void *resolve_bind(void)
{
    return resolve(&found_bind, "bind", (union function){.bind = kernel_bind});
}

static void *resolve_listen(void)
{
    return resolve(&found_listen, "listen", (union function){.listen = kernel_listen});
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
