#include "lookup/holders.h"

#include "deadline.h"
#include "filter.h"
#include "guest/kernel.h"
#include "namespace.h"
#include "refuse.h"
#include "skip.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(holders, .init = enter_private_network);

#define PORT       9999
#define OTHER_PORT 9998
#define MPTCP      262

static struct address at(const char *ip, uint16_t port)
{
    struct address address = {.length = sizeof address.as.in};
    address.as.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, ip, &address.as.in.sin_addr) == 1) {
        return address;
    }
    address.length = sizeof address.as.in6;
    address.as.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
    cr_assert_eq(inet_pton(AF_INET6, ip, &address.as.in6.sin6_addr), 1, "%s", ip);
    return address;
}

static int new_socket(const struct address *address, int type, int protocol)
{
    const int fd = socket(address->as.any.sa_family, type | SOCK_CLOEXEC, protocol);
    cr_assert_geq(fd, 0, "socket: %s", strerror(errno));
    return fd;
}

static void set(int fd, int level, int option, int value)
{
    cr_assert_eq(setsockopt(fd, level, option, &value, sizeof value), 0, "setsockopt %d, %d: %s",
                 level, option, strerror(errno));
}

static int bound_to(const char *ip, uint16_t port, int type)
{
    const struct address address = at(ip, port);
    const int fd = new_socket(&address, type, 0);
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    cr_assert_eq(bind(fd, &address.as.any, address.length), 0, "bind to %s: %s", ip,
                 strerror(errno));
    return fd;
}

static int listener_on(const char *ip)
{
    const int fd = bound_to(ip, PORT, SOCK_STREAM);
    cr_assert_eq(listen(fd, 1024), 0, "listen on %s: %s", ip, strerror(errno));
    return fd;
}

static int client_of(const char *ip)
{
    const struct address address = at(ip, PORT);
    const int fd = new_socket(&address, SOCK_STREAM, 0);
    cr_assert_eq(connect(fd, &address.as.any, address.length), 0, "connect to %s: %s", ip,
                 strerror(errno));
    return fd;
}

struct pair {
    int server;
    int client;
};

static struct pair connected(int listener, const char *ip)
{
    struct pair pair = {.client = client_of(ip)};
    pair.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    cr_assert_geq(pair.server, 0, "accept: %s", strerror(errno));
    return pair;
}

static void leave_time_wait(int listener, const char *ip)
{
    char byte;
    const struct pair pair = connected(listener, ip);
    close(pair.server);
    cr_assert_eq(recv(pair.client, &byte, 1, 0), 0);
    close(pair.client);
}

/* Writes until the peer, which does not read, takes no more. */
static void fill(int fd)
{
    static const char data[65536];
    while (send(fd, data, sizeof data, MSG_DONTWAIT) > 0 ||
           poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 100) == 1) {
    }
}

static void wait_for_end(int fd)
{
    cr_assert_eq(poll(&(struct pollfd){.fd = fd, .events = POLLRDHUP}, 1, 10000), 1);
}

/* What a socket that wants to bind here finds. */
static struct holders look_from(int fd, const char *ip)
{
    const struct address asked = at(ip, PORT);
    struct holders_question question;
    struct holders holders;
    holders_ask(&question, fd, &asked);
    holders_find(&question, &holders);
    return holders;
}

static struct holders look(const char *ip)
{
    const struct address asked = at(ip, PORT);
    const int fd = new_socket(&asked, SOCK_STREAM, 0);
    const struct holders holders = look_from(fd, ip);
    close(fd);
    return holders;
}

static struct holders look_as_udp(const char *ip)
{
    const struct address asked = at(ip, PORT);
    const int fd = new_socket(&asked, SOCK_DGRAM, 0);
    const struct holders holders = look_from(fd, ip);
    close(fd);
    return holders;
}

static uint64_t inode_of(int fd)
{
    struct stat file;
    cr_assert_eq(fstat(fd, &file), 0);
    return file.st_ino;
}

static void expect_address(const struct address *address, const char *expected)
{
    char text[64];
    struct line line = {.text = text, .size = sizeof text};
    address_write(&line, address);
    text[line.length] = '\0';
    cr_assert_str_eq(text, expected);
}

