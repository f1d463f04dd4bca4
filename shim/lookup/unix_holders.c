#include "unix_holders.h"

#include "guest/kernel.h"
#include "guest/kernel_sockets.h"
#include "unix_list.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* The name that is asked for, and what there is at its path. */
struct wanted {
    const char *name;
    size_t length;
    int type; /* of the socket that wants it; 0: not known */
    bool is_path;
    bool has_file;
    uint32_t file_inode;
    uint32_t file_device; /* as struct unix_listed has it */
};

/* The kernel's own dev_t from the one of stat(2): new_decode_dev(). */
static uint32_t kernel_device(uint64_t device)
{
    const uint32_t minor_bits = 20;
    const uint32_t major = (uint32_t)(device >> 8) & 0xfff;
    const uint32_t minor = (uint32_t)((device & 0xff) | ((device >> 12) & 0xfff00));
    return major << minor_bits | minor;
}

/*
 * A datagram socket cannot be connected to a stream's, and is told so only if that is there.
 * Another datagram socket can; to that nothing is sent.
 */
static enum holders_file try_file(const struct address *name)
{
    const int fd = kernel_socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0) {
        return FILE_UNSURE;
    }
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC}; /* the kernel never refuses that */
    if (!kernel_connect(fd, &nowhere, sizeof nowhere)) {
        kernel_close(fd);
        return FILE_UNSURE; /* a filter answers in its place, whatever it says of the file */
    }
    const bool connects = kernel_connect(fd, &name->as, name->length);
    const int error = connects ? 0 : errno;
    kernel_close(fd);
    switch (error) {
    case 0:
    case EPROTOTYPE:
    case EPERM: /* a datagram socket that is connected to another */
        return FILE_IN_USE;
    case ECONNREFUSED:
        return FILE_LEFT_OVER;
    default:
        return FILE_UNSURE;
    }
}

static enum holders_file look_at_file(struct wanted *wanted)
{
    char path[sizeof((struct sockaddr_un *)0)->sun_path + 1];
    struct kernel_file file;
    memcpy(path, wanted->name, wanted->length);
    path[wanted->length] = '\0';
    if (!kernel_file_at(path, &file)) {
        return FILE_UNREACHABLE;
    }
    if (S_ISLNK(file.mode) || S_ISDIR(file.mode)) {
        return S_ISLNK(file.mode) ? FILE_SYMLINK : FILE_FOLDER;
    }
    if (!S_ISSOCK(file.mode)) {
        return FILE_NO_SOCKET;
    }
    wanted->has_file = true;
    wanted->file_inode = (uint32_t)file.inode;
    wanted->file_device = kernel_device(file.device);
    return FILE_UNSURE;
}

struct tally {
    const struct wanted *wanted;
    const struct holders_question *question;
    struct holders *holders;
};

/* In /proc a zero byte is written as @. */
static bool has_name(const struct unix_listed *socket, const struct wanted *wanted)
{
    if (socket->name_length != wanted->length) {
        return false;
    }
    for (size_t i = 0; i < wanted->length; i++) {
        const bool is_zero = wanted->name[i] == '\0' && socket->name[i] == '@';
        if (socket->name[i] != wanted->name[i] && !is_zero) {
            return false;
        }
    }
    return true;
}

/* In the abstract space each type of socket has names of its own: unix_bind_abstract(). */
static enum overlap meets(const struct unix_listed *socket, const struct wanted *wanted)
{
    if (!wanted->is_path) {
        const bool is_of_type = wanted->type == 0 || socket->type == wanted->type;
        return is_of_type && has_name(socket, wanted) ? OVERLAP_CERTAIN : OVERLAP_NONE;
    }
    if (socket->has_file && wanted->has_file && socket->file_inode == wanted->file_inode &&
        socket->file_device == wanted->file_device) {
        return OVERLAP_CERTAIN;
    }
    /* Some file systems show another inode than their own, and a name may have been used again. */
    return has_name(socket, wanted) ? OVERLAP_UNSURE : OVERLAP_NONE;
}

static void name_holder(struct tally *tally, const struct unix_listed *socket)
{
    struct holder *named = &tally->holders->named;
    named->state = socket->state;
    named->inode = socket->inode;
    named->uid = socket->uid;
    if (has_name(socket, tally->wanted)) {
        named->local = *tally->question->name;
        return;
    }
    named->local.as.un = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(named->local.as.un.sun_path, socket->name, socket->name_length);
    named->local.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + socket->name_length);
}

/* Whether this is a better one to name than the best so far. */
static bool is_better(const struct holders *holders, const struct unix_listed *socket)
{
    return holders->total == 0 || socket->state < holders->named.state;
}

static void count(void *context, const struct unix_listed *socket)
{
    struct tally *tally = context;
    struct holders *holders = tally->holders;
    const enum overlap overlap = meets(socket, tally->wanted);
    const uint64_t except = tally->question->except;
    if (overlap == OVERLAP_NONE || (except != 0 && socket->inode == except)) {
        return;
    }
    const bool all_unsure = holders->total == holders->unsure;
    if (overlap == OVERLAP_UNSURE && !all_unsure) {
        return;
    }
    if (overlap == OVERLAP_CERTAIN && all_unsure) {
        memset(holders->count, 0, sizeof holders->count);
        holders->total = 0;
        holders->unsure = 0;
    }
    if (is_better(holders, socket)) {
        name_holder(tally, socket);
    }
    holders->total++;
    holders->unsure += overlap == OVERLAP_UNSURE;
    holders->count[socket->state]++;
}

static void list(struct tally *tally, int64_t deadline)
{
    struct holders *holders = tally->holders;
    const struct listing netlink = unix_list_by_netlink(deadline, count, tally);
    holders->source = HOLDERS_BY_SOCK_DIAG;
    holders->complete = netlink.complete;
    if (netlink.error == 0) {
        return;
    }
    *holders = (struct holders){.source = HOLDERS_BY_PROC,
                                .netlink_error = netlink.error,
                                .bound_seen = holders->bound_seen,
                                .file = holders->file};
    const struct listing proc = unix_list_by_proc(deadline, count, tally);
    holders->complete = proc.complete;
    if (proc.error == 0) {
        return;
    }
    *holders = (struct holders){.source = HOLDERS_REFUSED,
                                .netlink_error = netlink.error,
                                .proc_error = proc.error,
                                .file = holders->file};
}

/* Whether a socket certainly has the name. What it has accepted is told under the same name. */
static bool is_held(const struct holders *holders)
{
    return holders->unsure == 0 && holders->count[STATE_LISTEN] + holders->count[STATE_BOUND] > 0;
}

void unix_holders_find(const struct holders_question *question, int64_t deadline,
                       struct holders *holders)
{
    const struct sockaddr_un *un = &question->name->as.un;
    const size_t length = question->name->length - offsetof(struct sockaddr_un, sun_path);
    const bool is_path = un->sun_path[0] != '\0';
    struct wanted wanted = {.name = un->sun_path, .type = question->type, .is_path = is_path};
    wanted.length = length < sizeof un->sun_path ? length : sizeof un->sun_path;
    if (is_path) {
        wanted.length = strnlen(un->sun_path, wanted.length);
        holders->file = look_at_file(&wanted);
    }
    struct tally tally = {.wanted = &wanted, .question = question, .holders = holders};
    holders->bound_seen = true;
    list(&tally, deadline);
    if (holders->file == FILE_UNSURE) {
        holders->file = is_held(holders) ? FILE_IN_USE : try_file(question->name);
    }
}
