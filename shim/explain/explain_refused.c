/* Every error but EADDRINUSE: what it means for this socket and this address. */
#include "explain.h"

#include "guest/kernel.h"
#include "lookup/asker.h"

#include <errno.h>
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

static int family_of(const struct address *address)
{
    const bool has_family = address->length >= sizeof address->as.any.sa_family;
    return has_family ? address->as.any.sa_family : AF_UNSPEC;
}

/* Who may have refused what nothing else explains. Landlock has rules for ports since Linux 6.7. */
static void write_refuser(struct line *line, const struct event *event, const struct asker *asker)
{
    const char *before = ": the process ";
    line_text(line, "a security module or a filter refuses it");
    if (asker->label[0] != '\0') {
        line_text(line, before);
        line_text(line, "is confined as ");
        line_escaped(line, asker->label, strlen(asker->label));
        line_text(line, " by SELinux or AppArmor (see: journalctl -k -g denied)");
        before = ", or ";
    }
    if (asker->is_filtered == FACT_YES) {
        line_text(line, before);
        line_text(line, "has a seccomp filter");
        before = ", or ";
    }
    if (event->error == EPERM) {
        line_text(line, before);
        line_text(line,
                  "may be in a control group with a BPF program (of systemd: SocketBindDeny=)");
    } else if (kernel_is_at_least(6, 7)) {
        line_text(line, before);
        line_text(line, "may be under Landlock, which does not show");
    }
}

static void explain_eperm(struct line *line, const struct event *event, const struct asker *asker)
{
    const int family = family_of(event->address);
    if (family == AF_INET || family == AF_INET6) {
        write_refuser(line, event, asker);
    } else {
        write_words(line, event->error);
    }
}

static void explain_eacces(struct line *line, const struct event *event, const struct asker *asker)
{
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
    const unsigned int usual = 1024;
    const unsigned int first = asker->knows_first_free_port ? asker->first_free_port : usual;
    if (port == 0 || port >= first) {
        write_refuser(line, event, asker);
        return;
    }
    line_text(line, "ports below ");
    line_number(line, first);
    if (asker->may_bind_low_ports == FACT_YES) {
        line_text(line, " need CAP_NET_BIND_SERVICE, which this process has: the network namespace "
                        "is another user namespace's, or ");
        write_refuser(line, event, asker);
        return;
    }
    line_text(line, " need CAP_NET_BIND_SERVICE; with systemd: AmbientCapabilities="
                    "CAP_NET_BIND_SERVICE (not setcap, which makes the loader ignore libreuse), "
                    "or lower net.ipv4.ip_unprivileged_port_start");
}

/* The address is there, and the kernel does not let this socket have it: ipv6_chk_addr(). */
static void write_other_device(struct line *line, const struct asker *asker)
{
    line_text(line, "the address is on device ");
    line_escaped(line, asker->asked_device, strlen(asker->asked_device));
    if (strcmp(asker->device, asker->asked_device) == 0) {
        line_text(line, ": it has just come; try again");
    } else if (asker->device[0] != '\0') {
        line_text(line, ", and this socket is bound to ");
        line_escaped(line, asker->device, strlen(asker->device));
        line_text(line, ": bind it to the one or the other");
    } else {
        line_text(line, ": it has just come, or that is a device of a VRF, and a socket must be "
                        "bound to the VRF for it; see: ip vrf exec");
    }
}

/* The kernel binds the socket of a link-local address to the address's device before it looks. */
static void write_no_such_address(struct line *line, const struct event *event,
                                  const struct asker *asker)
{
    const int family = family_of(event->address);
    const bool is_link_local =
        family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&event->address->as.in6.sin6_addr);
    const bool is_on_device = asker->device[0] != '\0';
    line_text(line, "not an address of ");
    line_text(line, is_link_local && is_on_device ? "device " : "this host");
    if (is_link_local && is_on_device) {
        line_escaped(line, asker->device, strlen(asker->device));
    }
    line_text(line, ", or not yet");
    if (is_on_device && !is_link_local) {
        line_text(line, ", or not one of the VRF of ");
        line_escaped(line, asker->device, strlen(asker->device));
        line_text(line, ", to which this socket is bound");
    }
    line_text(line, "; see: ip address; to bind all the same: net.");
    line_text(line, family == AF_INET ? "ipv4" : "ipv6");
    line_text(line, ".ip_nonlocal_bind=1");
}