static void expect_nobody(const struct holders *holders)
{
    cr_assert_leq(holders->source, HOLDERS_BY_PROC);
    cr_assert(holders->complete);
    cr_assert_eq(holders->total, 0, "%u sockets, the first in state %d", holders->total,
                 (int)holders->named.state);
}

/* One socket, in this state. */
static void expect_one(const struct holders *holders, enum state state)
{
    cr_assert_leq(holders->source, HOLDERS_BY_PROC);
    cr_assert(holders->complete);
    cr_assert_eq(holders->total, 1, "%u sockets", holders->total);
    cr_assert_eq(holders->named.state, state, "state %d, not %d", (int)holders->named.state,
                 (int)state);
    cr_assert_eq(holders->count[state], 1);
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static void add_device(const char *name)
{
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(fd, SIOCBRADDBR, name) != 0) {
        skip_because("a second network interface cannot be made: %s", strerror(errno));
    }
    close(fd);
}

/* --- states --- */

Test(holders, a_free_port_has_none)
{
    listener_on("127.0.0.1");
    bound_to("127.0.0.2", OTHER_PORT, SOCK_STREAM);
    const struct holders holders = look("127.0.0.2");
    expect_nobody(&holders);
    cr_assert_eq(holders.source, HOLDERS_BY_SOCK_DIAG);
}

Test(holders, a_listener_is_seen_with_all_its_facts)
{
    const int fd = listener_on("127.0.0.1");
    const struct holders holders = look("0.0.0.0");
    expect_one(&holders, STATE_LISTEN);
    cr_assert_eq(holders.unsure, 0);
    expect_address(&holders.named.local, "127.0.0.1:9999");
    cr_assert_eq(holders.named.peer.length, 0);
    cr_assert_eq(holders.named.inode, inode_of(fd));
    cr_assert_eq(holders.named.uid, getuid());
    cr_assert_str_eq(holders.named.device, "");
    cr_assert_not(holders.named.timed);
    cr_assert_eq(holders.local_ports.first, 0, "that is for connections");
}

Test(holders, a_socket_that_is_bound_only_is_seen_or_said_to_be_invisible)
{
    const int fd = bound_to("127.0.0.1", PORT, SOCK_STREAM);
    const struct holders holders = look("127.0.0.1");
    if (!kernel_is_at_least(6, 8) && holders.total == 0) {
        cr_assert_not(holders.bound_seen);
        return;
    }
    cr_assert(holders.bound_seen);
    expect_one(&holders, STATE_BOUND);
    cr_assert_eq(holders.named.inode, inode_of(fd));
}

Test(holders, an_established_connection_is_seen_with_its_peer_and_the_range_of_local_ports)
{
    const int listener = listener_on("127.0.0.1");
    const struct pair pair = connected(listener, "127.0.0.1");
    struct address peer;
    address_of_socket(&peer, pair.client);
    close(listener);
    const struct holders holders = look("0.0.0.0");
    expect_one(&holders, STATE_ESTABLISHED);
    cr_assert_eq(holders.named.inode, inode_of(pair.server));
    cr_assert_eq(address_port(&holders.named.peer), address_port(&peer));
    cr_assert_eq(holders.local_ports.first, 32768);
    cr_assert_eq(holders.local_ports.last, 60999);
}

Test(holders, close_wait_and_fin_wait_2_are_seen)
{
    const int listener = listener_on("127.0.0.1");
    const struct pair waiting = connected(listener, "127.0.0.1");
    const struct pair finished = connected(listener, "127.0.0.1");
    close(listener);
    shutdown(waiting.client, SHUT_WR);
    wait_for_end(waiting.server);
    shutdown(finished.server, SHUT_WR);
    EVENTUALLY(look("0.0.0.0").count[STATE_FIN_WAIT2] == 1);
    const struct holders holders = look("0.0.0.0");
    cr_assert_eq(holders.total, 2);
    cr_assert_eq(holders.count[STATE_CLOSE_WAIT], 1);
    cr_assert_eq(holders.named.state, STATE_CLOSE_WAIT);
    cr_assert_eq(holders.named.inode, inode_of(waiting.server));
}

