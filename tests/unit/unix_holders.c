#include "lookup/holders.h"

#include "namespace.h"
#include "refuse.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Each test works in a folder of its own, which is removed afterwards with what is named here. */
static char folder[] = "/tmp/libreuse.XXXXXX";

#define PATH "server.sock"

static void enter_folder(void)
{
    enter_private_network();
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
}

static void remove_folder(void)
{
    char from_within[sizeof folder];
    unlink(PATH);
    snprintf(from_within, sizeof from_within, "..%s", strrchr(folder, '/'));
    rmdir(from_within);
}

TestSuite(unix_holders, .init = enter_folder, .fini = remove_folder);

/* A name with @ in front is in the abstract space. */
static struct address named(const char *name)
{
    const size_t length = strlen(name);
    struct address address = {.as.un.sun_family = AF_UNIX};
    memcpy(address.as.un.sun_path, name, length);
    address.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    if (name[0] == '@') {
        address.as.un.sun_path[0] = '\0';
        address.length--;
    }
    return address;
}

static int bound_to(const char *name, int type)
{
    const struct address address = named(name);
    const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, &address.as.any, address.length), 0, "%s: %s", name, strerror(errno));
    return fd;
}

static int listener_on(const char *name)
{
    const int fd = bound_to(name, SOCK_STREAM);
    cr_assert_eq(listen(fd, 8), 0);
    return fd;
}

static struct holders look_from(int fd, const char *name)
{
    const struct address asked = named(name);
    struct holders_question question;
    struct holders holders;
    holders_ask(&question, fd, &asked);
    holders_find(&question, &holders);
    return holders;
}

static struct holders look(const char *name)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct holders holders = look_from(fd, name);
    close(fd);
    return holders;
}

static uint64_t inode_of(int fd)
{
    struct stat file;
    cr_assert_eq(fstat(fd, &file), 0);
    return file.st_ino;
}

static const char *in_folder(const char *name)
{
    static char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void expect_one(const struct holders *holders, enum state state, int fd)
{
    cr_assert_leq(holders->source, HOLDERS_BY_PROC);
    cr_assert(holders->complete);
    cr_assert_eq(holders->total, 1, "%u", holders->total);
    cr_assert_eq(holders->count[state], 1);
    cr_assert_eq(holders->named.state, state);
    cr_assert_eq(holders->named.inode, inode_of(fd));
}

static void expect_nobody(const struct holders *holders)
{
    cr_assert_leq(holders->source, HOLDERS_BY_PROC);
    cr_assert(holders->complete);
    cr_assert_eq(holders->total, 0);
}

Test(unix_holders, a_listener_is_seen_with_its_owner)
{
    const int fd = listener_on(PATH);
    struct holders holders = look(PATH);
    expect_one(&holders, STATE_LISTEN, fd);
    cr_assert_eq(holders.source, HOLDERS_BY_SOCK_DIAG);
    cr_assert_eq(holders.file, FILE_IN_USE);
    cr_assert_eq(holders.unsure, 0);
    cr_assert_str_eq(holders.named.local.as.un.sun_path, PATH);
    holders_find_owner(&holders);
    cr_assert_eq(holders.named.owner.search, OWNER_FOUND);
    cr_assert_eq(holders.named.owner.fd, fd);
    cr_assert(holders.named.owner.this_process);
}

Test(unix_holders, the_same_file_by_another_path_is_the_same)
{
    const int fd = listener_on(PATH);
    const struct holders holders = look(in_folder(PATH));
    expect_one(&holders, STATE_LISTEN, fd);
    cr_assert_eq(holders.unsure, 0);
    cr_assert_str_eq(holders.named.local.as.un.sun_path, PATH, "as the holder named it");
}

Test(unix_holders, a_file_whose_socket_is_gone_is_left_over)
{
    close(listener_on(PATH));
    const struct holders holders = look(PATH);
    expect_nobody(&holders);
    cr_assert_eq(holders.file, FILE_LEFT_OVER);
}

Test(unix_holders, a_connection_of_an_earlier_listener_does_not_keep_the_file_in_use)
{
    const struct address address = named(PATH);
    const int listener = listener_on(PATH);
    const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(client, &address.as.any, address.length), 0);
    const int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    struct holders holders = look(PATH);
    cr_assert_eq(holders.total, 2);
    cr_assert_eq(holders.named.inode, inode_of(listener));
    close(listener);
    holders = look(PATH);
    expect_one(&holders, STATE_ESTABLISHED, server);
    cr_assert_eq(holders.file, FILE_LEFT_OVER);
}

Test(unix_holders, a_socket_whose_file_was_replaced_is_unsure)
{
    enum { REPLACED = 8 }; /* some before and some after the last one in the kernel's list */
    int last = -1;
    for (int i = 0; i < REPLACED; i++) {
        listener_on(PATH);
        unlink(PATH);
        if (i == REPLACED / 2) {
            last = listener_on(PATH);
            cr_assert_eq(rename(PATH, "kept"), 0);
        }
    }
    cr_assert_eq(rename("kept", PATH), 0);
    struct holders holders = look(PATH);
    expect_one(&holders, STATE_LISTEN, last);
    cr_assert_eq(holders.unsure, 0);
    close(last);
    holders = look(PATH);
    cr_assert_eq(holders.total, REPLACED);
    cr_assert_eq(holders.unsure, REPLACED);
    cr_assert_eq(holders.file, FILE_LEFT_OVER);
}

