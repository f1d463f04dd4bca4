/*
 * Users and groups by name and number, from /etc/passwd and /etc/group only: the C library's own
 * look-up loads other services' modules, which a static program cannot.
 */
#ifndef LIBREUSE_USERS_H
#define LIBREUSE_USERS_H

#include <stdbool.h>
#include <sys/types.h>

/* "root", or the number where the file has no name for it. The caller frees it. */
char *user_name(uid_t uid);
char *group_name(gid_t gid);

/* A name, or a number: its ids. False where it is a name that the file does not have. */
bool user_find(const char *name, uid_t *uid, gid_t *gid);
bool group_find(const char *name, gid_t *gid);

#endif
