#include "socket_unit.h"

#include "systemctl.h"
#include "terminal/output.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/*
 * "Id=ssh.socket", and "Listen=[::]:22 (Stream)" for each of its addresses: behind it or before it,
 * as the version of systemd is; which of the two, the first property shows.
 */
static struct properties units;

static void ask(void)
{
    static bool is_asked;
    static const char *const names[] = {"Id", "Listen", NULL};
    char *why = NULL;
    if (!is_asked) {
        is_asked = true;
        systemctl_show(&units, "*.socket", names, &why);
        free(why);
    }
}

static bool is_listening(const char *value, const char *address)
{
    const size_t length = strlen(address);
    return strncmp(value, address, length) == 0 && strcmp(value + length, " (Stream)") == 0;
}

/* Of the unit that a property belongs to, the name. */
static const char *id_of(size_t listen)
{
    const bool is_behind = strcmp(units.list[0].name, "Id") == 0;
    for (size_t i = listen; i < units.count; i = is_behind ? i - 1 : i + 1) {
        if (strcmp(units.list[i].name, "Id") == 0) {
            return units.list[i].value;
        }
    }
    return NULL;
}

char *socket_unit_of(const char *address)
{
    ask();
    for (size_t i = 0; i < units.count; i++) {
        const char *id = NULL;
        if (is_listening(units.list[i].value, address)) {
            id = id_of(i);
        }
        if (id != NULL) {
            return output_format("%s", id);
        }
    }
    return NULL;
}
