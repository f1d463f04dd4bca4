#include "in_use.h"

#include "deadline.h"
#include "filter.h"
#include "reports.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How long the kernel keeps a TIME_WAIT socket, in seconds: TCP_TIMEWAIT_LEN. */
#define TIME_WAIT_SECONDS 60

int64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const char *refused(struct host *host, int fd, const char *address)
{
    char beginning[192];
    snprintf(beginning, sizeof beginning, "bind-failed: %s: EADDRINUSE: ", address);
    const char *rest;
    const unsigned before = count_reports(&host->process, "bind-failed");
    unsigned tries = 0;
    do {
        EXPECT_ERROR(host_bind(host, fd, address), EADDRINUSE);
        EXPECT_VALUE(count_reports(&host->process, "bind-failed"), before + ++tries);
        rest = last_report(&host->process, beginning);
    } while (is_not_found_in_time(rest, tries));
    return rest;
}

const char *refused_to_a_host(const char *address)
{
    struct host host = start_host(WITH_SHIM);
    int family = address_from(address).storage.ss_family;
    return refused(&host, host_socket(&host, family, SOCK_STREAM, 0), address);
}

const char *who(const struct host *host)
{
    static char text[64];
    snprintf(text, sizeof text, "%s[%d]", host->process.name, (int)host->process.pid);
    return text;
}

void expect_descriptor(const char *rest, int fd)
{
    char text[32];
    snprintf(text, sizeof text, "(fd %d)", fd);
    expect_words(rest, text);
}

const char *name_of_client(int client)
{
    static char text[64];
    struct sockaddr_in name;
    socklen_t size = sizeof name;
    cr_assert_eq(getsockname(client, (struct sockaddr *)&name, &size), 0);
    snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(name.sin_port));
    return text;
}

void expect_seconds(const char *rest, const char *words, unsigned long most)
{
    unsigned long seconds = number_after(rest, words);
    cr_assert(seconds > 0 && seconds <= most, "not within 1 to %lu seconds: %s", most, rest);
}

void expect_time_wait_seconds(const char *rest, const char *words)
{
    expect_seconds(rest, words, TIME_WAIT_SECONDS);
    cr_assert_geq(number_after(rest, words), TIME_WAIT_SECONDS - 2 * DEADLINE_SECONDS, "%s", rest);
}

struct scene serve_one_client(const char *address)
{
    struct scene scene = {.server = start_host(WITHOUT_SHIM)};
    scene.listener = host_serve(&scene.server, address);
    scene.client = connected_client("127.0.0.1:9999", 0);
    scene.connection = host_accept(&scene.server, scene.listener);
    return scene;
}

struct host leave_to_child(struct scene *scene)
{
    struct host child = fork_host(&scene->server);
    host_close(&child, scene->listener);
    end_by_signal(&scene->server.process, SIGKILL);
    EVENTUALLY(count_sockets(PORT, TCP_LISTEN) == 0);
    return child;
}

void leave_fin_wait2(struct scene *scene)
{
    end_by_signal(&scene->server.process, SIGKILL);
    EVENTUALLY(count_sockets(PORT, TCP_FIN_WAIT2) == 1);
}

void leave_time_wait_of(const char *const *clients, unsigned count)
{
    struct host server = start_host(WITHOUT_SHIM);
    int listener = host_serve(&server, "0.0.0.0:9999");
    for (unsigned i = 0; i < count; i++) {
        int client = connected_client(clients[i], 0);
        host_close(&server, host_accept(&server, listener));
        expect_end_of_stream(client);
        close(client);
    }
    end_by_signal(&server.process, SIGKILL);
    EVENTUALLY(count_sockets(PORT, TCP_TIME_WAIT) == count && count_leftovers(PORT) == count);
}

const char *const three_clients[] = {"127.0.0.1:9999", "127.0.0.2:9999", "127.0.0.2:9999"};

int serve_ipv6_only(struct host *host, const char *address)
{
    int fd = host_socket(host, AF_INET6, SOCK_STREAM, 0);
    host_set_option(host, fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    EXPECT_SUCCESS(host_bind(host, fd, address));
    EXPECT_SUCCESS(host_listen(host, fd));
    return fd;
}

void hold_port_as_another_user(void)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_become_user(&holder, HOLDERS_USER);
    host_serve(&holder, "0.0.0.0:9999");
}

void forbid_netlink(struct host *host, int error)
{
    host_filter(host, SYS_socket, AF_NETLINK, SECCOMP_RET_ERRNO | (uint32_t)error);
}