Test(holders, a_closed_connection_whose_peer_goes_on_is_fin_wait_2_for_a_time_that_is_known)
{
    const int listener = listener_on("127.0.0.1");
    const struct pair pair = connected(listener, "127.0.0.1");
    close(listener);
    close(pair.server);
    EVENTUALLY(look("0.0.0.0").count[STATE_FIN_WAIT2] == 1);
    const struct holders holders = look("0.0.0.0");
    expect_one(&holders, STATE_FIN_WAIT2);
    cr_assert_geq(pair.client, 0);
    cr_assert(holders.named.timed);
    cr_assert(holders.named.remaining_ms > 50000 && holders.named.remaining_ms <= 60000);
    cr_assert_eq(holders.named.inode, 0);
    cr_assert_eq(holders.time_wait_ms, 0);
}

Test(holders, connections_whose_data_nobody_takes_are_fin_wait_1_closing_and_last_ack)
{
    const int listener = listener_on("127.0.0.1");
    const struct pair fin_wait = connected(listener, "127.0.0.1");
    const struct pair closing = connected(listener, "127.0.0.1");
    const struct pair last_ack = connected(listener, "127.0.0.1");
    close(listener);
    fill(fin_wait.server);
    fill(closing.server);
    fill(last_ack.server);
    close(fin_wait.server);
    shutdown(closing.server, SHUT_WR);
    shutdown(closing.client, SHUT_WR);
    shutdown(last_ack.client, SHUT_WR);
    wait_for_end(last_ack.server);
    close(last_ack.server);
    const struct holders holders = look("0.0.0.0");
    cr_assert_eq(holders.total, 3);
    cr_assert_eq(holders.count[STATE_FIN_WAIT1], 1);
    cr_assert_eq(holders.count[STATE_CLOSING], 1);
    cr_assert_eq(holders.count[STATE_LAST_ACK], 1);
    cr_assert_eq(holders.named.state, STATE_FIN_WAIT1);
    cr_assert_eq(holders.named.inode, 0);
}

Test(holders, of_two_in_the_same_state_the_one_that_a_process_has_is_named)
{
    const int listener = listener_on("127.0.0.1");
    const struct pair kept = connected(listener, "127.0.0.1");
    fill(kept.server);
    shutdown(kept.server, SHUT_WR);
    for (int i = 0; i < 8; i++) {
        const struct pair closed = connected(listener, "127.0.0.1");
        fill(closed.server);
        close(closed.server);
    }
    close(listener);
    const struct holders holders = look("0.0.0.0");
    cr_assert_eq(holders.count[STATE_FIN_WAIT1], 9);
    cr_assert_eq(holders.named.inode, inode_of(kept.server));
}

Test(holders, an_unanswered_connect_from_the_port_is_syn_sent)
{
    const struct address full = at("127.0.0.1", OTHER_PORT);
    const int listener = bound_to("127.0.0.1", OTHER_PORT, SOCK_STREAM);
    listen(listener, 0);
    const int first = new_socket(&full, SOCK_STREAM, 0);
    cr_assert_eq(connect(first, &full.as.any, full.length), 0);
    const int fd = bound_to("127.0.0.1", PORT, SOCK_STREAM);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    cr_assert(connect(fd, &full.as.any, full.length) != 0 && errno == EINPROGRESS);
    const struct holders holders = look("0.0.0.0");
    expect_one(&holders, STATE_SYN_SENT);
    expect_address(&holders.named.peer, "127.0.0.1:9998");
}

Test(holders, an_incomplete_incoming_connection_is_syn_recv_and_never_the_one_to_name)
{
    const int listener = listener_on("127.0.0.1");
    set(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 10);
    client_of("127.0.0.1");
    struct holders holders = look("0.0.0.0");
    cr_assert_eq(holders.count[STATE_SYN_RECV], 1);
    cr_assert_eq(holders.named.state, STATE_LISTEN);
    set(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0);
    leave_time_wait(listener, "127.0.0.1");
    close(listener);
    holders = look("0.0.0.0");
    cr_assert_eq(holders.named.state, STATE_TIME_WAIT);
}

