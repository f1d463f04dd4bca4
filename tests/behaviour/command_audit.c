/*
 * libreuse audit: every listener of the network, who has it, and what its next restart is like.
 */
#include "deadline.h"
#include "host.h"
#include "invoke.h"
#include "namespace.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(command_audit, .init = enter_private_network);

Test(command_audit, a_host_without_listeners_is_fine)
{
    struct process audit = LIBREUSE(0, "audit");
    expect_said(&audit, "no TCP socket listens");
}

Test(command_audit, every_listener_has_its_verdict)
{
    struct host plain = start_host(WITHOUT_SHIM);
    struct host shimmed = start_host(WITH_SHIM);
    struct host careful = start_host(WITHOUT_SHIM);
    host_serve(&plain, "127.0.0.1:1001");
    host_serve(&shimmed, "0.0.0.0:1002");
    int fd = host_tcp_socket(&careful);
    host_set_option(&careful, fd, SOL_SOCKET, SO_REUSEADDR, 1);
    EXPECT_SUCCESS(host_bind(&careful, fd, "127.0.0.1:1003"));
    EXPECT_SUCCESS(host_listen(&careful, fd));

    struct process audit = LIBREUSE(1, "audit");
    EXPECT_LINE(&audit, "127.0.0.1:1001 ", text_of(plain.process.pid), "obedient_host", " off ",
                " no ", "next restart may fail for up to 60 s");
    EXPECT_LINE(&audit, "0.0.0.0:1002 ", text_of(shimmed.process.pid), " on ", " yes ",
                "restarts cleanly");
    EXPECT_LINE(&audit, "127.0.0.1:1003 ", text_of(careful.process.pid), " on ", " no ",
                "restarts cleanly");
    expect_said(&audit, "1 of 3 may fail at the next restart");
    expect_said(&audit, "libreuse arm PORT");
}

Test(command_audit, a_listener_is_shown_with_its_device)
{
    struct host server = start_host(WITHOUT_SHIM);
    const int fd = host_tcp_socket(&server);
    host_set_option(&server, fd, SOL_SOCKET, SO_BINDTOIFINDEX, (int)add_ethernet("lan0"));
    EXPECT_SUCCESS(host_bind(&server, fd, "0.0.0.0:1001"));
    EXPECT_SUCCESS(host_listen(&server, fd));
    struct process audit = LIBREUSE(1, "audit");
    EXPECT_LINE(&audit, "0.0.0.0%lan0:1001 ", text_of(server.process.pid));
    struct process json = LIBREUSE(1, "audit", "--json");
    expect_said(&json, "\"listens_on\": \"0.0.0.0%lan0:1001\"");
    expect_said(&json, "\"address\": \"0.0.0.0\"");
    struct process why = LIBREUSE(1, "why", "1001");
    EXPECT_LINE(&why, "LISTEN", "0.0.0.0%lan0:1001", text_of(server.process.pid));
}

Test(command_audit, after_arming_all_is_fine)
{
    struct host plain = start_host(WITHOUT_SHIM);
    host_serve(&plain, "127.0.0.1:1001");
    LIBREUSE(1, "audit");
    LIBREUSE(0, "arm", "1001");
    struct process audit = LIBREUSE(0, "audit");
    expect_said(&audit, "all restart cleanly");
}

Test(command_audit, a_shimmed_listener_that_is_left_out_is_not_fine)
{
    struct host host =
        start_host_as(WITH_SHIM, (struct program){.settings = {"LIBREUSE_PORTS=80"}});
    host_serve(&host, "127.0.0.1:1001");
    struct process audit = LIBREUSE(1, "audit");
    EXPECT_LINE(&audit, " off ", " yes ", "next restart may fail");
}

/* Its port 0 was meant: the library is there, and no bind has failed. */
static void check_port_0_is_no_loss(const char *setting)
{
    struct host host = start_host_as(WITH_SHIM, (struct program){.settings = {setting}});
    const int fd = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_bind(&host, fd, "127.0.0.1:0"));
    EXPECT_SUCCESS(host_listen(&host, fd));
    struct process audit = LIBREUSE(1, "audit");
    EXPECT_LINE(&audit, " (ephemeral) ", " off ", " yes ", "next restart may fail for up to 60 s");
    expect_not_said(&audit, "may have lost");
    struct process why = LIBREUSE(0, "why", "9999");
    expect_not_said(&why, "obedient_host");
    end_host(&host);
}

Test(command_audit, a_port_that_was_meant_is_not_suspect_where_the_library_knows)
{
    check_port_0_is_no_loss("LIBREUSE_DRY_RUN=1");
    check_port_0_is_no_loss("LIBREUSE_PORTS=80");
}

