#include "trial.h"

#include "explain/event.h"
#include "explain/explain.h"
#include "kernel/watcher.h"
#include "processes.h"
#include "socket_list.h"
#include "terminal/exit_status.h"
#include "terminal/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int new_socket(const struct trial_target *target, const struct address *address)
{
    const int type = target->protocol == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM;
    return socket(address->as.any.sa_family, type | SOCK_CLOEXEC, target->protocol);
}

/* Under a name that "libreuse watch" knows: it shows what programs lose, not what is tried here. */
static int bind_error(int fd, const struct address *address)
{
    char name[PROGRAM_SIZE] = "";
    prctl(PR_GET_NAME, name);
    prctl(PR_SET_NAME, WATCH_TRIAL);
    const int error = bind(fd, &address->as.any, address->length) == 0 ? 0 : errno;
    prctl(PR_SET_NAME, name);
    return error;
}

/* The errno of bind() on a socket with SO_REUSEADDR. */
static int try_with_reuse(const struct trial_target *target, const struct address *address)
{
    const int on = 1;
    const int fd = new_socket(target, address);
    if (fd < 0) {
        return errno;
    }
    const int error = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0
                          ? bind_error(fd, address)
                          : errno;
    close(fd);
    return error;
}

static char *event_text(const struct event *event,
                        void (*explain)(struct line *line, const struct event *event))
{
    char text[LINE_SIZE];
    struct line line = {.text = text, .size = sizeof text};
    explain(&line, event);
    return output_format("%.*s", (int)line.length, text);
}

/* The shim's sentence about a bind() that failed on this socket. */
static void explain(const struct trial_target *target, struct trial *trial)
{
    const bool held = trial->plain == EADDRINUSE;
    struct event event = {.kind = EVENT_BIND_FAILED,
                          .fd = trial->fd,
                          .is_trial = true,
                          .error = trial->plain,
                          .rescue = RESCUE_NO_USE,
                          .address = &trial->asked,
                          .holders = held ? &trial->holders : NULL};
    if (target->protocol == IPPROTO_UDP) {
        event.rescue = RESCUE_NOT_TCP;
    } else if (held && trial->reuse == 0) {
        event.kind = EVENT_RESCUED;
    }
    trial->sentence = event_text(&event, explain_event);
    if (!held && trial->holders.total > 0) {
        event.error = EADDRINUSE;
        event.rescue = RESCUE_DRY_RUN; /* nothing is known of what SO_REUSEADDR would do */
        event.holders = &trial->holders;
        trial->also = event_text(&event, explain_holders);
    }
}

static void try_address(const struct trial_target *target, struct trial *trial)
{
    const int fd = new_socket(target, &trial->asked);
    trial->fd = -1;
    if (fd < 0) {
        trial->socket_error = errno;
        return;
    }
    trial->plain = bind_error(fd, &trial->asked);
    if (trial->plain == 0) {
        close(fd);
        return;
    }
    trial->fd = fd;
    trial->reuse = trial->plain == EADDRINUSE && target->protocol == IPPROTO_TCP
                       ? try_with_reuse(target, &trial->asked)
                       : trial->plain;
    holders_ask(&trial->question, fd, &trial->asked);
}

static const struct listed *facts_at(const void *context, size_t number)
{
    const struct sockets *sockets = context;
    return &sockets->entries[number].facts;
}

/* One list for all addresses: it is what takes the time. */
static void find_holders(const struct trial_target *target, struct trials *trials)
{
    bool is_wanted = false;
    for (size_t i = 0; i < trials->count; i++) {
        is_wanted = is_wanted || trials->list[i].fd >= 0;
    }
    if (!is_wanted) {
        return;
    }
    struct sockets *sockets = &trials->sockets;
    sockets_list(sockets, target->protocol, target->port, SOCKETS_IN_ANY);
    const struct holders_list list = {.count = sockets->count,
                                      .at = facts_at,
                                      .context = sockets,
                                      .complete = sockets->complete,
                                      .netlink_error = sockets->netlink_error,
                                      .proc_error = sockets->proc_error};
    for (size_t i = 0; i < trials->count; i++) {
        if (trials->list[i].fd >= 0) {
            holders_find_in(&list, &trials->list[i].question, &trials->list[i].holders);
        }
    }
}

void trials_make(const struct trial_target *target, struct trials *trials)
{
    *trials = (struct trials){0};
    const in_port_t port = htons((uint16_t)target->port);
    if (target->address.length > 0) {
        trials->list[trials->count++].asked = target->address;
    } else {
        struct address *ipv4 = &trials->list[trials->count++].asked;
        struct address *ipv6 = &trials->list[trials->count++].asked;
        ipv4->length = sizeof ipv4->as.in;
        ipv4->as.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
        ipv6->length = sizeof ipv6->as.in6;
        ipv6->as.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        if (target->is_loopback) {
            ipv4->as.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            ipv6->as.in6.sin6_addr = in6addr_loopback;
        }
    }
    for (size_t i = 0; i < trials->count; i++) {
        try_address(target, &trials->list[i]);
    }
    find_holders(target, trials);
}

static void note_user(struct owner *owner, const struct user *user)
{
    char name[PROGRAM_SIZE];
    process_name(user->pid, name);
    owner_note(owner, user->pid, user->fd, name);
    if (owner->pid == user->pid) {
        process_add_script(owner);
    }
}

