/*
 * EADDRINUSE of AF_UNIX: who is bound to the file or the abstract name, or that nobody is.
 */
#include "host.h"
#include "in_use.h"
#include "invoke.h"
#include "namespace.h"
#include "reports.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void enter_private_network_and_folder(void)
{
    enter_private_network();
    enter_private_folder();
}

TestSuite(socket_file, .init = enter_private_network_and_folder);

static int unix_socket(struct host *host, int type)
{
    return host_socket(host, AF_UNIX, type, 0);
}

static const char *refused_socket_file(const char *path)
{
    struct host host = start_host(WITH_SHIM);
    return refused(&host, unix_socket(&host, SOCK_STREAM), path);
}

/* A socket of the host that is bound to this name, or file. */
static int bound_file(struct host *host, int type, const char *name)
{
    const int fd = unix_socket(host, type);
    EXPECT_SUCCESS(host_bind(host, fd, name));
    return fd;
}

Test(socket_file, of_a_server_names_its_program_and_descriptor)
{
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = bound_file(&holder, SOCK_STREAM, "/mnt/socket");
    EXPECT_SUCCESS(host_listen(&holder, fd));
    const char *rest = refused_socket_file("/mnt/socket");
    expect_words(rest, who(&holder));
    expect_descriptor(rest, fd);
    expect_no_words(rest, "leftover");
}

Test(socket_file, of_a_bound_datagram_socket_names_its_program)
{
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = bound_file(&holder, SOCK_DGRAM, "/mnt/socket");
    const char *rest = refused_socket_file("/mnt/socket");
    expect_words(rest, who(&holder));
    expect_descriptor(rest, fd);
}

Test(socket_file, of_this_very_process)
{
    struct host host = start_host(WITH_SHIM);
    bound_file(&host, SOCK_STREAM, "/mnt/socket");
    const char *rest = refused(&host, unix_socket(&host, SOCK_STREAM), "/mnt/socket");
    expect_words(rest, "this very process");
}

Test(socket_file, in_the_abstract_space_names_its_program)
{
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = bound_file(&holder, SOCK_STREAM, "@libreuse");
    const char *rest = refused_socket_file("@libreuse");
    expect_words(rest, who(&holder));
    expect_descriptor(rest, fd);
}

/* There, sockets of different types do not take each other's names. */
Test(socket_file, in_the_abstract_space_is_held_by_a_socket_of_the_same_type)
{
    struct host other = start_host(WITHOUT_SHIM);
    EXPECT_SUCCESS(host_listen(&other, bound_file(&other, SOCK_STREAM, "@libreuse")));
    struct host holder = start_host(WITHOUT_SHIM);
    bound_file(&holder, SOCK_DGRAM, "@libreuse");
    struct host host = start_host(WITH_SHIM);
    const char *rest = refused(&host, unix_socket(&host, SOCK_DGRAM), "@libreuse");
    expect_words(rest, who(&holder));
    expect_no_words(rest, who(&other));
}

Test(socket_file, that_nobody_is_bound_to_is_a_leftover_that_can_be_removed)
{
    struct host holder = start_host(WITHOUT_SHIM);
    bound_file(&holder, SOCK_STREAM, "/mnt/socket");
    end_by_signal(&holder.process, SIGKILL);
    const char *rest = refused_socket_file("/mnt/socket");
    expect_words(rest, "leftover");
    expect_words(rest, "remove");
}

/* The name by which a socket was bound need not be that of its file any more. */
Test(socket_file, of_a_server_is_no_leftover_under_another_name)
{
    struct host holder = start_host(WITHOUT_SHIM);
    bound_file(&holder, SOCK_STREAM, "/mnt/first");
    cr_assert_eq(rename("/mnt/first", "/mnt/second"), 0, "rename: %s", strerror(errno));
    const char *rest = refused_socket_file("/mnt/second");
    expect_words(rest, who(&holder));
    expect_no_words(rest, "leftover");

    /* And a file in the place of one that a server had removed is not the server's. */
    struct host other = start_host(WITHOUT_SHIM);
    bound_file(&other, SOCK_STREAM, "/mnt/first");
    end_by_signal(&other.process, SIGKILL);
    rest = refused_socket_file("/mnt/first");
    expect_no_words(rest, who(&holder));
    expect_words(rest, "leftover");
}

