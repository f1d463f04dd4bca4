#include "running.h"

#include "guest/address.h"
#include "kernel/guards.h"
#include "processes.h"
#include "remote.h"
#include "socket_list.h"
#include "terminal/output.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char library_name[] = "libreuse.so";

static FILE *open_in_proc(int pid, const char *file)
{
    char *path = process_path(pid, file);
    FILE *stream = fopen(path, "re");
    const int error = errno;
    free(path);
    errno = error;
    return stream;
}

/* The target of a link in /proc. NULL and errno where it cannot be read. The caller frees it. */
static char *read_link(int pid, const char *file)
{
    char *path = process_path(pid, file);
    char *target = output_allocate(1, PATH_MAX);
    const ssize_t length = readlink(path, target, PATH_MAX - 1);
    const int error = errno;
    free(path);
    if (length < 0) {
        free(target);
        errno = error;
        return NULL;
    }
    return target;
}

/* Cuts " (deleted)" off a path that /proc gives. Whether it was there. */
static bool cut_deleted(char *path)
{
    static const char deleted[] = " (deleted)";
    const size_t length = strlen(path);
    const bool is_there =
        length >= sizeof deleted && strcmp(path + length - (sizeof deleted - 1), deleted) == 0;
    if (is_there) {
        path[length - (sizeof deleted - 1)] = '\0';
    }
    return is_there;
}

/* Whether a path leads to a file of that name, or that name and a version. */
static bool is_library(const char *path, size_t length)
{
    size_t start = length;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    const size_t name = sizeof library_name - 1;
    return length - start >= name && strncmp(path + start, library_name, name) == 0 &&
           (length - start == name || path[start + name] == '.');
}

static void read_state(struct running *running)
{
    char *line = NULL;
    size_t size = 0;
    FILE *status = open_in_proc(running->pid, "status");
    while (status != NULL && getline(&line, &size, status) >= 0) {
        if (strncmp(line, "State:\tZ", 8) == 0 || strncmp(line, "State:\tX", 8) == 0) {
            running->has_ended = true;
        }
        if (strcmp(line, "Kthread:\t1\n") == 0) {
            running->is_kernel = true;
        }
        if (strcmp(line, "Seccomp:\t2\n") == 0) {
            running->is_filtered = true;
        }
    }
    free(line);
    if (status != NULL) {
        fclose(status);
    }
}

/* /proc/PID/maps: the sixth field of a line is the path, which may have blanks in it. */
static void read_maps(struct running *running)
{
    char *line = NULL;
    size_t size = 0;
    FILE *maps = open_in_proc(running->pid, "maps");
    if (maps == NULL) {
        running->maps_error = errno;
        return;
    }
    errno = 0;
    while (running->library == NULL && getline(&line, &size, maps) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        char *path = strchr(line, '/');
        const bool is_deleted = path != NULL && cut_deleted(path);
        if (path != NULL && is_library(path, strlen(path))) {
            running->library = output_format("%s", path);
            running->is_replaced = is_deleted;
        }
    }
    running->maps_error = ferror(maps) ? errno : 0;
    free(line);
    fclose(maps);
}

static bool names_library(const char *preload)
{
    while (preload += strspn(preload, ": \t\n"), *preload != '\0') {
        const size_t length = strcspn(preload, ": \t\n");
        if (is_library(preload, length)) {
            return true;
        }
        preload += length;
    }
    return false;
}

