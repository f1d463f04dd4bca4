/*
 * libreuse enable: writes a drop-in that preloads libreuse.so into a service of systemd, after a
 * look at everything that would keep it from its work; and says what is to be run next.
 */
#include "command.h"
#include "guest/kernel.h"
#include "program/library.h"
#include "sockets/running.h"
#include "sockets/socket_list.h"
#include "terminal/output.h"
#include "terminal/text.h"
#include "unit/drop_in.h"
#include "unit/restart.h"
#include "unit/settings.h"
#include "unit/unit.h"
#include "unit/unit_check.h"
#include "unit/unit_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: libreuse enable [OPTION]... UNIT\n"
    "\n"
    "Writes /etc/systemd/system/UNIT.d/50-libreuse.conf, which adds libreuse.so to\n"
    "the LD_PRELOAD of the service UNIT, and says what to run next. Nothing else is\n"
    "changed or restarted. What would keep libreuse from its work is refused: a\n"
    "static program, a sandbox (SystemCallFilter= and others) without the calls that\n"
    "it needs, an EnvironmentFile= that sets LD_PRELOAD.\n"
    "\n"
    "  -n, --dry-run      only show what would be written, and write nothing\n"
    "  --json             the same as a JSON object\n"
    "  --guard            the same as: libreuse guard on UNIT\n"
    "  --log=WHERE        auto, stderr, journal, syslog, none, or an absolute path\n"
    "  --format=FORM      text or json\n"
    "  --level=LEVEL      the least reported: err, warning, notice or info\n"
    "  --ports=LIST       only these ports: 9999,8000-8099,http\n"
    "  --wait=SECONDS     how long bind() waits for a port that is held\n"
    "  --swallowed=WHAT   log, fail or exit: listen() after a bind() that failed\n"
    "  --explain          look up who holds a port (the default)\n"
    "  --no-explain       do not\n"
    "  --report-only      in the service, libreuse reports and changes nothing\n"
    "  -h, --help, -V, --version\n"
    "\n"
    "The options below --guard set the LIBREUSE_* variables of the service; see\n"
    "libreuse.so(8). To enable a unit again replaces the file: after a change of the\n"
    "unit, or with other options.\n"
    "Exit status: 0 written or shown; 1 refused, and nothing is written; 2 wrong\n"
    "usage; 3 not permitted, or systemd does not answer.\n";

enum { JSON = 1, GUARD };

struct request {
    const char *name;
    bool dry_run;
    bool json;
    bool by_guard;
    struct settings settings;
};

/* -1 where the command is to go on, else its exit status. */
static int parse(int argc, char **argv, struct request *request)
{
    struct option options[5 + SETTINGS + 1] = {{"dry-run", no_argument, NULL, 'n'},
                                               {"json", no_argument, NULL, JSON},
                                               {"guard", no_argument, NULL, GUARD},
                                               {"help", no_argument, NULL, 'h'},
                                               {"version", no_argument, NULL, 'V'}};
    settings_options(options + 5);
    opterr = 0;
    for (;;) {
        const int option = getopt_long(argc, argv, ":nhV", options, NULL);
        const char *argument = argv[optind - 1];
        if (option == -1) {
            break;
        } else if (option == 'n') {
            request->dry_run = true;
        } else if (option == JSON) {
            request->json = true;
        } else if (option == GUARD) {
            request->by_guard = true;
        } else if (!settings_take(&request->settings, option, optarg)) {
            return command_common_option(option, "enable", help, argument);
        }
    }
    if (optind == argc) {
        output_error("enable: no unit given");
        return command_usage("enable");
    }
    if (optind < argc - 1) {
        output_error("enable: %s: one unit was expected", argv[optind + 1]);
        return command_usage("enable");
    }
    request->name = argv[optind];
    for (int i = 0; i < SETTINGS && request->by_guard; i++) {
        if (request->settings.given[i] != NULL) {
            output_error("enable: --guard takes no %s: no library is loaded that it could be for",
                         settings_variable(i));
            return command_usage("enable");
        }
    }
    return settings_apply(&request->settings, "enable") ? -1 : STATUS_USAGE;
}

/* The file, as it is to be written. The caller frees it. */
static char *compose(const struct request *request, const struct unit *unit, const char *preload)
{
    char *word = unit_file_assignment("LD_PRELOAD", preload);
    char *id = text_shell_word(unit->id);
    char *text = output_format(DROP_IN_MARK "; to undo it: libreuse disable %s\n"
                                            "# After a change of the unit's own LD_PRELOAD, run "
                                            "libreuse enable again.\n"
                                            "[Service]\n"
                                            "Environment=%s\n",
                               id, word);
    free(id);
    free(word);
    for (int i = 0; i < SETTINGS; i++) {
        const char *given = request->settings.given[i];
        if (given != NULL) {
            char *value = unit_file_percent(given);
            word = unit_file_assignment(settings_variable(i), value);
            char *longer = output_format("%sEnvironment=%s\n", text, word);
            free(word);
            free(value);
            free(text);
            text = longer;
        }
    }
    return text;
}

