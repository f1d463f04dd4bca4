/*
 * Where the running kernel has what the programs of watch_programs.h read: members of its
 * structures, by its own description of them. The places are the parameters that the programs are
 * loaded with.
 */
#ifndef LIBREUSE_WATCH_LAYOUT_H
#define LIBREUSE_WATCH_LAYOUT_H

#include "btf.h"

#include <stdbool.h>
#include <stdint.h>

/* What is read where, of the task, its files, a socket and a control group. */
enum watch_place {
    TASK_FILES,
    FILES_TABLE,
    TABLE_SIZE,
    TABLE_FILES,
    FILE_INODE,
    FILE_PRIVATE,
    INODE_MODE,
    INODE_NUMBER,
    SOCKET_SOCK,
    SOCK_FAMILY,
    SOCK_PORT,
    SOCK_IPV4,
    SOCK_IPV6,
    SOCK_DEVICE,
    SOCK_NETWORK,
    NETWORK_NUMBER,
    SOCK_TYPE,
    SOCK_PROTOCOL,
    SOCK_REUSE,
    SOCK_V6ONLY,
    TASK_GROUPS,
    GROUPS_OURS,
    GROUP_NODE,
    NODE_NAME,
    WATCH_PLACES
};
struct watch_layout {
    int32_t places[WATCH_PLACES];
    struct btf_place reuse;
    struct btf_place v6only;
};

/* False where the description lacks a member, whose name is `*missing` then. */
bool watch_layout_find(struct watch_layout *layout, const struct btf *btf, const char **missing);

/* SO_REUSEADDR and IPV6_V6ONLY, in the byte that was read at their place. */
bool watch_layout_reuses(const struct watch_layout *layout, uint8_t byte);
bool watch_layout_is_ipv6_only(const struct watch_layout *layout, uint8_t byte);

#endif