/* The file system is shared, the list of sockets is not. */
Test(socket_file, of_a_server_of_another_network_is_not_taken_for_a_leftover_for_certain)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_unshare(&holder, CLONE_NEWNET);
    int fd = bound_file(&holder, SOCK_STREAM, "/mnt/socket");
    EXPECT_SUCCESS(host_listen(&holder, fd));
    expect_words(refused_socket_file("/mnt/socket"), "network namespace");
}

Test(socket_file, that_is_a_regular_file_is_none)
{
    int fd = open("/mnt/socket", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    cr_assert_geq(fd, 0, "/mnt/socket: %s", strerror(errno));
    close(fd);
    const char *rest = refused_socket_file("/mnt/socket");
    expect_words(rest, "not a socket");
    expect_no_words(rest, "leftover");
}

Test(socket_file, that_is_a_symbolic_link_or_a_folder_is_called_so)
{
    cr_assert_eq(symlink("/mnt/other", "/mnt/socket"), 0);
    expect_words(refused_socket_file("/mnt/socket"), "symbolic link, which bind() does not follow");
    cr_assert_eq(unlink("/mnt/socket"), 0);
    cr_assert_eq(mkdir("/mnt/socket", 0755), 0);
    expect_words(refused_socket_file("/mnt/socket"), "it is a folder");
}

/* libreuse why of a path: what the library would say, without trying. */
Test(socket_file, is_explained_by_the_command)
{
    struct process why = LIBREUSE(0, "why", "/mnt/socket");
    expect_said(&why, "/mnt/socket: free: nothing has this name\n");
    cr_assert_neq(access("/mnt/socket", F_OK), 0, "why has made it");

    struct host server = start_host(WITHOUT_SHIM);
    int fd = bound_file(&server, SOCK_STREAM, "/mnt/socket");
    EXPECT_SUCCESS(host_listen(&server, fd));
    why = LIBREUSE(1, "why", "/mnt/socket");
    EXPECT_LINE(&why, "/mnt/socket: EADDRINUSE: held by obedient_host[",
                text_of(server.process.pid), "which listens on it");
    why = LIBREUSE(1, "why", "--json", "/mnt/socket");
    expect_said(&why, "\"free\": false");
    expect_said(&why, text_of(server.process.pid));

    end_by_signal(&server.process, SIGKILL);
    why = LIBREUSE(1, "why", "/mnt/socket");
    expect_said(&why, "is a leftover: no socket is bound to it any more, and it can be removed");
    expect_said(&why, "run: rm /mnt/socket\n");
    why = LIBREUSE(1, "why", "/mnt/nowhere/socket");
    expect_said(&why, "ENOENT");
    why = LIBREUSE(0, "why", "@nobody's");
    expect_said(&why, "@nobody's: free: nothing has this name\n");
    LIBREUSE(2, "why", "--wait", "/mnt/socket");
}

/* The file is meant where there is one, and a port is meant where it is one. */
Test(socket_file, why_needs_no_slash_in_a_path)
{
    struct host server = start_host(WITHOUT_SHIM);
    const int fd = unix_socket(&server, SOCK_STREAM);
    EXPECT_SUCCESS(host_bind(&server, fd, "/mnt/live.sock"));
    EXPECT_SUCCESS(host_listen(&server, fd));
    cr_assert_eq(chdir("/mnt"), 0);
    struct process why = LIBREUSE(1, "why", "live.sock");
    expect_said(&why, "live.sock: EADDRINUSE: held by obedient_host[");
    struct process gone = LIBREUSE(2, "why", "gone.sock");
    expect_complaint(&gone, "\"gone.sock\" is not a port");
    expect_complaint(&gone, "or the path of a socket");
    EXPECT_SUCCESS(host_bind(&server, unix_socket(&server, SOCK_STREAM), "/mnt/9999"));
    struct process port = LIBREUSE(0, "why", "9999");
    expect_said(&port, "0.0.0.0:9999: free");
    struct process file = LIBREUSE(1, "why", "./9999");
    expect_said(&file, "./9999: EADDRINUSE");
}

Test(socket_file, without_netlink_is_not_taken_for_a_leftover_for_certain)
{
    struct host holder = start_host(WITHOUT_SHIM);
    bound_file(&holder, SOCK_STREAM, "/mnt/socket");
    struct host host = start_host(WITH_SHIM);
    forbid_netlink(&host, EPERM);
    const char *rest = refused(&host, unix_socket(&host, SOCK_STREAM), "/mnt/socket");
    expect_no_words(rest, "can be removed");
}
