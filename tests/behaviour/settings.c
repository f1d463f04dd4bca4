/*
 * The LIBREUSE_* variables, seen from outside: which reports each level shows, what is rescued and
 * armed, and what becomes of a value that is not understood.
 */
#include "host.h"
#include "namespace.h"
#include "reports.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct host host_with(const char *setting)
{
    return start_host_as(WITH_SHIM, (struct program){.settings = {setting}});
}

/* One event of each level: port 9999 is rescued, port 7777 is somebody else's. */
static struct host host_with_events(const char *setting)
{
    enter_private_network();
    leave_time_wait(WITH_SHIM, "127.0.0.1:9999");
    static struct host holder;
    holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "127.0.0.1:7777");

    struct host host = start_host_as(
        WITH_SHIM, (struct program){.settings = {setting, "LIBREUSE_DRY_RUN=perhaps"}});
    host_serve(&host, "127.0.0.1:9999");
    int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "127.0.0.1:7777"), EADDRINUSE);
    return host;
}

static void expect_counts(const struct host *host, unsigned err, unsigned warning, unsigned notice,
                          unsigned info)
{
    EXPECT_VALUE(count_reports(&host->process, "bind-failed"), err);
    EXPECT_VALUE(count_reports(&host->process, "config"), warning);
    EXPECT_VALUE(count_reports(&host->process, "rescued"), notice);
    EXPECT_VALUE(count_reports(&host->process, "loaded"), info);
    EXPECT_VALUE(count_reports(&host->process, "listening"), info);
}

Test(level, err_shows_what_failed)
{
    struct host host = host_with_events("LIBREUSE_LEVEL=err");
    expect_counts(&host, 1, 0, 0, 0);
}

Test(level, warning_shows_variables_that_are_not_understood_as_well)
{
    struct host host = host_with_events("LIBREUSE_LEVEL=warning");
    expect_counts(&host, 1, 1, 0, 0);
}

Test(level, notice_shows_what_the_shim_did_as_well)
{
    struct host host = host_with_events("LIBREUSE_LEVEL=notice");
    expect_counts(&host, 1, 1, 1, 0);
}

Test(level, is_notice_when_nothing_is_set)
{
    struct host host = host_with_events(NULL);
    EXPECT_VALUE(count_reports(&host.process, "rescued"), 1);
    EXPECT_VALUE(count_reports(&host.process, "listening"), 0);
}

Test(level, is_notice_when_the_value_is_empty)
{
    struct host host = host_with_events("LIBREUSE_LEVEL=");
    EXPECT_VALUE(count_reports(&host.process, "rescued"), 1);
    EXPECT_VALUE(count_reports(&host.process, "listening"), 0);
}

Test(level, info_shows_what_is_as_it_should_be_as_well)
{
    struct host host = host_with_events("LIBREUSE_LEVEL=info");
    expect_counts(&host, 1, 1, 1, 1);
    expect_report(&host.process, "listening: 127.0.0.1:9999: armed with SO_REUSEADDR");
}

Test(level, is_understood_by_the_words_of_other_programs)
{
    struct host host = host_with_events("LIBREUSE_LEVEL=warn");
    expect_counts(&host, 1, 1, 0, 0);
    host = host_with_events("LIBREUSE_LEVEL=error");
    expect_counts(&host, 1, 0, 0, 0);
}

Test(level, that_is_not_understood_is_told_once_and_notice_is_used)
{
    enter_private_network();
    leave_time_wait(WITH_SHIM, "127.0.0.1:9999");
    struct host host = host_with("LIBREUSE_LEVEL=loud");
    host_serve(&host, "127.0.0.1:9999");
    host_serve(&host, "127.0.0.1:7777");
    const char *rest =
        expect_report(&host.process, "config: LIBREUSE_LEVEL=\"loud\": expected err, warning, "
                                     "notice or info; using notice");
    cr_assert_str_empty(rest);
    EXPECT_VALUE(count_reports(&host.process, "config"), 1);
    EXPECT_VALUE(count_reports(&host.process, "rescued"), 1);
    EXPECT_VALUE(count_reports(&host.process, "listening"), 0);
}

