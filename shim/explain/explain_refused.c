/* Every error but EADDRINUSE: what it means for this socket and this address. */
#include "explain.h"

#include "guest/kernel.h"
#include "guest/kernel_sockets.h"

#include <errno.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* The errors of bind(2), listen(2), ip(7), ipv6(7), unix(7), and those of a seccomp filter. */
static const struct {
    int error;
    const char *name;
    const char *words;
} errors[] = {
    {EACCES, "EACCES", "permission denied"},
    {EADDRINUSE, "EADDRINUSE", "the address is in use"},
    {EADDRNOTAVAIL, "EADDRNOTAVAIL", "the address is not available on this host"},
    {EAFNOSUPPORT, "EAFNOSUPPORT", "the socket does not take addresses of this family"},
    {EAGAIN, "EAGAIN", "a resource is exhausted"},
    {EBADF, "EBADF", "the descriptor is not open"},
    {EDESTADDRREQ, "EDESTADDRREQ", "the socket is not bound"},
    {EFAULT, "EFAULT", "the address lies in memory that cannot be read"},
    {EINTR, "EINTR", "interrupted"},
    {EINVAL, "EINVAL", "the socket's state or the form of the address does not allow it"},
    {EMFILE, "EMFILE", "the process has no descriptor left"},
    {ENFILE, "ENFILE", "the system has no descriptor left"},
    {EIO, "EIO", "input/output error"},
    {EISCONN, "EISCONN", "the socket is connected"},
    {ELOOP, "ELOOP", "too many symbolic links in the path"},
    {ENAMETOOLONG, "ENAMETOOLONG", "a part of the path is too long"},
    {ENETDOWN, "ENETDOWN", "the network is down"},
    {ENETUNREACH, "ENETUNREACH", "the network is unreachable"},
    {ENOBUFS, "ENOBUFS", "the kernel has no buffer space left"},
    {ENODEV, "ENODEV", "there is no such network interface"},
    {ENOENT, "ENOENT", "the folder of the path does not exist"},
    {ENOMEM, "ENOMEM", "the kernel has no memory left"},
    {ENOSPC, "ENOSPC", "the file system is full"},
    {ENOSYS, "ENOSYS", "the system call is not there, or a filter refuses it"},
    {ENOTDIR, "ENOTDIR", "a part of the path that should be a folder is none"},
    {ENOTSOCK, "ENOTSOCK", "the descriptor is not a socket"},
    {EOPNOTSUPP, "EOPNOTSUPP", "a socket of this type does not support it"},
    {EPERM, "EPERM", "not permitted: a security module, a filter or a firewall program refuses it"},
    {EROFS, "EROFS", "the file system is read-only"},
};
enum { ERRORS = sizeof errors / sizeof errors[0] };

/* The row of an errno; ERRORS where it is not known. */
static size_t row_of(int error)
{
    size_t i = 0;
    while (i < ERRORS && errors[i].error != error) {
        i++;
    }
    return i;
}

void explain_name(struct line *line, int error)
{
    const size_t row = row_of(error);
    if (row < ERRORS) {
        line_text(line, errors[row].name);
    } else {
        line_text(line, "errno ");
        line_number(line, (unsigned int)error);
    }
}

static void write_words(struct line *line, int error)
{
    const size_t row = row_of(error);
    line_text(line, row < ERRORS ? errors[row].words : "no explanation is known");
}

static int socket_option(int fd, int name, int otherwise)
{
    int value = otherwise;
    socklen_t length = sizeof value;
    return kernel_get_option(fd, SOL_SOCKET, name, &value, &length) ? value : otherwise;
}

static int family_of(const struct address *address)
{
    const bool has_family = address->length >= sizeof address->as.any.sa_family;
    return has_family ? address->as.any.sa_family : AF_UNSPEC;
}

static const char filtered[] = "a security module (SELinux, AppArmor) or a filter refuses it";

