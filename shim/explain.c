#include "explain.h"

#include <errno.h>
#include <stddef.h>

/* The errors of bind(2), listen(2), ip(7), ipv6(7), unix(7), and those of a seccomp filter. */
static const struct {
    int error;
    const char *name;
    const char *words;
} errors[] = {
    {EACCES, "EACCES", "permission denied"},
    {EADDRINUSE, "EADDRINUSE", "the address is in use"},
    {EADDRNOTAVAIL, "EADDRNOTAVAIL", "the address is not one of this host's"},
    {EAFNOSUPPORT, "EAFNOSUPPORT", "the address is of a family that the socket does not take"},
    {EAGAIN, "EAGAIN", "a resource is exhausted"},
    {EBADF, "EBADF", "the descriptor is not open"},
    {EDESTADDRREQ, "EDESTADDRREQ", "the socket is not bound"},
    {EFAULT, "EFAULT", "the address lies in memory that cannot be read"},
    {EINTR, "EINTR", "interrupted"},
    {EINVAL, "EINVAL",
     "the socket is in a state, or the address of a form, that does not allow it"},
    {EIO, "EIO", "input/output error"},
    {EISCONN, "EISCONN", "the socket is connected"},
    {ELOOP, "ELOOP", "too many symbolic links in the path"},
    {ENAMETOOLONG, "ENAMETOOLONG", "the path is too long"},
    {ENETDOWN, "ENETDOWN", "the network is down"},
    {ENETUNREACH, "ENETUNREACH", "the network is unreachable"},
    {ENOBUFS, "ENOBUFS", "the kernel has no buffer space left"},
    {ENODEV, "ENODEV", "there is no such network interface"},
    {ENOENT, "ENOENT", "a folder of the path does not exist"},
    {ENOMEM, "ENOMEM", "the kernel has no memory left"},
    {ENOSPC, "ENOSPC", "there is no space left"},
    {ENOSYS, "ENOSYS", "the system call is not there, or a filter refuses it"},
    {ENOTDIR, "ENOTDIR", "a part of the path is no folder"},
    {ENOTSOCK, "ENOTSOCK", "the descriptor is not a socket"},
    {EOPNOTSUPP, "EOPNOTSUPP", "a socket of this type does not support it"},
    {EPERM, "EPERM", "not permitted"},
    {EROFS, "EROFS", "the file system is read-only"},
};
enum { ERRORS = sizeof errors / sizeof errors[0] };

void explain_name(struct line *line, int error)
{
    for (size_t i = 0; i < ERRORS; i++) {
        if (errors[i].error == error) {
            line_text(line, errors[i].name);
            return;
        }
    }
    line_text(line, "errno ");
    line_number(line, (unsigned int)error);
}

static void explain_error(struct line *line, int error)
{
    for (size_t i = 0; i < ERRORS; i++) {
        if (errors[i].error == error) {
            line_text(line, errors[i].words);
            return;
        }
    }
    line_text(line, "no explanation is known");
}

static const char *const refusals[] = {
    [RESCUE_NO_USE] = "another socket holds the port, and SO_REUSEADDR does not free it",
    [RESCUE_PROGRAMS_OWN] = "another socket holds the port, although the program sets SO_REUSEADDR",
    [RESCUE_NOT_TCP] = "another socket holds the address",
    [RESCUE_ANY_PORT] = "no port of net.ipv4.ip_local_port_range is free",
    [RESCUE_LEFT_OUT] = "another socket holds the port, and LIBREUSE_PORTS leaves it out",
    [RESCUE_DRY_RUN] = "another socket holds the port; not tried with SO_REUSEADDR "
                       "(LIBREUSE_DRY_RUN)",
};

/* What to do next: until the shim itself tells the holder. */
static void say_who(struct line *line, unsigned int port)
{
    if (port != 0) {
        line_text(line, "; to see which: ss -tanpe sport = :");
        line_number(line, port);
    }
}

void explain_bind(struct line *line, int error, enum rescue rescue, unsigned int port)
{
    if (error != EADDRINUSE) {
        explain_error(line, error);
        return;
    }
    line_text(line, refusals[rescue]);
    if (rescue != RESCUE_NOT_TCP) {
        say_who(line, port);
    }
}

void explain_listen(struct line *line, int error, unsigned int port)
{
    if (error == EADDRINUSE) {
        line_text(line, "another socket listens on the port");
        say_who(line, port);
    } else if (error == EINVAL) {
        line_text(line, "the socket is connected, or in another state that does not allow it");
    } else {
        explain_error(line, error);
    }
}
