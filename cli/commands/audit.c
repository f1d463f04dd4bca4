/*
 * libreuse audit: every listening TCP socket of this network namespace, and whether the server that
 * has it can be restarted at once.
 */
#include "command.h"
#include "sockets/socket_list.h"
#include "sockets/survey.h"
#include "terminal/metrics.h"
#include "terminal/output.h"
#include "unit/heirs.h"
#include "unit/socket_unit.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const char help[] =
    "Usage: libreuse audit [--json|--prometheus]\n"
    "\n"
    "Lists every listening TCP socket of this network namespace: its process, whether\n"
    "SO_REUSEADDR is set on it, whether libreuse.so is loaded, and what the next\n"
    "restart of its server will be like:\n"
    "\n"
    "\"restarts cleanly\"   What it leaves will not be in its way (after libreuse arm:\n"
    "                     if libreuse run starts it; (guard): libreuse guard does).\n"
    "\"... may fail\"       For up to 60 s if it closes a connection before its client\n"
    "                     does, and for as long as a forked child still serves one.\n"
    "\"... while X runs\"   Another process has the listener, too, and would keep it.\n"
    "\"lost port N\"        libreuse.so in it knows: bind() of port N had failed.\n"
    "\"not known\"          With the reason.\n"
    "\"(ephemeral)\"        A port that the kernel gives out: its own may be lost.\n"
    "\n"
    "      --json        for programs\n"
    "      --prometheus  for the textfile collector of Prometheus' node_exporter\n"
    "  -h, --help, -V, --version\n"
    "\n"
    "Sockets of other users' processes: only with CAP_SYS_PTRACE, and with Linux 5.6.\n"
    "\n"
    "Exit status: 0 all restart cleanly; 1 some do not; 2 wrong usage; 3 some could\n"
    "not be judged, and the others restart cleanly.\n";

static const char *yes_or_no(enum presence presence)
{
    static const char *const words[] = {
        [PRESENCE_NO] = "no", [PRESENCE_YES] = "yes", [PRESENCE_UNKNOWN] = "?"};
    return words[presence];
}

static const struct {
    enum tone tone;
    const char *words;
    const char *json;
} verdicts[VERDICTS] = {
    [VERDICT_CLEAN] = {TONE_GOOD, "restarts cleanly", "restarts-cleanly"},
    [VERDICT_FAILS] = {TONE_BAD, "next restart may fail for up to 60 s", "next-restart-fails"},
    [VERDICT_INHERITED] = {TONE_BAD, "inherited", "inherited"},
    [VERDICT_LOST] = {TONE_BAD, "lost its port", "lost-its-port"},
    [VERDICT_UNKNOWN] = {TONE_WARNING, "not known", "not-known"},
};

/* Whoever has libreuse.so does not need the guard, and a listener that is not armed is not yet. */
static bool is_clean_by_guard(const struct finding *finding)
{
    return finding->verdict == VERDICT_CLEAN && finding->is_guarded &&
           finding->reuse_address == 1 && finding->shim == PRESENCE_NO;
}

/* systemd keeps the listener of a socket unit open over each restart of its service. */
static void table_managed(struct table *table, const struct finding *finding)
{
    char *address = sockets_local_text(&finding->entry);
    char *unit = socket_unit_of(address);
    table_cell(table, TONE_GOOD, "restarts cleanly (%s)", unit != NULL ? unit : "socket unit");
    free(unit);
    free(address);
}

/* Then another port than this one would have to be looked after. */
static bool is_suspect(const struct finding *finding)
{
    return survey_may_have_lost(finding) && !finding->is_managers;
}

