/*
 * Listeners that more than one process has: a server's workers, helpers that have inherited it by
 * mistake, and systemd, which has those of its socket units. What is said of them, and what is not.
 */
#include "deadline.h"
#include "guards.h"
#include "host.h"
#include "invoke.h"
#include "namespace.h"
#include "reports.h"
#include "target.h"
#include "units.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void enter(void)
{
    enter_private_units();
    enter_private_network();
}

TestSuite(heirs, .init = enter);

static char *const sleep_long[] = {"sleep", "1000", NULL};
static char *const tail_nothing[] = {"tail", "-f", "/dev/null", NULL};

/* Starts a program that cannot accept connections, and gives it the listener. */
static pid_t start_as(const char *program, char *const arguments[], int listener)
{
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent && dup2(listener, 70) == 70) {
            execvp(program, arguments);
        }
        _exit(127);
    }
    char *comm = path_in(path_in("/proc", text_of(child)), "comm");
    EVENTUALLY(strncmp(file_content(comm), program, strlen(program)) == 0);
    return child;
}

static pid_t start_helper(char *const arguments[], int listener)
{
    return start_as(arguments[0], arguments, listener);
}

/* This process is the server, and a good one but for the helper. */
static int serve(void)
{
    const int on = 1;
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(9999), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(fd, 1), 0);
    return fd;
}

static char *sentence(pid_t helper, const char *of)
{
    char *text;
    cr_assert_geq(asprintf(&text,
                           "next restart fails while sleep[%d], which has inherited this "
                           "listener%s (fd 70), runs: close-on-exec, or KillMode=control-group",
                           (int)helper, of),
                  0);
    return text;
}

Test(heirs, are_told_before_the_restart)
{
    const int fd = serve();
    const pid_t helper = start_helper(sleep_long, fd);
    struct process audit = LIBREUSE(1, "audit");
    EXPECT_LINE(&audit, "127.0.0.1:9999 ", text_of(getpid()), " on ", sentence(helper, ""));
    struct process check = LIBREUSE(1, "check", text_of(getpid()));
    EXPECT_LINE(&check, "verdict", sentence(helper, ""));
    struct process json = LIBREUSE(1, "audit", "--json");
    expect_said(&json, "\"verdict\": \"inherited\"");
    expect_said(&json, sentence(helper, ""));
}

Test(heirs, are_told_when_the_server_is_gone)
{
    const int fd = serve();
    const pid_t helper = start_helper(sleep_long, fd);
    close(fd);
    struct process audit = LIBREUSE(1, "audit");
    EXPECT_LINE(&audit, "127.0.0.1:9999 ", sentence(helper, " from a program that is gone"));
}

Test(heirs, are_all_named_when_the_port_is_held)
{
    const int fd = serve();
    const pid_t sleeping = start_helper(sleep_long, fd);
    const pid_t waiting = start_helper(tail_nothing, fd);
    close(fd);
    struct host host = start_host(WITH_SHIM);
    EXPECT_ERROR(host_bind(&host, host_tcp_socket(&host), "127.0.0.1:9999"), EADDRINUSE);
    char words[256];
    snprintf(words, sizeof words,
             "held by sleep[%d] and tail[%d] listening on 127.0.0.1:9999; they share one socket: "
             "stop both, ",
             (int)sleeping, (int)waiting);
    expect_words(expect_report(&host.process, "bind-failed: 127.0.0.1:9999: EADDRINUSE: "), words);
    struct process why = LIBREUSE(1, "why", "9999");
    expect_said(&why, words);
    EXPECT_LINE(&why, "LISTEN", text_of(sleeping), "sleep", "70");
    EXPECT_LINE(&why, text_of(waiting), "tail", "70");
}

/* "python3" alone does not say which of two servers has the port. */
Test(heirs, that_are_interpreters_are_told_by_what_they_run)
{
    static char *const as_python[] = {"/usr/bin/python3", "-f", "/dev/null", NULL};
    const int fd = serve();
    const pid_t helper = start_as("tail", as_python, fd);
    close(fd);
    char words[128];
    snprintf(words, sizeof words,
             "held by tail[%d] (/dev/null) listening on 127.0.0.1:9999 (fd 70)", (int)helper);
    struct process why = LIBREUSE(1, "why", "9999");
    expect_said(&why, words);
    EXPECT_LINE(&why, "STATE", "RUNS");
    EXPECT_LINE(&why, "LISTEN", text_of(helper), "tail", " /dev/null");
    struct process audit = LIBREUSE(1, "audit");
    EXPECT_LINE(&audit, text_of(helper), "tail ", " /dev/null ");
    struct process json = LIBREUSE(1, "audit", "--json");
    expect_said(&json, "\"runs\": \"/dev/null\"");
}

/* SO_REUSEPORT lets the next server have the port beside an heir. */
Test(heirs, are_no_hindrance_where_the_port_is_shared)
{
    const int on = 1;
    const int fd = serve();
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
    start_helper(sleep_long, fd);
    struct process audit = LIBREUSE(0, "audit");
    EXPECT_LINE(&audit, "127.0.0.1:9999 ", "restarts cleanly");
}

