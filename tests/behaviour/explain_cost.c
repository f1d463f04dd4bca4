/*
 * What an explanation leaves behind, what it needs and how long it takes.
 */
#include "deadline.h"
#include "host.h"
#include "in_use.h"
#include "namespace.h"
#include "reports.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(explanation, .init = enter_private_network);

Test(explanation, can_be_switched_off)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host =
        start_host_as(WITH_SHIM, (struct program){.settings = {"LIBREUSE_EXPLAIN=0"}});
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_no_words(rest, who(&holder));
    expect_words(rest, "9999"); /* how to look it up by hand */
}

Test(explanation, leaves_the_host_as_it_was)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "127.0.0.1:9999");
    leave_time_wait(WITHOUT_SHIM, "127.0.0.2:9999");
    struct host hosts[] = {start_host(WITH_SHIM), start_host(WITH_SHIM)};
    forbid_netlink(&hosts[1], EPERM);
    for (int i = 0; i < 2; i++) {
        struct host *host = &hosts[i];
        unsigned before = count_descriptors(host);
        int fd = host_tcp_socket(host);
        EXPECT_ERROR(host_bind(host, fd, "0.0.0.0:9999"), EADDRINUSE);
        EXPECT_ERROR(host_bind(host, fd, "127.0.0.1:9999"), EADDRINUSE);
        EXPECT_ERROR(host_bind(host, fd, "127.0.0.2:9999"), EADDRINUSE);
        EXPECT_VALUE(count_reports(&host->process, "bind-failed"), 3);
        EXPECT_VALUE(host_get_option(host, fd, SO_REUSEADDR), 0);
        EXPECT_VALUE(count_descriptors(host), before + 1);
        EXPECT_VALUE(host_tcp_socket(host), fd + 1);
    }
}

/* Whatever descriptors are left, the bind fails as it should and is told. */
Test(explanation, does_without_descriptors)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = start_host(WITH_SHIM);
    int fd = host_tcp_socket(&host);
    host_use_up_descriptors(&host);
    const char *rest = refused(&host, fd, "0.0.0.0:9999");
    expect_words(rest, "could not be looked up");
    expect_words(rest, "EMFILE");
}

/*
 * A holder is killed just before the host's system call number `step` of those that look for it.
 * False where the host came to its end before. The holder is the only process that the host sees:
 * so it is soon found.
 */
static bool kill_holder_at(unsigned step, unsigned *named)
{
    struct host host = start_host(WITH_SHIM);
    host_unshare(&host, CLONE_NEWPID | CLONE_NEWNS);
    struct host holder = fork_host(&host);
    host_mount(&holder, "proc", "/proc", "");
    host_serve(&holder, "0.0.0.0:9999");
    int fd = host_tcp_socket(&host);
    begin_trace(host.process.pid);
    host_begin_bind(&host, fd, "0.0.0.0:9999");
    run_to_first_call(host.process.pid);
    bool runs = true;
    bool has_bound = false;
    for (unsigned seen = 0; runs && seen < step;) {
        uint64_t number;
        runs = run_to_next_call(host.process.pid, &number);
        seen += has_bound && number != SYS_getsockopt; /* there are a thousand of these */
        has_bound = has_bound || number == SYS_bind;
    }
    kill(holder.process.pid, SIGKILL);
    EVENTUALLY(count_sockets(PORT, TCP_LISTEN) == 0);
    let_go(host.process.pid);
    int error = host_end_bind(&host);
    if (error == 0) {
        EXPECT_VALUE(count_reports(&host.process, "rescued"), 1);
    } else {
        EXPECT_ERROR(error, EADDRINUSE);
        const char *rest = expect_report(&host.process, "bind-failed: 0.0.0.0:9999: EADDRINUSE: ");
        *named += strstr(rest, "obedient_host[1]") != NULL;
    }
    end_host(&host);
    /* There are many rounds. */
    close(host.channel);
    close(holder.channel);
    close(host.process.output);
    close(host.process.errors);
    return runs;
}

Test(explanation, survives_a_holder_that_goes_at_any_moment_of_the_search)
{
    unsigned step = 1;
    unsigned named = 0;
    while (kill_holder_at(step, &named)) {
        step++;
    }
    cr_assert_gt(step, 20);
    cr_assert(named > 0 && named < step, "named %u times of %u", named, step);
}

/* Leaves so many TIME_WAIT sockets on the port, of a server that is gone. */
static void leave_many_time_wait(unsigned count)
{
    enum { FIRST_PORT = 10000, PORTS = 50000 };
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct address address = address_from("0.0.0.0:9999");
    cr_assert_eq(bind(listener, (struct sockaddr *)&address.storage, address.length), 0);
    cr_assert_eq(listen(listener, 16), 0);
    address = address_from("127.0.0.1:9999");
    for (unsigned i = 0; i < count; i++) {
        struct sockaddr_in source = {.sin_family = AF_INET,
                                     .sin_port = htons((uint16_t)(FIRST_PORT + i % PORTS)),
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + i / PORTS)};
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cr_assert_eq(bind(client, (struct sockaddr *)&source, sizeof source), 0, "bind: %s",
                     strerror(errno));
        cr_assert_eq(connect(client, (struct sockaddr *)&address.storage, address.length), 0,
                     "connect: %s", strerror(errno));
        close(accept(listener, NULL, NULL));
        close(client);
    }
    close(listener);
    EVENTUALLY(count_sockets(PORT, TCP_LISTEN) == 0);
}

/* All of them, or as many as could be listed in time, and then it says so. */
static void expect_many(const char *rest, unsigned count)
{
    bool is_all = strstr(rest, "at least ") == NULL;
    unsigned long found = number_after(rest, is_all ? "held by " : "held by at least ");
    expect_words(rest, " TIME_WAIT sockets");
    expect_time_wait_seconds(rest, ", the last for ");
    cr_assert(is_all ? found == count : found > 0 && found <= count, "there are %u: %s", count,
              rest);
}

Test(explanation, of_a_hundred_thousand_sockets_counts_them_and_takes_no_time)
{
    const unsigned count = 100000;
    set_network("ipv4/tcp_max_tw_buckets", "200000");
    leave_many_time_wait(count);
    struct host hosts[] = {start_host(WITH_SHIM), start_host(WITH_SHIM)};
    forbid_netlink(&hosts[1], EPERM);
    for (int i = 0; i < 2; i++) {
        int fd = host_tcp_socket(&hosts[i]);
        int64_t start = milliseconds();
        expect_many(refused(&hosts[i], fd, "0.0.0.0:9999"), count);
        cr_assert_leq(milliseconds() - start, 2000, "that is no bound in time");
    }
}
