/*
 * libreuse arm: a server that runs without the shim is armed from outside, and then its successor
 * under the shim starts at once, whatever was left behind.
 */
#include "deadline.h"
#include "host.h"
#include "invoke.h"
#include "namespace.h"
#include "skip.h"
#include "sockets.h"
#include "target.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

TestSuite(command_arm, .init = enter_private_network);

struct scene {
    struct host server;
    int listener;
    int connection;
    int client;
};

static struct scene serve_client(const char *address)
{
    struct scene scene = {.server = start_host(WITHOUT_SHIM)};
    scene.listener = host_serve(&scene.server, address);
    scene.client = connected_client(address, 0);
    scene.connection = host_accept(&scene.server, scene.listener);
    return scene;
}

/* The errno with which a successor under the shim is refused, 0. */
static int successor(const char *address)
{
    struct host server = start_host(WITH_SHIM);
    int fd = host_socket(&server, address_from(address).storage.ss_family, SOCK_STREAM, 0);
    int error = host_bind(&server, fd, address);
    if (error == 0) {
        error = host_listen(&server, fd);
    }
    end_host(&server);
    return error;
}

static int reuse_of(struct host *host, int fd)
{
    return host_get_option(host, fd, SO_REUSEADDR);
}

Test(command_arm, without_it_the_successor_is_refused)
{
    struct scene scene = serve_client("127.0.0.1:9999");
    end_by_signal(&scene.server.process, SIGKILL);
    expect_end_of_stream(scene.client);
    close(scene.client);
    EVENTUALLY(count_sockets(9999, TCP_TIME_WAIT) == 1);
    EXPECT_ERROR(successor("127.0.0.1:9999"), EADDRINUSE);
}

Test(command_arm, an_open_connection_does_not_keep_the_successor_out)
{
    struct scene scene = serve_client("127.0.0.1:9999");
    struct process arm = LIBREUSE(0, "arm", "9999");
    EXPECT_LINE(&arm, "LISTEN", "127.0.0.1:9999", text_of(scene.server.process.pid),
                "obedient_host", "off -> on");
    EXPECT_LINE(&arm, "ESTABLISHED", "off -> on");
    expect_said(&arm, "2 sockets armed, 0 armed before");
    expect_said(&arm, "libreuse run /");
    expect_said(&arm, "/obedient_host, with its arguments\n");
    EXPECT_VALUE(reuse_of(&scene.server, scene.listener), 1);
    EXPECT_VALUE(reuse_of(&scene.server, scene.connection), 1);
    expect_service(&scene.server, scene.connection, scene.client);

    end_by_signal(&scene.server.process, SIGKILL);
    expect_end_of_stream(scene.client);
    close(scene.client);
    EVENTUALLY(count_sockets(9999, TCP_TIME_WAIT) == 1);
    EXPECT_SUCCESS(successor("127.0.0.1:9999"));
}

Test(command_arm, a_later_connection_does_not_keep_the_successor_out)
{
    struct host server = start_host(WITHOUT_SHIM);
    int listener = host_serve(&server, "127.0.0.1:9999");
    LIBREUSE(0, "arm", "9999");
    int client = connected_client("127.0.0.1:9999", 0);
    int connection = host_accept(&server, listener);
    EXPECT_VALUE(reuse_of(&server, connection), 1);
    end_by_signal(&server.process, SIGKILL);
    expect_end_of_stream(client);
    close(client);
    EVENTUALLY(count_sockets(9999, TCP_TIME_WAIT) == 1);
    EXPECT_SUCCESS(successor("127.0.0.1:9999"));
}

Test(command_arm, the_connection_of_a_forked_child_is_armed)
{
    struct scene scene = serve_client("127.0.0.1:9999");
    struct host child = fork_host(&scene.server);
    host_close(&child, scene.listener);
    host_close(&scene.server, scene.connection);
    struct process arm = LIBREUSE(0, "arm", "9999");
    EXPECT_LINE(&arm, "ESTABLISHED", text_of(child.process.pid), "off -> on");
    EXPECT_VALUE(reuse_of(&child, scene.connection), 1);
    end_by_signal(&scene.server.process, SIGKILL);
    EXPECT_SUCCESS(successor("127.0.0.1:9999"));
    expect_service(&child, scene.connection, scene.client);
}

Test(command_arm, a_child_whose_server_is_gone_is_armed)
{
    struct scene scene = serve_client("127.0.0.1:9999");
    struct host child = fork_host(&scene.server);
    host_close(&child, scene.listener);
    end_by_signal(&scene.server.process, SIGKILL);
    EXPECT_ERROR(successor("127.0.0.1:9999"), EADDRINUSE);
    LIBREUSE(0, "arm", "9999");
    EXPECT_SUCCESS(successor("127.0.0.1:9999"));
}

