/* shim/explain/: sentences about facts that a test of whole programs cannot bring about on this
 * machine, or not for certain: another kernel, a security module, a search that was not ended in
 * time. */
#include "explain/explain.h"
#include "guest/config.h"
#include "lookup/asker.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "refuse.h"

TestSuite(explain);

static char said[2048];

static const char *sentence(const struct event *event)
{
    struct line line = {.text = said, .size = sizeof said - 1};
    explain_event(&line, event);
    said[line.length] = '\0';
    return said;
}

static void expect(const char *text, const char *words)
{
    cr_assert_not_null(strstr(text, words), "\"%s\" is not in: %s", words, text);
}

static void expect_none(const char *text, const char *words)
{
    cr_assert_null(strstr(text, words), "\"%s\" is in: %s", words, text);
}

static struct address ipv4(const char *ip, unsigned int port)
{
    struct address address = {.length = sizeof address.as.in};
    address.as.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, ip, &address.as.in.sin_addr);
    return address;
}

static struct address ipv6(const char *ip, unsigned int port)
{
    struct address address = {.length = sizeof address.as.in6};
    address.as.in6 =
        (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    inet_pton(AF_INET6, ip, &address.as.in6.sin6_addr);
    return address;
}

static struct address unix_path(const char *path)
{
    struct address address = {
        .length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))};
    address.as.un.sun_family = AF_UNIX;
    strcpy(address.as.un.sun_path, path);
    return address;
}

static const char *failed_bind(const struct address *asked, const struct holders *holders)
{
    return sentence(&(struct event){.kind = EVENT_BIND_FAILED,
                                    .error = EADDRINUSE,
                                    .rescue = RESCUE_NO_USE,
                                    .address = asked,
                                    .holders = holders});
}

static const char *refused(int error, const struct address *asked, const struct asker *asker)
{
    return sentence(&(struct event){
        .kind = EVENT_BIND_FAILED, .error = error, .address = asked, .asker = asker});
}

/* One socket in the way. */
static struct holders one_holder(enum state state, const struct address *local)
{
    struct holders holders = {.source = HOLDERS_BY_SOCK_DIAG,
                              .complete = true,
                              .bound_seen = true,
                              .total = 1,
                              .named = {.state = state, .local = *local}};
    holders.count[state] = 1;
    return holders;
}

Test(explain, a_listen_that_fails_because_of_another_socket_says_how_to_see_it)
{
    const struct address asked = ipv4("0.0.0.0", 9999);
    expect(sentence(&(struct event){
               .kind = EVENT_LISTEN_FAILED, .error = EADDRINUSE, .address = &asked}),
           "0.0.0.0:9999: EADDRINUSE: another socket listens on the port; to see which: ss -aenp "
           "sport = :9999");
}

Test(explain, a_log_file_that_is_forbidden_is_so_for_a_user)
{
    const struct log_failure log = {.trouble = LOG_TROUBLE_ERROR, .error = EPERM, .uid = 33};
    expect(
        sentence(&(struct event){.kind = EVENT_LOG_FAILED, .log = &log, .instead = "the journal"}),
        "EPERM for uid 33; reports that it does not take go to the journal");
}

/* Of another process, as libreuse watch sees it. */

static const char *remains_of(const struct subject *subject)
{
    const struct address asked = ipv4("0.0.0.0", 9999);
    struct holders holders = one_holder(STATE_TIME_WAIT, &asked);
    holders.timed_ms = 41000;
    return sentence(&(struct event){.kind = EVENT_BIND_FAILED,
                                    .error = EADDRINUSE,
                                    .subject = subject,
                                    .rescue = RESCUE_NOT_TRIED,
                                    .address = &asked,
                                    .holders = &holders});
}

Test(explain, a_service_is_enabled_by_its_name)
{
    const char *text = remains_of(
        &(struct subject){.unit = "server1.service", .is_service = true, .reach = REACH_POSSIBLE});
    expect(text, "; so that its restarts work: libreuse enable server1.service");
    expect_none(text, "libreuse guard");
}

Test(explain, a_program_that_no_preload_reaches_is_guarded)
{
    const char *text = remains_of(&(struct subject){
        .unit = "server1.service", .is_service = true, .reach = REACH_IMPOSSIBLE});
    expect(text, "; so that its restarts work, although no preload reaches it: libreuse guard on "
                 "server1.service");
    expect_none(text, "libreuse enable");
}