static void write_tentative(struct line *line, const struct asker *asker)
{
    line_text(line, "the address is still tentative: duplicate address detection ");
    if (asker->has_carrier == FACT_NO) {
        line_text(line, "waits for a carrier on ");
        line_escaped(line, asker->asked_device, strlen(asker->asked_device));
        line_text(line, ", which has none (see: ip link); to bind all the same: "
                        "net.ipv6.ip_nonlocal_bind=1");
        return;
    }
    line_text(line, "takes a second or two");
    if (asker->has_carrier == FACT_UNKNOWN) {
        line_text(line, ", and does not end on a link without carrier (see: ip link)");
    }
    line_text(line, "; start the program after network-online.target");
}

static void explain_eaddrnotavail(struct line *line, const struct event *event,
                                  const struct asker *asker)
{
    const int family = family_of(event->address);
    if ((asker->asked.flags & IN6_IS_DUPLICATE) != 0) {
        line_text(line, "another host on the link has this address (duplicate address detection "
                        "has failed)");
    } else if ((asker->asked.flags & IN6_TENTATIVE) != 0) {
        write_tentative(line, asker);
    } else if (asker->asked.index != 0) {
        write_other_device(line, asker);
    } else if (family == AF_INET || family == AF_INET6) {
        write_no_such_address(line, event, asker);
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

static void write_families(struct line *line, int of_socket, int of_address)
{
    line_text(line, "the socket is ");
    write_family(line, of_socket);
    line_text(line, ", the address ");
    write_family(line, of_address);
}

static void explain_einval(struct line *line, const struct event *event, const struct asker *asker)
{
    const struct address *asked = event->address;
    const struct address *bound = &asker->bound;
    const int domain = asker->domain;
    if (asked->length == 0) {
        line_text(line,
                  "the length of the address is not one that the kernel takes (1 to 128), or the "
                  "address could not be read");
    } else if (address_port(bound) != 0 ||
               (domain == AF_UNIX && bound->length > offsetof(struct sockaddr_un, sun_path))) {
        line_text(line, "the socket is already bound, to ");
        address_write(line, bound);
    } else if (domain == AF_INET && asked->length < sizeof asked->as.in) {
        explain_length(line, "sockaddr_in", sizeof asked->as.in);
    } else if (domain == AF_INET6 && family_of(asked) == AF_INET) {
        write_families(line, domain, AF_INET);
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

static void explain_eafnosupport(struct line *line, const struct event *event,
                                 const struct asker *asker)
{
    if (asker->domain == AF_UNSPEC) {
        write_words(line, event->error);
    } else {
        write_families(line, asker->domain, family_of(event->address));
    }
}

static void explain_enodev(struct line *line, const struct event *event, const struct asker *asker)
{
    (void)asker;
    const struct address *asked = event->address;
    if (family_of(asked) == AF_INET6 && asked->length >= sizeof asked->as.in6) {
        line_text(line, "there is no network interface with the index ");
        line_number(line, asked->as.in6.sin6_scope_id);
        line_text(line, " (sin6_scope_id); see: ip link");
    } else {
        write_words(line, event->error);
    }
}

static void explain_descriptor(struct line *line, const struct event *event,
                               const struct asker *asker)
{
    (void)asker;
    line_text(line, "descriptor ");
    line_signed(line, event->fd);
    line_text(line, event->error == EBADF ? " is not open" : " is not a socket");
}

void explain_refused(struct line *line, const struct event *event)
{
    static const struct {
        int error;
        void (*explain)(struct line *line, const struct event *event, const struct asker *asker);
    } special[] = {
        {EACCES, explain_eacces},    {EPERM, explain_eperm},
        {EINVAL, explain_einval},    {EADDRNOTAVAIL, explain_eaddrnotavail},
        {ENODEV, explain_enodev},    {EAFNOSUPPORT, explain_eafnosupport},
        {EBADF, explain_descriptor}, {ENOTSOCK, explain_descriptor},
    };
    size_t row = 0;
    while (row < sizeof special / sizeof special[0] && special[row].error != event->error) {
        row++;
    }
    if (event->kind != EVENT_BIND_FAILED || row == sizeof special / sizeof special[0]) {
        write_words(line, event->error);
        return;
    }
    struct asker asker = {.domain = AF_UNSPEC};
    if (event->asker != NULL) {
        asker = *event->asker;
    } else if (event->subject == NULL) {
        asker_find(&asker, event->fd, event->address, event->error);
    }
    special[row].explain(line, event, &asker);
}