Test(holders, time_wait_is_counted_and_the_last_one_to_go_is_named)
{
    enum { CONNECTIONS = 500 };
    const int listener = listener_on("0.0.0.0");
    leave_time_wait(listener, "127.0.0.1");
    usleep(1100 * 1000);
    for (int i = 1; i < CONNECTIONS; i++) {
        leave_time_wait(listener, "127.0.0.1");
    }
    close(listener);
    const struct holders holders = look("0.0.0.0");
    cr_assert(holders.complete);
    cr_assert_eq(holders.total, CONNECTIONS);
    cr_assert_eq(holders.count[STATE_TIME_WAIT], CONNECTIONS);
    cr_assert_eq(holders.named.state, STATE_TIME_WAIT);
    cr_assert(holders.named.timed);
    cr_assert_eq(holders.named.remaining_ms, holders.time_wait_ms);
    cr_assert(holders.time_wait_ms > 59000 && holders.time_wait_ms <= 60000,
              "%u ms are left of 60 s", holders.time_wait_ms);
    cr_assert_eq(holders.named.inode, 0);
}

/* --- which is named --- */

Test(holders, a_listener_is_named_before_a_bound_socket_and_that_before_connections)
{
    const int listener = listener_on("127.0.0.1");
    const struct pair pair = connected(listener, "127.0.0.1");
    leave_time_wait(listener, "127.0.0.1");
    const int bound = bound_to("127.0.0.2", PORT, SOCK_STREAM);

    struct holders holders = look("0.0.0.0");
    cr_assert_eq(holders.named.inode, inode_of(listener));
    close(listener);
    holders = look("0.0.0.0");
    if (holders.bound_seen) {
        cr_assert_eq(holders.named.inode, inode_of(bound));
    }
    close(bound);
    holders = look("0.0.0.0");
    cr_assert_eq(holders.named.inode, inode_of(pair.server));
    close(pair.client);
    wait_for_end(pair.server);
    close(pair.server);
    holders = look("0.0.0.0");
    cr_assert_eq(holders.named.state, STATE_TIME_WAIT);
}

Test(holders, the_asking_socket_is_not_one_of_them)
{
    const int fd = listener_on("127.0.0.1");
    const struct holders holders = look_from(fd, "127.0.0.1");
    expect_nobody(&holders);
}

/* --- only those that are in the way --- */

Test(holders, an_ipv6_listener_holds_the_port_for_ipv4_too)
{
    listener_on("::");
    const struct holders holders = look("127.0.0.1");
    expect_one(&holders, STATE_LISTEN);
    cr_assert_eq(holders.unsure, 0);
    expect_address(&holders.named.local, "[::]:9999");
}

Test(holders, an_ipv6_only_listener_does_not_hold_it_for_ipv4)
{
    const struct address any = at("::", PORT);
    const int fd = new_socket(&any, SOCK_STREAM, 0);
    set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    cr_assert_eq(bind(fd, &any.as.any, any.length), 0);
    cr_assert_eq(listen(fd, 8), 0);
    struct holders holders = look("0.0.0.0");
    expect_nobody(&holders);
    holders = look("::1");
    expect_one(&holders, STATE_LISTEN);
}

Test(holders, an_ipv4_listener_is_in_the_way_of_ipv6_unless_that_is_ipv6_only)
{
    listener_on("127.0.0.1");
    struct holders holders = look("::");
    expect_one(&holders, STATE_LISTEN);
    holders = look("::ffff:127.0.0.1");
    expect_one(&holders, STATE_LISTEN);
    holders = look("::1");
    expect_nobody(&holders);

    const struct address any = at("::", PORT);
    const int fd = new_socket(&any, SOCK_STREAM, 0);
    set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    holders = look_from(fd, "::");
    expect_nobody(&holders);
}

Test(holders, the_time_wait_of_an_ipv4_client_on_an_ipv6_listener_is_in_the_way_of_ipv4)
{
    const int listener = listener_on("::");
    leave_time_wait(listener, "127.0.0.1");
    leave_time_wait(listener, "::1");
    close(listener);
    struct holders holders = look("0.0.0.0");
    expect_one(&holders, STATE_TIME_WAIT);
    expect_address(&holders.named.local, "[::ffff:127.0.0.1]:9999");
    holders = look("::");
    cr_assert_eq(holders.count[STATE_TIME_WAIT], 2);
}