Test(settings, that_are_not_understood_are_told_one_line_each_and_the_host_goes_on)
{
    enter_private_network();
    leave_time_wait(WITH_SHIM, "127.0.0.1:9999");
    struct host host = start_host_as(
        WITH_SHIM, (struct program){.settings = {"LIBREUSE_LEVEL=7", "LIBREUSE_DRY_RUN=yes",
                                                 "LIBREUSE_PORTS=no-service"}});
    int fd = host_serve(&host, "127.0.0.1:9999");
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 1);
    expect_report(&host.process, "config: LIBREUSE_LEVEL=\"7\": expected ");
    expect_report(&host.process, "config: LIBREUSE_DRY_RUN=\"yes\": expected ");
    expect_report(&host.process, "config: LIBREUSE_PORTS=\"no-service\": expected ");
    EXPECT_VALUE(count_reports(&host.process, "config"), 3);
    EXPECT_VALUE(count_reports(&host.process, "rescued"), 1);
}

Test(settings, whose_name_is_misspelt_are_told_with_the_right_name)
{
    enter_private_network();
    struct host host = start_host_as(
        WITH_SHIM,
        (struct program){.settings = {"LIBREUSE_SWALLOWD=exit", "LIBREUSE_\n\033[2J=1"}});
    host_serve(&host, "127.0.0.1:9999");
    cr_assert_str_empty(
        expect_report(&host.process,
                      "config: LIBREUSE_SWALLOWD: there is no such variable, and it has no effect; "
                      "meant is perhaps LIBREUSE_SWALLOWED"));
    expect_report(&host.process, "config: LIBREUSE_\\x0a\\x1b[2J: there is no such variable");
}

Test(settings, that_are_not_understood_are_told_at_listen_when_that_comes_first)
{
    enter_private_network();
    struct host host = host_with("LIBREUSE_LEVEL=loud");
    int fd = host_tcp_socket(&host);
    expect_silence(&host.process);
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_VALUE(count_reports(&host.process, "config"), 1);
}

/* LD_PRELOAD reaches every tool that a start script runs. */
Test(settings, are_no_matter_to_a_program_that_never_binds)
{
    enter_private_network();
    struct program quiet = {.path = "/bin/ls",
                            .shim = WITH_SHIM,
                            .arguments = {"/"},
                            .settings = {"LIBREUSE_LEVEL=loud", "LIBREUSE_PORTS=-"}};
    struct process process = run(quiet);
    cr_assert_str_not_empty(output_of(&process));
    expect_silence(&process);

    quiet.settings[0] = "LIBREUSE_LEVEL=info";
    process = run(quiet);
    expect_silence(&process);
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;
    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

Test(settings, cannot_forge_a_report)
{
    enter_private_network();
    struct host host = host_with("LIBREUSE_LEVEL=\"\n\033[2Jlibreuse: other[1]: rescued");
    host_serve(&host, "127.0.0.1:9999");
    char *text = errors_of(&host.process);
    EXPECT_VALUE(count_lines(text), 1);
    cr_assert_null(strchr(text, '\033'), "a control byte got through: %s", text);
    EXPECT_VALUE(count_reports(&host.process, "config"), 1);
}

Test(settings, that_are_endless_give_one_line_of_1024_bytes_at_most)
{
    enter_private_network();
    static char setting[100000] = "LIBREUSE_LEVEL=";
    memset(setting + strlen(setting), '\n', sizeof setting - strlen(setting) - 1);
    struct host host = host_with(setting);
    host_serve(&host, "127.0.0.1:9999");
    char *text = errors_of(&host.process);
    EXPECT_VALUE(count_lines(text), 1);
    cr_assert_leq(strlen(text), 1024);
    EXPECT_VALUE(count_reports(&host.process, "config"), 1);
}

/* The title of a program is as much somebody else's text as a setting is. */
Test(reports, cannot_be_forged_by_the_title_of_a_program)
{
    enter_private_network();
    static char title[5000] = "\"\nlibreuse: other[1]: rescued";
    memset(title + strlen(title), '\033', sizeof title - strlen(title) - 1);
    struct host host = start_host_as(WITH_SHIM, (struct program){.title = title});
    EXPECT_ERROR(host_bind(&host, host_tcp_socket(&host), "192.0.2.1:9999"), EADDRNOTAVAIL);
    char *text = errors_of(&host.process);
    EXPECT_VALUE(count_lines(text), 1);
    cr_assert_eq(strncmp(text, "libreuse: ", strlen("libreuse: ")), 0, "%s", text);
    cr_assert_null(strchr(text, '\033'), "a control byte got through: %s", text);
    cr_assert_leq(strlen(text), 1024);
}

Test(reports, name_every_error_of_bind_with_its_address)
{
    enter_private_network();
    struct host host = start_host(WITH_SHIM);
    int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "192.0.2.1:9999"), EADDRNOTAVAIL);
    expect_report(&host.process, "bind-failed: 192.0.2.1:9999: EADDRNOTAVAIL: ");
    host_serve(&host, "127.0.0.1:9999");
    EXPECT_ERROR(host_bind(&host, fd, "127.0.0.1:9999"), EADDRINUSE);
    expect_report(&host.process, "bind-failed: 127.0.0.1:9999: EADDRINUSE: ");
    EXPECT_ERROR(host_bind(&host, 150, "127.0.0.1:9999"), EBADF);
    EXPECT_ERROR(host_bind(&host, 1, "127.0.0.1:9999"), ENOTSOCK);
    EXPECT_VALUE(count_reports(&host.process, "bind-failed"), 4);
    EXPECT_ERROR(host_listen(&host, 150), EBADF);
    EXPECT_VALUE(count_reports(&host.process, "listen-failed"), 1);
}