static void add_row(struct table *table, const struct finding *finding)
{
    char *address = sockets_local_text(&finding->entry);
    table_cell(table, TONE_PLAIN, "%s%s", address, finding->ephemeral == 1 ? " (ephemeral)" : "");
    free(address);
    if (finding->user.pid == 0) {
        table_cell(table, TONE_FAINT, "?");
    } else if (finding->other_users == 0) {
        table_cell(table, TONE_PLAIN, "%d", finding->user.pid);
    } else {
        table_cell(table, TONE_PLAIN, "%d +%zu", finding->user.pid, finding->other_users);
    }
    table_cell(table, TONE_PLAIN, "%s", finding->program != NULL ? finding->program : "?");
    table_cell(table, TONE_PLAIN, "%s", finding->runs != NULL ? finding->runs : "");
    if (finding->reuse_address < 0) {
        table_cell(table, TONE_FAINT, "?");
    } else {
        table_cell(table, TONE_PLAIN, "%s", finding->reuse_address == 1 ? "on" : "off");
    }
    table_cell(table, TONE_PLAIN, "%s", yes_or_no(finding->shim));
    if (finding->has_lost) {
        char *lost = loss_text(&finding->loss);
        table_cell(table, TONE_BAD, "%s", lost);
        free(lost);
    } else if (finding->heirs != NULL) {
        table_cell(table, TONE_BAD, "%s", finding->heirs);
    } else if (finding->is_managers) {
        table_managed(table, finding);
    } else if (is_suspect(finding) && finding->verdict == VERDICT_FAILS) {
        table_cell(table, TONE_BAD, "may have lost its port; if not, next restart may fail");
    } else if (is_suspect(finding) && finding->verdict == VERDICT_CLEAN) {
        table_cell(table, TONE_WARNING, "restarts cleanly, if it is meant to be here");
    } else if (finding->served_by != NULL && finding->verdict == VERDICT_CLEAN) {
        table_cell(table, TONE_WARNING, "restarts cleanly (own dual stack)");
    } else if (is_clean_by_guard(finding)) {
        table_cell(table, TONE_GOOD, "restarts cleanly (guard)");
    } else if (finding->verdict == VERDICT_CLEAN && finding->reuse_address != 1) {
        table_cell(table, TONE_GOOD, "restarts cleanly (SO_REUSEPORT)");
    } else {
        table_cell(table, verdicts[finding->verdict].tone, "%s", verdicts[finding->verdict].words);
    }
}

/* Each reason once, with how many sockets it is about. */
static void say_reasons(const struct survey *survey)
{
    for (size_t i = 0; i < survey->count; i++) {
        const char *reason = survey->findings[i].reason;
        size_t earlier = 0;
        size_t same = 0;
        for (size_t j = 0; j < survey->count && reason != NULL; j++) {
            const char *other = survey->findings[j].reason;
            if (other != NULL && strcmp(other, reason) == 0) {
                earlier += j < i;
                same++;
                if (j < i) {
                    break;
                }
            }
        }
        if (reason != NULL && earlier == 0) {
            output_text(TONE_WARNING, "%zu not known: %s\n", same, reason);
        }
    }
}

static void say_dual_stacks(const struct survey *survey)
{
    size_t count = 0;
    for (size_t i = 0; i < survey->count; i++) {
        count += survey->findings[i].served_by != NULL;
    }
    if (count > 0) {
        output_text(TONE_WARNING,
                    "%zu own dual stack: the program's own socket of the other family has the port "
                    "that it asked for; it must set IPV6_V6ONLY before [::] is bound to have both, "
                    "and a restart does not help\n",
                    count);
    }
}

static size_t count_suspects(const struct survey *survey, enum verdict verdict)
{
    size_t count = 0;
    for (size_t i = 0; i < survey->count; i++) {
        const struct finding *finding = &survey->findings[i];
        count += finding->verdict == verdict && is_suspect(finding);
    }
    return count;
}

/* Those that fail although libreuse is in them: what is said of the others does not help them. */
static size_t count_failing_with_shim(const struct survey *survey)
{
    size_t count = 0;
    for (size_t i = 0; i < survey->count; i++) {
        const struct finding *finding = &survey->findings[i];
        count += finding->verdict == VERDICT_FAILS && finding->shim == PRESENCE_YES &&
                 !is_suspect(finding);
    }
    return count;
}

static void say_ephemeral(const struct survey *survey)
{
    size_t count = 0;
    for (size_t i = 0; i < survey->count; i++) {
        count += survey->findings[i].ephemeral == 1;
    }
    if (count > 0) {
        output_text(TONE_WARNING, "%zu ephemeral: %s\n", count, ephemeral_meaning);
    }
    if (count_suspects(survey, VERDICT_FAILS) + count_suspects(survey, VERDICT_CLEAN) > 0) {
        output_text(TONE_PLAIN,
                    "if one has lost its own: libreuse why PORT, of that port, and restart "
                    "it; to arm this one does not help\n");
    }
}

