/*
 * Every error but EADDRINUSE, explained: each is there for real, and the line that the shim writes
 * has its cause. What the line says besides is not looked at.
 */
#include "deadline.h"
#include "filter.h"
#include "host.h"
#include "namespace.h"
#include "reports.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define HOSTS_USER 65534

static struct host host;

static void start_a_host(void)
{
    enter_private_network();
    host = start_host(WITH_SHIM);
}

/* The rest of the one report that begins with this. */
static const char *report_of(const char *address, const char *error)
{
    char beginning[256];
    snprintf(beginning, sizeof beginning, "bind-failed: %s: %s: ", address, error);
    return expect_report(&host.process, beginning);
}

/* The host's socket cannot have this address: what the host is told. */
static const char *refused_with(int fd, const char *address, int error, const char *name)
{
    EXPECT_ERROR(host_bind(&host, fd, address), error);
    return report_of(address, name);
}

#define refused(fd, address, error) refused_with(fd, address, error, #error)

static int tcp_socket(int family)
{
    return host_socket(&host, family, SOCK_STREAM, 0);
}

TestSuite(eacces, .init = start_a_host);
TestSuite(eperm, .init = start_a_host);

Test(eacces, of_a_low_port_names_the_capability_and_a_way_to_get_it)
{
    host_drop_rights(&host);
    const char *rest = refused(tcp_socket(AF_INET), "0.0.0.0:80", EACCES);
    expect_words(rest, "ports below 1024");
    expect_words(rest, "CAP_NET_BIND_SERVICE");
    expect_words(rest, "AmbientCapabilities=CAP_NET_BIND_SERVICE");
    expect_words(rest, "setcap");
    expect_words(rest, "ip_unprivileged_port_start");
}

Test(eacces, of_a_low_port_is_the_same_for_another_user_than_root_and_for_ipv6)
{
    need_protocol(AF_INET6, 0);
    host_become_user(&host, HOSTS_USER);
    const char *rest = refused(tcp_socket(AF_INET6), "[::1]:1023", EACCES);
    expect_words(rest, "ports below 1024");
    expect_words(rest, "AmbientCapabilities=");
}

Test(eacces, knows_where_the_low_ports_end)
{
    set_network("ipv4/ip_unprivileged_port_start", "4000");
    host_drop_rights(&host);
    expect_words(refused(tcp_socket(AF_INET), "0.0.0.0:3999", EACCES), "ports below 4000");
}

/* As it is in the containers of Docker: then it is not for want of a capability. */
Test(eacces, is_something_elses_doing_where_all_ports_are_free)
{
    set_network("ipv4/ip_unprivileged_port_start", "0");
    host_drop_rights(&host);
    host_filter(&host, SYS_bind, FILTER_ANY, SECCOMP_RET_ERRNO | EACCES);
    const char *rest = refused(tcp_socket(AF_INET), "0.0.0.0:80", EACCES);
    expect_words(rest, "has a seccomp filter");
    expect_no_words(rest, "CAP_NET_BIND_SERVICE");
}

/* A security module answers like that: here it is a filter that does. */
static void refuse_bind(int error)
{
    host_filter(&host, SYS_bind, FILTER_ANY, SECCOMP_RET_ERRNO | (uint32_t)error);
}

Test(eacces, of_a_low_port_with_the_capability_is_something_elses_doing)
{
    refuse_bind(EACCES);
    const char *rest = refused(tcp_socket(AF_INET), "0.0.0.0:80", EACCES);
    expect_words(rest, "security module");
    expect_words(rest, "filter");
    expect_no_words(rest, "AmbientCapabilities");
}

Test(eacces, of_a_high_port_is_something_elses_doing)
{
    refuse_bind(EACCES);
    host_drop_rights(&host);
    const char *rest = refused(tcp_socket(AF_INET), "0.0.0.0:1024", EACCES);
    expect_words(rest, "security module");
    expect_words(rest, "has a seccomp filter");
    expect_no_words(rest, "CAP_NET_BIND_SERVICE");
}