/* What an earlier file had set, and this one does not. */
static void tell_dropped(const char *before, const char *now)
{
    static const char start[] = "Environment=\"LIBREUSE_";
    for (const char *at = before; (at = strstr(at, start)) != NULL; at++) {
        char *line = output_format("%.*s", (int)strcspn(at, "\n"), at);
        char *name = output_format("%.*s", (int)strcspn(line + 13, "="), line + 13);
        if (strstr(now, name) == NULL) {
            output_error("notice: the file had %s until now; give the option again to keep it",
                         line + 12);
        }
        free(name);
        free(line);
    }
}

/*
 * Whether a listener on this port is not armed. One that runs with the library may not be, either:
 * with --report-only. Where that cannot be read, the library has done it.
 */
static bool needs_arming(const struct running *running, unsigned int port)
{
    for (size_t i = 0; i < running->listeners_count; i++) {
        const struct listener *listener = &running->listeners[i];
        if (listener->port == port &&
            (listener->armed == 0 || (listener->armed < 0 && running->library == NULL))) {
            return true;
        }
    }
    return false;
}

/*
 * What is in TIME_WAIT already cannot be armed, and a server that closes first always has some: it
 * is removed behind the arming, where the kernel can do that. What comes later is armed.
 */
static void advise_arming(struct advice *advice, const struct running *running)
{
    char *elsewhere = restart_elsewhere(running);
    for (size_t i = 0; i < running->listeners_count; i++) {
        const unsigned int port = running->listeners[i].port;
        if (running_is_first_on_port(running, i) && needs_arming(running, port)) {
            add_sentence(&advice->commands, "%slibreuse arm %u", elsewhere, port);
            if (kernel_is_at_least(6, 0)) {
                add_sentence(&advice->commands, "%slibreuse free --yes %u", elsewhere, port);
            }
        }
    }
    free(elsewhere);
}

static void advise_regaining(struct advice *advice, const char *unit, const struct running *running)
{
    char *lost = loss_text(running_lost(running)->loss);
    char *because = output_format("it has %s", lost);
    advise_waiting(advice, unit, running, because);
    free(because);
    free(lost);
}

/* Whether all that it listens on is what a server gets that has lost its port without the library.
 */
static bool may_have_lost_all(const struct running *running)
{
    bool is_ephemeral = running->library == NULL && running->listeners_count > 0;
    for (size_t i = 0; i < running->listeners_count; i++) {
        is_ephemeral = is_ephemeral && running->listeners[i].ephemeral == 1;
    }
    return is_ephemeral;
}

/* To arm that one would be in vain, and a restart would lose the port again. */
static void advise_guessing(struct advice *advice, const char *unit, const struct running *running)
{
    char *word = text_shell_word(unit);
    add_sentence(&advice->commands, "systemctl stop %s", word);
    add_sentence(&advice->commands, "libreuse why --wait PORT");
    add_sentence(&advice->commands, "systemctl start %s", word);
    add_sentence(&advice->remarks,
                 "%u is ephemeral: %s; PORT is the one that it should have (to wait less: libreuse "
                 "free PORT); if it is meant to listen on %u: systemctl restart %s",
                 running->listeners[0].port, ephemeral_meaning, running->listeners[0].port, word);
    free(word);
}

static struct advice advise(const struct request *request, const struct unit *unit)
{
    const int pid = atoi(unit_value(unit, "MainPID"));
    struct running running = {0};
    struct advice advice = {0};
    const bool is_running = pid > 0 && running_examine(&running, pid);
    const bool report_only = settings_report_only(&request->settings);
    const bool is_guess = !report_only && may_have_lost_all(&running);
    add_sentence(&advice.commands, "systemctl daemon-reload");
    if (is_guess) {
        advise_guessing(&advice, unit->id, &running);
    } else if (report_only && running.listeners_count > 0) {
        advise_waiting(&advice, unit->id, &running, "with --report-only, " ADVICE_NO_RESCUE);
    } else if (running_lost(&running) != NULL) {
        advise_regaining(&advice, unit->id, &running);
    } else {
        advise_arming(&advice, &running);
        const bool is_active = is_running || unit_is(unit, "ActiveState", "active");
        char *word = text_shell_word(unit->id);
        add_sentence(&advice.commands, "systemctl %s %s", is_active ? "restart" : "start", word);
        free(word);
    }
    if (!is_guess) {
        advise_lost_port(&advice, unit->id, &running);
    }
    if (is_running && running.library == NULL && running.listeners_count == 0) {
        add_sentence(
            &advice.remarks,
            "%s[%d], its main process, listens on no TCP port; where another of "
            "its processes does, run before the restart: libreuse arm PORT, libreuse free PORT",
            running.name, pid);
    }
    running_free(&running);
    return advice;
}

/* The file that is there is not ours. */
static int say_foreign(const struct unit *unit)
{
    output_error(
        "enable: %s: is there and was not written by libreuse enable, or a symbolic link "
        "is in the way; it is left alone: move it away, or add the lines of --dry-run to it",
        unit->drop_in);
    return STATUS_FOUND;
}

