#include "privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The extended attribute security.capability, as far as it counts. */
struct file_capabilities {
    bool effective;
    struct capability_set permitted;
    struct capability_set inheritable;
};

/* The attribute is little-endian, in a layout of the kernel's uapi header. */
static uint32_t word(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

/*
 * False where the file has none, or none that count: those of another user namespace's root (the
 * third revision with a root id) the kernel ignores.
 */
static bool read_file_capabilities(const char *path, struct file_capabilities *capabilities)
{
    unsigned char value[XATTR_CAPS_SZ_3];
    const ssize_t result = getxattr(path, "security.capability", value, sizeof value);
    const size_t size = result > 0 ? (size_t)result : 0;
    if (size < XATTR_CAPS_SZ_1) {
        return false;
    }
    const uint32_t magic = word(value);
    const uint32_t revision = magic & VFS_CAP_REVISION_MASK;
    const bool is_known = (revision == VFS_CAP_REVISION_1 && size == XATTR_CAPS_SZ_1) ||
                          (revision == VFS_CAP_REVISION_2 && size == XATTR_CAPS_SZ_2) ||
                          (revision == VFS_CAP_REVISION_3 && size == XATTR_CAPS_SZ_3 &&
                           word(value + XATTR_CAPS_SZ_2) == 0);
    if (!is_known) {
        return false;
    }
    *capabilities = (struct file_capabilities){.effective = (magic & VFS_CAP_FLAGS_EFFECTIVE) != 0};
    for (int i = 0; i < (size == XATTR_CAPS_SZ_1 ? 1 : 2); i++) {
        capabilities->permitted.half[i] = word(value + 4 + 8 * i);
        capabilities->inheritable.half[i] = word(value + 8 + 8 * i);
    }
    return true;
}

bool privilege_of(const char *path, struct privilege *privilege)
{
    struct stat file;
    if (stat(path, &file) != 0) {
        return false;
    }
    struct file_capabilities capabilities;
    *privilege = (struct privilege){
        .set_user_id = (file.st_mode & S_ISUID) != 0,
        /* without the group's execute bit it meant mandatory locking once, and gives nothing */
        .set_group_id = (file.st_mode & S_ISGID) != 0 && (file.st_mode & S_IXGRP) != 0,
        .capabilities = read_file_capabilities(path, &capabilities),
        .uid = file.st_uid,
        .gid = file.st_gid,
    };
    return true;
}

static bool is_on_nosuid_mount(const char *path)
{
    struct statvfs mount;
    return statvfs(path, &mount) == 0 && (mount.f_flag & ST_NOSUID) != 0;
}

void privilege_of_self(struct caller *caller)
{
    *caller = (struct caller){
        .uid = getuid(),
        .effective_uid = geteuid(),
        .gid = getgid(),
        .effective_gid = getegid(),
        .no_new_privileges = prctl(PR_GET_NO_NEW_PRIVS, 0UL, 0UL, 0UL, 0UL) == 1,
    };
    for (unsigned int i = 0; i < 64; i++) {
        if (prctl(PR_CAPBSET_READ, (unsigned long)i, 0UL, 0UL, 0UL) == 1) {
            caller->bounding.half[i / 32] |= UINT32_C(1) << i % 32;
        }
    }
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
    syscall(SYS_capget, &header, sets);
    for (int i = 0; i < 2; i++) {
        caller->inheritable.half[i] = sets[i].inheritable;
    }
}

/* Whether the program would get a capability from its file. */
static bool gains(const struct caller *caller, const struct file_capabilities *file)
{
    for (int i = 0; i < 2; i++) {
        if ((file->permitted.half[i] & caller->bounding.half[i]) != 0 ||
            (file->inheritable.half[i] & caller->inheritable.half[i]) != 0) {
            return true;
        }
    }
    return false;
}

enum secure privilege_on_execution(const char *path, const struct privilege *privilege,
                                   const struct caller *caller)
{
    const bool ids_are_ignored = is_on_nosuid_mount(path) || caller->no_new_privileges;
    const bool sets_uid = privilege->set_user_id && !ids_are_ignored;
    const bool sets_gid = privilege->set_group_id && !ids_are_ignored;
    if ((sets_uid ? privilege->uid : caller->effective_uid) != caller->uid) {
        return sets_uid ? SECURE_SET_USER_ID : SECURE_ALREADY;
    }
    if ((sets_gid ? privilege->gid : caller->effective_gid) != caller->gid) {
        return sets_gid ? SECURE_SET_GROUP_ID : SECURE_ALREADY;
    }
    struct file_capabilities capabilities;
    if (caller->uid != 0 && !is_on_nosuid_mount(path) &&
        read_file_capabilities(path, &capabilities) &&
        (capabilities.effective || (!caller->no_new_privileges && gains(caller, &capabilities)))) {
        return SECURE_CAPABILITIES;
    }
    return SECURE_NO;
}