Test(explain, where_nobody_knows_whether_a_preload_reaches_both_ways_are_named)
{
    expect(remains_of(&(struct subject){.reach = REACH_UNKNOWN}),
           "; so that its restarts work: libreuse run, or, where no preload reaches it: libreuse "
           "guard");
}

Test(explain, of_a_program_with_libreuse_its_predecessor_is_armed)
{
    const char *text = remains_of(&(struct subject){.reach = REACH_IS_THERE});
    expect(text, "; next time, before such a server is stopped: libreuse arm 9999");
    expect_none(text, "so that its restarts work");
}

Test(explain, commands_for_another_network_are_run_there)
{
    expect(remains_of(&(struct subject){.enter = "nsenter -n -t 811 ", .reach = REACH_IS_THERE}),
           "nsenter -n -t 811 libreuse arm 9999");
}

/* Connections. */

static const char *connection(const struct address *local, const struct address *peer,
                              struct local_ports range, enum owner_search search)
{
    struct holders holders = one_holder(STATE_ESTABLISHED, local);
    holders.named.peer = *peer;
    holders.named.inode = 1;
    holders.named.owner = (struct owner){.search = search, .pid = 811, .program = "nginx"};
    holders.local_ports = range;
    return failed_bind(local, &holders);
}

Test(explain, a_connection_whose_ports_both_lie_in_the_range_may_be_of_either_side)
{
    const struct address local = ipv4("127.0.0.1", 40000);
    const struct address peer = ipv4("127.0.0.1", 40001);
    const char *text = connection(&local, &peer, (struct local_ports){32768, 60999}, OWNER_FOUND);
    expect(text,
           ", a connection with 127.0.0.1:40001 in ESTABLISHED (fd 0); if an earlier run accepted "
           "it without SO_REUSEADDR, the port is free when that process closes it");
    expect(text, "; or run: libreuse arm 40000; if it is an outgoing one, keep the port out of "
                 "net.ipv4.ip_local_port_range with net.ipv4.ip_local_reserved_ports=40000");
}

Test(explain, what_a_process_that_is_not_known_has_cannot_be_armed)
{
    const struct address local = ipv4("127.0.0.1", 9999);
    const struct address peer = ipv4("127.0.0.1", 40001);
    const char *text = connection(&local, &peer, (struct local_ports){32768, 60999}, OWNER_TIME_UP);
    expect(text, "held by a process that was not found in time");
    expect_none(text, "libreuse arm");
}

/* 4-tuple 127.0.0.1:9999 to ::1:9999: a connection of two families is none to itself. */
Test(explain, connected_to_itself_are_only_two_ends_of_one_family)
{
    const struct address local = ipv4("127.0.0.1", 9999);
    const struct address peer = ipv6("::1", 9999);
    expect_none(connection(&local, &peer, (struct local_ports){0}, OWNER_FOUND), "to itself");
}

Test(explain, remains_without_a_known_peer_are_not_taken_for_outgoing_ones)
{
    const struct address local = ipv4("127.0.0.1", 40000);
    struct holders holders = one_holder(STATE_TIME_WAIT, &local);
    holders.local_ports = (struct local_ports){32768, 60999};
    expect(
        failed_bind(&local, &holders),
        "held by 1 TIME_WAIT socket of a run without SO_REUSEADDR, or of an outgoing connection");
}

Test(explain, several_outgoing_connections_are_counted_and_one_is_named)
{
    const struct address local = ipv4("127.0.0.1", 40000);
    struct holders holders = one_holder(STATE_TIME_WAIT, &local);
    holders.total = holders.count[STATE_TIME_WAIT] = 2;
    holders.named.peer = ipv4("203.0.113.9", 443);
    holders.local_ports = (struct local_ports){32768, 60999};
    expect(failed_bind(&local, &holders), "held by 2 TIME_WAIT sockets, most likely of outgoing "
                                          "connections, one of them to 203.0.113.9:443");
}

/* Look-ups that did not come to their end. */