Test(eacces, of_port_0_is_something_elses_doing)
{
    refuse_bind(EACCES);
    host_drop_rights(&host);
    expect_words(refused(tcp_socket(AF_INET), "0.0.0.0:0", EACCES), "security module");
}

/* The kernel itself has no EPERM for an internet address: a program of the control group has. */
Test(eperm, names_who_can_be_meant)
{
    refuse_bind(EPERM);
    const char *rest = refused(tcp_socket(AF_INET), "0.0.0.0:9999", EPERM);
    expect_words(rest, "has a seccomp filter, or may be in a control group with a BPF program");
    expect_words(rest, "SocketBindDeny=");
    expect_no_words(rest, "Landlock");
}

/* The address is not read where the kernel has not read it: it may be anywhere. */
Test(eacces, of_a_wild_pointer_is_no_crash)
{
    refuse_bind(EACCES);
    EXPECT_ERROR(host_bind_at(&host, tcp_socket(AF_INET), 1, 16), EACCES);
    EXPECT_VALUE(count_reports(&host.process, "bind-failed"), 1);
}

TestSuite(eaddrnotavail, .init = start_a_host);

Test(eaddrnotavail, of_an_address_of_another_host)
{
    const char *rest = refused(tcp_socket(AF_INET), "192.0.2.1:9999", EADDRNOTAVAIL);
    expect_words(rest, "not an address of this host");
    expect_words(rest, "net.ipv4.ip_nonlocal_bind");
    expect_no_words(rest, "tentative");
}

Test(eaddrnotavail, of_an_ipv6_address_of_another_host)
{
    need_protocol(AF_INET6, 0);
    const char *rest = refused(tcp_socket(AF_INET6), "[2001:db8::1]:9999", EADDRNOTAVAIL);
    expect_words(rest, "not an address of this host");
    expect_words(rest, "net.ipv6.ip_nonlocal_bind");
    expect_no_words(rest, "tentative");
}

static bool is_running(const char *device)
{
    struct ifreq request = {0};
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
    const bool is_known = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0;
    close(fd);
    return is_known && (request.ifr_flags & IFF_RUNNING) != 0;
}

/* Without a carrier nobody can be asked whether the address is free. */
Test(eaddrnotavail, of_an_address_that_is_tentative)
{
    need_protocol(AF_INET6, 0);
    add_ethernet("lan0");
    set_interface("lan0", true);
    add_ipv6_address("lan0", "2001:db8::1");
    add_ipv6_address("lo", "2001:db8::3");
    EVENTUALLY(!is_running("lan0")); /* which the kernel finds out within a second */
    const char *rest = refused(tcp_socket(AF_INET6), "[2001:db8::1]:9999", EADDRNOTAVAIL);
    expect_words(rest, "tentative: duplicate address detection waits for a carrier on lan0");
    expect_no_words(rest, "network-online.target");
    rest = refused(tcp_socket(AF_INET6), "[2001:db8::2]:9999", EADDRNOTAVAIL);
    expect_no_words(rest, "tentative");
}

Test(eaddrnotavail, of_an_address_that_will_be_there_soon)
{
    need_protocol(AF_INET6, 0);
    add_ethernet("lan0");
    set_network("ipv6/conf/lan0/dad_transmits", "60"); /* soon is in a minute */
    set_interface("lan0", true);
    set_interface("veth0", true);
    add_ipv6_address("lan0", "2001:db8::1");
    const int fd = tcp_socket(AF_INET6);
    EVENTUALLY(is_running("lan0"));
    const char *rest = refused(fd, "[2001:db8::1]:9999", EADDRNOTAVAIL);
    expect_words(rest, "tentative: duplicate address detection takes a second or two");
    expect_words(rest, "network-online.target");
}