Test(holders, a_listener_on_another_device_is_not_in_the_way)
{
    add_device("other");
    const struct address any = at("0.0.0.0", PORT);
    const int listener = new_socket(&any, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_BINDTODEVICE, "other", 5);
    cr_assert_eq(bind(listener, &any.as.any, any.length), 0);
    listen(listener, 8);
    struct holders holders = look("0.0.0.0");
    expect_one(&holders, STATE_LISTEN);
    cr_assert_str_eq(holders.named.device, "other");

    const int asking = new_socket(&any, SOCK_STREAM, 0);
    setsockopt(asking, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2);
    holders = look_from(asking, "0.0.0.0");
    expect_nobody(&holders);
    setsockopt(asking, SOL_SOCKET, SO_BINDTODEVICE, "other", 5);
    holders = look_from(asking, "0.0.0.0");
    expect_one(&holders, STATE_LISTEN);
}

Test(holders, a_link_local_address_is_in_the_way_on_its_own_device_only)
{
    struct holders_question question;
    struct address asked = at("fe80::1", PORT);
    asked.as.in6.sin6_scope_id = 7;
    const int fd = new_socket(&asked, SOCK_STREAM, 0);
    holders_ask(&question, fd, &asked);
    cr_assert_eq(question.claim.device, 7);
}

Test(holders, udp_and_tcp_are_not_in_each_others_way)
{
    listener_on("127.0.0.1");
    struct holders holders = look_as_udp("127.0.0.1");
    expect_nobody(&holders);
    bound_to("127.0.0.2", PORT, SOCK_DGRAM);
    holders = look("127.0.0.2");
    expect_nobody(&holders);
}

Test(holders, udp_sockets_are_bound_or_connected)
{
    const int fd = bound_to("127.0.0.1", PORT, SOCK_DGRAM);
    struct holders holders = look_as_udp("0.0.0.0");
    expect_one(&holders, STATE_BOUND);
    cr_assert(holders.bound_seen);
    cr_assert_eq(holders.named.inode, inode_of(fd));
    holders = look_as_udp("127.0.0.2");
    expect_nobody(&holders);

    const struct address peer = at("127.0.0.1", OTHER_PORT);
    connect(fd, &peer.as.any, peer.length);
    holders = look_as_udp("0.0.0.0");
    expect_one(&holders, STATE_ESTABLISHED);
    expect_address(&holders.named.peer, "127.0.0.1:9998");
}

Test(holders, an_mptcp_listener_is_seen_and_an_mptcp_socket_asks_for_tcp)
{
    const struct address any = at("0.0.0.0", PORT);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, MPTCP);
    if (listener < 0) {
        skip_because("this kernel has no MPTCP: %s", strerror(errno));
    }
    cr_assert_eq(bind(listener, &any.as.any, any.length), 0);
    cr_assert_eq(listen(listener, 8), 0);
    const int asking = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, MPTCP);
    struct holders holders = look_from(asking, "127.0.0.1");
    expect_one(&holders, STATE_LISTEN);
    cr_assert_eq(holders.named.inode, inode_of(listener));
    holders = look_from(listener, "0.0.0.0");
    expect_nobody(&holders);
}

/* --- what cannot be asked --- */

Test(holders, without_a_port_or_a_known_protocol_there_is_no_question)
{
    struct holders holders = look("0.0.0.0");
    const struct address no_port = at("0.0.0.0", 0);
    const struct address any = at("0.0.0.0", PORT);
    struct holders_question question;
    const int fd = new_socket(&any, SOCK_STREAM, 0);
    holders_ask(&question, fd, &no_port);
    holders_find(&question, &holders);
    cr_assert_eq(holders.source, HOLDERS_NO_QUESTION);

    const int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    holders_ask(&question, local, &any);
    holders_find(&question, &holders);
    cr_assert_eq(holders.source, HOLDERS_NO_QUESTION);
}

