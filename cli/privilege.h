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

/* Which of them would make it a secure execution, if the calling process executed it now. */
enum secure {
    SECURE_NO,
    SECURE_SET_USER_ID,
    SECURE_SET_GROUP_ID,
    SECURE_CAPABILITIES,
    SECURE_ALREADY /* the caller itself has other effective than real ids */
};

enum secure privilege_on_execution(const char *path, const struct privilege *privilege);

#endif
