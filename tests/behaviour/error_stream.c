/*
 * Reports go to descriptor 2 only while it is what it was when the program was loaded, and the
 * program never notices: no signal, no waiting, and not one byte in its own data.
 */
#include "deadline.h"
#include "host.h"
#include "namespace.h"
#include "reports.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static void hold_port(void)
{
    enter_private_network();
    static struct host holder;
    holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
}

TestSuite(error_stream, .init = hold_port);

/* A failed bind() on a new socket, and a listen() that does not care: two reports are due. */
static void fail_twice(struct host *host)
{
    int fd = host_tcp_socket(host);
    EXPECT_ERROR(host_bind(host, fd, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(host, fd));
    host_close(host, fd);
}

static void expect_two_reports(const char *text)
{
    cr_assert_not_null(strstr(text, ": bind-failed: "), "no report in:\n%s", text);
    cr_assert_not_null(strstr(text, ": swallowed: "), "no report in:\n%s", text);
}

/* A data file that the host can open by the returned path. */
static const char *new_data_file(int *fd)
{
    static char path[64];
    *fd = memfd_create("data", MFD_CLOEXEC);
    cr_assert_geq(*fd, 0, "memfd_create: %s", strerror(errno));
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), *fd);
    return path;
}

static const char data[] = "the host's own data";

Test(error_stream, opened_as_a_data_file_by_a_program_that_had_none_stays_clean)
{
    struct host host = start_host_as(WITH_SHIM, (struct program){.errors_closed = true});
    int file;
    EXPECT_VALUE(host_open(&host, new_data_file(&file)), 2);
    fail_twice(&host);
    host_write(&host, 2, data);
    fail_twice(&host);
    cr_assert_str_eq(content_of(file), data);
}

Test(error_stream, opened_as_a_data_file_by_a_program_that_had_closed_it_stays_clean)
{
    struct host host = start_host(WITH_SHIM);
    host_close(&host, 2);
    fail_twice(&host);
    int file;
    EXPECT_VALUE(host_open(&host, new_data_file(&file)), 2);
    fail_twice(&host);
    host_write(&host, 2, data);
    cr_assert_str_eq(content_of(file), data);
    expect_silence(&host.process);
}

/* A daemon that starts without descriptors: its first client gets the number 2. */
Test(error_stream, taken_by_a_connection_of_a_program_that_had_none_stays_clean)
{
    struct host host = start_host_as(WITH_SHIM, (struct program){.errors_closed = true});
    int file;
    EXPECT_VALUE(host_open(&host, new_data_file(&file)), 2);
    int listener = host_serve(&host, "127.0.0.1:8888");
    host_close(&host, 2);
    int client = connected_client("127.0.0.1:8888", 0);
    EXPECT_VALUE(host_accept(&host, listener), 2);
    fail_twice(&host);
    expect_service(&host, 2, client);
    host_close(&host, 2);
    expect_end_of_stream(client);
}

Test(error_stream, taken_by_a_connection_with_dup2_stays_clean)
{
    struct host host = start_host(WITH_SHIM);
    int listener = host_serve(&host, "127.0.0.1:8888");
    int client = connected_client("127.0.0.1:8888", 0);
    int connection = host_accept(&host, listener);
    EXPECT_VALUE(host_dup2(&host, connection, 2), 2);
    host_close(&host, connection);
    fail_twice(&host);
    expect_service(&host, 2, client);
    host_close(&host, 2);
    expect_end_of_stream(client);
    expect_silence(&host.process);
}

Test(error_stream, closed_and_opened_as_the_same_file_again_gets_reports_again)
{
    struct host host = start_host(WITH_SHIM);
    EXPECT_VALUE(host_dup2(&host, 2, 100), 100);
    host_close(&host, 2);
    fail_twice(&host);
    expect_silence(&host.process);
    EXPECT_VALUE(host_dup2(&host, 100, 2), 2);
    fail_twice(&host);
    expect_two_reports(errors_of(&host.process));
}

/* A host whose stderr is the second end of a pipe or a socket pair; the first is the test's. */
static struct host host_writing_to(int ends[2])
{
    struct host host = start_host_as(WITH_SHIM, (struct program){.errors = ends[1]});
    close(ends[1]);
    return host;
}

static void make_pipe(int ends[2])
{
    cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0, "pipe2: %s", strerror(errno));
    /* The host's end blocks, as a program's stderr does. */
    cr_assert_eq(fcntl(ends[1], F_SETFL, 0), 0, "fcntl: %s", strerror(errno));
}

static void make_socket_pair(int ends[2])
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0, "socketpair: %s",
                 strerror(errno));
    cr_assert_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0, "fcntl: %s", strerror(errno));
}

/* Takes all that is there to read. */
static size_t drain(int fd, char *text, size_t size)
{
    size_t used = 0;
    ssize_t got;
    while (used < size - 1 && (got = read(fd, text + used, size - 1 - used)) > 0) {
        used += (size_t)got;
    }
    text[used] = '\0';
    return used;
}

static void check_reports_arrive(void (*make)(int ends[2]))
{
    int ends[2];
    char text[4096];
    make(ends);
    struct host host = host_writing_to(ends);
    fail_twice(&host);
    drain(ends[0], text, sizeof text);
    expect_two_reports(text);
}

