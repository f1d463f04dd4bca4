/*
 * libreuse why: what it says of a port in each state that a server can leave it in, and that it
 * changes nothing.
 */
#include "deadline.h"
#include "host.h"
#include "invoke.h"
#include "namespace.h"
#include "reports.h"
#include "skip.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

TestSuite(command_why, .init = enter_private_network);

/* A server that serves one client. */
struct scene {
    struct host server;
    int listener;
    int connection;
    int client;
};

static struct scene serve_client(enum shim shim, const char *address)
{
    struct scene scene = {.server = start_host(shim)};
    scene.listener = host_serve(&scene.server, address);
    scene.client = connected_client(address, 0);
    scene.connection = host_accept(&scene.server, scene.listener);
    return scene;
}

Test(command_why, a_port_that_nobody_has_is_free)
{
    struct process why = LIBREUSE(0, "why", "9999");
    EXPECT_LINE(&why, "0.0.0.0:9999", "works", "works");
    EXPECT_LINE(&why, "[::]:9999", "works", "works");
    expect_said(&why, "0.0.0.0:9999: free, and nobody listens on it\n");
}

Test(command_why, trying_leaves_no_trace)
{
    LIBREUSE(0, "why", "9999");
    cr_assert_eq(count_sockets(9999, TCP_LISTEN) + count_leftovers(9999), 0);
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "0.0.0.0:9999");
}

Test(command_why, time_wait_of_an_unarmed_run_is_counted_with_the_seconds_and_the_ways_out)
{
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    struct process why = LIBREUSE(1, "why", "9999");
    EXPECT_LINE(&why, "0.0.0.0:9999", "EADDRINUSE  EADDRINUSE");
    EXPECT_LINE(&why, "held by 1 TIME_WAIT socket of a run without SO_REUSEADDR, for ",
                "libreuse free 9999, then start it by libreuse run (or: libreuse run --wait=65 "
                "PROGRAM); next time",
                "libreuse arm 9999");
    expect_not_said(&why, "LIBREUSE_WAIT"); /* the server may be without the shim */
    EXPECT_LINE(&why, "TIME_WAIT  127.0.0.1:9999", " s");
    expect_said(&why, "[::]:9999: the same\n");
    cr_assert_eq(count_sockets(9999, TCP_TIME_WAIT), 1, "it is still there");
}

Test(command_why, time_wait_of_an_armed_run_can_be_passed)
{
    leave_time_wait(WITH_SHIM, "127.0.0.1:9999");
    struct process why = LIBREUSE(1, "why", "9999");
    EXPECT_LINE(&why, "0.0.0.0:9999", "EADDRINUSE  works");
    expect_said(&why, ": bind would succeed with SO_REUSEADDR past 1 TIME_WAIT socket\n");
    EXPECT_LINE(&why, "needs: libreuse run PROGRAM", "or it waits for");
}

Test(command_why, a_listener_is_named_in_the_words_of_the_shims_report)
{
    struct host holder = start_host(WITHOUT_SHIM);
    int listener = host_serve(&holder, "127.0.0.1:9999");
    struct process why = LIBREUSE(1, "why", "0.0.0.0:9999");
    EXPECT_LINE(&why, "LISTEN", "127.0.0.1:9999", text_of(holder.process.pid), "obedient_host",
                text_of(listener));

    struct host successor = start_host(WITH_SHIM);
    int fd = host_tcp_socket(&successor);
    EXPECT_ERROR(host_bind(&successor, fd, "0.0.0.0:9999"), EADDRINUSE);
    const char *sentence = expect_report(&successor.process, "bind-failed: ");
    expect_said(&why, sentence);
}

Test(command_why, a_connection_of_a_forked_child_is_named)
{
    struct scene scene = serve_client(WITHOUT_SHIM, "127.0.0.1:9999");
    struct host child = fork_host(&scene.server);
    end_by_signal(&scene.server.process, SIGKILL);
    host_close(&child, scene.listener);
    struct process why = LIBREUSE(1, "why", "9999");
    EXPECT_LINE(&why, "held by obedient_host[", text_of(child.process.pid), "a connection with",
                "ESTABLISHED", "without SO_REUSEADDR");
    expect_service(&child, scene.connection, scene.client);
}

Test(command_why, a_connection_that_its_client_has_closed_is_named)
{
    struct scene scene = serve_client(WITHOUT_SHIM, "127.0.0.1:9999");
    host_close(&scene.server, scene.listener);
    close(scene.client);
    EVENTUALLY(count_sockets(9999, TCP_CLOSE_WAIT) == 1);
    struct process why = LIBREUSE(1, "why", "9999");
    EXPECT_LINE(&why, "held by obedient_host[", "in CLOSE_WAIT (fd ");
}

