#include "unix_list.h"

#include "guest/cursor.h"
#include "guest/kernel.h"
#include "proc_net.h"
#include "sock_diag.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>

/* UNIX_DIAG_UID and UDIAG_SHOW_UID of <linux/unix_diag.h>, since Linux 5.3. */
enum { ATTRIBUTE_UID = 7, SHOW_UID = 0x40 };

/* A path that fills the whole address is told with a zero byte more. */
static void take_name(struct unix_listed *socket, const char *name, size_t length)
{
    const size_t room = sizeof socket->name;
    if (length == room + 1 && name[room] == '\0') {
        length = room;
    }
    if (length <= room) {
        memcpy(socket->name, name, length);
        socket->name_length = length;
    }
}

static void take_attribute(struct unix_listed *socket, const struct diag_attribute *attribute)
{
    struct unix_diag_vfs file;
    if (attribute->type == UNIX_DIAG_NAME) {
        take_name(socket, attribute->value, attribute->length);
    } else if (attribute->type == UNIX_DIAG_VFS && attribute->length == sizeof file) {
        memcpy(&file, attribute->value, sizeof file);
        socket->has_file = true;
        socket->file_inode = file.udiag_vfs_ino;
        socket->file_device = file.udiag_vfs_dev;
    } else if (attribute->type == ATTRIBUTE_UID && attribute->length == sizeof socket->uid) {
        memcpy(&socket->uid, attribute->value, sizeof socket->uid);
    }
}

/* A path is followed by a zero byte, which is no part of it. */
static void end_name(struct unix_listed *socket)
{
    if (socket->name_length > 0 && socket->name[0] != '\0') {
        socket->name_length = strnlen(socket->name, socket->name_length);
    }
}

bool unix_diag_parse(const void *payload, size_t length, struct unix_listed *socket)
{
    struct unix_diag_msg message;
    if (length < sizeof message) {
        return false;
    }
    memcpy(&message, payload, sizeof message);
    *socket = (struct unix_listed){.state = state_from_kernel(message.udiag_state),
                                   .type = message.udiag_type,
                                   .inode = message.udiag_ino};
    size_t offset = sizeof message;
    struct diag_attribute attribute;
    while (sock_diag_attribute(payload, length, &offset, &attribute)) {
        take_attribute(socket, &attribute);
    }
    end_name(socket);
    return message.udiag_family == AF_UNIX && socket->state != STATES && socket->name_length > 0;
}

/* __SO_ACCEPTCON of <linux/net.h>, and the states of a socket, there. */
enum { FLAG_LISTENS = 0x10000, STATE_CONNECTING = 2, STATE_CONNECTED = 3 };

static enum state state_from_line(uint64_t flags, uint64_t state)
{
    if ((flags & FLAG_LISTENS) != 0) {
        return STATE_LISTEN;
    }
    return state == STATE_CONNECTING || state == STATE_CONNECTED ? STATE_ESTABLISHED : STATE_BOUND;
}

/* The pointer that a line begins with is hidden: zeros, a hash, or (null). */
static bool skip_pointer(struct cursor *cursor)
{
    while (cursor->next < cursor->end && *cursor->next != ':') {
        cursor->next++;
    }
    return cursor_char(cursor, ':') && cursor_spaces(cursor);
}

bool unix_line_parse(const char *line, size_t length, struct unix_listed *socket)
{
    struct cursor cursor = {line, line + length};
    uint64_t ignored;
    uint64_t flags;
    uint64_t type;
    uint64_t state;
    *socket = (struct unix_listed){.state = STATE_BOUND};
    const bool has_state = skip_pointer(&cursor) && cursor_hex(&cursor, 8, &ignored) &&
                           cursor_spaces(&cursor) && cursor_hex(&cursor, 8, &ignored) &&
                           cursor_spaces(&cursor) && cursor_hex(&cursor, 8, &flags) &&
                           cursor_spaces(&cursor) && cursor_hex(&cursor, 4, &type) &&
                           cursor_spaces(&cursor) && cursor_hex(&cursor, 2, &state);
    if (!has_state || !cursor_spaces(&cursor) || !cursor_decimal(&cursor, &socket->inode) ||
        !cursor_char(&cursor, ' ')) {
        return false;
    }
    const size_t left = (size_t)(cursor.end - cursor.next);
    if (left == 0 || left > sizeof socket->name) {
        return false;
    }
    memcpy(socket->name, cursor.next, left);
    socket->name_length = left;
    socket->type = (int)type;
    socket->state = state_from_line(flags, state);
    return true;
}

struct taker {
    void (*take)(void *context, const struct unix_listed *socket);
    void *context;
};

static void take_payload(void *context, const void *payload, size_t length)
{
    const struct taker *taker = context;
    struct unix_listed socket;
    if (unix_diag_parse(payload, length, &socket)) {
        taker->take(taker->context, &socket);
    }
}

static void take_line(void *context, const char *line, size_t length)
{
    const struct taker *taker = context;
    struct unix_listed socket;
    if (unix_line_parse(line, length, &socket)) {
        taker->take(taker->context, &socket);
    }
}

struct listing unix_list_by_netlink(int64_t deadline,
                                    void (*take)(void *context, const struct unix_listed *socket),
                                    void *context)
{
    const int fd = sock_diag_open();
    if (fd < 0) {
        return (struct listing){.error = errno};
    }
    struct taker taker = {take, context};
    const struct unix_diag_req request = {
        .sdiag_family = AF_UNIX,
        .udiag_states = UINT32_MAX,
        .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | SHOW_UID,
    };
    const struct listing listing = sock_diag_list(fd, SOCK_DIAG_BY_FAMILY, &request, sizeof request,
                                                  deadline, take_payload, &taker);
    kernel_close(fd);
    return listing;
}

struct listing unix_list_by_proc(int64_t deadline,
                                 void (*take)(void *context, const struct unix_listed *socket),
                                 void *context)
{
    struct taker taker = {take, context};
    return proc_net_lines("unix", deadline, take_line, &taker);
}
