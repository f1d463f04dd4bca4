#include "fault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

enum { MOST_ERRORS = 10 };

/* A filter may say these of any call; each call has its own besides. */
static const int any_errors[] = {EPERM, EACCES, ENOSYS, EINVAL, 0};

static const struct {
    long number;
    const char *name;
    int errors[MOST_ERRORS];
} calls[] = {
    {SYS_bind, "bind", {EADDRINUSE, EADDRNOTAVAIL, EBADF, EFAULT, ENOMEM}},
    {SYS_capget, "capget", {EFAULT, ESRCH}},
    {SYS_clock_gettime, "clock_gettime", {EFAULT}},
    {SYS_close, "close", {0}}, /* after the kernel's own errors it has closed */
    {SYS_connect, "connect", {ECONNREFUSED, ENOENT, EAGAIN, EPROTOTYPE, EINTR, ETIMEDOUT}},
    {SYS_exit_group, "exit_group", {0}},
    {SYS_fcntl, "fcntl", {EBADF, EAGAIN}},
    {SYS_fstat, "fstat", {EBADF, ENOMEM, EOVERFLOW}},
    {SYS_fstatfs, "fstatfs", {EBADF, EIO, ENOMEM}},
    {SYS_getdents64, "getdents64", {EBADF, ENOENT, ENOTDIR}},
    {SYS_getegid, "getegid", {0}},
    {SYS_geteuid, "geteuid", {0}},
    {SYS_getgid, "getgid", {0}},
    {SYS_getpid, "getpid", {0}},
    {SYS_getsockname, "getsockname", {EBADF, ENOBUFS, ENOTSOCK}},
    {SYS_getsockopt, "getsockopt", {EBADF, EFAULT, ENOPROTOOPT, ENOTSOCK}},
    {SYS_getuid, "getuid", {0}},
    {SYS_ioctl, "ioctl", {EBADF, ENODEV, ENXIO}},
    {SYS_listen, "listen", {EADDRINUSE, EBADF, EOPNOTSUPP}},
    {SYS_lseek, "lseek", {EBADF, ESPIPE}},
    {SYS_newfstatat, "newfstatat", {ENOENT, ENOMEM, ELOOP}},
    {SYS_openat, "openat", {EMFILE, ENFILE, ENOENT, ENOMEM, EINTR, ELOOP, ENXIO, EROFS}},
    {SYS_ppoll, "ppoll", {EFAULT, EINTR, ENOMEM}},
    {SYS_prctl, "prctl", {EFAULT}},
    {SYS_read, "read", {EAGAIN, EBADF, EINTR, EIO}},
    {SYS_readlinkat, "readlinkat", {EBADF, EIO, ENOENT}},
    {SYS_recvmsg, "recvmsg", {EAGAIN, EBADF, EINTR, ENOBUFS, ENOMEM}},
    {SYS_rt_sigpending, "rt_sigpending", {EFAULT}},
    {SYS_rt_sigprocmask, "rt_sigprocmask", {EFAULT}},
    {SYS_rt_sigtimedwait, "rt_sigtimedwait", {EAGAIN, EINTR}},
    {SYS_sendto, "sendto", {EAGAIN, ECONNREFUSED, EINTR, EMSGSIZE, ENOBUFS, ENOENT, EPIPE}},
    {SYS_setsockopt, "setsockopt", {EBADF, EFAULT, ENOMEM, ENOPROTOOPT, ENOTSOCK}},
    {SYS_socket, "socket", {EAFNOSUPPORT, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTONOSUPPORT}},
    {SYS_statx, "statx", {EBADF, ENOENT, ENOMEM}},
    {SYS_uname, "uname", {EFAULT}},
    {SYS_write, "write", {EAGAIN, EBADF, EDQUOT, EFBIG, EINTR, EIO, ENOSPC, EPIPE}},
};
enum { CALLS = sizeof calls / sizeof calls[0] };

/* CALLS for ANY. A call that the shim makes since lately must be entered above first. */
static size_t place_of(long number)
{
    size_t place = 0;
    while (place < CALLS && calls[place].number != number) {
        place++;
    }
    if (place == CALLS && number != ANY) {
        fprintf(stderr, "inject: tests/inject/fault.c does not know system call %ld\n", number);
        exit(2);
    }
    return place;
}

static bool is_moving_bytes(long number)
{
    return number == SYS_write || number == SYS_sendto;
}

static bool is_fetching_bytes(long number)
{
    return number == SYS_read || number == SYS_recvmsg || number == SYS_getdents64 ||
           number == SYS_readlinkat;
}