Test(holders, a_protocol_that_is_not_told_is_not_taken_for_another)
{
    struct holders holders;
    const struct address any = at("0.0.0.0", PORT);
    struct holders_question question;
    holders_ask(&question, -1, &any);
    holders_find(&question, &holders);
    cr_assert_eq(holders.source, HOLDERS_NO_PROTOCOL);
    cr_assert_eq(holders.protocol_error, EBADF);
}

Test(holders, a_socket_of_another_network_namespace_is_not_looked_up_in_this_one)
{
    const struct address any = at("0.0.0.0", PORT);
    const int fd = new_socket(&any, SOCK_STREAM, 0);
    listener_on("0.0.0.0");
    enter_private_network();
    const struct holders holders = look_from(fd, "0.0.0.0");
    cr_assert_eq(holders.source, HOLDERS_OTHER_NETWORK);
    cr_assert_eq(holders.total, 0);
}

static void *look_in_another_network(void *result)
{
    enter_private_network();
    *(struct holders *)result = look("0.0.0.0");
    return NULL;
}

static void expect_the_threads_network(void)
{
    struct holders holders;
    pthread_t thread;
    listener_on("127.0.0.1");
    pthread_create(&thread, NULL, look_in_another_network, &holders);
    pthread_join(thread, NULL);
    expect_nobody(&holders);
}

Test(holders, a_thread_asks_in_its_own_network_namespace)
{
    expect_the_threads_network();
}

Test(holders, a_thread_asks_in_its_own_network_namespace_without_netlink)
{
    refuse_netlink(EPERM);
    expect_the_threads_network();
}

/* --- without netlink, without /proc --- */

/* What /proc/net can tell, it tells alike. */
static void expect_the_same(const char *ip)
{
    const struct holders netlink = look(ip);
    refuse_netlink(EAFNOSUPPORT);
    const struct holders proc = look(ip);
    cr_assert_eq(netlink.source, HOLDERS_BY_SOCK_DIAG);
    cr_assert_eq(proc.source, HOLDERS_BY_PROC);
    cr_assert_eq(proc.netlink_error, EAFNOSUPPORT);
    cr_assert(proc.complete);
    cr_assert_not(proc.bound_seen);
    cr_assert_gt(netlink.total, 0);
    cr_assert_eq(proc.total, netlink.total, "%u, not %u", proc.total, netlink.total);
    for (int i = 0; i < STATES; i++) {
        cr_assert_eq(proc.count[i], netlink.count[i], "state %d: %u, not %u", i, proc.count[i],
                     netlink.count[i]);
    }
    cr_assert_eq(proc.named.state, netlink.named.state);
    cr_assert_eq(proc.named.inode, netlink.named.inode);
    cr_assert_eq(proc.named.uid, netlink.named.uid);
    cr_assert_eq(proc.named.timed, netlink.named.timed);
    cr_assert_arr_eq(&proc.named.local.as, &netlink.named.local.as, netlink.named.local.length);
    cr_assert_eq(proc.named.peer.length, netlink.named.peer.length);
    if (!netlink.named.timed) { /* of which the last to go is named, as exactly as that is told */
        cr_assert_eq(address_port(&proc.named.peer), address_port(&netlink.named.peer));
    }
    const int64_t difference = (int64_t)netlink.time_wait_ms - proc.time_wait_ms;
    cr_assert(difference >= -20 && difference < 2000, "%u ms, not %u", proc.time_wait_ms,
              netlink.time_wait_ms);
}

Test(holders, without_netlink_proc_tells_the_same_of_ipv4)
{
    const int listener = listener_on("0.0.0.0");
    connected(listener, "127.0.0.1");
    leave_time_wait(listener, "127.0.0.1");
    expect_the_same("127.0.0.1");
}

Test(holders, without_netlink_proc_tells_the_same_of_ipv6)
{
    const int listener = listener_on("::");
    connected(listener, "::1");
    connected(listener, "127.0.0.1");
    leave_time_wait(listener, "::1");
    leave_time_wait(listener, "127.0.0.1");
    expect_the_same("::");
}