/* An address of the host alone counts on its own device only. */
Test(eaddrnotavail, of_an_address_on_another_device)
{
    need_protocol(AF_INET6, 0);
    const int fd = tcp_socket(AF_INET6);
    host_set_option(&host, fd, SOL_SOCKET, SO_BINDTOIFINDEX, (int)add_ethernet("lan0"));
    set_interface("lan0", true);
    const char *rest = refused(fd, "[::1]:9999", EADDRNOTAVAIL);
    expect_words(rest, "the address is on device lo, and this socket is bound to lan0: bind");
    expect_no_words(rest, "not an address of this host");
}

Test(eaddrnotavail, of_a_link_local_address_that_its_device_has_not_got)
{
    need_protocol(AF_INET6, 0);
    const char *rest = refused(tcp_socket(AF_INET6), "[fe80::1%1]:9999", EADDRNOTAVAIL);
    expect_words(rest, "not an address of device lo, or not yet; see: ip address");
    expect_no_words(rest, "VRF");
}

/* The list of addresses is longer than what is read at once, and none of it is lost. */
Test(eaddrnotavail, of_each_of_many_addresses_that_are_tentative)
{
    const int many = 18;
    need_protocol(AF_INET6, 0);
    add_ethernet("lan0");
    set_interface("lan0", true);
    char ip[32];
    char address[64];
    for (int i = 1; i <= many; i++) {
        snprintf(ip, sizeof ip, "2001:db8::%x", i);
        add_ipv6_address("lan0", ip);
        snprintf(ip, sizeof ip, "2001:db8::1:%x", i);
        add_ipv6_address("lo", ip);
    }
    int fd = tcp_socket(AF_INET6);
    for (int i = 1; i <= many; i++) {
        snprintf(address, sizeof address, "[2001:db8::%x]:9999", i);
        expect_words(refused(fd, address, EADDRNOTAVAIL), "tentative");
    }
}

/* The flags of an address in /proc/net/if_inet6, <linux/if_addr.h>. */
#define DAD_FAILED 0x08
#define TENTATIVE  0x40

/* How many addresses that begin so, as 32 digits, an interface has, with these flags or without. */
static unsigned count_addresses(const char *interface, const char *beginning, unsigned with,
                                unsigned without)
{
    FILE *list = fopen("/proc/self/net/if_inet6", "re");
    cr_assert_not_null(list, "/proc/self/net/if_inet6: %s", strerror(errno));
    unsigned count = 0;
    unsigned flags;
    char name[32];
    char address[40];
    while (fscanf(list, "%39s %*x %*x %*x %x %31s", address, &flags, name) == 3) {
        count += strncmp(address, beginning, strlen(beginning)) == 0 &&
                 strcmp(name, interface) == 0 && (flags & with) == with && (flags & without) == 0;
    }
    fclose(list);
    return count;
}

/* Both ends of a wire have the same address. */
Test(eaddrnotavail, of_an_address_that_another_host_has)
{
    need_protocol(AF_INET6, 0);
    add_ethernet("lan0");
    set_network("ipv6/conf/veth0/router_solicitation_delay", "0");
    set_network("ipv6/conf/lan0/router_solicitation_delay", "0");
    set_interface("veth0", true);
    set_interface("lan0", true);
    add_ipv6_address("veth0", "2001:db8::1");
    /* From now on one end hears what the other one asks. */
    EVENTUALLY(count_addresses("veth0", "2001", 0, TENTATIVE) == 1 &&
               count_addresses("lan0", "fe80", 0, TENTATIVE) == 1);
    add_ipv6_address("lan0", "2001:db8::1");
    EVENTUALLY(count_addresses("lan0", "2001", DAD_FAILED, 0) == 1);
    set_interface("veth0", false);
    const char *rest = refused(tcp_socket(AF_INET6), "[2001:db8::1]:9999", EADDRNOTAVAIL);
    expect_words(rest, "another host on the link has this address");
    expect_no_words(rest, "still tentative");
}