static void show_text(const struct survey *survey)
{
    static const char *const headings[] = {"LISTENS ON",   "PID",      "PROGRAM", "RUNS",
                                           "SO_REUSEADDR", "LIBREUSE", "VERDICT"};
    enum { RUNS = 3, COLUMNS = sizeof headings / sizeof headings[0] };
    if (survey->count == 0) {
        output_text(TONE_PLAIN, "no TCP socket listens in this network namespace\n");
        return;
    }
    struct table *table = table_create(COLUMNS);
    for (size_t i = 0; i < COLUMNS; i++) {
        table_cell(table, TONE_HEADING, "%s", headings[i]);
    }
    table_make_optional(table, RUNS);
    for (size_t i = 0; i < survey->count; i++) {
        add_row(table, &survey->findings[i]);
    }
    table_print_and_free(table);
    output_text(TONE_PLAIN, "\n");
    const size_t failing = survey->verdicts[VERDICT_FAILS] - count_suspects(survey, VERDICT_FAILS);
    if (failing > 0) {
        output_text(TONE_BAD, "%zu of %zu may fail at the next restart", failing, survey->count);
        output_text(TONE_PLAIN,
                    "; before it: libreuse arm PORT; for good: libreuse run PROGRAM%s\n",
                    count_failing_with_shim(survey) > 0
                        ? ", or, where libreuse is in it already: libreuse check PID"
                        : "");
    }
    if (survey->verdicts[VERDICT_LOST] > 0) {
        output_text(TONE_BAD, "%zu of %zu listen elsewhere than they had asked to",
                    survey->verdicts[VERDICT_LOST], survey->count);
        output_text(TONE_PLAIN, "; see: libreuse why PORT; then restart them\n");
    }
    if (survey->verdicts[VERDICT_INHERITED] > 0) {
        output_text(TONE_BAD, "%zu of %zu would be kept open by other processes",
                    survey->verdicts[VERDICT_INHERITED], survey->count);
        output_text(TONE_PLAIN, "; stop those before the restart\n");
    }
    say_reasons(survey);
    say_dual_stacks(survey);
    if (survey->verdicts[VERDICT_CLEAN] == survey->count &&
        count_suspects(survey, VERDICT_CLEAN) == 0) {
        output_text(TONE_GOOD, "all restart cleanly\n");
    }
    say_ephemeral(survey);
}

static void json_finding(struct json *json, const struct finding *finding)
{
    struct address local;
    sockets_local(&finding->entry, &local);
    char ip[INET6_ADDRSTRLEN];
    inet_ntop(local.as.any.sa_family,
              local.as.any.sa_family == AF_INET ? (const void *)&local.as.in.sin_addr
                                                : (const void *)&local.as.in6.sin6_addr,
              ip, sizeof ip);
    json_open_object(json, NULL);
    sockets_json_local(json, "listens_on", &finding->entry);
    json_string(json, "address", ip);
    json_number(json, "port", finding->entry.facts.port);
    json_ternary(json, "ephemeral_port", finding->ephemeral);
    json_number(json, "uid", finding->entry.facts.uid);
    if (finding->user.pid != 0) {
        json_number(json, "pid", finding->user.pid);
    } else {
        json_null(json, "pid");
    }
    json_string(json, "program", finding->program);
    json_string(json, "runs", finding->runs);
    json_number(json, "other_processes", (int64_t)finding->other_users);
    json_ternary(json, "reuseaddr", finding->reuse_address);
    json_ternary(json, "reuseport", finding->reuse_port);
    if (finding->shim == PRESENCE_UNKNOWN) {
        json_null(json, "libreuse");
    } else {
        json_boolean(json, "libreuse", finding->shim == PRESENCE_YES);
    }
    json_boolean(json, "guarded", finding->is_guarded);
    json_string(json, "verdict", verdicts[finding->verdict].json);
    json_string(json, "reason", finding->reason);
    json_string(json, "heirs", finding->heirs);
    loss_json(finding->has_lost ? &finding->loss : NULL, json, "lost");
    json_string(json, "served_by", finding->served_by);
    json_close(json);
}

static void show_json(const struct survey *survey)
{
    struct json json = {0};
    json_open_object(&json, NULL);
    json_open_array(&json, "listeners");
    for (size_t i = 0; i < survey->count; i++) {
        json_finding(&json, &survey->findings[i]);
    }
    json_close(&json);
    json_open_object(&json, "summary");
    json_number(&json, "listeners", (int64_t)survey->count);
    json_number(&json, "restart_cleanly", (int64_t)survey->verdicts[VERDICT_CLEAN]);
    json_number(&json, "fail", (int64_t)survey->verdicts[VERDICT_FAILS]);
    json_number(&json, "inherited", (int64_t)survey->verdicts[VERDICT_INHERITED]);
    json_number(&json, "lost", (int64_t)survey->verdicts[VERDICT_LOST]);
    json_number(&json, "not_known", (int64_t)survey->verdicts[VERDICT_UNKNOWN]);
    json_boolean(&json, "complete", survey->complete);
    json_close(&json);
    json_close(&json);
}

/* Verdicts that no listener has are said, too: with 0. */
static void metrics_of_verdicts(struct metrics *metrics, const struct survey *survey)
{
    metrics_family(metrics, "libreuse_listeners",
                   "Listening TCP sockets of this network namespace, by verdict.");
    for (size_t i = 0; i < VERDICTS; i++) {
        const struct label label = {"verdict", verdicts[i].json};
        metrics_sample(metrics, &label, 1, (int64_t)survey->verdicts[i]);
    }
}