Test(unix_holders, a_datagram_socket_is_bound)
{
    const int fd = bound_to(PATH, SOCK_DGRAM);
    const struct holders holders = look(PATH);
    expect_one(&holders, STATE_BOUND, fd);
    cr_assert(holders.bound_seen);
    cr_assert_eq(holders.file, FILE_IN_USE);
}

Test(unix_holders, a_server_does_not_notice_the_look_up)
{
    const int stream = listener_on(PATH);
    look(PATH);
    cr_assert_eq(poll(&(struct pollfd){.fd = stream, .events = POLLIN}, 1, 0), 0);
    close(stream);
    unlink(PATH);
    const int datagram = bound_to(PATH, SOCK_DGRAM);
    look(PATH);
    cr_assert_eq(poll(&(struct pollfd){.fd = datagram, .events = POLLIN}, 1, 0), 0);
}

Test(unix_holders, what_is_no_socket_is_told_so)
{
    cr_assert_eq(mkdir(PATH, 0755), 0);
    struct holders holders = look(PATH);
    expect_nobody(&holders);
    cr_assert_eq(holders.file, FILE_FOLDER);
    rmdir(PATH);
    cr_assert_eq(symlink("nowhere", PATH), 0);
    cr_assert_eq(look(PATH).file, FILE_SYMLINK);
    unlink(PATH);
    cr_assert_eq(look(PATH).file, FILE_UNREACHABLE);
}

Test(unix_holders, a_path_may_fill_all_of_the_address)
{
    struct address asked = {.length = sizeof asked.as.un, .as.un.sun_family = AF_UNIX};
    memset(asked.as.un.sun_path, 'a', sizeof asked.as.un.sun_path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, &asked.as.any, asked.length), 0);
    listen(fd, 8);
    struct holders_question question;
    struct holders holders;
    holders_ask(&question, -1, &asked);
    holders_find(&question, &holders);
    char path[sizeof asked.as.un.sun_path + 1] = "";
    memcpy(path, asked.as.un.sun_path, sizeof asked.as.un.sun_path);
    unlink(path);
    expect_one(&holders, STATE_LISTEN, fd);
    cr_assert_eq(holders.file, FILE_IN_USE);
}

Test(unix_holders, an_abstract_name_is_compared_whole)
{
    const int fd = listener_on("@server");
    struct holders holders = look("@server");
    expect_one(&holders, STATE_LISTEN, fd);
    cr_assert_eq(holders.file, FILE_NOT_ASKED);
    holders = look("@server2");
    expect_nobody(&holders);
    holders = look("@serve");
    expect_nobody(&holders);
    holders = look_from(fd, "@server");
    expect_nobody(&holders);
}

Test(unix_holders, without_a_name_there_is_no_question)
{
    struct address asked = named("");
    asked.length = offsetof(struct sockaddr_un, sun_path);
    struct holders_question question;
    struct holders holders;
    holders_ask(&question, -1, &asked);
    holders_find(&question, &holders);
    cr_assert_eq(holders.source, HOLDERS_NO_QUESTION);
}

Test(unix_holders, a_listener_in_another_network_namespace_keeps_the_file_in_use)
{
    const int fd = listener_on(PATH);
    enter_private_network();
    const struct holders holders = look(PATH);
    cr_assert_eq(holders.file, FILE_IN_USE);
    cr_assert_eq(holders.total, 0);
    cr_assert_eq(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0), 0, "it noticed");
}

Test(unix_holders, without_netlink_proc_tells_the_same_by_name)
{
    const struct address address = named(PATH);
    const int fd = listener_on(PATH);
    const int abstract = listener_on("@server");
    const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(client, &address.as.any, address.length), 0);
    accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    refuse_netlink(EPERM);
    struct holders holders = look(PATH);
    cr_assert_eq(holders.source, HOLDERS_BY_PROC);
    cr_assert_eq(holders.netlink_error, EPERM);
    cr_assert_eq(holders.total, 2);
    cr_assert_eq(holders.count[STATE_ESTABLISHED], 1);
    cr_assert_eq(holders.named.state, STATE_LISTEN);
    cr_assert_eq(holders.named.inode, inode_of(fd));
    cr_assert_eq(holders.file, FILE_IN_USE);
    holders = look("@server");
    expect_one(&holders, STATE_LISTEN, abstract);
}

Test(unix_holders, without_both_the_file_is_looked_at_all_the_same)
{
    listener_on(PATH);
    const int here = open(".", O_DIRECTORY | O_CLOEXEC);
    hide_proc();
    refuse_netlink(EPERM);
    cr_assert_eq(fchdir(here), 0);
    const struct holders holders = look(PATH);
    cr_assert_eq(holders.source, HOLDERS_REFUSED);
    cr_assert_eq(holders.netlink_error, EPERM);
    cr_assert_eq(holders.proc_error, ENOENT);
    cr_assert_eq(holders.file, FILE_IN_USE);
}