void fault_each(long number, void (*try)(struct fault fault, void *context), void *context)
{
    const size_t place = place_of(number);
    for (const int *error = any_errors; *error != 0; error++) {
        try((struct fault){.how = REFUSED, .answer = -*error}, context);
    }
    for (int i = 0; place < CALLS && i < MOST_ERRORS && calls[place].errors[i] != 0; i++) {
        try((struct fault){.how = REFUSED, .answer = -calls[place].errors[i]}, context);
    }
    try((struct fault){.how = REFUSED, .answer = 0}, context);
    try((struct fault){.how = DONE, .answer = -EIO}, context);
    try((struct fault){.how = DONE, .answer = -EINTR}, context);
    if (is_moving_bytes(number)) {
        try((struct fault){.how = CUT_BEFORE}, context);
    }
    if (is_fetching_bytes(number)) {
        try((struct fault){.how = CUT_AFTER}, context);
    }
    try((struct fault){.how = DELAYED}, context);
}

const char *fault_describe(const struct fault *fault)
{
    static const char *const hows[] = {[REFUSED] = "refused with",
                                       [DONE] = "made, then",
                                       [CUT_BEFORE] = "cut short",
                                       [CUT_AFTER] = "answer cut short",
                                       [DELAYED] = "delayed"};
    static const char *const whiches[] = {
        [THIS_ONE] = "call", [ALL] = "all", [ALL_BUT_FIRST] = "all but the first"};
    static char text[160];
    char place[32] = "";
    char answer[32] = "";
    const struct kind *kind = &fault->kind;
    const char *name = kind->number == ANY ? "calls" : calls[place_of(kind->number)].name;
    if (fault->which == THIS_ONE) {
        snprintf(place, sizeof place, " %d", fault->index);
    }
    if (fault->how == REFUSED || fault->how == DONE) {
        const char *error = strerrorname_np((int)-fault->answer);
        snprintf(answer, sizeof answer, " %s", fault->answer == 0 ? "0" : error);
    }
    int length = snprintf(text, sizeof text, "%s %s%s", whiches[fault->which], name, place);
    if (kind->option != ANY) {
        length +=
            snprintf(text + length, sizeof text - (size_t)length, " option %ld", kind->option);
    }
    snprintf(text + length, sizeof text - (size_t)length, " %s%s", hows[fault->how], answer);
    return text;
}

static bool is_about(const struct fault *fault, long number)
{
    return fault->kind.number == number || fault->kind.number == ANY;
}

static bool is_falsified(const struct fault *fault)
{
    return fault->how == DONE || (fault->how == REFUSED && fault->answer == 0);
}

const char *const fault_excuses[EXCUSES] = {
    [EXCUSE_OPENED] = "a call opened a descriptor, and said that it failed: one stays open",
    [EXCUSE_CLOSED] = "close(2) said that it closed, and did not: one stays open",
    [EXCUSE_ZERO] = "descriptor 0 was closed, and fcntl(2) said that the new one is not the shim's",
    [EXCUSE_RELEASE] = "every call that would release the signals was refused: they stay blocked",
    [EXCUSE_REPEATED] = "a repeated bind() or listen() answered falsely, and is believed",
    [EXCUSE_WAITED] =
        "LIBREUSE_WAIT had bind() asked again, and passed on another error than the first",
};

static enum excuse excuse_for_descriptor(const struct fault *fault)
{
    const bool says_0 = fault->how == REFUSED && fault->answer == 0;
    if (fault->how == DONE && (is_about(fault, SYS_socket) || is_about(fault, SYS_openat))) {
        return EXCUSE_OPENED;
    }
    if (says_0 && is_about(fault, SYS_close)) {
        return EXCUSE_CLOSED;
    }
    return says_0 && is_about(fault, SYS_fcntl) ? EXCUSE_ZERO : EXCUSE_NONE;
}

static bool is_repeated(const struct fault *fault)
{
    return (is_about(fault, SYS_bind) || is_about(fault, SYS_listen)) &&
           (fault->which != THIS_ONE || fault->kind.is_repeated);
}

/* By what the line begins with. */
enum excuse fault_excuse(const struct scenario *scenario, const struct fault *fault,
                         const char *line)
{
    line += strspn(line, " ");
    if (strncmp(line, "memory", strlen("memory")) == 0) {
        return EXCUSE_NONE;
    }
    if (strncmp(line, "descriptors", strlen("descriptors")) == 0) {
        return excuse_for_descriptor(fault);
    }
    if (strncmp(line, "signals", strlen("signals")) == 0) {
        return fault->which == ALL_BUT_FIRST && fault->how == REFUSED &&
                       is_about(fault, SYS_rt_sigprocmask)
                   ? EXCUSE_RELEASE
                   : EXCUSE_NONE;
    }
    if (is_repeated(fault) && is_falsified(fault)) {
        return EXCUSE_REPEATED;
    }
    return scenario->gets_alarm && is_repeated(fault) && strncmp(line, "bind", strlen("bind")) == 0
               ? EXCUSE_WAITED
               : EXCUSE_NONE;
}
