/*
 * libreuse disable: removes what "libreuse enable" has written, and nothing else.
 */
#include "command.h"
#include "sockets/running.h"
#include "terminal/output.h"
#include "terminal/text.h"
#include "unit/drop_in.h"
#include "unit/restart.h"
#include "unit/unit.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: libreuse disable [--dry-run] [--json] UNIT\n"
    "\n"
    "Removes /etc/systemd/system/UNIT.d/50-libreuse.conf, where \"libreuse enable\"\n"
    "has written it, and the folder where it is empty then; and says what to run\n"
    "next. Until its next restart the service goes on with libreuse. The unit itself\n"
    "need not be there any more.\n"
    "\n"
    "A start without libreuse cannot bind the port while connections of this run are\n"
    "in TIME_WAIT: stop the service, wait for the port with \"libreuse why --wait\n"
    "PORT\", and start it.\n"
    "\n"
    "  -n, --dry-run  only say what would be removed\n"
    "      --json     the same as a JSON object\n"
    "  -h, --help     this text\n"
    "  -V, --version  the version\n"
    "\n"
    "Exit status: 0 removed; 1 it was not enabled, or the file is somebody else's; 2\n"
    "wrong usage; 3 not permitted.\n";

struct request {
    bool dry_run;
    bool json;
};

/* `id` is the unit's, or the name of an earlier alias of it. */
static struct advice advise(const char *id, const struct unit *unit)
{
    const int pid = atoi(unit_value(unit, "MainPID"));
    struct running running = {0};
    struct advice advice = {0};
    const bool is_running = pid > 0 && running_examine(&running, pid);
    add_sentence(&advice.commands, "systemctl daemon-reload");
    if (is_running && running.library != NULL && running.listeners_count > 0) {
        advise_waiting(&advice, id, &running, "without libreuse, " ADVICE_NO_RESCUE);
        advise_lost_port(&advice, id, &running);
    } else if (unit_is(unit, "ActiveState", "active")) {
        char *word = text_shell_word(id);
        add_sentence(&advice.commands, "systemctl restart %s", word);
        free(word);
    }
    running_free(&running);
    return advice;
}

static void show_json(const struct request *request, const char *id, const char *path,
                      const struct advice *advice)
{
    struct json json = {0};
    json_open_object(&json, NULL);
    json_string(&json, "unit", id);
    json_string(&json, "file", path);
    json_boolean(&json, "dry_run", request->dry_run);
    json_boolean(&json, "disabled", !request->dry_run);
    advice_json(advice, &json);
    json_close(&json);
}

/* Removes the file of this unit, which is there. */
static int remove_file(const struct request *request, const char *id, const struct unit *unit)
{
    char *path = drop_in_path(DROP_IN_PRELOAD, id);
    const bool is_done = request->dry_run || drop_in_remove(DROP_IN_PRELOAD, id);
    if (!is_done) {
        output_error("disable: %s: cannot be removed: %s", path, strerror(errno));
        free(path);
        return STATUS_REFUSED;
    }
    struct advice advice = advise(id, unit);
    if (request->json) {
        show_json(request, id, path, &advice);
    } else {
        output_line("%s: %s", path, request->dry_run ? "would be removed" : "removed");
        advice_print(&advice);
    }
    advice_free(&advice);
    free(path);
    return STATUS_FINE;
}

/* What is to be said where there is no file of ours. */
static int say_none(const char *unit, enum drop_in state)
{
    char *path = drop_in_path(DROP_IN_PRELOAD, unit);
    const int error = errno;
    if (state == DROP_IN_NONE) {
        output_error("disable: %s: is not enabled: there is no %s; libreuse status lists those "
                     "that are",
                     unit, path);
    } else if (state == DROP_IN_FOREIGN) {
        output_error("disable: %s: was not written by libreuse enable, or a symbolic link is in "
                     "the way; it is left alone",
                     path);
    } else {
        output_error("disable: %s: %s", path, strerror(error));
    }
    free(path);
    return state == DROP_IN_UNREADABLE ? STATUS_REFUSED : STATUS_FOUND;
}

static int disable(const struct request *request, const char *name)
{
    struct unit unit;
    char *text;
    char *why = NULL;
    const bool is_known = unit_ask(&unit, name, &why);
    /* An alias has its file under the unit's own name. */
    const char *id = is_known ? unit.id : name;
    enum drop_in state = drop_in_read(DROP_IN_PRELOAD, id, &text);
    if (state != DROP_IN_OURS && strcmp(id, name) != 0) {
        enum drop_in by_alias = drop_in_read(DROP_IN_PRELOAD, name, &text);
        id = by_alias == DROP_IN_OURS ? name : id;
        state = by_alias == DROP_IN_OURS ? by_alias : state;
    }
    const int status =
        state == DROP_IN_OURS ? remove_file(request, id, &unit) : say_none(id, state);
    free(text);
    free(why);
    unit_free(&unit);
    return status;
}

int disable_command(int argc, char **argv)
{
    enum { JSON = 1 };
    static const struct option options[] = {{"dry-run", no_argument, NULL, 'n'},
                                            {"json", no_argument, NULL, JSON},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {0}};
    struct request request = {0};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "nhV", options, NULL)) != -1;) {
        if (option == 'n') {
            request.dry_run = true;
        } else if (option == JSON) {
            request.json = true;
        } else {
            return command_common_option(option, "disable", help, argv[optind - 1]);
        }
    }
    if (optind != argc - 1) {
        output_error(optind == argc ? "disable: no unit given"
                                    : "disable: %s: one unit was expected",
                     argv[argc - 1]);
        return command_usage("disable");
    }
    if (!request.dry_run && geteuid() != 0) {
        output_error("disable: only root may remove a file below " DROP_IN_FOLDER "; run it as "
                     "root");
        return STATUS_REFUSED;
    }
    char *name = unit_full_name(argv[optind], "disable");
    if (name == NULL) {
        return command_usage("disable");
    }
    const int status = disable(&request, name);
    free(name);
    return status;
}