static void explain_eacces(struct line *line, const struct event *event)
{
    static const char sysctl[] = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    const unsigned int port = address_port(event->address);
    if (family_of(event->address) == AF_UNIX) {
        line_text(line,
                  "no permission to create the socket file there, or to enter a folder of the "
                  "path");
        return;
    }
    if (event->address->length == 0) {
        line_text(line, "permission denied; the address could not be read");
        return;
    }
    unsigned int first = 1024;
    kernel_read_number(sysctl, &first);
    if (port == 0 || port >= first) {
        line_text(line, filtered);
        return;
    }
    line_text(line, "ports below ");
    line_number(line, first);
    if (kernel_has_capability(CAP_NET_BIND_SERVICE)) {
        line_text(line, " need CAP_NET_BIND_SERVICE, which this process has: ");
        line_text(line, filtered);
        line_text(line, ", or the network namespace is another user namespace's");
        return;
    }
    line_text(line, " need CAP_NET_BIND_SERVICE; with systemd: AmbientCapabilities="
                    "CAP_NET_BIND_SERVICE (not setcap, which makes the loader ignore libreuse), "
                    "or lower net.ipv4.ip_unprivileged_port_start");
}

/* A line of /proc/net/if_inet6 is 32 digits of address, index, prefix length, scope, flags, name.
 */
enum { IF_INET6_ADDRESS = 32, IF_INET6_FLAGS = 42, IF_INET6_FLAGS_END = 44 };
enum { IFA_F_TENTATIVE = 0x40, IFA_F_DADFAILED = 0x08 };

static unsigned int hex_digit(char digit)
{
    return (unsigned int)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10) & 0xf;
}

static bool is_address(const char *line, const struct in6_addr *ip)
{
    for (size_t i = 0; i < sizeof *ip; i++) {
        if ((hex_digit(line[2 * i]) << 4 | hex_digit(line[2 * i + 1])) != ip->s6_addr[i]) {
            return false;
        }
    }
    return true;
}

/* The flags of an IPv6 address of this network namespace; 0 where it is not there. */
static unsigned int in6_flags(const struct in6_addr *ip)
{
    unsigned int flags = 0;
    char text[512];
    size_t length = 0;
    const int fd = kernel_open("/proc/self/net/if_inet6");
    long got = fd < 0 ? 0 : kernel_read(fd, text, sizeof text);
    while (got > 0) {
        length += (size_t)got;
        size_t start = 0;
        for (size_t end = 0; end < length; end++) {
            if (text[end] == '\n') {
                if (end - start >= IF_INET6_FLAGS_END && is_address(text + start, ip)) {
                    flags = hex_digit(text[start + IF_INET6_FLAGS]) << 4 |
                            hex_digit(text[start + IF_INET6_FLAGS + 1]);
                }
                start = end + 1;
            }
        }
        length -= start;
        memmove(text, text + start, length);
        got = length < sizeof text ? kernel_read(fd, text + length, sizeof text - length) : 0;
    }
    if (fd >= 0) {
        kernel_close(fd);
    }
    return flags;
}

static void explain_eaddrnotavail(struct line *line, const struct event *event)
{
    const int family = family_of(event->address);
    const unsigned int flags =
        family == AF_INET6 ? in6_flags(&event->address->as.in6.sin6_addr) : 0;
    if ((flags & IFA_F_DADFAILED) != 0) {
        line_text(line, "another host on the link has this address (duplicate address detection "
                        "has failed)");
    } else if ((flags & IFA_F_TENTATIVE) != 0) {
        line_text(line, "the address is still tentative: duplicate address detection takes a "
                        "second or two; start the program after network-online.target");
    } else if (family == AF_INET || family == AF_INET6) {
        line_text(line, "not an address of this host, or not yet; see: ip address; to bind all the "
                        "same: net.");
        line_text(line, family == AF_INET ? "ipv4" : "ipv6");
        line_text(line, ".ip_nonlocal_bind=1");
    } else {
        write_words(line, event->error);
    }
    if (config_wait() > 0 && event->subject == NULL) {
        line_text(line, "; LIBREUSE_WAIT waits for ports, not for addresses");
    }
}

static void explain_length(struct line *line, const char *what, size_t expected)
{
    line_text(line, "the address is too short: a ");
    line_text(line, what);
    line_text(line, " has ");
    line_number(line, expected);
    line_text(line, " bytes");
}

