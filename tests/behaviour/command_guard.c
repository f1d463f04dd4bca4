/*
 * libreuse guard: restarts of servers that run without the shim, in a control group of the test's
 * own. Each host here stands for a program that no preload reaches: it never has the shim.
 */
#include "deadline.h"
#include "guards.h"
#include "host.h"
#include "invoke.h"
#include "json.h"
#include "namespace.h"
#include "skip.h"
#include "sockets.h"
#include "target.h"
#include "units.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PORT 9999
TestSuite(command_guard, .init = enter_private_guards);

static struct host start_guarded(void)
{
    struct host server = start_host(WITHOUT_SHIM);
    put_into_group(server.process.pid);
    return server;
}

/* A server has served a client, and ends first. */
static void serve_and_end(struct host *server, int listener, const char *way)
{
    const int client = connected_client(way, 0);
    expect_service(server, host_accept(server, listener), client);
    end_by_signal(&server->process, SIGKILL);
    expect_end_of_stream(client);
    close(client);
    EVENTUALLY(count_sockets(PORT, TCP_TIME_WAIT) > 0);
}

static void leave_guarded_time_wait(const char *address, const char *way)
{
    struct host server = start_guarded();
    serve_and_end(&server, host_serve(&server, address), way);
    const int done[] = {server.channel, server.child_channel, server.process.output,
                        server.process.errors};
    for (size_t i = 0; i < sizeof done / sizeof done[0]; i++) {
        close(done[i]);
    }
}

static void expect_count(const struct process *list, const char *name, int count)
{
    char member[64];
    snprintf(member, sizeof member, "\"%s\": %d,\n", name, count);
    expect_said(list, member);
}

static void expect_counts(int armed, int restarted)
{
    struct process list = LIBREUSE(0, "guard", "--json");
    expect_count(&list, "armed", armed);
    expect_count(&list, "restarted", restarted);
}

Test(command_guard, makes_a_restart_work_past_time_wait)
{
    leave_guarded_time_wait("0.0.0.0:9999", "127.0.0.1:9999");
    struct host unguarded = start_guarded();
    EXPECT_ERROR(host_bind(&unguarded, host_tcp_socket(&unguarded), "0.0.0.0:9999"), EADDRINUSE);
    enter_private_network();
    guard_on();
    for (int i = 0; i < 3; i++) {
        leave_guarded_time_wait("0.0.0.0:9999", "127.0.0.1:9999");
    }
    expect_counts(3, 2);
}

/* The port on which it listens. */
static int serve_one_by_raw_calls(void)
{
    struct process server = start((struct program){.path = BUILD_FOLDER "/fixtures/raw_server",
                                                   .arguments = {"9999"},
                                                   .group = path_in(group_folder, "cgroup.procs")});
    EVENTUALLY(strchr(output_of(&server), '\n') != NULL);
    const int port = atoi(output_of(&server) + strlen("listening on "));
    if (port == PORT) {
        const int client = connected_client("127.0.0.1:9999", 0);
        expect_end_of_stream(client);
        close(client);
        EVENTUALLY(count_sockets(PORT, TCP_TIME_WAIT) > 0);
    }
    end_by_signal(&server, SIGKILL);
    return port;
}

Test(command_guard, reaches_static_programs_that_call_the_kernel_directly)
{
    EXPECT_VALUE(serve_one_by_raw_calls(), PORT);
    cr_assert_neq(serve_one_by_raw_calls(), PORT, "its restart works without a guard");
    enter_private_network();
    guard_on();
    for (int i = 0; i < 3; i++) {
        EXPECT_VALUE(serve_one_by_raw_calls(), PORT);
    }
    expect_counts(3, 2);
}

Test(command_guard, works_over_ipv6_and_after_a_change_of_the_address)
{
    need_protocol(AF_INET6, 0);
    guard_on();
    static const char *const addresses[] = {"[::]:9999", "[::1]:9999", "0.0.0.0:9999", "[::]:9999"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct host server = start_guarded();
        const int family = addresses[i][0] == '[' ? AF_INET6 : AF_INET;
        const int listener = host_socket(&server, family, SOCK_STREAM, 0);
        EXPECT_SUCCESS(host_bind(&server, listener, addresses[i]));
        EXPECT_SUCCESS(host_listen(&server, listener));
        serve_and_end(&server, listener, family == AF_INET6 ? "[::1]:9999" : "127.0.0.1:9999");
    }
}