/* PIDFD_THREAD of pidfd_open(2). */
static bool knows_thread_descriptors(void)
{
    enum { PIDFD_OPEN = 434, THREAD = O_EXCL };
    const int fd = (int)syscall(PIDFD_OPEN, getpid(), THREAD);
    return fd >= 0 && close(fd) == 0;
}

/* Then /proc/PID shows nothing of the process; a thread of it has everything. */
Test(command_audit, a_process_whose_first_thread_has_ended_is_judged)
{
    struct host plain = start_host(WITHOUT_SHIM);
    struct host shimmed = start_host(WITH_SHIM);
    host_serve(&plain, "127.0.0.1:1001");
    host_serve(&shimmed, "127.0.0.1:1002");
    host_leave_main(&plain);
    host_leave_main(&shimmed);
    struct process why = LIBREUSE(1, "why", "1001");
    EXPECT_LINE(&why, "LISTEN", "127.0.0.1:1001", text_of(plain.process.pid), "obedient_host");
    struct process audit = LIBREUSE(1, "audit");
    if (!knows_thread_descriptors()) {
        EXPECT_LINE(&audit, "2 not known: ", "its first thread has ended", "Linux 6.9");
        return;
    }
    EXPECT_LINE(&audit, "127.0.0.1:1001 ", text_of(plain.process.pid), " off ", " no ",
                "next restart may fail");
    EXPECT_LINE(&audit, "127.0.0.1:1002 ", text_of(shimmed.process.pid), " on ", " yes ",
                "restarts cleanly");
    struct process check = LIBREUSE(0, "check", text_of(shimmed.process.pid));
    expect_said(&check, "restarts cleanly");
    LIBREUSE(0, "arm", "1001");
    LIBREUSE(0, "audit");
}

/* What the verdict rests on is shown, too. */
Test(command_audit, so_reuseport_restarts_cleanly)
{
    struct host host = start_host(WITHOUT_SHIM);
    int fd = host_tcp_socket(&host);
    host_set_option(&host, fd, SOL_SOCKET, SO_REUSEPORT, 1);
    EXPECT_SUCCESS(host_bind(&host, fd, "127.0.0.1:1001"));
    EXPECT_SUCCESS(host_listen(&host, fd));
    struct process audit = LIBREUSE(0, "audit");
    EXPECT_LINE(&audit, " off ", "restarts cleanly (SO_REUSEPORT)");

    int client = connected_client("127.0.0.1:1001", 0);
    host_accept(&host, fd);
    end_by_signal(&host.process, SIGKILL);
    expect_end_of_stream(client);
    close(client);
    EVENTUALLY(count_sockets(1001, TCP_TIME_WAIT) == 1);
    struct host next = start_host(WITHOUT_SHIM);
    fd = host_tcp_socket(&next);
    host_set_option(&next, fd, SOL_SOCKET, SO_REUSEPORT, 1);
    EXPECT_SUCCESS(host_bind(&next, fd, "127.0.0.1:1001"));
}

Test(command_audit, processes_that_share_a_listener_are_counted)
{
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "127.0.0.1:1001");
    struct host child = fork_host(&server);
    const pid_t first =
        child.process.pid < server.process.pid ? child.process.pid : server.process.pid;
    char pids[32];
    snprintf(pids, sizeof pids, " %d +1 ", (int)first);
    struct process audit = LIBREUSE(1, "audit");
    EXPECT_LINE(&audit, "127.0.0.1:1001", pids);
}

Test(command_audit, ipv6_and_mptcp_are_audited)
{
    struct host server = start_host(WITHOUT_SHIM);
    need_protocol(AF_INET6, 0);
    host_serve(&server, "[::1]:1001");
    struct process audit = LIBREUSE(1, "audit");
    EXPECT_LINE(&audit, "[::1]:1001", " off ");
    need_protocol(AF_INET, MPTCP_PROTOCOL);
    struct host shimmed = start_host(WITH_SHIM);
    int fd = host_socket(&shimmed, AF_INET, SOCK_STREAM, MPTCP_PROTOCOL);
    EXPECT_SUCCESS(host_bind(&shimmed, fd, "127.0.0.1:1002"));
    EXPECT_SUCCESS(host_listen(&shimmed, fd));
    audit = LIBREUSE(1, "audit");
    EXPECT_LINE(&audit, "127.0.0.1:1002", " on ", "restarts cleanly");
}