Test(holders, without_netlink_proc_tells_the_same_of_time_wait)
{
    const int listener = listener_on("0.0.0.0");
    for (int i = 0; i < 100; i++) {
        leave_time_wait(listener, "127.0.0.1");
    }
    close(listener);
    expect_the_same("0.0.0.0");
}

Test(holders, without_netlink_udp_is_seen_too)
{
    const int fd = bound_to("::1", PORT, SOCK_DGRAM);
    refuse_netlink(EPERM);
    const struct holders holders = look_as_udp("::1");
    expect_one(&holders, STATE_BOUND);
    cr_assert_eq(holders.source, HOLDERS_BY_PROC);
    cr_assert(holders.bound_seen);
    cr_assert_eq(holders.named.inode, inode_of(fd));
}

Test(holders, without_netlink_what_depends_on_v6only_is_unsure)
{
    listener_on("::");
    refuse_netlink(EACCES);
    struct holders holders = look("0.0.0.0");
    expect_one(&holders, STATE_LISTEN);
    cr_assert_eq(holders.unsure, 1);
    cr_assert_str_eq(holders.named.device, "");
    holders = look("::1");
    expect_one(&holders, STATE_LISTEN);
    cr_assert_eq(holders.unsure, 0);
}

Test(holders, without_proc_netlink_is_enough)
{
    const int listener = listener_on("127.0.0.1");
    hide_proc();
    struct holders holders = look("127.0.0.1");
    expect_one(&holders, STATE_LISTEN);
    connected(listener, "127.0.0.1");
    close(listener);
    holders = look("127.0.0.1");
    expect_one(&holders, STATE_ESTABLISHED);
    cr_assert_eq(holders.local_ports.last, 0);
}

Test(holders, without_both_it_says_why)
{
    listener_on("127.0.0.1");
    hide_proc();
    refuse_netlink(EPERM);
    const struct holders holders = look("127.0.0.1");
    cr_assert_eq(holders.source, HOLDERS_REFUSED);
    cr_assert_eq(holders.netlink_error, EPERM);
    cr_assert_eq(holders.proc_error, ENOENT);
    cr_assert_eq(holders.total, 0);
}

Test(holders, without_a_free_descriptor_it_says_so)
{
    const struct address any = at("0.0.0.0", PORT);
    const int fd = new_socket(&any, SOCK_STREAM, 0);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &limit);
    const struct holders holders = look_from(fd, "0.0.0.0");
    limit.rlim_cur = before;
    setrlimit(RLIMIT_NOFILE, &limit);
    cr_assert_eq(holders.source, HOLDERS_REFUSED);
    cr_assert_eq(holders.netlink_error, EMFILE);
    cr_assert_eq(holders.proc_error, EMFILE);
}

/* --- manners --- */

Test(holders, no_descriptor_is_left_open)
{
    const int listener = listener_on("127.0.0.1");
    connected(listener, "127.0.0.1");
    const int before = open_descriptors();
    struct holders holders = look("0.0.0.0");
    holders_find_owner(&holders);
    cr_assert_eq(open_descriptors(), before);
    close(listener);
    holders = look("0.0.0.0");
    holders_find_owner(&holders);
    cr_assert_eq(open_descriptors(), before - 1);
    refuse_netlink(EPERM);
    holders = look("0.0.0.0");
    holders_find_owner(&holders);
    cr_assert_eq(open_descriptors(), before - 1);
}

Test(holders, a_large_list_is_cut_off_in_time_and_said_to_be_so)
{
    /* With its clock refused, a look-up stops after the first part. */
    const int listener = listener_on("0.0.0.0");
    for (int i = 0; i < 200; i++) {
        leave_time_wait(listener, "127.0.0.1");
    }
    close(listener);
    refuse_clock();
    struct holders holders = look("0.0.0.0");
    cr_assert_not(holders.complete);
    cr_assert(holders.total > 0 && holders.total < 200, "%u", holders.total);
    refuse_netlink(EPERM);
    holders = look("0.0.0.0");
    cr_assert_eq(holders.source, HOLDERS_BY_PROC);
    cr_assert_not(holders.complete);
    cr_assert(holders.total > 0 && holders.total < 200, "%u", holders.total);
}

/* --- a list that has been made already --- */