static void explain_einval(struct line *line, const struct event *event)
{
    const struct address *asked = event->address;
    struct address bound;
    address_of_socket(&bound, event->fd);
    const int domain = socket_option(event->fd, SO_DOMAIN, AF_UNSPEC);
    if (asked->length == 0) {
        line_text(line,
                  "the length of the address is not one that the kernel takes (1 to 128), or the "
                  "address could not be read");
    } else if (address_port(&bound) != 0 ||
               (domain == AF_UNIX && bound.length > offsetof(struct sockaddr_un, sun_path))) {
        line_text(line, "the socket is already bound, to ");
        address_write(line, &bound);
    } else if (domain == AF_INET && asked->length < sizeof asked->as.in) {
        explain_length(line, "sockaddr_in", sizeof asked->as.in);
    } else if (domain == AF_INET6 && asked->length < offsetof(struct sockaddr_in6, sin6_scope_id)) {
        explain_length(line, "sockaddr_in6", sizeof asked->as.in6);
    } else if (domain == AF_INET6 && family_of(asked) == AF_INET6 &&
               IN6_IS_ADDR_LINKLOCAL(&asked->as.in6.sin6_addr) &&
               (asked->length < sizeof asked->as.in6 || asked->as.in6.sin6_scope_id == 0)) {
        line_text(line, "a link-local address needs the index of its interface in sin6_scope_id, "
                        "like fe80::1%eth0");
    } else if (domain == AF_INET6 && family_of(asked) == AF_INET6 &&
               IN6_IS_ADDR_V4MAPPED(&asked->as.in6.sin6_addr)) {
        line_text(line, "the socket is IPV6_V6ONLY and takes no IPv4 address");
    } else if (domain == AF_UNIX && asked->length > sizeof asked->as.un) {
        line_text(line, "the path is too long: it may have 107 bytes");
    } else {
        write_words(line, event->error);
    }
}

static void write_family(struct line *line, int family)
{
    static const struct {
        int family;
        const char *name;
    } names[] = {{AF_UNSPEC, "AF_UNSPEC"}, {AF_UNIX, "AF_UNIX"},       {AF_INET, "AF_INET"},
                 {AF_INET6, "AF_INET6"},   {AF_NETLINK, "AF_NETLINK"}, {AF_PACKET, "AF_PACKET"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].family == family) {
            line_text(line, names[i].name);
            return;
        }
    }
    line_text(line, "family ");
    line_number(line, (unsigned int)family);
}

static void explain_eafnosupport(struct line *line, const struct event *event)
{
    line_text(line, "the socket is ");
    write_family(line, socket_option(event->fd, SO_DOMAIN, AF_UNSPEC));
    line_text(line, ", the address ");
    write_family(line, family_of(event->address));
}

static void explain_enodev(struct line *line, const struct event *event)
{
    const struct address *asked = event->address;
    if (family_of(asked) == AF_INET6 && asked->length >= sizeof asked->as.in6) {
        line_text(line, "there is no network interface with the index ");
        line_number(line, asked->as.in6.sin6_scope_id);
        line_text(line, " (sin6_scope_id); see: ip link");
    } else {
        write_words(line, event->error);
    }
}

static void explain_descriptor(struct line *line, const struct event *event)
{
    line_text(line, "descriptor ");
    line_signed(line, event->fd);
    line_text(line, event->error == EBADF ? " is not open" : " is not a socket");
}

void explain_refused(struct line *line, const struct event *event)
{
    static const struct {
        int error;
        void (*explain)(struct line *line, const struct event *event);
    } special[] = {
        {EACCES, explain_eacces},       {EADDRNOTAVAIL, explain_eaddrnotavail},
        {EINVAL, explain_einval},       {EAFNOSUPPORT, explain_eafnosupport},
        {ENODEV, explain_enodev},       {EBADF, explain_descriptor},
        {ENOTSOCK, explain_descriptor},
    };
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
        if (special[i].error == event->error && event->kind == EVENT_BIND_FAILED) {
            special[i].explain(line, event);
            return;
        }
    }
    write_words(line, event->error);
}