Test(eaddrnotavail, of_an_address_without_proc_is_said_no_more_than_is_known_of)
{
    need_protocol(AF_INET6, 0);
    add_ethernet("lan0");
    set_interface("lan0", true);
    add_ipv6_address("lan0", "2001:db8::1");
    host_unshare(&host, CLONE_NEWNS);
    host_mount(&host, "tmpfs", "/proc", "");
    const char *rest = refused(tcp_socket(AF_INET6), "[2001:db8::1]:9999", EADDRNOTAVAIL);
    expect_words(rest, "or not yet");
}

TestSuite(einval, .init = start_a_host);

Test(einval, of_a_socket_that_is_bound_tells_to_what)
{
    int fd = tcp_socket(AF_INET);
    EXPECT_SUCCESS(host_bind(&host, fd, "127.0.0.1:8888"));
    const char *rest = refused(fd, "127.0.0.1:9999", EINVAL);
    expect_words(rest, "already bound");
    expect_words(rest, "127.0.0.1:8888");
}

Test(einval, of_a_socket_that_is_connected_tells_to_what_it_is_bound)
{
    host_serve(&host, "127.0.0.1:8888");
    int fd = tcp_socket(AF_INET);
    EXPECT_SUCCESS(host_connect(&host, fd, "127.0.0.1:8888"));
    char bound[32];
    snprintf(bound, sizeof bound, "127.0.0.1:%u", host_port(&host, fd));
    const char *rest = refused(fd, "127.0.0.1:9999", EINVAL);
    expect_words(rest, "already bound");
    expect_words(rest, bound);
}

/* An address of which only this many bytes are given. */
static struct address cut(const char *text, socklen_t length)
{
    struct address address = address_from(text);
    address.length = length;
    return address;
}

/* The rest of the one report about an address that could not be read, which has no words. */
static const char *only_report(void)
{
    EXPECT_VALUE(count_reports(&host.process, "bind-failed"), 1);
    return expect_report(&host.process, "bind-failed: ");
}

Test(einval, of_an_address_that_is_too_short_tells_how_long_it_should_be)
{
    struct address address = cut("127.0.0.1:9999", sizeof(struct sockaddr_in) - 1);
    EXPECT_ERROR(host_bind_to(&host, tcp_socket(AF_INET), &address), EINVAL);
    const char *rest = only_report();
    expect_words(rest, "EINVAL");
    expect_words(rest, "too short");
    expect_words(rest, "16 bytes");
}

Test(einval, of_an_ipv6_address_that_is_too_short_tells_how_long_it_should_be)
{
    need_protocol(AF_INET6, 0);
    struct address address = cut("[::1]:9999", sizeof(struct sockaddr_in));
    EXPECT_ERROR(host_bind_to(&host, tcp_socket(AF_INET6), &address), EINVAL);
    const char *rest = only_report();
    expect_words(rest, "too short");
    expect_words(rest, "28 bytes");
}

Test(einval, of_an_ipv4_address_on_an_ipv6_socket_is_about_the_family)
{
    need_protocol(AF_INET6, 0);
    struct address address = cut("127.0.0.1:9999", sizeof(struct sockaddr_in));
    EXPECT_ERROR(host_bind_to(&host, tcp_socket(AF_INET6), &address), EINVAL);
    const char *rest = only_report();
    expect_words(rest, "the socket is AF_INET6, the address AF_INET");
    expect_no_words(rest, "too short");
}

Test(einval, of_a_length_that_no_address_has)
{
    EXPECT_ERROR(host_bind_at(&host, tcp_socket(AF_INET), 0, 4096), EINVAL);
    const char *rest = only_report();
    expect_words(rest, "EINVAL");
    expect_words(rest, "length");
}

Test(einval, of_a_link_local_address_without_its_interface)
{
    need_protocol(AF_INET6, 0);
    const char *rest = refused(tcp_socket(AF_INET6), "[fe80::1]:9999", EINVAL);
    expect_words(rest, "link-local");
    expect_words(rest, "sin6_scope_id");
}