Test(explain, where_nothing_was_found_in_an_incomplete_list_that_is_said)
{
    const struct address asked = ipv4("0.0.0.0", 9999);
    const struct holders holders = {.source = HOLDERS_BY_SOCK_DIAG, .bound_seen = true};
    expect(failed_bind(&asked, &holders),
           "no holder can be seen: it is gone by now, or there was no time to list all");
}

Test(explain, where_the_clock_is_refused_no_time_was_short)
{
    const struct address asked = ipv4("0.0.0.0", 9999);
    const struct holders holders = {.source = HOLDERS_BY_SOCK_DIAG, .bound_seen = true};
    refuse_clock();
    expect(failed_bind(&asked, &holders), ", or it was not listed, because the clock is refused");
}

Test(explain, of_other_protocols_nobody_can_be_looked_up)
{
    const struct address asked = ipv4("0.0.0.0", 9999);
    const struct holders holders = {.source = HOLDERS_NO_QUESTION};
    expect(failed_bind(&asked, &holders),
           "which one could not be looked up: only TCP, UDP and AF_UNIX can be");
}

Test(explain, a_name_in_another_network_is_not_looked_up_in_this_one)
{
    const struct address asked = unix_path("/run/server");
    const struct holders holders = {.source = HOLDERS_OTHER_NETWORK};
    expect(failed_bind(&asked, &holders), "the socket is of another network namespace");
}

Test(explain, a_socket_file_of_a_process_that_is_not_known_is_held_all_the_same)
{
    const struct address asked = unix_path("/run/server");
    struct holders holders = one_holder(STATE_LISTEN, &asked);
    holders.named.owner.search = OWNER_HIDDEN;
    const char *text = failed_bind(&asked, &holders);
    expect(text, "held by a socket of no process that can be seen from here (uid 0), which listens "
                 "on it");
    expect_none(text, "stop it");
    holders.file = FILE_UNREACHABLE;
    expect(failed_bind(&asked, &holders), "which listens on it");
    holders.file = FILE_UNSURE;
    expect(failed_bind(&asked, &holders), "which listens on it");
}

Test(explain, who_has_not_been_sought_is_not_said_to_share_its_port)
{
    const struct address asked = ipv4("0.0.0.0", 9999);
    struct holders holders = one_holder(STATE_LISTEN, &asked);
    holders.asker_shares_port = true;
    holders.named.owner.search = OWNER_HIDDEN;
    expect_none(failed_bind(&asked, &holders), "SO_REUSEPORT");
    holders.named.inode = 1;
    expect(failed_bind(&asked, &holders), "SO_REUSEPORT is set on this socket");
}

/* Other errors. */

Test(explain, a_process_that_a_security_module_confines_is_said_to_be)
{
    const struct address asked = ipv4("0.0.0.0", 9999);
    const struct asker asker = {.label = "system_u:system_r:httpd_t:s0",
                                .is_filtered = FACT_YES,
                                .knows_first_free_port = true,
                                .first_free_port = 1024};
    expect(refused(EACCES, &asked, &asker),
           "a security module or a filter refuses it: the process is confined as "
           "system_u:system_r:httpd_t:s0 by SELinux or AppArmor (see: journalctl -k -g denied), or "
           "has a seccomp filter");
    expect(refused(EPERM, &asked, &asker), ", or may be in a control group with a BPF program");
    const struct address other = ipv6("::", 9999);
    expect(refused(EPERM, &other, &asker), "is confined as ");
}

Test(explain, what_no_address_of_ip_may_do_is_not_blamed_on_a_security_module)
{
    const struct address asked = unix_path("/run/server");
    expect(refused(EPERM, &asked, &(struct asker){0}),
           "not permitted: a security module, a filter or a firewall program refuses it");
}

Test(explain, the_first_port_that_needs_no_right_is_1024_where_nobody_says)
{
    const struct address asked = ipv4("0.0.0.0", 80);
    expect(refused(EACCES, &asked, &(struct asker){0}),
           "ports below 1024 need CAP_NET_BIND_SERVICE; with systemd");
}

