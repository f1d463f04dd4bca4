/*
 * A list of sockets from the kernel over netlink: sock_diag(7). This is the conversation that all
 * kinds of sockets have in common; what is said in it, inet_diag.h and unix_diag.h know.
 *
 * Everything here is async-signal-safe. A list is what the calling thread's network namespace has.
 */
#ifndef LIBREUSE_SOCK_DIAG_H
#define LIBREUSE_SOCK_DIAG_H

#include "socket_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the first message in some bytes is. */
enum diag_kind {
    DIAG_SOCKET,
    DIAG_END,    /* of the list */
    DIAG_ERROR,  /* the request was refused */
    DIAG_OTHER,  /* to be skipped */
    DIAG_PARTIAL /* it is not there whole, or its length cannot be right */
};

struct diag_message {
    enum diag_kind kind;
    int error; /* of DIAG_ERROR and DIAG_END; 0 is a success */
    const void *payload;
    size_t length; /* of the payload */
    size_t size;   /* of the whole message: where the next begins */
};

/* Takes the first message apart; any bytes will do. */
struct diag_message sock_diag_parse(const void *bytes, size_t length);

/*
 * Walks through the attributes of a payload. They follow the structure that it begins with, whose
 * size is the first `offset`. False where there are no more, or where the rest cannot be right.
 */
struct diag_attribute {
    unsigned int type;
    const void *value;
    size_t length;
};
bool sock_diag_attribute(const void *payload, size_t length, size_t *offset,
                         struct diag_attribute *attribute);

/* Opens the conversation: a descriptor for kernel_close(), or -1 and errno. */
int sock_diag_open(void);

/*
 * Sends the request, which is one of <linux/inet_diag.h> or <linux/unix_diag.h> without the netlink
 * header, as a message of this type, SOCK_DIAG_BY_FAMILY or TCPDIAG_GETSOCK, and gives each
 * socket's payload to `take`, until kernel_milliseconds() is `deadline`.
 */
struct listing sock_diag_list(int netlink_fd, unsigned int type, const void *request, size_t size,
                              int64_t deadline,
                              void (*take)(void *context, const void *payload, size_t length),
                              void *context);

#endif
