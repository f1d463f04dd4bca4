#include "namespace.h"

#include "skip.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return written;
}

/* Runs before the test runner has started a thread. A failure shows in enter_private_network(). */
__attribute__((constructor)) static void become_root_of_a_user_namespace(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (uid == 0 || unshare(CLONE_NEWUSER) != 0) {
        return;
    }
    char map[64];
    snprintf(map, sizeof map, "0 %u 1", uid);
    write_file("/proc/self/uid_map", map);
    write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "0 %u 1", gid);
    write_file("/proc/self/gid_map", map);
}

/* Whether what a test does to the network stays with the test. */
static bool is_private;

void enter_private_network(void)
{
    cr_assert_eq(unshare(CLONE_NEWNET), 0,
                 "this test needs a network namespace of its own and unshare(CLONE_NEWNET) failed: "
                 "%s; run the tests as root, or allow user namespaces "
                 "(kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)",
                 strerror(errno));
    is_private = true;
    set_interface("lo", true);

    /*
     * A TIME_WAIT socket ends early when a reset reaches it (RFC 1337), and on a busy machine one
     * does: a segment that was sent twice is answered by a peer that is gone already. Where this
     * cannot be set the tests still run.
     */
    write_file("/proc/sys/net/ipv4/tcp_rfc1337", "1");
}

void set_network(const char *name, const char *value)
{
    char path[128];
    cr_assert(is_private, "a test would change the machine's own net.%s", name);
    snprintf(path, sizeof path, "/proc/sys/net/%s", name);
    if (!write_file(path, value)) {
        skip_because("a test may not set %s: %s", path, strerror(errno));
    }
}

void enter_private_folder(void)
{
    cr_assert_eq(unshare(CLONE_NEWNS), 0, "unshare(CLONE_NEWNS): %s", strerror(errno));
    cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0, "mount: %s",
                 strerror(errno));
    cr_assert_eq(mount("tmpfs", PRIVATE_FOLDER, "tmpfs", 0, NULL), 0, "mounting a tmpfs on %s: %s",
                 PRIVATE_FOLDER, strerror(errno));
}

/* A socket for the requests about interfaces. */
static int configuration_socket(int family)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0, "socket: %s", strerror(errno));
    return fd;
}

void set_interface(const char *name, bool is_up)
{
    int fd = configuration_socket(AF_INET);
    struct ifreq request = {.ifr_flags = (short)(is_up ? IFF_UP : 0)};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0, "cannot bring %s %s: %s", name,
                 is_up ? "up" : "down", strerror(errno));
    close(fd);
}

/* The attribute of a netlink message that begins at `at`; the result is where it ends. */
static unsigned char *put_attribute(unsigned char *at, int type, const void *value, size_t size)
{
    struct rtattr header = {.rta_len = (unsigned short)RTA_LENGTH(size),
                            .rta_type = (unsigned short)type};
    memcpy(at, &header, sizeof header);
    if (size > 0) {
        memcpy(at + RTA_LENGTH(0), value, size);
    }
    return at + RTA_SPACE(size);
}

unsigned add_ethernet(const char *name)
{
    static const char kind[] = "veth";
    struct {
        struct nlmsghdr header;
        struct ifinfomsg interface;
        unsigned char attributes[128];
    } request = {.header = {.nlmsg_type = RTM_NEWLINK,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL}};
    unsigned char *end = put_attribute(request.attributes, IFLA_IFNAME, name, strlen(name) + 1);
    /* One attribute within the other. */
    unsigned char inner[32] = {0};
    size_t inner_size = (size_t)(put_attribute(inner, IFLA_INFO_KIND, kind, strlen(kind)) - inner);
    end = put_attribute(end, IFLA_LINKINFO, inner, inner_size);
    request.header.nlmsg_len = (unsigned)(end - (unsigned char *)&request);

    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        unsigned char rest[512];
    } reply = {.error = {.error = -EIO}};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    cr_assert_geq(fd, 0, "netlink: %s", strerror(errno));
    cr_assert_gt(send(fd, &request, request.header.nlmsg_len, 0), 0, "netlink: %s",
                 strerror(errno));
    cr_assert_gt(recv(fd, &reply, sizeof reply, 0), 0, "netlink: %s", strerror(errno));
    close(fd);
    if (reply.error.error != 0) {
        skip_because("no veth interfaces here: %s", strerror(-reply.error.error));
    }
    return if_nametoindex(name);
}

/* struct in6_ifreq of <linux/ipv6.h>, which cannot be included together with <netinet/in.h>. */
struct ipv6_request {
    struct in6_addr address;
    uint32_t prefix_length;
    int interface;
};

void add_ipv6_address(const char *name, const char *ip)
{
    int fd = configuration_socket(AF_INET6);
    struct ipv6_request request = {.prefix_length = 64, .interface = (int)if_nametoindex(name)};
    cr_assert_eq(inet_pton(AF_INET6, ip, &request.address), 1, "%s: not an address", ip);
    cr_assert_eq(ioctl(fd, SIOCSIFADDR, &request), 0, "cannot give %s to %s: %s", ip, name,
                 strerror(errno));
    close(fd);
}