Test(einval, of_an_ipv4_address_on_a_socket_for_ipv6_alone)
{
    need_protocol(AF_INET6, 0);
    int fd = tcp_socket(AF_INET6);
    host_set_option(&host, fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    expect_words(refused(fd, "[::ffff:127.0.0.1]:9999", EINVAL), "IPV6_V6ONLY");
}

TestSuite(other_errors, .init = start_a_host);

Test(other_errors, eafnosupport_names_both_families)
{
    need_protocol(AF_INET6, 0);
    const char *rest = refused(tcp_socket(AF_INET), "[::1]:9999", EAFNOSUPPORT);
    expect_words(rest, "AF_INET,");
    expect_words(rest, "AF_INET6");
    rest = refused(tcp_socket(AF_INET), "@a name in the abstract space", EAFNOSUPPORT);
    expect_words(rest, "AF_UNIX");
}

Test(other_errors, of_an_ipv4_address_on_an_ipv6_socket_names_what_is_wrong)
{
    need_protocol(AF_INET6, 0);
    struct address address = cut("127.0.0.1:9999", sizeof(struct sockaddr_in6));
    EXPECT_ERROR(host_bind_to(&host, tcp_socket(AF_INET6), &address), EAFNOSUPPORT);
    const char *rest = report_of("127.0.0.1:9999", "EAFNOSUPPORT");
    expect_words(rest, "the socket is AF_INET6");
    expect_words(rest, "AF_INET");
}

Test(other_errors, enodev_names_the_index_of_the_interface)
{
    need_protocol(AF_INET6, 0);
    EXPECT_ERROR(host_bind(&host, tcp_socket(AF_INET6), "[fe80::1%4711]:9999"), ENODEV);
    const char *rest = only_report();
    expect_words(rest, "ENODEV");
    expect_words(rest, "no network interface with the index 4711");
}

Test(other_errors, enotsock_and_ebadf_name_the_descriptor)
{
    const char *rest = refused(1, "127.0.0.1:9999", ENOTSOCK);
    expect_words(rest, "descriptor 1 is not a socket");
    rest = refused(150, "127.0.0.1:9999", EBADF);
    expect_words(rest, "descriptor 150 is not open");
}

Test(other_errors, ebadf_names_a_negative_descriptor)
{
    expect_words(refused(-1, "127.0.0.1:9999", EBADF), "descriptor -1 is not open");
}

Test(other_errors, efault_is_about_memory)
{
    EXPECT_ERROR(host_bind_at(&host, tcp_socket(AF_INET), 8, 16), EFAULT);
    const char *rest = only_report();
    expect_words(rest, "EFAULT");
    expect_words(rest, "memory");
}

Test(other_errors, of_a_filter_are_named)
{
    refuse_bind(EPERM);
    expect_words(refused(tcp_socket(AF_INET), "127.0.0.1:9999", EPERM), "filter");
}

Test(other_errors, that_nobody_knows_are_numbered)
{
    refuse_bind(1234);
    EXPECT_ERROR(host_bind(&host, tcp_socket(AF_INET), "127.0.0.1:9999"), 1234);
    expect_report(&host.process, "bind-failed: 127.0.0.1:9999: errno 1234: ");
}

Test(other_errors, of_listen_are_explained)
{
    EXPECT_ERROR(host_listen(&host, 150), EBADF);
    expect_words(expect_report(&host.process, "listen-failed: descriptor 150: EBADF: "),
                 "not open");
    EXPECT_ERROR(host_listen(&host, 1), ENOTSOCK);
    expect_words(expect_report(&host.process, "listen-failed: descriptor 1: ENOTSOCK: "),
                 "not a socket");
    int udp = host_socket(&host, AF_INET, SOCK_DGRAM, 0);
    EXPECT_SUCCESS(host_bind(&host, udp, "127.0.0.1:9999"));
    EXPECT_ERROR(host_listen(&host, udp), EOPNOTSUPP);
    expect_words(expect_report(&host.process, "listen-failed: 127.0.0.1:9999: EOPNOTSUPP: "),
                 "type");
}

/* On none of these paths anything is left behind. */
Test(other_errors, leave_no_descriptor_open)
{
    need_protocol(AF_INET6, 0);
    unsigned before = count_descriptors(&host);
    int ipv4 = tcp_socket(AF_INET);
    int ipv6 = tcp_socket(AF_INET6);
    refused(ipv4, "192.0.2.1:9999", EADDRNOTAVAIL);
    refused(ipv6, "[2001:db8::1]:9999", EADDRNOTAVAIL);
    refused(ipv6, "[fe80::1]:9999", EINVAL);
    EXPECT_VALUE(host_get_option(&host, ipv4, SO_REUSEADDR), 0);
    host_drop_rights(&host);
    refused(ipv4, "127.0.0.1:80", EACCES);
    EXPECT_VALUE(count_descriptors(&host), before + 2);
    EXPECT_VALUE(tcp_socket(AF_INET), ipv6 + 1);
}

/* The errors of AF_UNIX sockets, in a folder of the test's own. */
static void start_a_host_in_a_folder(void)
{
    enter_private_network();
    enter_private_folder();
    host = start_host(WITH_SHIM);
}

TestSuite(socket_path, .init = start_a_host_in_a_folder);

static int unix_socket(void)
{
    return host_socket(&host, AF_UNIX, SOCK_STREAM, 0);
}

static void make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
    close(fd);
}

