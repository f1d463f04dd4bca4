/*
 * Whether the kernel would start a program in secure-execution mode (AT_SECURE, getauxval(3)), in
 * which the dynamic loader ignores LD_PRELOAD but for libraries that the system's owner has marked.
 * The rules are those of the kernel: bprm_fill_uid() in fs/exec.c, and
 * cap_bprm_creds_from_file() in security/commoncap.c.
 *
 * A security module may decide the same for reasons of its own (a transition to another AppArmor
 * profile or SELinux domain); that cannot be seen from outside.
 */
#ifndef LIBREUSE_PRIVILEGE_H
#define LIBREUSE_PRIVILEGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What the file carries. */
struct privilege {
    bool set_user_id;
    bool set_group_id;
    bool capabilities;
    uid_t uid; /* the file's */
    gid_t gid;
};

/* False and errno where the file cannot be looked at. */
bool privilege_of(const char *path, struct privilege *privilege);

/* Both halves of a capability set. */
struct capability_set {
    uint32_t half[2];
};

/* Who executes it, as far as it matters. */
struct caller {
    uid_t uid; /* the real one */
    uid_t effective_uid;
    gid_t gid;
    gid_t effective_gid;
    bool no_new_privileges;
    struct capability_set bounding; /* the two sets that a file's capabilities can choose from */
    struct capability_set inheritable;
};

/* This process. */
void privilege_of_self(struct caller *caller);

/* Which of them would make it a secure execution, if the caller executed it now. */
enum secure {
    SECURE_NO,
    SECURE_SET_USER_ID,
    SECURE_SET_GROUP_ID,
    SECURE_CAPABILITIES,
    SECURE_ALREADY /* the caller itself has other effective than real ids */
};

enum secure privilege_on_execution(const char *path, const struct privilege *privilege,
                                   const struct caller *caller);

#endif