Test(command_arm, a_connection_that_its_client_has_closed_is_armed)
{
    struct scene scene = serve_client("127.0.0.1:9999");
    close(scene.client);
    EVENTUALLY(count_sockets(9999, TCP_CLOSE_WAIT) == 1);
    struct process arm = LIBREUSE(0, "arm", "9999");
    EXPECT_LINE(&arm, "CLOSE_WAIT", "off -> on");
    host_close(&scene.server, scene.listener);
    EXPECT_SUCCESS(successor("127.0.0.1:9999"));
}

Test(command_arm, ipv6_is_armed_too)
{
    need_protocol(AF_INET6, 0);
    struct scene scene = serve_client("[::1]:9999");
    LIBREUSE(0, "arm", "9999");
    host_close(&scene.server, scene.listener);
    EXPECT_SUCCESS(successor("[::]:9999"));
}

Test(command_arm, a_process_is_armed_and_no_other)
{
    struct scene scene = serve_client("127.0.0.1:9999");
    struct host other = start_host(WITHOUT_SHIM);
    int same_port = host_serve(&other, "127.0.0.2:9999");
    int other_port = host_serve(&other, "127.0.0.1:9998");
    struct process arm = LIBREUSE(0, "arm", "--pid", text_of(scene.server.process.pid));
    expect_said(&arm, "process obedient_host[");
    EXPECT_VALUE(reuse_of(&scene.server, scene.listener), 1);
    EXPECT_VALUE(reuse_of(&scene.server, scene.connection), 1);
    EXPECT_VALUE(reuse_of(&other, same_port), 0);
    EXPECT_VALUE(reuse_of(&other, other_port), 0);
}

Test(command_arm, a_bare_number_that_is_no_port_is_a_process)
{
    struct host server = start_host(WITHOUT_SHIM);
    int listener = host_serve(&server, "127.0.0.1:9999");
    LIBREUSE(0, "arm", text_of(server.process.pid));
    EXPECT_VALUE(reuse_of(&server, listener), 1);
}

/* The number of a process as a port, where both can be. */
static const char *port_of_pid(const struct host *host)
{
    if (host->process.pid < 1024 || host->process.pid > UINT16_MAX) {
        skip_because("the process ID %d cannot be a port", (int)host->process.pid);
    }
    char *address;
    cr_assert_geq(asprintf(&address, "127.0.0.1:%d", (int)host->process.pid), 0);
    return address;
}

Test(command_arm, a_port_on_which_somebody_listens_goes_before_a_process)
{
    struct host process = start_host(WITHOUT_SHIM);
    struct host other = start_host(WITHOUT_SHIM);
    int its = host_serve(&process, "127.0.0.1:99");
    int others = host_serve(&other, port_of_pid(&process));
    struct process arm = LIBREUSE(0, "arm", text_of(process.process.pid));
    EXPECT_LINE(&arm, "port", text_of(process.process.pid));
    expect_complaint(&arm, "is also a process, obedient_host[");
    expect_complaint(&arm, "for the process: libreuse arm --pid=");
    EXPECT_VALUE(reuse_of(&other, others), 1);
    EXPECT_VALUE(reuse_of(&process, its), 0);
}

Test(command_arm, a_number_that_could_be_both_is_refused)
{
    struct host process = start_host(WITHOUT_SHIM);
    int its = host_serve(&process, "127.0.0.1:99");
    leave_time_wait(WITHOUT_SHIM, port_of_pid(&process));
    struct process arm = LIBREUSE(2, "arm", text_of(process.process.pid));
    expect_complaint(&arm, "--port=");
    expect_complaint(&arm, "--pid=");
    EXPECT_VALUE(reuse_of(&process, its), 0);
}

Test(command_arm, a_dry_run_changes_nothing)
{
    struct scene scene = serve_client("127.0.0.1:9999");
    struct process json = LIBREUSE(0, "arm", "--json", "-n", "9999");
    expect_said(&json, "\"dry_run\": true");
    expect_said(&json, "\"reuseaddr_before\": false,\n      \"reuseaddr\": false");
    struct process arm = LIBREUSE(0, "arm", "--dry-run", "9999");
    expect_said(&arm, "2 sockets would be armed");
    EXPECT_VALUE(reuse_of(&scene.server, scene.listener), 0);
    EXPECT_VALUE(reuse_of(&scene.server, scene.connection), 0);
}