Test(socket_path, in_a_folder_that_does_not_exist)
{
    expect_words(refused(unix_socket(), "/mnt/none/socket", ENOENT), "does not exist");
}

Test(socket_path, below_a_file)
{
    make_file("/mnt/file");
    expect_words(refused(unix_socket(), "/mnt/file/socket", ENOTDIR), "folder");
}

Test(socket_path, on_a_file_system_that_is_read_only)
{
    cr_assert_eq(mount(NULL, "/mnt", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0, "mount: %s",
                 strerror(errno));
    EXPECT_ERROR(host_bind(&host, unix_socket(), "/mnt/socket"), EROFS);
    expect_words(report_of("/mnt/socket", "EROFS"), "read-only");
}

Test(socket_path, in_a_folder_where_the_host_may_not_write)
{
    cr_assert_eq(chmod("/mnt", 0755), 0);
    host_become_user(&host, HOSTS_USER);
    const char *rest = refused(unix_socket(), "/mnt/socket", EACCES);
    expect_words(rest, "permission");
    expect_words(rest, "folder");
    expect_no_words(rest, "CAP_NET_BIND_SERVICE");
}

Test(socket_path, that_goes_round_in_circles)
{
    cr_assert_eq(symlink("/mnt/circle", "/mnt/circle"), 0, "symlink: %s", strerror(errno));
    expect_words(refused(unix_socket(), "/mnt/circle/socket", ELOOP), "symbolic links");
}

Test(socket_path, that_is_too_long)
{
    struct address address = address_from("/mnt/socket");
    address.length = sizeof(struct sockaddr_un) + 1;
    memset((char *)&address.storage + offsetof(struct sockaddr_un, sun_path), 'x',
           sizeof(struct sockaddr_un) + 1 - offsetof(struct sockaddr_un, sun_path));
    EXPECT_ERROR(host_bind_to(&host, unix_socket(), &address), EINVAL);
    const char *rest = only_report();
    expect_words(rest, "EINVAL");
    expect_words(rest, "too long");
    expect_words(rest, "107");
}

Test(socket_path, of_a_socket_that_has_another_one)
{
    int fd = unix_socket();
    EXPECT_SUCCESS(host_bind(&host, fd, "/mnt/first"));
    const char *rest = refused(fd, "/mnt/second", EINVAL);
    expect_words(rest, "already bound");
    expect_words(rest, "/mnt/first");
}