/* Two sockets that share a port until one listens; then the other gives its option up. */
static void refuse_to_listen(struct host *host)
{
    int fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = host_tcp_socket(host);
        host_set_option(host, fds[i], SOL_SOCKET, SO_REUSEADDR, 1);
        EXPECT_SUCCESS(host_bind(host, fds[i], "127.0.0.1:9999"));
    }
    EXPECT_SUCCESS(host_listen(host, fds[0]));
    host_set_option(host, fds[1], SOL_SOCKET, SO_REUSEADDR, 0);
    EXPECT_ERROR(host_listen(host, fds[1]), EADDRINUSE);
    EXPECT_VALUE(host_get_option(host, fds[1], SO_REUSEADDR), 0);
}

Test(dry_run, and_ports_that_are_left_out_are_not_helped_in_listen)
{
    static const char *const settings[] = {"LIBREUSE_DRY_RUN=1", "LIBREUSE_PORTS=80",
                                           "LIBREUSE_DRY_RUN=0"};
    static const char *const words[] = {"because of LIBREUSE_DRY_RUN", "LIBREUSE_PORTS leaves",
                                        "held by this very process"};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        enter_private_network();
        struct host host = host_with(settings[i]);
        refuse_to_listen(&host);
        expect_words(expect_report(&host.process, "listen-failed: 127.0.0.1:9999: EADDRINUSE: "),
                     words[i]);
    }
}

Test(dry_run, rescues_nothing_and_arms_nothing_and_reports)
{
    enter_private_network();
    leave_time_wait(WITH_SHIM, "127.0.0.1:9999");
    struct host host = host_with("LIBREUSE_DRY_RUN=1");
    int fd = host_tcp_socket(&host);
    struct system_calls calls;
    host.trace = &calls;
    EXPECT_ERROR(host_bind(&host, fd, "127.0.0.1:9999"), EADDRINUSE);
    cr_assert(!calls.has_setsockopt, "an option was set");
    host.trace = &calls;
    EXPECT_SUCCESS(host_listen(&host, fd));
    cr_assert(!calls.has_setsockopt, "an option was set");
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 0);
    expect_report(&host.process, "bind-failed: 127.0.0.1:9999: EADDRINUSE: ");
    expect_report(&host.process, "swallowed: bind to 127.0.0.1:9999 had failed with EADDRINUSE; ");

    int other = host_serve(&host, "127.0.0.1:7777");
    EXPECT_VALUE(host_get_option(&host, other, SO_REUSEADDR), 0);
    EXPECT_VALUE(count_reports(&host.process, "rescued"), 0);
}