static void metrics_of_losses(struct metrics *metrics, const struct survey *survey)
{
    metrics_family(metrics, "libreuse_lost_port_timestamp_seconds",
                   "When the bind of this address failed, of a program that listens elsewhere.");
    for (size_t i = 0; i < survey->count; i++) {
        const struct finding *finding = &survey->findings[i];
        if (finding->has_lost) {
            char *address = sockets_address_text(&finding->loss.asked);
            char *listens_on = sockets_local_text(&finding->entry);
            char *error = loss_error_name(&finding->loss);
            const struct label labels[] = {
                {"program", finding->program != NULL ? finding->program : ""},
                {"address", address},
                {"error", error},
                {"listens_on", listens_on}};
            metrics_sample(metrics, labels, sizeof labels / sizeof labels[0],
                           finding->loss.time / 1000);
            free(error);
            free(listens_on);
            free(address);
        }
    }
}

static void metrics_of_versions(struct metrics *metrics, const struct survey *survey)
{
    metrics_family(metrics, "libreuse_processes",
                   "Listening processes with libreuse.so in them, by its version.");
    for (size_t i = 0; i < survey->count; i++) {
        const struct finding *one = &survey->findings[i];
        int64_t processes = 0;
        for (size_t j = i; j < survey->count && one->shim == PRESENCE_YES; j++) {
            const struct finding *other = &survey->findings[j];
            processes += other->is_first_of_process && other->shim == PRESENCE_YES &&
                         strcmp(other->version, one->version) == 0;
        }
        if (one->is_first_of_process && processes > 0) {
            const char *version = one->version[0] != '\0' ? one->version : "unknown";
            const struct label label = {"version", version};
            metrics_sample(metrics, &label, 1, processes);
        }
    }
}

static void show_prometheus(const struct survey *survey)
{
    struct metrics metrics = {0};
    const struct label version = {"version", LIBREUSE_VERSION};
    metrics_of_verdicts(&metrics, survey);
    metrics_of_losses(&metrics, survey);
    metrics_family(&metrics, "libreuse_suspect_listeners",
                   "Listening TCP sockets that may have lost their port: "
                   "on one that the kernel gives out, and no libreuse.so knows.");
    metrics_sample(
        &metrics, NULL, 0,
        (int64_t)(count_suspects(survey, VERDICT_FAILS) + count_suspects(survey, VERDICT_CLEAN)));
    metrics_of_versions(&metrics, survey);
    metrics_family(&metrics, "libreuse_build_info", "1, with the version of the command.");
    metrics_sample(&metrics, &version, 1, 1);
    metrics_family(&metrics, "libreuse_audit_complete",
                   "1 where all listening sockets could be listed, else 0.");
    metrics_sample(&metrics, NULL, 0, survey->complete);
    metrics_end(&metrics);
}

static int status_of(const struct survey *survey)
{
    if (survey->verdicts[VERDICT_FAILS] + survey->verdicts[VERDICT_INHERITED] +
            survey->verdicts[VERDICT_LOST] >
        0) {
        return STATUS_FOUND;
    }
    return survey->verdicts[VERDICT_UNKNOWN] > 0 || !survey->complete ? STATUS_REFUSED
                                                                      : STATUS_FINE;
}

enum form { TEXT, JSON, PROMETHEUS };

/* -1 where the audit is to be made, in that form; else the status. */
static int read_options(int argc, char **argv, enum form *form)
{
    static const struct option options[] = {{"json", no_argument, NULL, JSON},
                                            {"prometheus", no_argument, NULL, PROMETHEUS},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {0}};
    *form = TEXT;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "hV", options, NULL)) != -1;) {
        if (option != JSON && option != PROMETHEUS) {
            return command_common_option(option, "audit", help, argv[optind - 1]);
        }
        if (*form != TEXT && *form != (enum form)option) {
            output_error("audit: one of --json and --prometheus, not both");
            return command_usage("audit");
        }
        *form = (enum form)option;
    }
    if (optind < argc) {
        output_error("audit: %s: no argument was expected", argv[optind]);
        return command_usage("audit");
    }
    return -1;
}

int audit_command(int argc, char **argv)
{
    static void (*const show[])(const struct survey *survey) = {
        [TEXT] = show_text, [JSON] = show_json, [PROMETHEUS] = show_prometheus};
    enum form form;
    const int ended = read_options(argc, argv, &form);
    if (ended >= 0) {
        return ended;
    }
    struct survey survey;
    if (!survey_make(&survey)) {
        return STATUS_REFUSED;
    }
    heirs_judge(&survey);
    show[form](&survey);
    if (!survey.complete) {
        output_error(
            "audit: there was no time to list all sockets, or data was lost: run it again");
    }
    const int status = status_of(&survey);
    survey_free(&survey);
    return status;
}