Test(command_why, armed_connections_of_a_child_can_be_passed)
{
    struct scene scene = serve_client(WITH_SHIM, "127.0.0.1:9999");
    host_close(&scene.server, scene.listener);
    struct process why = LIBREUSE(1, "why", "9999");
    EXPECT_LINE(&why, "0.0.0.0:9999", "EADDRINUSE  works");
    expect_said(&why, "past 1 ESTABLISHED socket\n");
    EXPECT_LINE(&why, "ESTABLISHED", "obedient_host");
}

Test(command_why, all_processes_of_a_listener_have_a_line)
{
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "0.0.0.0:9999");
    const struct host worker = fork_host(&server);
    struct process why = LIBREUSE(1, "why", "9999");
    EXPECT_LINE(&why, "LISTEN", text_of(server.process.pid), "obedient_host");
    EXPECT_LINE(&why, text_of(worker.process.pid), "obedient_host");
}

Test(command_why, only_the_address_that_is_asked_for_matters)
{
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "127.0.0.2:9999");
    LIBREUSE(0, "why", "127.0.0.1:9999");
    LIBREUSE(1, "why", "127.0.0.2:9999");
    LIBREUSE(1, "why", "*:9999");
}

Test(command_why, ipv6_addresses_stand_in_brackets)
{
    need_protocol(AF_INET6, 0);
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "[::1]:9999");
    struct process why = LIBREUSE(1, "why", "[::1]:9999");
    expect_said(&why, "listening on [::1]:9999");
    LIBREUSE(0, "why", "127.0.0.1:9999");
    struct process netstat = LIBREUSE(1, "why", "::1:9999");
    expect_said(&netstat, "listening on [::1]:9999");
    struct process wrong = LIBREUSE(2, "why", "::1:x:9999");
    expect_complaint(&wrong, "brackets");
}

Test(command_why, an_address_of_another_host_is_explained)
{
    struct process why = LIBREUSE(1, "why", "192.0.2.1:9999");
    EXPECT_LINE(&why, "EADDRNOTAVAIL: not an address of this host", "ip address");
}

Test(command_why, a_udp_port_is_asked_about_with_udp)
{
    struct host server = start_host(WITHOUT_SHIM);
    int fd = host_socket(&server, AF_INET, SOCK_DGRAM, 0);
    EXPECT_SUCCESS(host_bind(&server, fd, "0.0.0.0:9999"));
    struct process why = LIBREUSE(1, "why", "--udp", "9999");
    expect_said(&why, "held by obedient_host[");
    expect_not_said(&why, "SO_REUSEADDR");
    LIBREUSE(0, "why", "9999");
}

Test(command_why, json_has_the_facts)
{
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    struct process why = LIBREUSE(1, "why", "--json", "0.0.0.0:9999");
    expect_said(&why, "\"port\": 9999,");
    expect_said(&why, "\"free\": false,");
    expect_said(&why, "\"bind\": \"EADDRINUSE\",");
    expect_said(&why, "\"time_wait\": 1,");
    expect_said(&why, "\"state\": \"TIME_WAIT\",");
    expect_said(&why, "\"seconds_left\": ");
    struct process free = LIBREUSE(0, "why", "--json", "8888");
    expect_said(&free, "\"free\": true,");
}

Test(command_why, nobody_is_told_what_cannot_be_seen)
{
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "0.0.0.0:9999");
    struct process why = LIBREUSE_AS_NOBODY(1, "why", "9999");
    expect_said(&why, "held by a process that may not be looked into (uid 0");
    EXPECT_LINE(&why, "?: its process may not be looked into", "CAP_SYS_PTRACE");
}

Test(command_why, nobody_may_not_try_a_privileged_port)
{
    struct process free = LIBREUSE_AS_NOBODY(3, "why", "80");
    EXPECT_LINE(&free, "EACCES: ports below 1024 need CAP_NET_BIND_SERVICE");
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "0.0.0.0:80");
    struct process held = LIBREUSE_AS_NOBODY(1, "why", "80");
    EXPECT_LINE(&held, "0.0.0.0:80: held by", "listening on 0.0.0.0:80");
}

/* Root of a new user namespace has every capability there, and none over what is outside. */
static struct process why_as_root_of_a_user_namespace(int status, const char *port)
{
    struct program program = {
        .path = "/usr/bin/unshare",
        .arguments = {"--user", "--map-root-user", LIBREUSE_PATH, "why", port},
    };
    if (access(program.path, X_OK) != 0) {
        skip_because("there is no %s", program.path);
    }
    struct process why = start(program);
    EVENTUALLY(has_ended(&why));
    if (strstr(errors_of(&why), "unshare: ") != NULL) {
        skip_because("no user namespace can be made: %s", errors_of(&why));
    }
    expect_exit(&why, status);
    return why;
}

