#include "origin.h"

#include "kernel/control_group.h"
#include "sockets/processes.h"
#include "terminal/output.h"
#include "terminal/text.h"
#include "terminal/users.h"

#include <stdlib.h>
#include <string.h>

/* The length of a container's ID, and how much of it docker ps shows. */
enum { ID = 64, ID_SHOWN = 12 };

static bool name_ends_with(const char *name, size_t length, const char *end)
{
    const size_t size = strlen(end);
    return length > size && memcmp(name + length - size, end, size) == 0;
}

/* The ID in "docker-ID.scope", "cri-containerd-ID.scope", "libpod-ID", "ID". */
static char *container_id(const char *name, size_t length)
{
    size_t run = 0;
    for (size_t i = 0; i < length; i++) {
        run = memchr("0123456789abcdef", name[i], 16) != NULL ? run + 1 : 0;
        if (run == ID) {
            return output_format("%.*s", ID_SHOWN, name + i + 1 - ID);
        }
    }
    return NULL;
}

/* The name in "lxc.payload.NAME". */
static char *container_name(const char *name, size_t length)
{
    static const char lxc[] = "lxc.payload.";
    const size_t size = sizeof lxc - 1;
    return length > size && memcmp(name, lxc, size) == 0
               ? output_format("%.*s", (int)(length - size), name + size)
               : NULL;
}

/* What is below a container, or a user's own manager, is not the system's. */
void origin_parse(struct origin *origin, const char *group)
{
    for (const char *name = group; *name != '\0' && origin->container == NULL;) {
        name += strspn(name, "/");
        const size_t length = strcspn(name, "/");
        origin->container = container_id(name, length);
        if (origin->container == NULL) {
            origin->container = container_name(name, length);
        }
        if (origin->container == NULL && origin->unit == NULL &&
            (name_ends_with(name, length, ".service") || name_ends_with(name, length, ".scope"))) {
            origin->unit = output_format("%.*s", (int)length, name);
        }
        name += length;
    }
    if (origin->container != NULL) {
        free(origin->unit);
        origin->unit = NULL;
    }
    origin->is_service = origin->unit != NULL && ends_with(origin->unit, ".service") &&
                         strncmp(origin->unit, "user@", strlen("user@")) != 0;
}

void origin_find(struct origin *origin, const struct watch_record *record)
{
    *origin = (struct origin){.user = user_name(record->user),
                              .is_gone = !process_exists((int)record->process),
                              .group = control_group_by_id(record->group)};
    origin->runs = origin->is_gone ? NULL : process_runs((int)record->process);
    if (origin->group == NULL && !origin->is_gone) {
        origin->group = control_group_of((int)record->process);
    }
    if (origin->group != NULL) {
        origin_parse(origin, origin->group);
    } else {
        char name[sizeof record->group_name + 1] = "";
        memcpy(name, record->group_name, sizeof record->group_name);
        origin_parse(origin, name);
        origin->is_service = false; /* it may be one of a user's manager */
    }
}

void origin_free(struct origin *origin)
{
    free(origin->group);
    free(origin->unit);
    free(origin->container);
    free(origin->user);
    free(origin->runs);
}

bool origin_is(const struct origin *origin, const char *name)
{
    const size_t length = strlen(name);
    if (origin->container != NULL) {
        const size_t shown = strlen(origin->container);
        return strncmp(origin->container, name, length < shown ? length : shown) == 0;
    }
    return origin->unit != NULL && strncmp(origin->unit, name, length) == 0 &&
           (origin->unit[length] == '\0' || strcmp(origin->unit + length, ".service") == 0);
}
