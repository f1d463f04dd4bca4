#include "group_arming.h"

#include "processes.h"
#include "remote.h"
#include "socket_list.h"
#include "terminal/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* since Linux 5.14 */
#endif
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static int option_of(int fd, int option)
{
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

static uint64_t network_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length);
    return cookie;
}

static bool switch_on(int fd)
{
    const int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
}

static bool is_tcp(int fd)
{
    const int protocol = option_of(fd, SO_PROTOCOL);
    return protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP;
}

static bool read_address(int fd, struct address *address)
{
    *address = (struct address){0};
    socklen_t length = sizeof address->as;
    if (getsockname(fd, &address->as.any, &length) != 0) {
        return false;
    }
    address->length = length;
    return true;
}

static unsigned int port_of(const struct address *address)
{
    return ntohs(address->as.any.sa_family == AF_INET ? address->as.in.sin_port
                                                      : address->as.in6.sin6_port);
}

static bool has_port(const struct group_arming *arming, uint64_t network, unsigned int port)
{
    for (size_t i = 0; i < arming->count; i++) {
        if (arming->listeners[i].network == network && arming->listeners[i].port == port) {
            return true;
        }
    }
    return false;
}

/* The same socket, in another process or under another number. */
static bool has_listener(const struct group_arming *arming, unsigned long long inode)
{
    for (size_t i = 0; i < arming->count; i++) {
        if (arming->listeners[i].inode == inode) {
            return true;
        }
    }
    return false;
}

static void take_listener(struct group_arming *arming, int pid, int fd, unsigned long long inode)
{
    struct address address;
    const bool was_on = option_of(fd, SO_REUSEADDR) > 0;
    if (has_listener(arming, inode) || !read_address(fd, &address)) {
        return;
    }
    if (!was_on && !arming->dry_run && !switch_on(fd)) {
        arming->error = arming->refused++ == 0 ? errno : arming->error;
        return;
    }
    arming->listeners =
        output_reallocate(arming->listeners, arming->count + 1, sizeof arming->listeners[0]);
    arming->listeners[arming->count++] =
        (struct group_listener){.inode = inode,
                                .address = sockets_address_text(&address),
                                .port = port_of(&address),
                                .network = network_of(fd),
                                .pid = pid,
                                .was_armed = was_on};
    arming->armed += !was_on;
}

/* A connection that was accepted before its listener was armed. One of MPTCP cannot be armed. */
static void take_connection(const struct group_arming *arming, int fd)
{
    struct address address;
    if (option_of(fd, SO_REUSEADDR) == 0 && read_address(fd, &address) &&
        has_port(arming, network_of(fd), port_of(&address))) {
        switch_on(fd);
    }
}

static void look_through(struct group_arming *arming, int pid, bool for_listeners)
{
    char *path = process_path(pid, "fd");
    struct remote remote = REMOTE_NONE;
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char target[64] = "";
        unsigned long long inode;
        if (readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1) < 0 ||
            sscanf(target, "socket:[%llu]", &inode) != 1) {
            continue;
        }
        const int fd = remote_socket(&remote, pid, atoi(entry->d_name), inode);
        if (fd < 0) {
            const bool is_gone = errno == ESRCH || errno == EBADF;
            arming->error = !is_gone && arming->error == 0 ? errno : arming->error;
            continue;
        }
        const bool listens = option_of(fd, SO_ACCEPTCONN) > 0;
        if (is_tcp(fd) && listens == for_listeners) {
            if (listens) {
                take_listener(arming, pid, fd, inode);
            } else {
                take_connection(arming, fd);
            }
        }
        close(fd);
    }
    if (folder != NULL) {
        closedir(folder);
    }
    remote_close(&remote);
    free(path);
}

static int open_network(const char *process)
{
    char *path = output_format("/proc/%s/ns/net", process);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    return fd;
}

/* In the network of the listener. */
static void count_time_wait(struct group_listener *listener)
{
    struct sockets sockets;
    sockets_list(&sockets, IPPROTO_TCP, listener->port, SOCKETS_IN_ANY);
    for (size_t i = 0; i < sockets.count; i++) {
        const struct entry *entry = &sockets.entries[i];
        if (sockets_is_time_wait(entry)) {
            listener->time_wait++;
            if (entry->facts.remaining_ms > listener->time_wait_ms) {
                listener->time_wait_ms = entry->facts.remaining_ms;
            }
        }
    }
    sockets_free(&sockets);
}

static void find_time_wait(struct group_arming *arming)
{
    const int own = open_network("self");
    for (size_t i = 0; i < arming->count && own >= 0; i++) {
        struct group_listener *listener = &arming->listeners[i];
        if (!listener->was_armed) {
            char *process = output_format("%d", listener->pid);
            const int theirs = open_network(process);
            if (theirs >= 0 && setns(theirs, CLONE_NEWNET) == 0) {
                count_time_wait(listener);
                setns(own, CLONE_NEWNET);
            }
            if (theirs >= 0) {
                close(theirs);
            }
            free(process);
        }
    }
    if (own >= 0) {
        close(own);
    }
}

void group_arm(struct group_arming *arming, const int *pids, size_t count, bool dry_run)
{
    *arming = (struct group_arming){.dry_run = dry_run};
    for (size_t i = 0; i < count; i++) {
        look_through(arming, pids[i], true);
    }
    for (size_t i = 0; i < count && arming->count > 0 && !dry_run; i++) {
        look_through(arming, pids[i], false);
    }
    find_time_wait(arming);
}

void group_arming_free(struct group_arming *arming)
{
    for (size_t i = 0; i < arming->count; i++) {
        free(arming->listeners[i].address);
    }
    free(arming->listeners);
}
