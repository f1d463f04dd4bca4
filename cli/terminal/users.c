#include "users.h"

#include "terminal/output.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number in decimal, as user and group names may be given, too. */
static bool is_number(const char *text, unsigned int *number)
{
    char *end;
    const unsigned long value = strtoul(text, &end, 10);
    *number = (unsigned int)value;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && value == *number;
}

/* The entry of that name, or, where there is no name, of that number; until the next call. */
static const struct passwd *find_user(const char *name, uid_t uid)
{
    FILE *file = fopen("/etc/passwd", "re");
    const struct passwd *user = NULL;
    while (file != NULL && (user = fgetpwent(file)) != NULL) {
        if (name != NULL ? strcmp(user->pw_name, name) == 0 : user->pw_uid == uid) {
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return user;
}

static const struct group *find_group(const char *name, gid_t gid)
{
    FILE *file = fopen("/etc/group", "re");
    const struct group *group = NULL;
    while (file != NULL && (group = fgetgrent(file)) != NULL) {
        if (name != NULL ? strcmp(group->gr_name, name) == 0 : group->gr_gid == gid) {
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return group;
}

char *user_name(uid_t uid)
{
    const struct passwd *user = find_user(NULL, uid);
    return user != NULL ? output_format("%s", user->pw_name)
                        : output_format("%lu", (unsigned long)uid);
}

char *group_name(gid_t gid)
{
    const struct group *group = find_group(NULL, gid);
    return group != NULL ? output_format("%s", group->gr_name)
                         : output_format("%lu", (unsigned long)gid);
}

bool user_find(const char *name, uid_t *uid, gid_t *gid)
{
    const bool is_id = is_number(name, uid);
    const struct passwd *user = find_user(is_id ? NULL : name, *uid);
    if (user != NULL) {
        *uid = user->pw_uid;
        *gid = user->pw_gid;
    } else {
        *gid = *uid; /* a stand-in: no group is known for such a number */
    }
    return is_id || user != NULL;
}

bool group_find(const char *name, gid_t *gid)
{
    const bool is_id = is_number(name, gid);
    const struct group *group = is_id ? NULL : find_group(name, 0);
    if (group != NULL) {
        *gid = group->gr_gid;
    }
    return is_id || group != NULL;
}