static int compare_texts(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

static void read_environment(struct running *running)
{
    static const char ours[] = "LIBREUSE_";
    static const char preload[] = "LD_PRELOAD=";
    char *variable = NULL;
    size_t size = 0;
    FILE *environment = open_in_proc(running->pid, "environ");
    if (environment == NULL) {
        running->environment_error = errno;
        return;
    }
    errno = 0;
    while (getdelim(&variable, &size, '\0', environment) >= 0) {
        if (strncmp(variable, preload, sizeof preload - 1) == 0) {
            running->preload_names_us = names_library(variable + sizeof preload - 1);
        } else if (strncmp(variable, ours, sizeof ours - 1) == 0) {
            running->settings = output_reallocate(running->settings, running->settings_count + 1,
                                                  sizeof running->settings[0]);
            running->settings[running->settings_count++] = output_format("%s", variable);
        }
    }
    running->environment_error = ferror(environment) ? errno : 0;
    free(variable);
    fclose(environment);
    if (running->settings_count > 0) {
        qsort(running->settings, running->settings_count, sizeof running->settings[0],
              compare_texts);
    }
}

/* The auxiliary vector is of the process's own class, which two words of AT_NULL do not tell. */
static bool finds_secure(const unsigned char *vector, size_t length, size_t word)
{
    for (size_t at = 0; at + 2 * word <= length; at += 2 * word) {
        uint64_t pair[2] = {0, 0};
        for (int i = 0; i < 2; i++) {
            if (word == sizeof(uint32_t)) {
                uint32_t value;
                memcpy(&value, vector + at + (size_t)i * word, sizeof value);
                pair[i] = value;
            } else {
                memcpy(&pair[i], vector + at + (size_t)i * word, sizeof pair[i]);
            }
        }
        if (pair[0] == AT_SECURE) {
            return pair[1] == 1;
        }
    }
    return false;
}

static void read_auxiliary_vector(struct running *running)
{
    unsigned char vector[2048];
    FILE *file = open_in_proc(running->pid, "auxv");
    if (file != NULL) {
        const size_t length = fread(vector, 1, sizeof vector, file);
        running->is_secure = finds_secure(vector, length, sizeof(uint64_t)) ||
                             finds_secure(vector, length, sizeof(uint32_t));
        fclose(file);
    }
}

static void add_listener(struct running *running, const struct address *address,
                         struct listener listener)
{
    claim_address(&listener.claim, address);
    listener.loss = losses_of(&running->losses, listener.inode);
    listener.address = sockets_address_text(address);
    listener.port = address_port(address);
    listener.ephemeral = -1;
    running->listeners = output_reallocate(running->listeners, running->listeners_count + 1,
                                           sizeof running->listeners[0]);
    running->listeners[running->listeners_count++] = listener;
}

static int option_of(int socket_fd, int option)
{
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(socket_fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

static enum v6only v6only_of(int socket_fd)
{
    int on = 0;
    socklen_t length = sizeof on;
    getsockopt(socket_fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, &length); /* fails for IPv4 */
    return on != 0 ? V6ONLY_YES : V6ONLY_NO;
}

static bool is_tcp_listener(int socket_fd)
{
    const int protocol = option_of(socket_fd, SO_PROTOCOL);
    return (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP) &&
           option_of(socket_fd, SO_ACCEPTCONN) == 1;
}

/* The list of all listeners here, for those sockets that may not be looked at: made once. */
struct fallback {
    bool is_made;
    bool is_of_its_network;
    struct sockets sockets;
};

static void take_from_list(struct running *running, struct fallback *fallback, int fd,
                           uint64_t inode)
{
    if (!fallback->is_made) {
        fallback->is_made = true;
        fallback->is_of_its_network = process_is_in_this_network(running->pid) == PRESENCE_YES;
        sockets_list(&fallback->sockets, IPPROTO_TCP, 0, SOCKETS_IN(STATE_LISTEN));
    }
    for (size_t i = 0; i < fallback->sockets.count && fallback->is_of_its_network; i++) {
        const struct entry *entry = &fallback->sockets.entries[i];
        if (entry->facts.inode == inode && entry->facts.state == STATE_LISTEN) {
            struct address local;
            sockets_local(entry, &local);
            add_listener(running, &local,
                         (struct listener){.fd = fd,
                                           .inode = inode,
                                           .claim = entry->facts.claim,
                                           .armed = -1,
                                           .reuse_port = -1});
        }
    }
}

static void take_socket(struct running *running, struct remote *remote, struct fallback *fallback,
                        int fd, uint64_t inode)
{
    const int copy = remote_socket(remote, running->pid, fd, inode);
    if (copy < 0) {
        if (errno != EBADF) {
            running->socket_error = errno;
            take_from_list(running, fallback, fd, inode);
        }
        return;
    }
    if (is_tcp_listener(copy)) {
        struct address address;
        address_of_socket(&address, copy);
        add_listener(running, &address,
                     (struct listener){.fd = fd,
                                       .inode = inode,
                                       .claim.v6only = v6only_of(copy),
                                       .armed = option_of(copy, SO_REUSEADDR) != 0,
                                       .reuse_port = option_of(copy, SO_REUSEPORT)});
    }
    close(copy);
}

static int compare_listeners(const void *one, const void *other)
{
    const struct listener *a = one;
    const struct listener *b = other;
    return (a->fd > b->fd) - (a->fd < b->fd);
}

static void read_descriptors(struct running *running)
{
    char *path = process_path(running->pid, "fd");
    DIR *folder = opendir(path);
    running->descriptors_error = folder == NULL ? errno : 0;
    free(path);
    if (folder == NULL) {
        return;
    }
    struct remote remote = REMOTE_NONE;
    struct fallback fallback = {0};
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char link[64];
        unsigned long long inode;
        const ssize_t length = readlinkat(dirfd(folder), entry->d_name, link, sizeof link - 1);
        link[length > 0 ? length : 0] = '\0';
        if (sscanf(link, "socket:[%llu]", &inode) == 1) {
            take_socket(running, &remote, &fallback, atoi(entry->d_name), inode);
        }
    }
    remote_close(&remote);
    if (fallback.is_made) {
        sockets_free(&fallback.sockets);
    }
    closedir(folder);
    if (running->listeners_count > 0) {
        qsort(running->listeners, running->listeners_count, sizeof running->listeners[0],
              compare_listeners);
    }
}

static void find_ephemeral(struct running *running)
{
    if (running->listeners_count == 0 || process_is_in_this_network(running->pid) != PRESENCE_YES) {
        return;
    }
    for (size_t i = 0; i < running->listeners_count; i++) {
        running->listeners[i].ephemeral = ephemeral_port(running->listeners[i].port);
    }
}

/* What the process serves by its other family is not lost. */
static void forget_dual_stacks(struct running *running)
{
    for (size_t i = 0; i < running->listeners_count; i++) {
        struct listener *listener = &running->listeners[i];
        for (size_t j = 0; j < running->listeners_count && listener->loss != NULL; j++) {
            const struct listener *other = &running->listeners[j];
            if (loss_is_own_dual_stack(listener->loss, &listener->claim, &other->claim,
                                       other->port)) {
                listener->loss = NULL;
            }
        }
    }
}

static bool is_guarded(int pid)
{
    size_t count = 0;
    struct guard *guards = guards_list(&count);
    const bool is_under = guards_over_process(guards, count, pid) != NULL;
    guards_free(guards, count);
    return is_under;
}

bool running_examine(struct running *running, int pid)
{
    *running = (struct running){.pid = pid};
    if (!process_exists(pid)) {
        return false;
    }
    running->name = process_program(pid);
    running->program = read_link(pid, "exe");
    read_state(running);
    read_maps(running);
    losses_read(&running->losses, pid);
    read_environment(running);
    read_auxiliary_vector(running);
    read_descriptors(running);
    find_ephemeral(running);
    forget_dual_stacks(running);
    running->is_guarded = is_guarded(pid);
    return true;
}

bool running_is_first_on_port(const struct running *running, size_t number)
{
    for (size_t i = 0; i < number; i++) {
        if (running->listeners[i].port == running->listeners[number].port) {
            return false;
        }
    }
    return true;
}

const struct listener *running_lost(const struct running *running)
{
    for (size_t i = 0; i < running->listeners_count; i++) {
        if (running->listeners[i].loss != NULL) {
            return &running->listeners[i];
        }
    }
    return NULL;
}

size_t running_count_ephemeral(const struct running *running)
{
    size_t count = 0;
    for (size_t i = 0; i < running->listeners_count; i++) {
        count += running->listeners[i].ephemeral == 1;
    }
    return count;
}

void running_free(struct running *running)
{
    for (size_t i = 0; i < running->settings_count; i++) {
        free(running->settings[i]);
    }
    for (size_t i = 0; i < running->listeners_count; i++) {
        free(running->listeners[i].address);
    }
    free(running->settings);
    free(running->listeners);
    free(running->library);
    free(running->program);
    free(running->name);
    *running = (struct running){0};
}