static int write_file(const struct request *request, const struct unit *unit, const char *text)
{
    char *before;
    switch (drop_in_read(DROP_IN_PRELOAD, unit->id, &before)) {
    case DROP_IN_FOREIGN:
        return say_foreign(unit);
    case DROP_IN_UNREADABLE:
        output_error("enable: %s: %s", unit->drop_in, strerror(errno));
        return STATUS_REFUSED;
    default:
        break;
    }
    const bool is_same = before != NULL && strcmp(before, text) == 0;
    if (!is_same && !drop_in_write(DROP_IN_PRELOAD, unit->id, text)) {
        output_error("enable: %s: cannot be written: %s; nothing is changed", unit->drop_in,
                     strerror(errno));
        free(before);
        return STATUS_REFUSED;
    }
    if (before != NULL) {
        tell_dropped(before, text);
    }
    free(before);
    if (!request->json) {
        struct advice advice = advise(request, unit);
        output_line("%s: %s", unit->drop_in,
                    is_same ? "is there already, and stays as it is" : "written");
        advice_print(&advice);
        advice_free(&advice);
    }
    return STATUS_FINE;
}

/* The file alone goes to standard output, so that it can be put where it is needed. */
static int show_file(const struct request *request, const struct unit *unit, const char *text)
{
    char *before;
    const enum drop_in state = drop_in_read(DROP_IN_PRELOAD, unit->id, &before);
    free(before);
    if (!request->json) {
        output_text(TONE_PLAIN, "%s", text);
    }
    if (state == DROP_IN_FOREIGN) {
        return say_foreign(unit);
    }
    if (!request->json) {
        struct advice advice = advise(request, unit);
        for (size_t i = 0; i < advice.remarks.count; i++) {
            output_error("notice: %s: %s", unit->id, advice.remarks.list[i]);
        }
        advice_free(&advice);
    }
    return STATUS_FINE;
}

/* `text` is the file; NULL where it is refused. */
static void show_json(const struct request *request, const struct unit *unit,
                      const struct unit_check *check, const char *text, int status)
{
    struct json json = {0};
    struct advice advice = {0};
    if (status == STATUS_FINE) {
        advice = advise(request, unit);
    }
    json_open_object(&json, NULL);
    json_string(&json, "unit", unit->id);
    json_string(&json, "file", unit->drop_in);
    json_boolean(&json, "dry_run", request->dry_run);
    json_boolean(&json, "enabled", status == STATUS_FINE && !request->dry_run);
    json_string(&json, "content", text);
    sentences_json(&check->refusals, &json, "refusals");
    sentences_json(&check->notices, &json, "notices");
    advice_json(&advice, &json);
    json_close(&json);
    advice_free(&advice);
}

static int decide(const struct request *request, const struct unit *unit)
{
    struct libraries libraries;
    struct unit_check check;
    int status = STATUS_FINE;
    libraries_find(&libraries);
    unit_check(&check, unit, &libraries);
    for (int i = 0; i < SETTINGS; i++) {
        if (request->settings.given[i] != NULL) {
            unit_check_variable(&check, unit, settings_variable(i), request->settings.given[i]);
        }
    }
    for (size_t i = 0; i < check.refusals.count && !request->json; i++) {
        output_error("enable: %s: %s", unit->id, check.refusals.list[i]);
    }
    for (size_t i = 0; i < check.notices.count && check.refusals.count == 0 && !request->json;
         i++) {
        output_error("notice: %s: %s", unit->id, check.notices.list[i]);
    }
    char *text = NULL;
    if (check.refusals.count > 0) {
        status = STATUS_FOUND;
    } else {
        text = compose(request, unit, check.preload);
        status =
            request->dry_run ? show_file(request, unit, text) : write_file(request, unit, text);
    }
    if (request->json) {
        show_json(request, unit, &check, text, status);
    }
    free(text);
    unit_check_free(&check);
    libraries_free(&libraries);
    return status;
}

int enable_command(int argc, char **argv)
{
    struct request request = {0};
    const int status = parse(argc, argv, &request);
    if (status >= 0) {
        return status;
    }
    if (request.by_guard) {
        return guard_unit(request.name, request.dry_run, request.json);
    }
    if (!request.dry_run && geteuid() != 0) {
        output_error("enable: only root may write below " DROP_IN_FOLDER "; run it as root, or see "
                     "with --dry-run what it would write");
        return STATUS_REFUSED;
    }
    char *name = unit_full_name(request.name, "enable");
    if (name == NULL) {
        return command_usage("enable");
    }
    if (unit_is_template(name)) {
        output_error("enable: %s: is a template; name an instance of it, like %.*s1", name,
                     (int)strcspn(name, "@") + 1, name);
        free(name);
        return STATUS_USAGE;
    }
    struct unit unit;
    char *why = NULL;
    int result = STATUS_REFUSED;
    if (unit_ask(&unit, name, &why)) {
        result = decide(&request, &unit);
    } else {
        output_error("enable: %s: systemd does not tell what it is: %s; for an image, see the "
                     "example " DROP_IN_NAME " in libreuse's documentation folder",
                     name, why);
    }
    unit_free(&unit);
    free(why);
    free(name);
    return result;
}