static struct listed listener_in_list(const char *ip, enum v6only v6only)
{
    const struct address address = at(ip, PORT);
    struct listed listed = {.state = STATE_LISTEN,
                            .family = address.as.any.sa_family,
                            .claim = {.v6only = v6only},
                            .port = PORT,
                            .inode = PORT};
    listed.claim.ip = listed.family == AF_INET ? claim_mapped(address.as.in.sin_addr.s_addr)
                                               : address.as.in6.sin6_addr;
    return listed;
}

static const struct listed *of_array(const void *context, size_t number)
{
    return &((const struct listed *)context)[number];
}

static struct holders find_in(const struct listed *sockets, size_t count, int netlink_error,
                              int proc_error)
{
    struct holders holders;
    const struct address asked = at("127.0.0.1", PORT);
    const struct holders_question question = {
        .protocol = IPPROTO_TCP,
        .port = PORT,
        .claim = {.ip = claim_mapped(asked.as.in.sin_addr.s_addr)}};
    const struct holders_list list = {.count = count,
                                      .at = of_array,
                                      .context = sockets,
                                      .complete = true,
                                      .netlink_error = netlink_error,
                                      .proc_error = proc_error};
    holders_find_in(&list, &question, &holders);
    return holders;
}

Test(holders, whoever_is_certainly_in_the_way_is_named_before_who_may_be)
{
    const struct listed unsure = listener_in_list("::", V6ONLY_UNKNOWN);
    const struct listed certain = listener_in_list("0.0.0.0", V6ONLY_NO);
    const struct listed orders[][2] = {{unsure, certain}, {certain, unsure}};
    for (size_t i = 0; i < 2; i++) {
        const struct holders holders = find_in(orders[i], 2, 0, 0);
        cr_assert_eq(holders.total, 2);
        cr_assert_eq(holders.unsure, 1);
        expect_address(&holders.named.local, "0.0.0.0:9999");
    }
}

Test(holders, how_a_list_was_made_is_how_the_answer_was_found)
{
    cr_assert_eq(find_in(NULL, 0, 0, 0).source, HOLDERS_BY_SOCK_DIAG);
    cr_assert_eq(find_in(NULL, 0, EPERM, 0).source, HOLDERS_BY_PROC);
    const struct holders refused = find_in(NULL, 0, EPERM, ENOENT);
    cr_assert_eq(refused.source, HOLDERS_REFUSED);
    cr_assert_eq(refused.netlink_error, EPERM);
    cr_assert_eq(refused.proc_error, ENOENT);
}

Test(holders, a_link_local_address_is_one_of_a_device_where_it_has_a_scope)
{
    struct address asked = at("fe80::1", PORT);
    struct holders_question question;
    const int fd = new_socket(&asked, SOCK_STREAM, 0);
    asked.as.in6.sin6_scope_id = 1;
    holders_ask(&question, fd, &asked);
    cr_assert_eq(question.claim.device, 1);
    asked.length = offsetof(struct sockaddr_in6, sin6_scope_id);
    holders_ask(&question, fd, &asked);
    cr_assert_eq(question.claim.device, 0);
}

/* A kernel before 5.0 tells the name of the device, and not its number. */
Test(holders, a_device_that_is_told_by_name_only_is_not_known)
{
#ifdef SYS_getsockopt
    struct holders_question question;
    const struct address any = at("0.0.0.0", PORT);
    const int free_fd = new_socket(&any, SOCK_STREAM, 0);
    const int bound_fd = new_socket(&any, SOCK_STREAM, 0);
    cr_assert_eq(setsockopt(bound_fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof "lo"), 0);
    holders_ask(&question, bound_fd, &any);
    cr_assert_eq(question.claim.device, if_nametoindex("lo"));
    cr_assert_eq(filter_argument(SYS_getsockopt, 2, SO_BINDTOIFINDEX,
                                 SECCOMP_RET_ERRNO | (unsigned int)ENOPROTOOPT),
                 0);
    holders_ask(&question, bound_fd, &any);
    cr_assert_eq(question.claim.device, DEVICE_UNKNOWN);
    holders_ask(&question, free_fd, &any);
    cr_assert_eq(question.claim.device, 0);
#endif
}