Test(explain, an_address_on_a_device_is_there_but_not_for_this_socket)
{
    const struct address asked = ipv6("2001:db8::1", 9999);
    struct asker asker = {.asked = {.index = 7}, .asked_device = "eth0", .device = "eth0"};
    expect(refused(EADDRNOTAVAIL, &asked, &asker),
           "the address is on device eth0: it has just come; try again");
    strcpy(asker.device, "eth1");
    expect(refused(EADDRNOTAVAIL, &asked, &asker),
           "the address is on device eth0, and this socket is bound to eth1");
    asker.device[0] = '\0';
    expect(refused(EADDRNOTAVAIL, &asked, &asker), "or that is a device of a VRF");
}

Test(explain, a_socket_of_a_device_finds_the_addresses_of_its_vrf_only)
{
    const struct address asked = ipv4("192.0.2.1", 9999);
    expect(refused(EADDRNOTAVAIL, &asked, &(struct asker){.device = "eth1"}),
           "not an address of this host, or not yet, or not one of the VRF of eth1, to which this "
           "socket is bound; see: ip address");
}

Test(explain, an_address_that_is_too_short_says_how_long_it_is_to_be)
{
    struct address asked = ipv4("0.0.0.0", 9999);
    asked.length = 8;
    expect(refused(EINVAL, &asked, &(struct asker){.domain = AF_INET}),
           "the address is too short: a sockaddr_in has 16 bytes");
    asked.length = sizeof asked.as.in;
    expect(refused(EINVAL, &asked, &(struct asker){.domain = AF_INET}),
           "the socket's state or the form of the address does not allow it");
}

Test(explain, a_link_local_address_needs_its_interface)
{
    struct address asked = ipv6("fe80::1", 9999);
    const struct asker asker = {.domain = AF_INET6};
    static const char needs[] = "a link-local address needs the index of its interface";
    expect(refused(EINVAL, &asked, &asker), needs);
    asked.as.in6.sin6_scope_id = 7;
    expect_none(refused(EINVAL, &asked, &asker), needs);
    asked.length = offsetof(struct sockaddr_in6, sin6_scope_id);
    expect(refused(EINVAL, &asked, &asker), needs);
    asked.as.any.sa_family = AF_UNIX;
    expect_none(refused(EINVAL, &asked, &asker), needs);
}

Test(explain, families_are_told_only_where_the_socket_tells_its_own)
{
    const struct address asked = ipv6("::", 9999);
    expect(refused(EAFNOSUPPORT, &asked, &(struct asker){.domain = AF_UNSPEC}),
           "the socket does not take addresses of this family");
    expect(refused(EAFNOSUPPORT, &asked, &(struct asker){.domain = AF_INET}),
           "the socket is AF_INET, the address AF_INET6");
}

Test(explain, an_interface_is_told_only_where_the_address_has_one)
{
    struct address asked = ipv6("fe80::1", 9999);
    asked.as.in6.sin6_scope_id = 7;
    expect(refused(ENODEV, &asked, &(struct asker){0}),
           "there is no network interface with the index 7");
    asked.length = offsetof(struct sockaddr_in6, sin6_scope_id);
    expect(refused(ENODEV, &asked, &(struct asker){0}),
           "ENODEV: there is no such network interface");
    asked = ipv4("0.0.0.0", 9999);
    expect(refused(ENODEV, &asked, &(struct asker){0}),
           "ENODEV: there is no such network interface");
}

/* Nothing is asked of this process about another one's socket. */
Test(explain, of_another_process_only_what_was_seen_of_it_is_told)
{
    const struct address asked = ipv4("0.0.0.0", 80);
    const struct subject subject = {.program = "server1", .pid = 811};
    expect(sentence(&(struct event){.kind = EVENT_BIND_FAILED,
                                    .error = EAFNOSUPPORT,
                                    .fd = -1,
                                    .subject = &subject,
                                    .address = &asked}),
           "EAFNOSUPPORT: the socket does not take addresses of this family");
}

Test(explain, who_waits_already_is_not_told_to)
{
    const struct address asked = ipv4("0.0.0.0", 9999);
    struct holders holders = one_holder(STATE_TIME_WAIT, &asked);
    expect(failed_bind(&asked, &holders), "; set LIBREUSE_WAIT=65");
    setenv("LIBREUSE_WAIT", "600", 1);
    config_load();
    expect_none(failed_bind(&asked, &holders), "LIBREUSE_WAIT");
}

