#include "unit.h"

#include "drop_in.h"
#include "terminal/output.h"
#include "terminal/text.h"
#include "unit_file.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All that is ever looked at. What a version of systemd does not know it leaves out. */
static const char *const properties_wanted[] = {"Id",
                                                "LoadState",
                                                "ActiveState",
                                                "FragmentPath",
                                                "DropInPaths",
                                                "NeedDaemonReload",
                                                "MainPID",
                                                "UID",
                                                "GID",
                                                "ExecStart",
                                                "ExecStartEx",
                                                "Environment",
                                                "EnvironmentFiles",
                                                "EnvironmentFile",
                                                "PassEnvironment",
                                                "UnsetEnvironment",
                                                "User",
                                                "Group",
                                                "DynamicUser",
                                                "NoNewPrivileges",
                                                "RootDirectory",
                                                "RootImage",
                                                "SystemCallFilter",
                                                "SystemCallErrorNumber",
                                                "RestrictAddressFamilies",
                                                "ProtectHome",
                                                "PrivateTmp",
                                                "ProtectProc",
                                                "ProcSubset",
                                                "InaccessiblePaths",
                                                "InaccessibleDirectories",
                                                "TemporaryFileSystem",
                                                "BindPaths",
                                                "BindReadOnlyPaths",
                                                "NoExecPaths",
                                                "ExecPaths",
                                                "StandardOutput",
                                                "StandardError",
                                                "TriggeredBy",
                                                NULL};

char *unit_full_name(const char *name, const char *command)
{
    /* The kinds of units; a name with another ending, or none, is a service's. */
    static const char *const kinds[] = {".service", ".socket", ".target",    ".timer",
                                        ".path",    ".mount",  ".automount", ".swap",
                                        ".slice",   ".scope",  ".device"};
    if (!drop_in_is_unit_name(name)) {
        output_error("%s: \"%s\" is not the name of a unit: expected one like those of systemctl "
                     "list-units; systemd-escape makes one of any text",
                     command, name);
        return NULL;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (ends_with(name, kinds[i])) {
            return output_format("%s", name);
        }
    }
    return output_format("%s.service", name);
}

bool unit_is_template(const char *full_name)
{
    return ends_with(full_name, "@.service");
}

static void complete(struct unit *unit, const char *full_name)
{
    const char *id = property(&unit->properties, "Id");
    /* systemd's word is taken, but not into a path without a look at it */
    unit->id = output_format("%s", id != NULL && drop_in_is_unit_name(id) ? id : full_name);
    unit->drop_in = drop_in_path(DROP_IN_PRELOAD, unit->id);
}

bool unit_ask(struct unit *unit, const char *full_name, char **why)
{
    *unit = (struct unit){0};
    if (!systemctl_show(&unit->properties, full_name, properties_wanted, why)) {
        return false;
    }
    complete(unit, full_name);
    return true;
}

void unit_parse(struct unit *unit, const char *full_name, const char *text)
{
    *unit = (struct unit){0};
    properties_parse(&unit->properties, text);
    complete(unit, full_name);
}

void unit_free(struct unit *unit)
{
    properties_free(&unit->properties);
    free(unit->id);
    free(unit->drop_in);
    *unit = (struct unit){0};
}

const char *unit_value(const struct unit *unit, const char *name)
{
    const char *value = property(&unit->properties, name);
    return value != NULL ? value : "";
}

bool unit_is(const struct unit *unit, const char *name, const char *value)
{
    return strcmp(unit_value(unit, name), value) == 0;
}

bool unit_has_drop_in(const struct unit *unit)
{
    struct words paths;
    words_split(&paths, unit_value(unit, "DropInPaths"));
    const bool has = words_have(&paths, unit->drop_in);
    words_free(&paths);
    return has;
}

/* LD_PRELOAD in the environment that systemd itself was started with. The caller frees it. */
static char *preload_of_systemd(void)
{
    static const char wanted[] = "LD_PRELOAD=";
    char *variable = NULL;
    char *value = NULL;
    size_t size = 0;
    FILE *environment = fopen("/proc/1/environ", "re");
    while (environment != NULL && getdelim(&variable, &size, '\0', environment) >= 0) {
        if (strncmp(variable, wanted, sizeof wanted - 1) == 0) {
            value = output_format("%s", variable + sizeof wanted - 1);
        }
    }
    free(variable);
    if (environment != NULL) {
        fclose(environment);
    }
    return value;
}