Test(command_audit, a_server_that_has_lost_its_port_is_found)
{
    char address[32];
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    struct host well = start_host(WITH_SHIM);
    struct host lost = start_host(WITH_SHIM);
    host_serve(&well, "0.0.0.0:1001");
    snprintf(address, sizeof address, "0.0.0.0:%u", host_lose_port(&lost, "127.0.0.1:9999"));
    host_serve(&lost, "127.0.0.1:1002");
    struct process audit = LIBREUSE(1, "audit");
    EXPECT_LINE(&audit, address, " (ephemeral) ", text_of(lost.process.pid), "lost port 9999 at ",
                " (EADDRINUSE)");
    EXPECT_LINE(&audit, "1 of 3 listen elsewhere than they had asked to");
    EXPECT_LINE(&audit, "127.0.0.1:1002 ", text_of(lost.process.pid), "restarts cleanly");
    expect_not_said(&audit, "all restart cleanly");
    EXPECT_LINE(&audit, "0.0.0.0:1001  ", text_of(well.process.pid));
    EXPECT_LINE(&audit, "1 ephemeral: ", "a server that has lost its port looks like this");
    struct process json = LIBREUSE(1, "audit", "--json");
    expect_said(&json, "\"verdict\": \"lost-its-port\"");
    expect_said(&json, "\"port\": 1001,\n      \"ephemeral_port\": false,");
    expect_said(&json, "\"ephemeral_port\": true,");
}

Test(command_audit, a_server_that_took_another_port_than_the_one_it_asked_for_is_found)
{
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    struct host moved = start_host(WITH_SHIM);
    const int fd = host_tcp_socket(&moved);
    EXPECT_ERROR(host_bind(&moved, fd, "127.0.0.1:9999"), EADDRINUSE);
    EXPECT_SUCCESS(host_bind(&moved, fd, "127.0.0.1:1001"));
    EXPECT_SUCCESS(host_listen(&moved, fd));
    struct process audit = LIBREUSE(1, "audit");
    EXPECT_LINE(&audit, "127.0.0.1:1001 ", text_of(moved.process.pid), "lost port 9999 at ",
                " (EADDRINUSE)");
}

/* The program serves the port itself, by its other family: at each start it is the same. */
static void check_own_dual_stack(const char *served, int family, const char *asked)
{
    char line[64];
    struct host host = start_host(WITH_SHIM);
    host_serve(&host, served);
    const int fd = host_socket(&host, family, SOCK_STREAM, 0);
    EXPECT_ERROR(host_bind(&host, fd, asked), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&host, fd));
    struct process audit = LIBREUSE(0, "audit");
    snprintf(line, sizeof line, ":%u (ephemeral) ", host_port(&host, fd));
    EXPECT_LINE(&audit, line, text_of(host.process.pid), "restarts cleanly (own dual stack)");
    EXPECT_LINE(&audit, "1 own dual stack: ", "IPV6_V6ONLY", "a restart does not help");
    expect_not_said(&audit, "lost port");
    struct process json = LIBREUSE(0, "audit", "--json");
    expect_said(&json, "\"lost\": null");
    snprintf(line, sizeof line, "\"served_by\": \"%s\"", served);
    expect_said(&json, line);
    struct process metrics = LIBREUSE(0, "audit", "--prometheus");
    expect_not_said(&metrics, "libreuse_lost_port_timestamp_seconds{");
    struct process why = LIBREUSE(1, "why", "9999");
    EXPECT_LINE(&why, "] serves port 9999 itself, on ", served, asked, " (EADDRINUSE)",
                "IPV6_V6ONLY", "a restart does not help");
    expect_not_said(&why, "restart it");
    json = LIBREUSE(1, "why", "--json", "9999");
    expect_said(&json, "\"lost_by\": []");
    expect_said(&json, line);
    struct process check = LIBREUSE(0, "check", text_of(host.process.pid));
    expect_said(&check, "restarts cleanly");
    end_host(&host);
}

Test(command_audit, a_program_that_serves_the_port_by_its_other_family_has_not_lost_it)
{
    need_protocol(AF_INET6, 0);
    check_own_dual_stack("0.0.0.0:9999", AF_INET6, "[::]:9999");
    check_own_dual_stack("[::]:9999", AF_INET, "0.0.0.0:9999");
}

/* What it has of the other family is not in the way of this socket: somebody else is. */
Test(command_audit, a_program_that_serves_another_family_may_have_lost_the_port_all_the_same)
{
    need_protocol(AF_INET6, 0);
    struct host holder = start_host(WITHOUT_SHIM);
    struct host host = start_host(WITH_SHIM);
    host_serve(&host, "127.0.0.1:9999");
    host_serve(&holder, "[::1]:9999");
    const int fd = host_socket(&host, AF_INET6, SOCK_STREAM, 0);
    EXPECT_ERROR(host_bind(&host, fd, "[::1]:9999"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&host, fd));
    struct process audit = LIBREUSE(1, "audit");
    EXPECT_LINE(&audit, text_of(host.process.pid), "lost port 9999 at ");
}

