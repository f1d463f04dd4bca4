/*
 * What the commands say with --json: one object each; a key has one type, the same in every
 * command, and docs/reference.md describes it, under that command or in the table of all keys.
 */
#include "guards.h"
#include "host.h"
#include "invoke.h"
#include "json.h"
#include "namespace.h"
#include "sockets.h"
#include "target.h"
#include "units.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KEYS = 200, KEY_SIZE = 32 };

static struct key {
    char name[KEY_SIZE];
    const char *type;
    const char *section;
} keys[KEYS];
static size_t key_count;

/* The output of a command while it is read, and the part of the reference that is about it. */
struct reading {
    struct json json;
    const char *section;
    char *text;
    char *table;
    unsigned int read;
};

/* A part of the reference: from a line to the next heading. */
static char *part_of_reference(const char *start)
{
    const int fd = open(SOURCE_FOLDER "/docs/reference.md", O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    char *all = content_of(fd);
    close(fd);
    char *part = strstr(all, start);
    cr_assert_not_null(part, "reference.md has no \"%s\"", start);
    char *end = strstr(part + 1, "\n##");
    if (end != NULL) {
        *end = '\0';
    }
    return part;
}

static const char *type_of(unsigned char first)
{
    switch (first) {
    case '{':
        return "object";
    case '[':
        return "list of text";
    case '"':
        return "text";
    case 't':
    case 'f':
        return "boolean";
    case 'n':
        return NULL; /* not known: of any type */
    default:
        return "number";
    }
}

/* Where a text has "`NAME`"; NULL. */
static const char *described(const char *text, const char *name)
{
    char quoted[KEY_SIZE + 3];
    snprintf(quoted, sizeof quoted, "`%s`", name);
    return strstr(text, quoted);
}

/* Asserts that the row of a key in the table of all keys has this type, where there is one. */
static void expect_type_in_table(const struct reading *reading, const char *name, const char *type)
{
    for (const char *at = reading->table; (at = described(at, name)) != NULL; at++) {
        const char *row = at;
        while (row > reading->table && row[-1] != '\n') {
            row--;
        }
        const char *cell = strstr(row, " | ");
        if (row[0] == '|' && cell != NULL && at < cell) {
            cr_assert_eq(strncmp(cell + 3, type, strlen(type)), 0,
                         "%s: \"%s\" is of the type %s, and the table of all keys says: %.20s",
                         reading->section, name, type, cell + 3);
        }
    }
}

static void note(struct reading *reading, const char *name, const char *type)
{
    cr_assert(described(reading->text, name) != NULL || described(reading->table, name) != NULL,
              "%s: reference.md does not describe \"%s\"", reading->section, name);
    reading->read++;
    if (type == NULL) {
        return;
    }
    expect_type_in_table(reading, name, type);
    size_t i = 0;
    while (i < key_count && strcmp(keys[i].name, name) != 0) {
        i++;
    }
    if (i == key_count) {
        cr_assert_lt(key_count, (size_t)KEYS);
        snprintf(keys[key_count].name, KEY_SIZE, "%s", name);
        keys[key_count].section = reading->section;
        keys[key_count++].type = type;
    }
    cr_assert_str_eq(keys[i].type, type, "\"%s\" is of the type %s (%s) and of the type %s (%s)",
                     name, keys[i].type, keys[i].section, type, reading->section);
}

/* `counts`: within a "summary", which counts what lists of the same names have. */
static void read_value(struct reading *reading, bool counts)
{
    struct json *json = &reading->json;
    const bool is_object = *json->next == '{';
    json_skip_space(json);
    if (!json_take(json, '{') && !json_take(json, '[')) {
        cr_assert(json_take_value(json, 1));
        return;
    }
    json_skip_space(json);
    while (!json_take(json, '}') && !json_take(json, ']')) {
        char name[KEY_SIZE] = "";
        json_skip_space(json);
        if (is_object) {
            const char *start = (const char *)json->next + 1;
            cr_assert(json_take_string(json));
            snprintf(name, sizeof name, "%.*s", (int)((const char *)json->next - start - 1), start);
            json_skip_space(json);
            cr_assert(json_take(json, ':'));
            json_skip_space(json);
            /* The names in "settings" are those of variables. */
            if (!counts && strncmp(name, "LIBREUSE_", 9) != 0) {
                note(reading, name, type_of(*json->next));
            }
        }
        read_value(reading, counts || strcmp(name, "summary") == 0);
        json_skip_space(json);
        json_take(json, ',');
        json_skip_space(json);
    }
}

static void expect_keys(const char *section, struct process process)
{
    const char *output = output_of(&process);
    char *heading;
    cr_assert(json_is_object(output, strlen(output)), "%s: %s", section, output);
    cr_assert_geq(asprintf(&heading, "\n### %s\n", section), 0);
    struct reading reading = {
        .json = {(const unsigned char *)output, (const unsigned char *)output + strlen(output)},
        .section = section,
        .text = part_of_reference(heading),
        .table = part_of_reference("\n| key | type | meaning |\n")};
    read_value(&reading, false);
    cr_assert_gt(reading.read, 0U);
    free(heading);
}

#define EXPECT_KEYS(section, status, ...)                                                          \
    expect_keys(section, LIBREUSE(status, __VA_ARGS__, "--json"))

TestSuite(command_json, .init = enter_private_network);

Test(command_json, has_one_type_for_a_key_and_the_reference_has_it)
{
    enter_private_units();
    struct host holder = start_host(WITHOUT_SHIM);
    struct host server = start_host(WITH_SHIM);
    const int listener = host_serve(&holder, "0.0.0.0:9999");
    const int client = connected_client("127.0.0.1:9999", 0);
    host_accept(&holder, listener);
    host_lose_port(&server, "0.0.0.0:9999");
    EXPECT_KEYS("check PROGRAM, run --dry-run", 0, "check", TARGETS "dynamic");
    EXPECT_KEYS("check PROGRAM, run --dry-run", 127, "run", "--dry-run", "--json", "no-such");
    EXPECT_KEYS("check PID", 1, "check", text_of(server.process.pid));
    EXPECT_KEYS("check PID", 1, "check", text_of(holder.process.pid));
    EXPECT_KEYS("why", 1, "why", "9999");
    EXPECT_KEYS("why", 1, "why", "/proc");
    EXPECT_KEYS("audit", 1, "audit");
    EXPECT_KEYS("arm", 0, "arm", "9999", "--dry-run");
    EXPECT_KEYS("arm", 0, "arm", "--pid", text_of(server.process.pid));
    EXPECT_KEYS("free", 0, "free", "9999", "--dry-run");
    char *lines;
    cr_assert_geq(asprintf(&lines, "ActiveState=active\nMainPID=%d", (int)server.process.pid), 0);
    show_unit("server.service", lines);
    EXPECT_KEYS("enable, disable", 0, "enable", "--dry-run", "server");
    EXPECT_KEYS("enable, disable", 0, "enable", "server");
    EXPECT_KEYS("status", 1, "status");
    EXPECT_KEYS("enable, disable", 0, "disable", "server");
    end_by_signal(&holder.process, SIGKILL);
    close(client);
    EXPECT_KEYS("why", 1, "why", "9999");
    cr_assert_gt(key_count, 60U, "only %zu keys were read", key_count);
}

Test(command_json, is_the_same_of_guard, .init = enter_private_guards)
{
    struct host server = start_host(WITHOUT_SHIM);
    put_into_group(server.process.pid);
    host_serve(&server, "0.0.0.0:9999");
    EXPECT_KEYS("guard", 0, "guard", "on", group, "--dry-run");
    guard_on();
    EXPECT_KEYS("guard", 0, "guard");
    EXPECT_KEYS("why", 1, "why", "9999");
    EXPECT_KEYS("audit", 0, "audit");
    EXPECT_KEYS("guard", 0, "guard", "off", group);
}