Test(command_arm, a_server_that_is_armed_already_is_fine)
{
    struct host server = start_host(WITH_SHIM);
    host_serve(&server, "127.0.0.1:9999");
    struct process arm = LIBREUSE(0, "arm", "9999");
    expect_said(&arm, "0 sockets armed, 1 armed before");
    expect_not_said(&arm, "libreuse run");
}

/* One that was started by its "#!" line is called by its own name, any other by the interpreter. */
Test(command_arm, the_next_start_of_a_script_is_named_as_it_is_typed)
{
    static const char python[] = "/usr/bin/python3";
    if (access(python, X_OK) != 0) {
        skip_because("there is no %s", python);
    }
    char *script = path_in(new_folder(), "old-legacy-server.py");
    write_file(script,
               "#!/usr/bin/python3 -u\n"
               "import socket, time\n"
               "listener = socket.socket()\n"
               "listener.bind((\"127.0.0.1\", 9999))\n"
               "listener.listen()\n"
               "time.sleep(1000)\n",
               0755);
    struct process itself = start((struct program){.path = script});
    EVENTUALLY(count_sockets(9999, TCP_LISTEN) == 1);
    struct process arm = LIBREUSE(0, "arm", "--dry-run", "9999");
    EXPECT_LINE(&arm, "its next start must: libreuse run ", script, ", with its arguments");
    expect_not_said(&arm, "libreuse run /usr/bin/python3");
    end_by_signal(&itself, SIGKILL);
    start((struct program){.path = python, .arguments = {script}});
    EVENTUALLY(count_sockets(9999, TCP_LISTEN) == 1);
    struct process by_name = LIBREUSE(0, "arm", "--dry-run", "9999");
    expect_said(&by_name, "its next start must: libreuse run /usr/bin/python3");
}

Test(command_arm, a_port_that_is_only_bound_stays_exclusive)
{
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = host_tcp_socket(&holder);
    EXPECT_SUCCESS(host_bind(&holder, fd, "127.0.0.1:9999"));
    LIBREUSE(1, "arm", "--port=9999");
    EXPECT_VALUE(reuse_of(&holder, fd), 0);
}

Test(command_arm, time_wait_of_before_is_counted_and_free_helps)
{
    struct scene scene = serve_client("127.0.0.1:9999");
    host_close(&scene.server, scene.connection);
    expect_end_of_stream(scene.client);
    close(scene.client);
    EVENTUALLY(count_sockets(9999, TCP_TIME_WAIT) == 1);
    struct process arm = LIBREUSE(1, "arm", "9999");
    EXPECT_LINE(&arm, "1 TIME_WAIT socket of connections that ended before cannot be armed",
                "libreuse free 9999");
    end_by_signal(&scene.server.process, SIGKILL);
    EXPECT_ERROR(successor("127.0.0.1:9999"), EADDRINUSE);
    LIBREUSE(0, "free", "--yes", "9999");
    EXPECT_SUCCESS(successor("127.0.0.1:9999"));
}

/* Under traffic there always are some, and none of them may be in the way. */
Test(command_arm, once_armed_time_wait_is_nothing_to_wait_for)
{
    struct scene scene = serve_client("127.0.0.1:9999");
    LIBREUSE(0, "arm", "9999");
    host_close(&scene.server, scene.connection);
    expect_end_of_stream(scene.client);
    close(scene.client);
    EVENTUALLY(count_sockets(9999, TCP_TIME_WAIT) == 1);
    struct process again = LIBREUSE(0, "arm", "9999");
    expect_said(&again, "1 TIME_WAIT socket: in the way of a restart are only those of connections "
                        "that ended before the first arm; 65 s after it none of these is left "
                        "(sooner: libreuse free 9999)\n");
    end_by_signal(&scene.server.process, SIGKILL);
    EXPECT_SUCCESS(successor("127.0.0.1:9999"));
}

Test(command_arm, a_connection_that_is_not_accepted_yet_is_pointed_out)
{
    struct host server = start_host(WITHOUT_SHIM);
    int listener = host_serve(&server, "127.0.0.1:9999");
    connected_client("127.0.0.1:9999", 0);
    struct process arm = LIBREUSE(1, "arm", "9999");
    expect_said(&arm, "1 connection that the server has not accepted yet");
    int connection = host_accept(&server, listener);
    EXPECT_VALUE(reuse_of(&server, connection), 0);
    LIBREUSE(0, "arm", "9999");
    EXPECT_VALUE(reuse_of(&server, connection), 1);
}