Test(command_why, root_is_not_told_of_a_missing_capability_that_it_has)
{
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "0.0.0.0:9999");
    struct process why = why_as_root_of_a_user_namespace(1, "9999");
    EXPECT_LINE(&why, "?: its process may not be looked into, although CAP_SYS_PTRACE is there",
                "user namespace");
    EXPECT_LINE(&why, "0.0.0.0:9999: EADDRINUSE", "may not be looked into", "user namespace");
    expect_not_said(&why, "has not got here");
    expect_not_said(&why, "as root");
}

Test(command_why, root_is_not_told_to_run_it_as_root)
{
    struct process why = why_as_root_of_a_user_namespace(3, "80");
    EXPECT_LINE(&why, "0.0.0.0:80: not tried, then");
    expect_not_said(&why, "as root");
}

static struct process start_waiting(struct program program)
{
    program.path = LIBREUSE_PATH;
    program.arguments[0] = "why";
    program.arguments[1] = "--wait";
    program.arguments[2] = "9999";
    return start(program);
}

Test(command_why, a_free_port_names_the_program_that_has_lost_it)
{
    char listens_on[48];
    struct host holder = start_host(WITHOUT_SHIM);
    struct host lost = start_host(WITH_SHIM);
    host_serve(&holder, "127.0.0.1:9999");
    snprintf(listens_on, sizeof listens_on, "listens on 0.0.0.0:%u",
             host_lose_port(&lost, "127.0.0.1:9999"));
    struct process held = LIBREUSE(1, "why", "9999");
    EXPECT_LINE(&held, "lost port 9999 at ", listens_on, "; restart it when the port is free");
    end_by_signal(&holder.process, SIGKILL);
    struct process why = LIBREUSE(1, "why", "9999");
    expect_said(&why, "0.0.0.0:9999: free, and nobody listens on it\n");
    EXPECT_LINE(&why, "obedient_host[", text_of(lost.process.pid), "] lost port 9999 at ",
                " (EADDRINUSE), ", listens_on);
    expect_said(&why, "; restart it\n");
    struct process json = LIBREUSE(1, "why", "--json", "9999");
    expect_said(&json, "\"free\": true,");
    expect_said(&json, "\"error\": \"EADDRINUSE\"");
    LIBREUSE(0, "why", "--wait", "9999");
    struct process other = LIBREUSE(0, "why", "9998");
    expect_not_said(&other, "lost");
    end_by_signal(&lost.process, SIGKILL);
    LIBREUSE(0, "why", "9999");
}

/* At three in the morning TIME_WAIT is over, and the server runs on, somewhere else. */
Test(command_why, a_free_port_names_those_that_may_have_lost_it)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host server = start_host(WITHOUT_SHIM);
    char listens_on[96];
    snprintf(listens_on, sizeof listens_on, "obedient_host[%d] on 0.0.0.0:%u; if 9999 was theirs",
             (int)server.process.pid, host_lose_port(&server, "0.0.0.0:9999"));
    struct process held = LIBREUSE(1, "why", "9999");
    expect_said(&held, ": restart them by libreuse run when it is free, or it happens again\n");
    end_by_signal(&holder.process, SIGKILL);
    struct process why = LIBREUSE(0, "why", "9999");
    expect_said(&why, "0.0.0.0:9999: free, and nobody listens on it\n");
    expect_said(&why, listens_on);
    expect_said(&why, ": restart them by libreuse run, or it happens again\n");
}

Test(command_why, wait_ends_when_the_port_is_free)
{
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "0.0.0.0:9999");
    struct process why = start_waiting((struct program){0});
    for (int i = 0; i < 500; i++) {
        pause_briefly();
    }
    cr_assert_not(has_ended(&why));
    end_by_signal(&server.process, SIGKILL);
    expect_exit(&why, 0);
    expect_said(&why, "0.0.0.0:9999: free, and nobody listens on it\n");
    cr_assert_str_eq(errors_of(&why), "libreuse: port 9999: held; waiting until it is free\n",
                     "there is no terminal for a countdown");
}

/* A terminal: the master's side, and the name of the slave's. */
static int open_terminal(int *slave)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0, "no terminal: %s",
              strerror(errno));
    *slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert_geq(*slave, 0, "no terminal: %s", strerror(errno));
    return master;
}

Test(command_why, notices_are_as_wide_as_the_terminal)
{
    enum { COLUMNS = 44 };
    static const char notice[] = "libreuse: why: expected one [ADDRESS:]PORT,\r\n"
                                 "    or PATH\r\nlibreuse: see: libreuse help why\r\n";
    const struct winsize size = {.ws_row = 24, .ws_col = COLUMNS};
    int slave;
    int master = open_terminal(&slave);
    cr_assert_eq(ioctl(slave, TIOCSWINSZ, &size), 0);
    struct process why =
        start((struct program){.path = LIBREUSE_PATH, .arguments = {"why"}, .errors = slave});
    expect_exit(&why, 2);
    char text[256] = "";
    cr_assert_gt(read(master, text, sizeof text - 1), 0);
    cr_assert_str_eq(text, notice);
    struct process log = LIBREUSE(2, "why");
    expect_complaint(&log, "why: expected one [ADDRESS:]PORT, or PATH\n"); /* nobody reads it */
}