Test(command_guard, works_while_a_child_serves_its_client)
{
    guard_on();
    struct host server = start_guarded();
    const int listener = host_serve(&server, "0.0.0.0:9999");
    const int client = connected_client("127.0.0.1:9999", 0);
    const int connection = host_accept(&server, listener);
    struct host child = fork_host(&server);
    host_close(&child, listener);
    end_by_signal(&server.process, SIGTERM);

    struct host again = start_guarded();
    host_serve(&again, "0.0.0.0:9999");
    EXPECT_SUCCESS(connect_error("127.0.0.1:9999"));
    expect_service(&child, connection, client);
}

Test(command_guard, arms_listeners_and_connections_that_were_there_before)
{
    struct host server = start_guarded();
    const int listener = host_serve(&server, "0.0.0.0:9999");
    const int client = connected_client("127.0.0.1:9999", 0);
    const int connection = host_accept(&server, listener);
    guard_on();
    EXPECT_VALUE(host_get_option(&server, listener, SO_REUSEADDR), 1);
    EXPECT_VALUE(host_get_option(&server, connection, SO_REUSEADDR), 1);
    end_by_signal(&server.process, SIGKILL);
    expect_end_of_stream(client);
    close(client);
    EVENTUALLY(count_sockets(PORT, TCP_TIME_WAIT) == 1);
    leave_guarded_time_wait("0.0.0.0:9999", "127.0.0.1:9999");
}

/* Of connections that had ended before: nothing arms them, and they are in the way of a restart. */
Test(command_guard, names_time_wait_sockets_that_cannot_be_armed)
{
    struct host server = start_guarded();
    const int listener = host_serve(&server, "0.0.0.0:9999");
    const int client = connected_client("127.0.0.1:9999", 0);
    host_close(&server, host_accept(&server, listener));
    expect_end_of_stream(client);
    close(client);
    EVENTUALLY(count_sockets(PORT, TCP_TIME_WAIT) == 1);
    struct process on = LIBREUSE(0, "guard", "on", group);
    expect_said(&on, "armed 1 listener that runs already (0.0.0.0:9999); from now on");
    expect_said(&on, "port 9999: 1 TIME_WAIT socket of connections that ended before cannot be "
                     "armed");
    expect_said(&on, "libreuse free 9999\n");
    LIBREUSE(0, "free", "--yes", "9999");
    end_by_signal(&server.process, SIGKILL);
    leave_guarded_time_wait("0.0.0.0:9999", "127.0.0.1:9999");
}