/* LD_PRELOAD as systemd gives it to every service. The caller frees it. */
static char *preload_for_all(void)
{
    struct properties environment;
    struct words words = {0};
    char *why = NULL;
    if (systemctl_show_environment(&environment, &why)) {
        const char *quoted = property(&environment, "LD_PRELOAD");
        quoted = quoted != NULL ? quoted : "";
        words_split(&words, quoted + strspn(quoted, "$")); /* a shell's $'...' */
    }
    char *value = words.count > 0 ? output_format("%s", words.list[0]) : NULL;
    words_free(&words);
    properties_free(&environment);
    free(why);
    return value;
}

/* What comes before Environment=. The caller frees it. */
static char *inherited_preload(const struct unit *unit)
{
    struct words passed;
    words_split(&passed, unit_value(unit, "PassEnvironment"));
    char *value = words_have(&passed, "LD_PRELOAD") ? preload_of_systemd() : NULL;
    words_free(&passed);
    return value != NULL ? value : preload_for_all();
}

/*
 * What the unit's files but ours make of LD_PRELOAD. With our drop-in in force, systemctl shows
 * what that sets, and what is behind it only the files tell.
 */
static char *preload_in_files(const struct unit *unit)
{
    struct words paths;
    char *value = NULL;
    unit_file_variable(unit_value(unit, "FragmentPath"), "LD_PRELOAD", &value);
    words_split(&paths, unit_value(unit, "DropInPaths"));
    for (size_t i = 0; i < paths.count; i++) {
        if (strcmp(paths.list[i], unit->drop_in) != 0) {
            unit_file_variable(paths.list[i], "LD_PRELOAD", &value);
        }
    }
    words_free(&paths);
    return value;
}

/* Takes a text whose % is a mere character, and frees it. */
static char *as_in_unit_file(char *plain)
{
    char *text = plain != NULL ? unit_file_percent(plain) : NULL;
    free(plain);
    return text;
}

char *unit_own_preload(const struct unit *unit)
{
    if (unit_has_drop_in(unit)) {
        char *value = preload_in_files(unit);
        return value != NULL ? value : as_in_unit_file(inherited_preload(unit));
    }
    struct words environment;
    words_split(&environment, unit_value(unit, "Environment"));
    const char *shown = words_variable(&environment, "LD_PRELOAD");
    char *value = shown != NULL ? unit_file_percent(shown) : NULL;
    words_free(&environment);
    return value != NULL ? value : as_in_unit_file(inherited_preload(unit));
}

/* A drop-in whose name is after ours, as systemd sorts them. */
static bool later_drop_in_sets(const struct unit *unit, const char *name, char **where,
                               char **value)
{
    struct words paths;
    words_split(&paths, unit_value(unit, "DropInPaths"));
    for (size_t i = 0; i < paths.count; i++) {
        if (strcmp(file_name(paths.list[i]), DROP_IN_NAME) <= 0) {
            continue;
        }
        if (*where == NULL) {
            *value = output_format("%s", ""); /* ours, which an empty list would take back */
        }
        if (unit_file_variable(paths.list[i], name, value)) {
            free(*where);
            *where = output_format("%s", paths.list[i]);
        }
    }
    words_free(&paths);
    if (*where == NULL) {
        free(*value);
        *value = NULL;
    }
    return *where != NULL;
}

/* One EnvironmentFile=, which may be a pattern for several. */
static void look_into_files(const char *pattern, const char *name, char **where, char **value)
{
    glob_t found;
    if (glob(pattern, GLOB_NOCHECK, NULL, &found) != 0) {
        return;
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        if (environment_file_variable(found.gl_pathv[i], name, value)) {
            free(*where);
            *where = output_format("%s", found.gl_pathv[i]);
        }
    }
    globfree(&found);
}

/* "PATH (ignore_errors=no)", one line for each; systemd 219 calls it EnvironmentFile. */
static bool environment_file_sets(const struct unit *unit, const char *name, char **where,
                                  char **value)
{
    static const char note[] = " (ignore_errors=";
    for (size_t i = 0; i < unit->properties.count; i++) {
        const struct property *line = &unit->properties.list[i];
        const char *end = strstr(line->value, note);
        if (strncmp(line->name, "EnvironmentFile", 15) == 0 && end != NULL) {
            char *pattern = output_format("%.*s", (int)(end - line->value), line->value);
            look_into_files(pattern, name, where, value);
            free(pattern);
        }
    }
    return *where != NULL;
}

bool unit_replaces(const struct unit *unit, const char *name, char **where, char **value)
{
    struct words unset;
    *where = NULL;
    *value = NULL;
    words_split(&unset, unit_value(unit, "UnsetEnvironment"));
    const bool is_unset = words_have(&unset, name) || words_variable(&unset, name) != NULL;
    words_free(&unset);
    if (is_unset) {
        *where = output_format("UnsetEnvironment=");
        return true;
    }
    return environment_file_sets(unit, name, where, value) ||
           later_drop_in_sets(unit, name, where, value);
}