/*
 * The owner of the socket that is named. The shim's own search ends after a moment, because a
 * program waits for it; here there was time to look at every process.
 */
static void take_owner(struct holder *named, const struct processes *processes)
{
    size_t count;
    struct owner *owner = &named->owner;
    if (named->inode == 0) {
        owner->search = OWNER_NONE;
        return;
    }
    const struct user *users = processes_users(processes, named->inode, &count);
    for (size_t i = 0; users != NULL && i < count; i++) {
        if (i == 0 || users[i].pid != users[i - 1].pid) {
            note_user(owner, &users[i]);
        }
    }
    if (users == NULL && processes->proc_error != 0) {
        owner->search = OWNER_NO_PROC;
    } else if (users == NULL) {
        owner->search = processes_may_be_unseen(processes) ? OWNER_FORBIDDEN : OWNER_HIDDEN;
        processes_note_unseen(processes, named->uid, owner);
    }
}

void trials_explain(const struct trial_target *target, struct trials *trials)
{
    if (trials->sockets.count > 0) {
        processes_find_of(&trials->processes, &trials->sockets);
    }
    for (size_t i = 0; i < trials->count; i++) {
        struct trial *trial = &trials->list[i];
        if (trial->fd >= 0) {
            if (trial->holders.total > 0) {
                take_owner(&trial->holders.named, &trials->processes);
            }
            explain(target, trial);
        }
    }
}

/* What bind() would say of a path where there is no file: of the folder in which it makes one. */
static int folder_error(const char *path)
{
    char *folder = output_format("%s", path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        slash[slash == folder ? 1 : 0] = '\0';
    }
    struct stat file;
    const char *name = slash != NULL ? folder : ".";
    int error = stat(name, &file) != 0 ? errno : 0;
    if (error == 0 && !S_ISDIR(file.st_mode)) {
        error = ENOTDIR;
    } else if (error == 0 && faccessat(AT_FDCWD, name, W_OK | X_OK, AT_EACCESS) != 0) {
        error = errno;
    }
    free(folder);
    return error;
}

void unix_trial_make(struct unix_trial *trial, const struct address *asked)
{
    const char *path = asked->as.un.sun_path;
    struct stat file;
    *trial = (struct unix_trial){.asked = *asked};
    const struct holders_question question = {.name = &trial->asked};
    holders_find(&question, &trial->holders);
    trial->is_known =
        path[0] != '\0' || (trial->holders.complete && trial->holders.source != HOLDERS_REFUSED);
    if (path[0] == '\0') {
        trial->error = trial->holders.total > 0 ? EADDRINUSE : 0;
    } else if (lstat(path, &file) == 0) {
        trial->error = EADDRINUSE;
    } else {
        trial->error = errno == ENOENT ? folder_error(path) : errno;
    }
    if (trial->error == 0) {
        return;
    }
    if (trial->holders.total > 0) {
        struct processes processes;
        processes_find(&processes, &trial->holders.named.inode, 1);
        take_owner(&trial->holders.named, &processes);
        processes_free(&processes);
    }
    const struct event event = {.kind = EVENT_BIND_FAILED,
                                .fd = -1,
                                .is_trial = true,
                                .error = trial->error,
                                .rescue = RESCUE_NOT_TCP,
                                .address = &trial->asked,
                                .holders = trial->error == EADDRINUSE ? &trial->holders : NULL};
    trial->sentence = event_text(&event, explain_event);
}

void trials_free(struct trials *trials)
{
    for (size_t i = 0; i < trials->count; i++) {
        struct trial *trial = &trials->list[i];
        free(trial->sentence);
        free(trial->also);
        if (trial->fd >= 0) {
            close(trial->fd);
        }
    }
    processes_free(&trials->processes);
    sockets_free(&trials->sockets);
    trials->count = 0;
}

/* A host without IPv6 is no reason to say that [::] is held, when nobody has asked for it. */
bool trial_counts(const struct trial_target *target, const struct trial *trial)
{
    const bool is_missing = trial->socket_error != 0 || trial->plain == EADDRNOTAVAIL;
    return target->address.length > 0 || !is_missing;
}

static int status_of_trial(const struct trial *trial)
{
    const bool not_permitted = trial->plain == EACCES || trial->plain == EPERM;
    if (trial->socket_error != 0) {
        return STATUS_REFUSED;
    }
    if (trial->plain == 0) {
        return STATUS_FINE;
    }
    return not_permitted && trial->holders.total == 0 ? STATUS_REFUSED : STATUS_FOUND;
}

/* What was found goes before what could not be tried. */
int trials_status(const struct trial_target *target, const struct trials *trials)
{
    int status = STATUS_FINE;
    for (size_t i = 0; i < trials->count; i++) {
        const struct trial *trial = &trials->list[i];
        const int its_status = trial_counts(target, trial) ? status_of_trial(trial) : STATUS_FINE;
        if (status != STATUS_FOUND && its_status != STATUS_FINE) {
            status = its_status;
        }
    }
    return status;
}

/* When a program that does not set SO_REUSEADDR gets the port, where that can be foreseen. */
bool trial_is_free_in(const struct trial *trial, unsigned int *seconds)
{
    const struct holders *holders = &trial->holders;
    *seconds = sockets_seconds(holders->time_wait_ms);
    return holders->total > 0 && holders->complete &&
           holders->total == holders->count[STATE_TIME_WAIT];
}