/* What may not be written through a descriptor must not be written through another one. */
Test(error_stream, that_is_for_reading_only_stays_clean)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    struct host host = start_host_as(WITH_SHIM, (struct program){.errors = ends[0]});
    fail_twice(&host);
    char byte;
    cr_assert_eq(read(ends[0], &byte, 1), -1, "a report was written into it");
    cr_assert_eq(errno, EAGAIN);
}

Test(error_stream, that_is_a_pipe_gets_the_reports)
{
    check_reports_arrive(make_pipe);
}

Test(error_stream, that_is_a_socket_gets_the_reports)
{
    check_reports_arrive(make_socket_pair);
}

/* The reader is gone. The host has a SIGPIPE's default action, and would die of it. */
static void check_lost_reader(void (*make)(int ends[2]))
{
    int ends[2];
    make(ends);
    struct host host = host_writing_to(ends);
    close(ends[0]);
    fail_twice(&host);
    EXPECT_VALUE(host_has_pending(&host, SIGPIPE), 0);
    end_host(&host);
}

Test(error_stream, that_is_a_pipe_without_a_reader_does_not_kill_the_host)
{
    check_lost_reader(make_pipe);
}

Test(error_stream, that_is_a_socket_without_a_reader_does_not_kill_the_host)
{
    check_lost_reader(make_socket_pair);
}

static void check_lost_reader_with_handler(void (*make)(int ends[2]))
{
    int ends[2];
    make(ends);
    struct host host = host_writing_to(ends);
    close(ends[0]);
    host_catch(&host, SIGPIPE);
    fail_twice(&host);
    EXPECT_VALUE(host_caught(&host), 0);
    host_raise(&host, SIGPIPE);
    EXPECT_VALUE(host_caught(&host), 1);
}

Test(error_stream, that_is_a_pipe_without_a_reader_does_not_call_the_hosts_handler)
{
    check_lost_reader_with_handler(make_pipe);
}

Test(error_stream, that_is_a_socket_without_a_reader_does_not_call_the_hosts_handler)
{
    check_lost_reader_with_handler(make_socket_pair);
}

Test(error_stream, that_is_a_pipe_without_a_reader_leaves_blocked_signals_as_they_are)
{
    int ends[2];
    make_pipe(ends);
    struct host host = host_writing_to(ends);
    close(ends[0]);
    host_catch(&host, SIGPIPE);
    host_block(&host, SIGPIPE);
    fail_twice(&host);
    EXPECT_VALUE(host_has_pending(&host, SIGPIPE), 0);

    /* One that the host itself waits for must not be taken away. */
    host_raise(&host, SIGPIPE);
    fail_twice(&host);
    EXPECT_VALUE(host_has_pending(&host, SIGPIPE), 1);
    EXPECT_VALUE(host_caught(&host), 0);
}

static void fill(int fd)
{
    static const char filler[65536];
    int flags = fcntl(fd, F_GETFL);
    cr_assert_eq(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0, "fcntl: %s", strerror(errno));
    size_t size = sizeof filler;
    while (size > 0) {
        if (write(fd, filler, size) < 0) {
            cr_assert_eq(errno, EAGAIN, "write: %s", strerror(errno));
            size /= 2;
        }
    }
    cr_assert_eq(fcntl(fd, F_SETFL, flags), 0, "fcntl: %s", strerror(errno));
}

static void check_full(void (*make)(int ends[2]))
{
    static char text[16 * 1024 * 1024];
    int ends[2];
    make(ends);
    struct host host = start_host_as(WITH_SHIM, (struct program){.errors = ends[1]});
    fill(ends[1]);
    fail_twice(&host); /* the harness gives up when this takes long */
    drain(ends[0], text, sizeof text);

    fail_twice(&host);
    drain(ends[0], text, sizeof text);
    expect_two_reports(text);
    /* Others have the same pipe: it must not be switched to O_NONBLOCK for a report. */
    EXPECT_VALUE(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
}

Test(error_stream, that_is_a_full_pipe_does_not_stop_the_host)
{
    check_full(make_pipe);
}

Test(error_stream, that_is_a_full_socket_does_not_stop_the_host)
{
    check_full(make_socket_pair);
}

Test(error_stream, that_may_not_grow_does_not_kill_the_host)
{
    struct host host = start_host(WITH_SHIM);
    host_limit_files(&host, 0);
    fail_twice(&host);
    EXPECT_VALUE(host_has_pending(&host, SIGXFSZ), 0);
    end_host(&host);
    expect_silence(&host.process);
}

/* What the host, or another program, writes next must not be glued to half a line. */
Test(error_stream, that_is_a_file_which_takes_half_a_report_ends_the_half)
{
    struct host host = start_host(WITH_SHIM);
    host_limit_files(&host, 40);
    fail_twice(&host);
    EXPECT_VALUE(host_has_pending(&host, SIGXFSZ), 0);
    const char *text = errors_of(&host.process);
    EXPECT_VALUE((long)strlen(text), 40);
    cr_assert_eq(text[39], '\n', "the half line has no end: %s", text);
}

/* /dev/full is no file that a test could fill up by accident: every write to it fails. */
Test(error_stream, that_cannot_be_written_changes_no_errno)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    cr_assert_geq(full, 0, "/dev/full: %s", strerror(errno));
    leave_time_wait(WITH_SHIM, "0.0.0.0:7777");
    struct host host = start_host_as(WITH_SHIM, (struct program){.errors = full});
    fail_twice(&host);
    host_serve(&host, "0.0.0.0:7777"); /* rescued */
    EXPECT_ERROR(host_listen(&host, 150), EBADF);
}