Test(command_arm, a_connection_that_is_accepted_meanwhile_is_armed)
{
    struct host server = start_host(WITHOUT_SHIM);
    int listener = host_serve(&server, "127.0.0.1:9999");
    connected_client("127.0.0.1:9999", 0);
    struct process arm =
        start((struct program){.path = LIBREUSE_PATH, .arguments = {"arm", "9999"}});
    EVENTUALLY(reuse_of(&server, listener) == 1);
    int connection = host_accept(&server, listener);
    expect_exit(&arm, 0);
    EXPECT_VALUE(reuse_of(&server, connection), 1);
}

Test(command_arm, what_is_not_there_is_said)
{
    struct process port = LIBREUSE(1, "arm", "--port", "9999");
    expect_said(&port, "no listening socket and no open connection");
    struct process number = LIBREUSE(1, "arm", "2147483646");
    expect_complaint(&number, "no such process");
    struct host idle = start_host(WITHOUT_SHIM);
    struct process process = LIBREUSE(1, "arm", "--pid", text_of(idle.process.pid));
    expect_complaint(&process, "has no listening TCP socket");
    struct process both = LIBREUSE(1, "arm", port_of_pid(&idle) + sizeof "127.0.0.1:" - 1);
    expect_complaint(&both, "no TCP socket has port ");
    expect_complaint(&both, "and the process obedient_host[");
}

Test(command_arm, a_port_is_understood_as_people_paste_it)
{
    static const char *const ways[] = {":8080",     "tcp/8080",      "*:8080", "0.0.0.0:8080",
                                       "[::]:8080", "0.0.0.0:8080:", ":::8080"};
    struct host server = start_host(WITH_SHIM);
    host_serve(&server, "127.0.0.1:8080");
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct process arm = LIBREUSE(0, "arm", ways[i]);
        expect_said(&arm, "0 sockets armed, 1 armed before");
    }
    struct process one = LIBREUSE(2, "arm", "127.0.0.1:8080");
    expect_complaint(&one, "this is for a port, of whatever address: expected 8080");
    struct process udp = LIBREUSE(2, "free", "udp/8080");
    expect_complaint(&udp, "only TCP has such sockets");
    LIBREUSE(0, "free", "tcp/8080");
    if (access("/etc/services", R_OK) != 0) {
        skip_because("/etc/services is not here");
    }
    LIBREUSE(0, "arm", "http-alt");
}

Test(command_arm, a_process_in_another_network_is_pointed_out)
{
    if (access("/usr/bin/unshare", X_OK) != 0) {
        skip_because("no /usr/bin/unshare here");
    }
    struct process other = start(
        (struct program){.path = "/usr/bin/unshare", .arguments = {"--net", "sleep", "1000"}});
    char path[64];
    char name[16] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", (int)other.pid);
    do {
        FILE *comm = fopen(path, "re");
        cr_assert(comm != NULL && fgets(name, sizeof name, comm) != NULL);
        fclose(comm);
        pause_briefly();
    } while (strcmp(name, "sleep\n") != 0);
    struct process arm = LIBREUSE(1, "arm", "--pid", text_of(other.pid));
    expect_complaint(&arm, "nsenter --target");
}

Test(command_arm, nobody_is_told_what_cannot_be_reached)
{
    struct host server = start_host(WITHOUT_SHIM);
    int listener = host_serve(&server, "127.0.0.1:9999");
    struct process port = LIBREUSE_AS_NOBODY(3, "arm", "9999");
    expect_complaint(&port, "127.0.0.1:9999: not armed: its process may not be looked into");
    expect_complaint(&port, "CAP_SYS_PTRACE");
    struct process pid = LIBREUSE_AS_NOBODY(3, "arm", "--pid", text_of(server.process.pid));
    expect_complaint(&pid, "CAP_SYS_PTRACE");
    EXPECT_VALUE(reuse_of(&server, listener), 0);
}

Test(command_arm, wrong_arguments_are_named)
{
    LIBREUSE(2, "arm");
    LIBREUSE(2, "arm", "80", "81");
    LIBREUSE(2, "arm", "80", "--port=81");
    LIBREUSE(2, "arm", "--pid=0");
    LIBREUSE(2, "arm", "--port=70000");
    LIBREUSE(2, "arm", "nginx");
    struct process number = LIBREUSE(2, "arm", "--pid");
    expect_complaint(&number, "arm: --pid needs a value");
    struct process option = LIBREUSE(2, "arm", "--never");
    expect_complaint(&option, "--never: no such option");
}
