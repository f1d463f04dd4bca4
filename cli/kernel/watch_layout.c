#include "watch_layout.h"

#include <stddef.h>
#include <string.h>

/* The offset of a member is that of its parts, one in the other. */
static const struct {
    const char *structure, *member;
    const char *inner_structure, *inner_member;
} members[WATCH_PLACES] = {
    [TASK_FILES] = {"task_struct", "files", NULL, NULL},
    [FILES_TABLE] = {"files_struct", "fdt", NULL, NULL},
    [TABLE_SIZE] = {"fdtable", "max_fds", NULL, NULL},
    [TABLE_FILES] = {"fdtable", "fd", NULL, NULL},
    [FILE_INODE] = {"file", "f_inode", NULL, NULL},
    [FILE_PRIVATE] = {"file", "private_data", NULL, NULL},
    [INODE_MODE] = {"inode", "i_mode", NULL, NULL},
    [INODE_NUMBER] = {"inode", "i_ino", NULL, NULL},
    [SOCKET_SOCK] = {"socket", "sk", NULL, NULL},
    [SOCK_FAMILY] = {"sock", "__sk_common", "sock_common", "skc_family"},
    [SOCK_PORT] = {"sock", "__sk_common", "sock_common", "skc_num"},
    [SOCK_IPV4] = {"sock", "__sk_common", "sock_common", "skc_rcv_saddr"},
    [SOCK_IPV6] = {"sock", "__sk_common", "sock_common", "skc_v6_rcv_saddr"},
    [SOCK_DEVICE] = {"sock", "__sk_common", "sock_common", "skc_bound_dev_if"},
    [SOCK_NETWORK] = {"sock", "__sk_common", "sock_common", "skc_net"},
    [NETWORK_NUMBER] = {"net", "ns", "ns_common", "inum"},
    [SOCK_TYPE] = {"sock", "sk_type", NULL, NULL},
    [SOCK_PROTOCOL] = {"sock", "sk_protocol", NULL, NULL},
    [SOCK_REUSE] = {"sock", "__sk_common", "sock_common", "skc_reuse"},
    [SOCK_V6ONLY] = {"sock", "__sk_common", "sock_common", "skc_ipv6only"},
    [TASK_GROUPS] = {"task_struct", "cgroups", NULL, NULL},
    [GROUPS_OURS] = {"css_set", "dfl_cgrp", NULL, NULL},
    [GROUP_NODE] = {"cgroup", "kn", NULL, NULL},
    [NODE_NAME] = {"kernfs_node", "name", NULL, NULL},
};

bool watch_layout_find(struct watch_layout *layout, const struct btf *btf, const char **missing)
{
    memset(layout, 0, sizeof *layout);
    for (size_t i = 0; i < WATCH_PLACES; i++) {
        struct btf_place outer;
        struct btf_place inner = {0};
        const bool has_inner = members[i].inner_structure != NULL;
        *missing = members[i].member;
        if (!btf_find(btf, members[i].structure, members[i].member, &outer)) {
            return false;
        }
        *missing = members[i].inner_member;
        if (has_inner &&
            !btf_find(btf, members[i].inner_structure, members[i].inner_member, &inner) &&
            i != SOCK_IPV6) { /* a kernel without IPv6 does not have that */
            return false;
        }
        layout->places[i] = (int32_t)(outer.offset + inner.offset);
        if (i == SOCK_REUSE) {
            layout->reuse = inner;
        } else if (i == SOCK_V6ONLY) {
            layout->v6only = inner;
        }
    }
    *missing = NULL;
    return true;
}

bool watch_layout_reuses(const struct watch_layout *layout, uint8_t byte)
{
    return (byte & btf_mask(&layout->reuse)) != 0;
}

bool watch_layout_is_ipv6_only(const struct watch_layout *layout, uint8_t byte)
{
    return (byte & btf_mask(&layout->v6only)) != 0;
}