/* Two that are started at the same moment: one of them is refused by bind(), as ever. */
Test(command_guard, lets_no_second_socket_bind_before_the_first_listens)
{
    guard_on();
    leave_guarded_time_wait("0.0.0.0:9999", "127.0.0.1:9999");
    struct host one = start_guarded();
    struct host other = start_guarded();
    const int first = host_tcp_socket(&one);
    const int second = host_tcp_socket(&other);
    EXPECT_SUCCESS(host_bind(&one, first, "0.0.0.0:9999"));
    EXPECT_ERROR(host_bind(&other, second, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_VALUE(host_get_option(&other, second, SO_REUSEADDR), 0);
    host_close(&one, first);
    EXPECT_SUCCESS(host_bind(&other, second, "0.0.0.0:9999"));
    EXPECT_SUCCESS(host_listen(&other, second));
    const int third = host_tcp_socket(&one);
    EXPECT_ERROR(host_bind(&one, third, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_VALUE(host_get_option(&one, third, SO_REUSEADDR), 0);
}

/* [::] is IPv4, too, unless IPV6_V6ONLY is set. */
Test(command_guard, lets_no_socket_of_both_families_bind_beside_one_of_them)
{
    need_protocol(AF_INET6, 0);
    guard_on();
    leave_guarded_time_wait("0.0.0.0:9999", "127.0.0.1:9999");
    struct host one = start_guarded();
    struct host other = start_guarded();
    EXPECT_SUCCESS(host_bind(&one, host_tcp_socket(&one), "0.0.0.0:9999"));
    const int both = host_socket(&other, AF_INET6, SOCK_STREAM, 0);
    EXPECT_ERROR(host_bind(&other, both, "[::]:9999"), EADDRINUSE);
    EXPECT_VALUE(host_get_option(&other, both, SO_REUSEADDR), 0);
    host_set_option(&other, both, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    EXPECT_SUCCESS(host_bind(&other, both, "[::]:9999"));
}

Test(command_guard, counts_no_restart_on_another_port)
{
    guard_on();
    struct host server = start_guarded();
    host_close(&server, host_serve(&server, "0.0.0.0:9999"));
    struct host outside = start_host(WITHOUT_SHIM);
    EXPECT_SUCCESS(host_bind(&outside, host_tcp_socket(&outside), "0.0.0.0:9999"));
    const int lost = host_tcp_socket(&server);
    EXPECT_ERROR(host_bind(&server, lost, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&server, lost));
    expect_counts(2, 0);
}

/* A socket that was helped to one port in vain is as exclusive on the next. */
Test(command_guard, moves_the_turn_with_the_socket)
{
    guard_on();
    struct host server = start_guarded();
    host_close(&server, host_serve(&server, "0.0.0.0:9999"));
    host_close(&server, host_serve(&server, "0.0.0.0:9998"));
    struct host outside = start_host(WITHOUT_SHIM);
    EXPECT_SUCCESS(host_bind(&outside, host_tcp_socket(&outside), "0.0.0.0:9999"));
    const int moved = host_tcp_socket(&server);
    EXPECT_ERROR(host_bind(&server, moved, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_SUCCESS(host_bind(&server, moved, "0.0.0.0:9998"));
    struct host other = start_guarded();
    EXPECT_ERROR(host_bind(&other, host_tcp_socket(&other), "0.0.0.0:9998"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&server, moved));
    expect_counts(3, 1);

    end_host(&outside);
    const int first_port = host_tcp_socket(&other);
    EXPECT_SUCCESS(host_bind(&other, first_port, "0.0.0.0:9999"));
    EXPECT_VALUE(host_get_option(&other, first_port, SO_REUSEADDR), 1);
}

Test(command_guard, lets_no_socket_that_was_helped_in_vain_bind_beside_another)
{
    guard_on();
    struct host server = start_guarded();
    host_close(&server, host_serve(&server, "0.0.0.0:9999"));
    host_close(&server, host_serve(&server, "0.0.0.0:9998"));
    struct host outside = start_host(WITHOUT_SHIM);
    EXPECT_SUCCESS(host_bind(&outside, host_tcp_socket(&outside), "0.0.0.0:9999"));
    const int helped = host_tcp_socket(&server);
    EXPECT_ERROR(host_bind(&server, helped, "0.0.0.0:9999"), EADDRINUSE);
    struct host other = start_guarded();
    EXPECT_SUCCESS(host_bind(&other, host_tcp_socket(&other), "0.0.0.0:9998"));
    EXPECT_ERROR(host_bind(&server, helped, "0.0.0.0:9998"), EADDRINUSE);
}

Test(command_guard, leaves_alone_who_sets_the_option_and_who_is_bound_already)
{
    guard_on();
    struct host server = start_guarded();
    const int own = host_tcp_socket(&server);
    host_set_option(&server, own, SOL_SOCKET, SO_REUSEADDR, 1);
    EXPECT_SUCCESS(host_bind(&server, own, "0.0.0.0:9999"));
    EXPECT_SUCCESS(host_listen(&server, own));
    expect_counts(0, 0);
    host_close(&server, own);
    host_close(&server, host_serve(&server, "0.0.0.0:9999"));
    const int lock = host_tcp_socket(&server);
    EXPECT_SUCCESS(host_bind(&server, lock, "0.0.0.0:9998"));
    EXPECT_ERROR(host_bind(&server, lock, "0.0.0.0:9999"), EINVAL);
    EXPECT_VALUE(host_get_option(&server, lock, SO_REUSEADDR), 0);
}

Test(command_guard, leaves_alone_what_is_not_a_port_of_a_guarded_listener)
{
    guard_on();
    struct host server = start_guarded();
    const int lock = host_tcp_socket(&server);
    EXPECT_SUCCESS(host_bind(&server, lock, "127.0.0.1:9998"));
    EXPECT_VALUE(host_get_option(&server, lock, SO_REUSEADDR), 0);
    const int ephemeral = host_tcp_socket(&server);
    EXPECT_SUCCESS(host_bind(&server, ephemeral, "127.0.0.1:0"));
    EXPECT_VALUE(host_get_option(&server, ephemeral, SO_REUSEADDR), 0);
    leave_guarded_time_wait("0.0.0.0:9999", "127.0.0.1:9999");
    const int datagrams = host_socket(&server, AF_INET, SOCK_DGRAM, 0);
    EXPECT_SUCCESS(host_bind(&server, datagrams, "127.0.0.1:9999"));
    EXPECT_VALUE(host_get_option(&server, datagrams, SO_REUSEADDR), 0);

    struct host outside = start_host(WITHOUT_SHIM);
    const int socket = host_tcp_socket(&outside);
    EXPECT_ERROR(host_bind(&outside, socket, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_VALUE(host_get_option(&outside, socket, SO_REUSEADDR), 0);
}

/* What happens in one network namespace does not count in another. */
Test(command_guard, notes_ports_of_a_network_namespace_alone)
{
    guard_on();
    leave_guarded_time_wait("0.0.0.0:9999", "127.0.0.1:9999");
    enter_private_network();
    struct host server = start_guarded();
    const int socket = host_tcp_socket(&server);
    EXPECT_SUCCESS(host_bind(&server, socket, "0.0.0.0:9999"));
    EXPECT_VALUE(host_get_option(&server, socket, SO_REUSEADDR), 0);
}

Test(command_guard, makes_a_hundred_restarts_in_a_row_work)
{
    guard_on();
    for (int i = 0; i < 100; i++) {
        leave_guarded_time_wait("0.0.0.0:9999", "127.0.0.1:9999");
    }
    expect_counts(100, 99);
}

Test(command_guard, off_leaves_nothing_behind)
{
    guard_on();
    leave_guarded_time_wait("0.0.0.0:9999", "127.0.0.1:9999");
    struct stat pins;
    cr_assert_eq(stat(PINS "libreuse", &pins), 0);
    cr_assert_eq(pins.st_mode & 0777, 0700);
    LIBREUSE(0, "guard", "off", group);
    cr_assert_neq(stat(PINS "libreuse", &pins), 0);
    struct host server = start_guarded();
    EXPECT_ERROR(host_bind(&server, host_tcp_socket(&server), "0.0.0.0:9999"), EADDRINUSE);
    struct process again = LIBREUSE(1, "guard", "off", group);
    expect_complaint(&again, "is not guarded");
}

Test(command_guard, tells_what_is_missing)
{
    struct process nobody = LIBREUSE_AS_NOBODY(3, "guard", "on", group);
    expect_complaint(&nobody, "run it as root");
    struct process unknown = LIBREUSE(3, "guard", "on", "/there/is/none");
    expect_complaint(&unknown, "/there/is/none: there is no such control group");
    cr_assert_eq(mount("tmpfs", PINS, "tmpfs", 0, NULL), 0);
    struct process unmounted = LIBREUSE(3, "guard", "on", group);
    expect_complaint(&unmounted, "mount -t bpf bpf /sys/fs/bpf");
}

/* Where others may make folders there, one with our name may be a stranger's. */
Test(command_guard, does_not_use_a_folder_of_somebody_else)
{
    cr_assert_eq(mkdir(PINS "libreuse", 0777), 0);
    cr_assert_eq(chown(PINS "libreuse", 65534, 65534), 0);
    struct process process = LIBREUSE(3, "guard", "on", group);
    expect_complaint(&process, "belongs to somebody else");
}

/* As it is listed, or where cgroup2 shows it; a slice by its name. */
Test(command_guard, takes_a_group_by_each_of_its_names)
{
    enter_private_units();
    char *shown;
    char *folder;
    cr_assert_geq(asprintf(&shown, "Id=my.slice\nLoadState=loaded\nControlGroup=%s\n", group), 0);
    cr_assert_geq(asprintf(&folder, "%s//", group_folder), 0);
    show_exactly("my.slice", shown);
    guard_on();
    LIBREUSE(0, "guard", "off", folder);
    LIBREUSE(0, "guard", "on", "my.slice");
    struct process list = LIBREUSE(0, "guard");
    expect_said(&list, group + 1);
    LIBREUSE(0, "guard", "off", group);
}

Test(command_guard, says_why_a_unit_is_none_that_it_can_guard)
{
    enter_private_units();
    show_exactly("my.slice", "Id=my.slice\nLoadState=loaded\nControlGroup=\n");
    show_exactly("none.service", "Id=none.service\nLoadState=not-found\n");
    show_exactly("bad.service", "LoadState=\n");
    struct process idle = LIBREUSE(1, "guard", "on", "my.slice");
    expect_complaint(&idle, "my.slice: has no control group now; give the slice");
    struct process none = LIBREUSE(1, "guard", "on", "none");
    expect_complaint(&none, "none.service: systemd has no such unit, or cannot load it");
    struct process bad = LIBREUSE(1, "guard", "on", "bad");
    expect_complaint(&bad, "bad.service: systemd has no such unit");
    struct process wrong = LIBREUSE(2, "guard", "on", "a b");
    expect_complaint(&wrong, "\"a b\" is not the name of a unit");
    remove_systemctl();
    struct process missing = LIBREUSE(3, "guard", "on", "my.slice");
    expect_complaint(&missing, "; give the path of the control group instead");
}

Test(command_guard, comes_with_each_start_of_a_service)
{
    enter_private_units();
    char *shown;
    cr_assert_geq(asprintf(&shown, "Id=server.service\nLoadState=loaded\nControlGroup=%s\n", group),
                  0);
    show_exactly("server.service", shown);
    struct process both = LIBREUSE(2, "enable", "--guard", "--wait=5", "server");
    expect_complaint(&both, "--guard takes no LIBREUSE_WAIT");
    struct process dry = LIBREUSE(0, "enable", "--guard", "--dry-run", "server");
    EXPECT_LINE(&dry, "50-libreuse-guard.conf: would be written");
    EXPECT_LINE(&dry, "ExecStartPre=-+\"" LIBREUSE_PATH "\" guard attach \"server.service\"");
    expect_entries(UNITS, 0);
    cr_assert_neq(access(PINS "libreuse", F_OK), 0, "the dry run has made a guard");
    struct process on = LIBREUSE(0, "enable", "--guard", "server");
    expect_said(&on, UNITS "server.service.d/50-libreuse-guard.conf: written");
    const char *text = file_content(UNITS "server.service.d/50-libreuse-guard.conf");
    cr_assert_not_null(text);
    cr_assert_not_null(
        strstr(text, "\nExecStartPre=-+\"" LIBREUSE_PATH "\" guard attach \"server.service\"\n"),
        "%s", text);
    struct process off = LIBREUSE(0, "guard", "off", "-n", "--json", "server");
    expect_said(&off, "\"file\": \"" UNITS "server.service.d/50-libreuse-guard.conf\"");
    expect_said(&off, "\"dry_run\": true");
    expect_said(&off, "\"guarded\": true");
    cr_assert_not_null(file_content(UNITS "server.service.d/50-libreuse-guard.conf"));
    LIBREUSE(0, "guard", "off", "server");
    expect_entries(UNITS, 0);
    cr_assert_neq(access(PINS "libreuse", F_OK), 0);
}

/* As enable does: what is somebody else's, or cannot work, is found (1), not forbidden (3). */
Test(command_guard, refuses_a_service_as_enable_does)
{
    enter_private_units();
    show_exactly("jailed.service", "Id=jailed.service\nLoadState=loaded\nRootDirectory=/srv\n");
    struct process jailed = LIBREUSE(1, "guard", "on", "--dry-run", "jailed");
    expect_complaint(&jailed, "jailed.service has RootDirectory=/srv");
    show_exactly("server.service", "Id=server.service\nLoadState=loaded\n");
    cr_assert_eq(mkdir(UNITS "server.service.d", 0755), 0);
    write_file(UNITS "server.service.d/50-libreuse-guard.conf", "[Service]\n", 0644);
    struct process foreign = LIBREUSE(1, "guard", "on", "server");
    expect_complaint(&foreign, "was not written by libreuse guard");
    cr_assert_neq(access(PINS "libreuse", F_OK), 0, "a guard is left");
}

Test(command_guard, a_dry_run_changes_nothing)
{
    struct host server = start_guarded();
    const int listener = host_serve(&server, "0.0.0.0:9999");
    struct process on = LIBREUSE(0, "guard", "on", "--dry-run", group);
    expect_said(&on, "would arm 1 listener that runs already (0.0.0.0:9999); from then on");
    EXPECT_VALUE(host_get_option(&server, listener, SO_REUSEADDR), 0);
    cr_assert_neq(access(PINS "libreuse", F_OK), 0, "there is a guard");
    struct process json = LIBREUSE(0, "guard", "on", "-n", "--json", group);
    expect_said(&json, "\"dry_run\": true");
    expect_said(&json, "\"guarded\": false");
    expect_said(&json, "\"reuseaddr_before\": false,\n      \"reuseaddr\": false");
    EXPECT_VALUE(host_get_option(&server, listener, SO_REUSEADDR), 0);
    struct process none = LIBREUSE(1, "guard", "off", "--dry-run", group);
    expect_complaint(&none, "is not guarded");
    struct process unknown = LIBREUSE(3, "guard", "on", "-n", "/there/is/none");
    expect_complaint(&unknown, "/there/is/none: there is no such control group");
    guard_on();
    struct process off = LIBREUSE(0, "guard", "off", "-n", group);
    expect_said(&off, "would not be guarded any more");
    expect_counts(0, 0); /* it is there still */
}

Test(command_guard, tells_in_json_what_it_has_done)
{
    struct host server = start_guarded();
    const int listener = host_serve(&server, "0.0.0.0:9999");
    struct process on = LIBREUSE(0, "guard", "on", "--json", group);
    cr_assert(json_is_object(output_of(&on), strlen(output_of(&on))), "%s", output_of(&on));
    expect_said(&on, "\"dry_run\": false");
    expect_said(&on, "\"guarded\": true");
    expect_said(&on, "\"listens_on\": \"0.0.0.0:9999\",\n      \"port\": 9999");
    expect_said(&on, "\"reuseaddr_before\": false,\n      \"reuseaddr\": true");
    EXPECT_VALUE(host_get_option(&server, listener, SO_REUSEADDR), 1);
    struct process again = LIBREUSE(0, "guard", "on", "--json", group);
    expect_said(&again, "\"reuseaddr_before\": true,\n      \"reuseaddr\": true");
    expect_count(&again, "armed", 0);
    struct process off = LIBREUSE(0, "guard", "off", "--json", group);
    expect_said(&off, "\"guarded\": false");
}

Test(command_guard, is_known_to_audit_and_check)
{
    struct host server = start_guarded();
    host_serve(&server, "0.0.0.0:9999");
    struct process before = LIBREUSE(1, "audit");
    EXPECT_LINE(&before, "0.0.0.0:9999", "next restart may fail");
    guard_on();
    struct process audit = LIBREUSE(0, "audit");
    EXPECT_LINE(&audit, "0.0.0.0:9999", " on ", "restarts cleanly (guard)");
    struct process json = LIBREUSE(0, "audit", "--json");
    expect_said(&json, "\"guarded\": true");
    struct process check = LIBREUSE(0, "check", text_of(server.process.pid));
    EXPECT_LINE(&check, "verdict", "restarts cleanly (guard)");
    struct process why = LIBREUSE(1, "why", "9999");
    expect_said(&why, "] is under libreuse guard: its next start gets the port\n");
    LIBREUSE(0, "guard", "off", group);
    struct process after = LIBREUSE(1, "check", text_of(server.process.pid));
    EXPECT_LINE(&after, "verdict", "libreuse.so is not in it");
    struct process forgotten = LIBREUSE(0, "audit");
    expect_not_said(&forgotten, "(guard)");
}

/* A server that binds both wildcards, and listens on both afterwards. */
Test(command_guard, works_for_both_families_on_one_port)
{
    need_protocol(AF_INET6, 0);
    guard_on();
    for (int i = 0; i < 3; i++) {
        struct host server = start_guarded();
        const int ipv6 = host_socket(&server, AF_INET6, SOCK_STREAM, 0);
        host_set_option(&server, ipv6, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        const int ipv4 = host_tcp_socket(&server);
        EXPECT_SUCCESS(host_bind(&server, ipv6, "[::]:9999"));
        EXPECT_SUCCESS(host_bind(&server, ipv4, "0.0.0.0:9999"));
        EXPECT_SUCCESS(host_listen(&server, ipv6));
        EXPECT_SUCCESS(host_listen(&server, ipv4));
        const int client = connected_client("[::1]:9999", 0);
        expect_service(&server, host_accept(&server, ipv6), client);
        serve_and_end(&server, ipv4, "127.0.0.1:9999");
        expect_end_of_stream(client);
        close(client);
    }
}

/* A program of somebody else refuses a port, as systemd's SocketBindDeny= does. */
static void refuse_port_in_group(uint16_t port)
{
    const struct bpf_insn steps[] = {
        {.code = BPF_LDX | BPF_MEM | BPF_W,
         .dst_reg = 2,
         .src_reg = 1,
         .off = offsetof(struct bpf_sock_addr, user_port)},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1},
        {.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = 2, .off = 1, .imm = htons(port)},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
                           .expected_attach_type = BPF_CGROUP_INET4_BIND,
                           .insn_cnt = sizeof steps / sizeof steps[0],
                           .insns = (uint64_t)(uintptr_t)steps,
                           .license = (uint64_t)(uintptr_t) "GPL",
                           .prog_name = "stranger"};
    const int program = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
    cr_assert_geq(program, 0, "bpf: %s", strerror(errno));
    union bpf_attr attach = {.target_fd = (uint32_t)open(group_folder, O_RDONLY | O_CLOEXEC),
                             .attach_bpf_fd = (uint32_t)program,
                             .attach_type = BPF_CGROUP_INET4_BIND,
                             .attach_flags = BPF_F_ALLOW_MULTI};
    cr_assert_eq(syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach), 0, "bpf: %s",
                 strerror(errno));
}

Test(command_guard, works_beside_programs_of_others)
{
    guard_on();
    refuse_port_in_group(7777);
    struct process list = LIBREUSE(0, "guard");
    expect_said(&list, ": programs run in this order: guard_bind4, stranger\n");
    leave_guarded_time_wait("0.0.0.0:9999", "127.0.0.1:9999");
    struct host server = start_guarded();
    EXPECT_ERROR(host_bind(&server, host_tcp_socket(&server), "0.0.0.0:7777"), EPERM);
    host_serve(&server, "0.0.0.0:9999");
    LIBREUSE(0, "guard", "off", group);
    EXPECT_ERROR(host_bind(&server, host_tcp_socket(&server), "0.0.0.0:7777"), EPERM);
}

static void guard_below(const char *name)
{
    char *path;
    cr_assert_geq(asprintf(&path, "%s/%s", group, name), 0);
    cr_assert_eq(mkdir(path_in(group_folder, name), 0755), 0);
    LIBREUSE(0, "guard", "on", path);
    free(path);
}

static struct host start_below(const char *name)
{
    struct host server = start_host(WITHOUT_SHIM);
    const char *folder = path_in(group_folder, name);
    write_file(path_in(folder, "cgroup.procs"), text_of(server.process.pid), 0644);
    return server;
}

/* A hostile program listens on other people's ports first, so that they were called guarded. */
Test(command_guard, makes_no_port_shareable_for_another_group)
{
    guard_on();
    LIBREUSE(0, "guard", "off", group);
    guard_below("hostile");
    guard_below("other");
    struct host hostile = start_below("hostile");
    host_close(&hostile, host_serve(&hostile, "0.0.0.0:9999"));
    const int helped = host_tcp_socket(&hostile);
    EXPECT_SUCCESS(host_bind(&hostile, helped, "0.0.0.0:9999"));
    EXPECT_VALUE(host_get_option(&hostile, helped, SO_REUSEADDR), 1);
    host_close(&hostile, helped);

    struct host other = start_below("other");
    const int lock = host_tcp_socket(&other);
    EXPECT_SUCCESS(host_bind(&other, lock, "0.0.0.0:9999"));
    EXPECT_VALUE(host_get_option(&other, lock, SO_REUSEADDR), 0);
    const int thief = host_tcp_socket(&hostile);
    host_set_option(&hostile, thief, SOL_SOCKET, SO_REUSEADDR, 1);
    EXPECT_ERROR(host_bind(&hostile, thief, "0.0.0.0:9999"), EADDRINUSE);
    end_by_signal(&hostile.process, SIGKILL);
    end_by_signal(&other.process, SIGKILL);
    EVENTUALLY(rmdir(path_in(group_folder, "hostile")) == 0);
    EVENTUALLY(rmdir(path_in(group_folder, "other")) == 0);
}

Test(command_guard, tells_that_cgroup2_is_not_mounted)
{
    remove_group(); /* it cannot be seen afterwards */
    for (int i = 0; i < 2; i++) {
        umount2("/sys/fs/cgroup/unified", MNT_DETACH);
        umount2("/sys/fs/cgroup", MNT_DETACH);
    }
    struct process process = LIBREUSE(3, "guard", "on", group);
    expect_complaint(&process, "no cgroup2 file system is mounted");
}