Test(heirs, are_counted_where_they_are_many)
{
    const int fd = serve();
    pid_t last = 0;
    for (int i = 0; i < 6; i++) {
        last = start_helper(sleep_long, fd);
    }
    struct process why = LIBREUSE(1, "why", "9999");
    EXPECT_LINE(&why, "LISTEN", text_of(getpid()));
    EXPECT_LINE(&why, "  +2");
    struct process json = LIBREUSE(1, "why", "--json", "9999");
    expect_said(&json, text_of(last));
    expect_said(&json, "\"processes\": 7");
    struct process audit = LIBREUSE(1, "audit");
    EXPECT_LINE(&audit, " +6 ", " and 5 more, which have inherited this listener, run: ");
}

/* What the parent of a worker has, too, is not free when the worker closes it. */
Test(heirs, of_this_very_process_are_named)
{
    struct host server = start_host(WITH_SHIM);
    host_serve(&server, "127.0.0.1:9999");
    struct host worker = fork_host(&server);
    EXPECT_ERROR(host_bind(&worker, host_tcp_socket(&worker), "127.0.0.1:9999"), EADDRINUSE);
    const char *rest = expect_report(&worker.process, "bind-failed: 127.0.0.1:9999: EADDRINUSE: ");
    expect_words(rest, "held by this very process and 1 more process of that name listening on "
                       "127.0.0.1:9999; they share one socket: it is free when each of them has "
                       "closed it");
}

Test(heirs, are_not_the_workers_of_a_server)
{
    struct host server = start_host(WITH_SHIM);
    host_serve(&server, "127.0.0.1:9999");
    fork_host(&server);
    struct process audit = LIBREUSE(0, "audit");
    EXPECT_LINE(&audit, "127.0.0.1:9999 ", " +1 ", "restarts cleanly");
}

/* A server with a helper, both in a control group that is a unit's. */
static pid_t serve_in_unit(const char *unit_folder, pid_t *helper)
{
    int ready[2];
    cr_assert_eq(pipe(ready), 0);
    const pid_t server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const pid_t child = start_helper(sleep_long, serve());
        const ssize_t written = write(ready[1], &child, sizeof child);
        while (written == (ssize_t)sizeof child) {
            pause();
        }
        _exit(1);
    }
    cr_assert_eq(read(ready[0], helper, sizeof *helper), (ssize_t)sizeof *helper);
    write_file(path_in(unit_folder, "cgroup.procs"), text_of(server), 0644);
    write_file(path_in(unit_folder, "cgroup.procs"), text_of(*helper), 0644);
    return server;
}

/* systemd ends the helper, too, where it is told to: that is what a unit does unless it says no. */
Test(heirs, are_not_what_systemd_stops_with_the_server)
{
    enter_private_guards();
    enter_private_units();
    char *unit = path_in(group_folder, "libreuse-test.service");
    cr_assert_eq(mkdir(unit, 0755), 0, "%s", strerror(errno));
    pid_t helper;
    const pid_t server = serve_in_unit(unit, &helper);
    show_unit("libreuse-test.service", "KillMode=control-group");
    struct process audit = LIBREUSE(0, "audit");
    EXPECT_LINE(&audit, "127.0.0.1:9999 ", "restarts cleanly");
    show_unit("libreuse-test.service", "KillMode=process");
    audit = LIBREUSE(1, "audit");
    EXPECT_LINE(&audit, "127.0.0.1:9999 ", sentence(helper, ""));
    kill(helper, SIGKILL);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    EVENTUALLY(rmdir(unit) == 0);
}

/* Both orders in which versions of systemd print the properties. */
Test(heirs, systemd_is_none_and_its_socket_unit_is_named)
{
    static const char *const shown[] = {
        "Id=other.socket\nListen=127.0.0.1:99 (Stream)\n\nId=server.socket\n"
        "Listen=/run/x (Stream)\nListen=127.0.0.1:9999 (Stream)\n",
        "Listen=127.0.0.1:99 (Stream)\nId=other.socket\n\nListen=/run/x (Stream)\n"
        "Listen=127.0.0.1:9999 (Stream)\nId=server.socket\n"};
    const int fd = serve();
    prctl(PR_SET_NAME, "systemd");
    start_helper(sleep_long, fd);
    for (size_t i = 0; i < 2; i++) {
        show_exactly("*.socket", shown[i]);
        struct process audit = LIBREUSE(0, "audit");
        EXPECT_LINE(&audit, "127.0.0.1:9999 ", "systemd", "restarts cleanly (server.socket)");
        struct process why = LIBREUSE(1, "why", "9999");
        expect_said(&why, "systemd listens for server.socket: systemctl status server.socket\n");
    }
    remove_systemctl();
    struct process audit = LIBREUSE(0, "audit");
    EXPECT_LINE(&audit, "127.0.0.1:9999 ", "restarts cleanly (socket unit)");
    struct process check = LIBREUSE(0, "check", text_of(getpid()));
    EXPECT_LINE(&check, "verdict", "it is the service manager");
}