/* The command's own variables say nothing of the server, which may be without the library. */
Test(explain, a_command_names_the_start_that_would_work)
{
    const struct address asked = ipv4("0.0.0.0", 9999);
    struct holders holders = one_holder(STATE_TIME_WAIT, &asked);
    const struct event event = {.kind = EVENT_BIND_FAILED,
                                .error = EADDRINUSE,
                                .rescue = RESCUE_NO_USE,
                                .address = &asked,
                                .is_trial = true,
                                .holders = &holders};
    setenv("LIBREUSE_WAIT", "600", 1);
    config_load();
    expect(sentence(&event), "; run: libreuse free 9999, then start it by libreuse run (or: "
                             "libreuse run --wait=65 PROGRAM); next time, before");
    expect_none(sentence(&event), "LIBREUSE_WAIT");
    holders.local_ports = (struct local_ports){.first = 9000, .last = 10000};
    holders.named.peer = ipv4("192.0.2.1", 443);
    expect(sentence(&event), "; run: libreuse free 9999 (or: libreuse run --wait=65 PROGRAM); "
                             "keep ");
    cr_assert(personality(UNAME26) != -1); /* uname(2) says 2.6, where free cannot do its work */
    expect(sentence(&event), "; run: libreuse run --wait=65 PROGRAM; keep ");
}

/* The settings of the command that watches are not those of the program. */
Test(explain, waiting_for_an_address_is_spoken_of_in_the_process_that_waits)
{
    const struct address asked = ipv4("192.0.2.1", 9999);
    const struct subject subject = {.program = "server1", .pid = 811};
    struct event event = {.kind = EVENT_BIND_FAILED,
                          .error = EADDRNOTAVAIL,
                          .asker = &(struct asker){0},
                          .address = &asked};
    setenv("LIBREUSE_WAIT", "600", 1);
    config_load();
    expect(sentence(&event), "; LIBREUSE_WAIT waits for ports, not for addresses");
    event.subject = &subject;
    expect_none(sentence(&event), "LIBREUSE_WAIT");
}

Test(explain, a_socket_that_no_process_has_any_more_is_nobodys)
{
    const struct address asked = ipv4("0.0.0.0", 9999);
    struct holders holders = one_holder(STATE_BOUND, &asked);
    holders.named.owner.search = OWNER_NONE;
    const char *text = failed_bind(&asked, &holders);
    expect(text, "held by no process any more, bound to 0.0.0.0:9999");
    expect_none(text, "uid");
}

/* The kernel can call itself 2.6 for programs that know no later number. */
Test(explain, landlock_is_not_blamed_where_the_kernel_has_no_rules_for_ports)
{
    const struct address asked = ipv4("0.0.0.0", 9999);
    struct utsname name;
    personality(UNAME26);
    if (uname(&name) != 0 || strncmp(name.release, "2.6.", 4) != 0) {
        cr_skip_test("the kernel does not call itself 2.6");
    }
    expect_none(refused(EACCES, &asked, &(struct asker){0}), "Landlock");
}

Test(explain, a_link_local_address_is_missed_on_its_device_where_that_is_known)
{
    const struct address asked = ipv6("fe80::1", 9999);
    expect(refused(EADDRNOTAVAIL, &asked, &(struct asker){0}), "not an address of this host");
    expect(refused(EADDRNOTAVAIL, &asked, &(struct asker){.device = "eth1"}),
           "not an address of device eth1");
}

/* Whoever asks with the command is shown them all. */
Test(explain, a_command_does_not_send_to_itself)
{
    const struct address asked = ipv4("0.0.0.0", 9999);
    struct holders holders = one_holder(STATE_LISTEN, &asked);
    holders.total = holders.count[STATE_LISTEN] = 2;
    holders.named.inode = 1;
    holders.named.owner = (struct owner){.search = OWNER_FOUND, .pid = 811, .program = "nginx"};
    struct event event = {.kind = EVENT_BIND_FAILED,
                          .error = EADDRINUSE,
                          .rescue = RESCUE_NO_USE,
                          .address = &asked,
                          .holders = &holders};
    expect(sentence(&event), "; stop all that have them (libreuse why lists them), or move");
    event.is_trial = true;
    expect(sentence(&event), "; stop all that have them, or move");
}