Test(command_audit, ephemeral_ports_are_those_that_the_network_gives_out)
{
    struct host host = start_host(WITH_SHIM);
    set_network("ipv4/ip_local_port_range", "40000 41000");
    set_network("ipv4/ip_local_reserved_ports", "40001,40100-40200,40500");
    host_serve(&host, "127.0.0.1:39999");
    host_serve(&host, "127.0.0.1:40001");
    host_serve(&host, "127.0.0.1:40200");
    host_serve(&host, "127.0.0.1:40500");
    host_serve(&host, "127.0.0.1:41001");
    struct process none = LIBREUSE(0, "audit");
    expect_not_said(&none, "ephemeral");
    host_serve(&host, "127.0.0.1:40000");
    host_serve(&host, "127.0.0.1:40300");
    host_serve(&host, "127.0.0.1:41000");
    struct process audit = LIBREUSE(0, "audit");
    EXPECT_LINE(&audit, ":40000 (ephemeral) ");
    EXPECT_LINE(&audit, ":40300 (ephemeral) ");
    EXPECT_LINE(&audit, ":41000 (ephemeral) ");
    expect_said(&audit, "3 ephemeral: ");
}

Test(command_audit, json_has_the_facts)
{
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "127.0.0.1:1001");
    struct process audit = LIBREUSE(1, "audit", "--json");
    expect_said(&audit, "\"listens_on\": \"127.0.0.1:1001\"");
    expect_said(&audit, "\"port\": 1001");
    expect_said(&audit, "\"program\": \"obedient_host\"");
    expect_said(&audit, "\"reuseaddr\": false");
    expect_said(&audit, "\"libreuse\": false");
    expect_said(&audit, "\"verdict\": \"next-restart-fails\"");
    expect_said(&audit, "\"fail\": 1");
}

Test(command_audit, nobody_is_told_what_could_not_be_judged)
{
    struct host server = start_host(WITH_SHIM);
    host_serve(&server, "127.0.0.1:1001");
    struct process audit = LIBREUSE_AS_NOBODY(3, "audit");
    EXPECT_LINE(&audit, "127.0.0.1:1001", "not known");
    EXPECT_LINE(&audit, "1 not known: its process may not be looked into", "CAP_SYS_PTRACE");
    struct process json = LIBREUSE_AS_NOBODY(3, "audit", "--json");
    expect_said(&json, "\"reuseaddr\": null");
    expect_said(&json, "\"not_known\": 1");
}

/* A process with some listeners of its own, which says when it is ready, and ends with the test. */
static void start_server_with(int listeners, volatile int *ready)
{
    const pid_t parent = getpid();
    const pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid != 0) {
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct address any = address_from("127.0.0.1:0");
    for (int i = 0; i < listeners; i++) {
        const int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (bind(fd, (struct sockaddr *)&any.storage, any.length) != 0 || listen(fd, 1) != 0 ||
            getppid() != parent) {
            _exit(1);
        }
    }
    __atomic_add_fetch(ready, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        pause();
    }
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* The processor's time is asserted, because the clock's depends on who else is at work. */
Test(command_audit, five_thousand_listeners_of_five_hundred_processes_take_less_than_a_second)
{
    enum { PROCESSES = 500, LISTENERS_EACH = 10 };
    volatile int *ready =
        mmap(NULL, sizeof *ready, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(ready, MAP_FAILED);
    for (int i = 0; i < PROCESSES; i++) {
        start_server_with(LISTENERS_EACH, ready);
    }
    EVENTUALLY(*ready == PROCESSES);

    struct rusage before;
    struct rusage after;
    struct timespec start_time;
    struct timespec end_time;
    getrusage(RUSAGE_CHILDREN, &before);
    clock_gettime(CLOCK_MONOTONIC, &start_time);
    struct process audit = LIBREUSE(1, "audit");
    clock_gettime(CLOCK_MONOTONIC, &end_time);
    getrusage(RUSAGE_CHILDREN, &after);
    const double worked = seconds_of(after.ru_utime) - seconds_of(before.ru_utime) +
                          seconds_of(after.ru_stime) - seconds_of(before.ru_stime);
    const double took = (double)(end_time.tv_sec - start_time.tv_sec) +
                        (double)(end_time.tv_nsec - start_time.tv_nsec) / 1e9;
    expect_said(&audit, "may have lost its port; if not, next restart may fail\n");
    expect_said(&audit, "5000 ephemeral: ");
    printf("audit of %d listeners of %d processes: %.3f s, of the processor %.3f s\n",
           PROCESSES * LISTENERS_EACH, PROCESSES, took, worked);
    cr_assert_lt(worked, 1.0, "%.3f s", worked);
}

Test(command_audit, arguments_are_wrong)
{
    LIBREUSE(2, "audit", "80");
    struct process option = LIBREUSE(2, "audit", "--never");
    expect_complaint(&option, "--never: no such option");
}