Test(command_why, wait_says_in_a_log_for_how_long)
{
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    struct process why = start_waiting((struct program){0});
    EVENTUALLY(strchr(errors_of(&why), '\n') != NULL);
    LIBREUSE(0, "free", "--yes", "9999");
    expect_exit(&why, 0);
    unsigned int seconds = 0;
    cr_assert_eq(sscanf(errors_of(&why),
                        "libreuse: port 9999: held; waiting until it is free, in %u s", &seconds),
                 1, "%s", errors_of(&why));
    cr_assert(seconds > 40 && seconds <= 60, "%s", errors_of(&why));
}

Test(command_why, wait_counts_down_on_a_terminal)
{
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    int slave;
    int master = open_terminal(&slave);
    struct process why = start_waiting((struct program){.errors = slave});
    char text[256] = "";
    ssize_t got = read(master, text, sizeof text - 1);
    cr_assert_gt(got, 0);
    cr_assert_not_null(strstr(text, "port 9999: free in "), "%s", text);
    LIBREUSE(0, "free", "--yes", "9999");
    expect_exit(&why, 0);
}

Test(command_why, a_port_is_understood_as_people_paste_it)
{
    static const char *const tcp[] = {
        ":9999",         "tcp/9999",           "9999/tcp",        "*:9999",   "tcp/*:9999",
        "TCP/9999",      "tcp:9999",           " 9999 ",          "9999:",    "9999,",
        "0.0.0.0:9999:", "tcp://0.0.0.0:9999", "0.0.0.0%lo:9999", "*%lo:9999"};
    for (size_t i = 0; i < sizeof tcp / sizeof tcp[0]; i++) {
        struct process why = LIBREUSE(0, "why", tcp[i]);
        expect_said(&why, "0.0.0.0:9999: free, and nobody listens");
    }
    static const char *const ipv6[] = {"[::]:9999", ":::9999", "tcp/[::]:9999", "[::]%lo:9999",
                                       "http://[::]:9999/index.html"};
    for (size_t i = 0; i < sizeof ipv6 / sizeof ipv6[0]; i++) {
        struct process why = LIBREUSE(0, "why", ipv6[i]);
        expect_said(&why, "]:9999: free, and nobody listens");
        expect_not_said(&why, "0.0.0.0");
    }
    static const char *const udp_ports[] = {"udp/9999", "9999/udp", "UDP:9999", "udp://*:9999"};
    for (size_t i = 0; i < sizeof udp_ports / sizeof udp_ports[0]; i++) {
        struct process udp = LIBREUSE(0, "why", udp_ports[i]);
        expect_not_said(&udp, "WITH SO_REUSEADDR");
        expect_said(&udp, "0.0.0.0:9999: free");
    }
    if (access("/etc/services", R_OK) != 0) {
        skip_because("/etc/services is not here");
    }
    struct process name = LIBREUSE(0, "why", "http-alt");
    expect_said(&name, "0.0.0.0:8080: free");
    struct process with_address = LIBREUSE(0, "why", "127.0.0.1:webcache");
    expect_said(&with_address, "127.0.0.1:8080: free");
}

Test(command_why, localhost_is_both_loopback_addresses)
{
    static const char *const names[] = {"localhost:9999", "tcp://localhost:9999", "LocalHost:9999",
                                        "http://localhost:9999/health?now"};
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "[::1]:9999");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct process why = LIBREUSE(1, "why", names[i]);
        expect_said(&why, "127.0.0.1:9999: free");
        expect_said(&why, "[::1]:9999: EADDRINUSE: held by obedient_host[");
        expect_not_said(&why, "0.0.0.0");
    }
}

Test(command_why, wrong_arguments_are_named)
{
    static const char *const wrong[] = {"",         "0",       "65536", "99999999999",   "-1",
                                        "htttp",    "tcp/",    "tcp/0", "[]:",           ":",
                                        "1.2.3:80", "[::1:80", "[]:80", "[::1%nope]:80", "+80"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct process why = LIBREUSE(2, "why", wrong[i]);
        expect_complaint(&why, "see: libreuse help why");
    }
    struct process none = LIBREUSE(2, "why");
    expect_complaint(&none, "expected one [ADDRESS:]PORT");
    struct process option = LIBREUSE(2, "why", "--never", "80");
    expect_complaint(&option, "--never: no such option");
}