Test(dry_run, set_to_0_changes_nothing)
{
    enter_private_network();
    leave_time_wait(WITH_SHIM, "127.0.0.1:9999");
    struct host host = host_with("LIBREUSE_DRY_RUN=0");
    int fd = host_serve(&host, "127.0.0.1:9999");
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 1);
    EXPECT_VALUE(count_reports(&host.process, "config"), 0);
}

static void expect_port_is_served(struct host *host, const char *address)
{
    leave_time_wait(WITH_SHIM, address);
    int fd = host_serve(host, address);
    EXPECT_VALUE(host_get_option(host, fd, SO_REUSEADDR), 1);
}

static void expect_port_is_left_alone(struct host *host, const char *address)
{
    leave_time_wait(WITH_SHIM, address);
    int fd = host_tcp_socket(host);
    EXPECT_ERROR(host_bind(host, fd, address), EADDRINUSE);
    EXPECT_VALUE(host_get_option(host, fd, SO_REUSEADDR), 0);
    char report[64];
    snprintf(report, sizeof report, "bind-failed: %s: EADDRINUSE: ", address);
    expect_report(&host->process, report);
    host_close(host, fd);
}

Test(ports, that_are_listed_are_rescued_and_armed_and_no_others)
{
    enter_private_network();
    struct host host = host_with("LIBREUSE_PORTS=9999,8000-8099,1,65535");
    expect_port_is_served(&host, "127.0.0.1:9999");
    expect_port_is_served(&host, "127.0.0.1:8000");
    expect_port_is_served(&host, "127.0.0.1:8050");
    expect_port_is_served(&host, "127.0.0.1:8099");
    expect_port_is_served(&host, "127.0.0.1:1");
    expect_port_is_served(&host, "127.0.0.1:65535");
    expect_port_is_left_alone(&host, "127.0.0.1:7999");
    expect_port_is_left_alone(&host, "127.0.0.1:8100");
    expect_port_is_left_alone(&host, "127.0.0.1:9998");
    expect_port_is_left_alone(&host, "127.0.0.1:2");
    EXPECT_VALUE(count_reports(&host.process, "config"), 0);

    int fd = host_serve(&host, "127.0.0.1:7777");
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 0);
}

Test(ports, apply_to_ipv6_too)
{
    enter_private_network();
    need_protocol(AF_INET6, 0);
    struct host host = host_with("LIBREUSE_PORTS=9999");
    int fd = host_serve(&host, "[::1]:9999");
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 1);
    fd = host_serve(&host, "[::1]:9998");
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 0);
}

/* A swallowed bind is told whether or not its port is one of the list. */
Test(ports, that_are_not_listed_are_reported_as_well)
{
    enter_private_network();
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "127.0.0.1:9999");
    struct host host = host_with("LIBREUSE_PORTS=8000");
    int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "127.0.0.1:9999"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&host, fd));
    expect_report(&host.process, "swallowed: bind to 127.0.0.1:9999 had failed with EADDRINUSE; ");
}

static void expect_all_ports(const char *value)
{
    enter_private_network();
    leave_time_wait(WITH_SHIM, "127.0.0.1:9999");
    char setting[64];
    snprintf(setting, sizeof setting, "LIBREUSE_PORTS=%s", value);
    struct host host = host_with(setting);
    host_serve(&host, "127.0.0.1:9999");
    char report[64];
    snprintf(report, sizeof report, "config: LIBREUSE_PORTS=\"%s\": expected ", value);
    expect_report(&host.process, report);
}

Test(ports, that_are_not_understood_are_told_and_all_are_used)
{
    static const char *const values[] = {"no-service", "0",      "65536", "9999,", ",9999",
                                         "20-10",      "1-",     "-1",    "1 2",   "4294967297",
                                         "80:81",      "8000,x", "0x270f"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        expect_all_ports(values[i]);
    }
}
