/*
 * libreuse why: would a bind() of this port work now? It is really tried, without and with
 * SO_REUSEADDR, on sockets that never listen and are closed at once. Who is in the way is what the
 * shim's report would say.
 */
#include "command.h"
#include "explain/explain.h"
#include "guest/kernel.h"
#include "sockets/port_sockets.h"
#include "sockets/socket_list.h"
#include "sockets/survey.h"
#include "sockets/target.h"
#include "sockets/trial.h"
#include "terminal/output.h"
#include "terminal/text.h"
#include "unit/port_survey.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
    "Usage: libreuse why [--udp] [--wait] [--json] [ADDRESS:]PORT|PATH\n"
    "\n"
    "Tries whether bind() of this port would work now in this network namespace,\n"
    "without and with SO_REUSEADDR; says who holds it, when it will be free, and what\n"
    "to do. ADDRESS is an IPv4 address, an IPv6 address in brackets, localhost, or *;\n"
    "without it, 0.0.0.0 and [::] are tried. PORT may be a service's name. PATH is an\n"
    "AF_UNIX socket's, or @NAME: nothing is tried, its file is looked at.\n"
    "\n"
    "      --udp      a UDP port; so is udp/PORT\n"
    "      --wait     wait until it is free, with a countdown on a terminal\n"
    "      --json     for programs\n"
    "  -h, --help     this text\n"
    "  -V, --version  the version\n"
    "\n"
    "The sockets that try never listen and are closed at once. Processes of other\n"
    "users can only be seen with CAP_SYS_PTRACE.\n"
    "\n"
    "A program that libreuse.so knows to have lost this port is named, too; where it\n"
    "knows of none, those that listen where the kernel has put them.\n"
    "\n"
    "Exit status: 0 free; 1 held, or lost by a program that listens elsewhere (not\n"
    "with --wait), or bind() fails for another reason; 2 wrong usage; 3 not permitted\n"
    "to try.\n";

static char *error_text(int error)
{
    char text[32];
    struct line line = {.text = text, .size = sizeof text};
    explain_name(&line, error);
    return output_format("%.*s", (int)line.length, text);
}

static void add_result(struct table *table, int error)
{
    char *name = error_text(error);
    if (error == 0) {
        table_cell(table, TONE_GOOD, "works");
    } else {
        table_cell(table, TONE_BAD, "%s", name);
    }
    free(name);
}

static void show_trials(const struct trial_target *target, const struct trials *trials)
{
    const bool is_tcp = target->protocol == IPPROTO_TCP;
    struct table *table = table_create(is_tcp ? 3 : 2);
    table_cell(table, TONE_HEADING, "ADDRESS");
    table_cell(table, TONE_HEADING, "BIND");
    if (is_tcp) {
        table_cell(table, TONE_HEADING, "WITH SO_REUSEADDR");
    }
    for (size_t i = 0; i < trials->count; i++) {
        const struct trial *trial = &trials->list[i];
        const bool has_socket = trial->socket_error == 0;
        char *address = sockets_address_text(&trial->asked);
        table_cell(table, TONE_PLAIN, "%s", address);
        add_result(table, has_socket ? trial->plain : trial->socket_error);
        if (is_tcp) {
            add_result(table, has_socket ? trial->reuse : trial->socket_error);
        }
        free(address);
    }
    table_print_and_free(table);
}

/* The part of a sentence that follows the address. */
static const char *after_address(const struct trial *trial)
{
    char *address = sockets_address_text(&trial->asked);
    const char *rest = trial->sentence + strlen(address);
    free(address);
    return rest;
}

static void say_trial(const struct trials *trials, size_t number, bool is_tcp)
{
    const struct trial *trial = &trials->list[number];
    char *address = sockets_address_text(&trial->asked);
    unsigned int seconds;
    if (trial->socket_error != 0) {
        output_text(TONE_PLAIN, "%s: no such socket can be made: %s\n", address,
                    strerror(trial->socket_error));
    } else if (trial->sentence == NULL) {
        output_text(TONE_GOOD, "%s: free%s\n", address, is_tcp ? ", and nobody listens on it" : "");
    } else if (number > 0 && trials->list[0].sentence != NULL &&
               strcmp(after_address(trial), after_address(&trials->list[0])) == 0) {
        output_text(TONE_PLAIN, "%s: the same\n", address);
    } else {
        output_text(TONE_PLAIN, "%s\n", trial->sentence);
        if (trial->plain == EADDRINUSE && trial->reuse == 0) {
            output_text(TONE_PLAIN,
                        "%s: a program that does not set SO_REUSEADDR needs: libreuse run PROGRAM",
                        address);
            if (trial_is_free_in(trial, &seconds)) {
                output_text(TONE_PLAIN, "; or it waits for %u s", seconds);
            }
            output_text(TONE_PLAIN, "\n");
        }
        if (trial->plain == EACCES || trial->plain == EPERM) {
            output_text(TONE_PLAIN, "%s: not tried, then%s\n", address,
                        geteuid() == 0 ? "" : "; run this as root to try");
        }
        if (trial->also != NULL) {
            output_text(TONE_PLAIN, "%s: %s\n", address, trial->also);
        }
    }
    free(address);
}

static void show_text(const struct trial_target *target, const struct trials *trials,
                      const struct survey *survey)
{
    show_trials(target, trials);
    output_text(TONE_PLAIN, "\n");
    for (size_t i = 0; i < trials->count; i++) {
        say_trial(trials, i, target->protocol == IPPROTO_TCP);
    }
    const bool is_free = trials_status(target, trials) == STATUS_FINE;
    port_survey_show_lost(survey, target->port, is_free);
    if (is_free) {
        return;
    }
    struct port_sockets port;
    port_sockets_list(trials, &port);
    port_sockets_show(&port);
    port_survey_show_holders(survey, target->port);
    if (port_sockets_have_unknown(&port)) {
        output_text(TONE_WARNING, "?: %s\n", processes_why_unknown(port.processes));
    }
    port_sockets_free(&port);
}

static void json_error(struct json *json, const char *name, int error)
{
    char *text = error_text(error);
    json_string(json, name, error == 0 ? "works" : text);
    free(text);
}

static void json_trial(struct json *json, const struct trial_target *target,
                       const struct trial *trial)
{
    const int missing = trial->socket_error;
    json_open_object(json, NULL);
    sockets_json_address(json, "address", &trial->asked);
    json_error(json, "bind", missing != 0 ? missing : trial->plain);
    if (target->protocol == IPPROTO_TCP) {
        json_error(json, "bind_with_reuseaddr", missing != 0 ? missing : trial->reuse);
    }
    json_number(json, "holders", trial->holders.total);
    json_number(json, "time_wait", trial->holders.count[STATE_TIME_WAIT]);
    json_number(json, "time_wait_seconds", sockets_seconds(trial->holders.time_wait_ms));
    json_string(json, "message", trial->sentence);
    json_string(json, "held_by", trial->also);
    json_close(json);
}

static void show_json(const struct trial_target *target, const struct trials *trials,
                      const struct survey *survey)
{
    struct json json = {0};
    struct port_sockets port;
    port_sockets_list(trials, &port);
    json_open_object(&json, NULL);
    json_number(&json, "port", target->port);
    json_string(&json, "protocol", target->protocol == IPPROTO_TCP ? "tcp" : "udp");
    json_boolean(&json, "free", trials_status(target, trials) == STATUS_FINE);
    json_open_array(&json, "addresses");
    for (size_t i = 0; i < trials->count; i++) {
        json_trial(&json, target, &trials->list[i]);
    }
    json_close(&json);
    port_sockets_json(&port, &json);
    port_survey_json(survey, target->port, &json);
    json_close(&json);
    port_sockets_free(&port);
}

/* Whether it can be foreseen when the last of the addresses becomes free, and in how many seconds.
 */
static bool foresee(const struct trial_target *target, const struct trials *trials,
                    unsigned int *longest)
{
    bool foreseen = true;
    *longest = 0;
    for (size_t i = 0; i < trials->count; i++) {
        const struct trial *trial = &trials->list[i];
        unsigned int seconds;
        if (trial_counts(target, trial) && trial->plain != 0) {
            foreseen = trial_is_free_in(trial, &seconds) && foreseen;
            *longest = seconds > *longest ? seconds : *longest;
        }
    }
    return foreseen;
}

static void show_countdown(const struct trial_target *target, const struct trials *trials,
                           unsigned int waited)
{
    unsigned int seconds;
    if (foresee(target, trials, &seconds)) {
        fprintf(stderr, "\rport %u: free in %u s\033[K", target->port, seconds);
    } else {
        fprintf(stderr, "\rport %u: held; waiting for %u s\033[K", target->port, waited);
    }
}

/* Once, for a log or a pipe. */
static void say_waiting(const struct trial_target *target, const struct trials *trials)
{
    unsigned int seconds;
    if (foresee(target, trials, &seconds)) {
        output_error("port %u: held; waiting until it is free, in %u s", target->port, seconds);
    } else {
        output_error("port %u: held; waiting until it is free", target->port);
    }
}

/* Tries again until the port is free, or will not become free by waiting. */
static void wait_until_free(const struct trial_target *target, struct trials *trials)
{
    enum { TRIES_EACH_SECOND = 5 };
    const bool on_terminal = isatty(STDERR_FILENO);
    const struct timespec pause = {.tv_nsec = 1000000000 / TRIES_EACH_SECOND};
    const int64_t start = kernel_milliseconds();
    if (!on_terminal && trials_status(target, trials) == STATUS_FOUND) {
        say_waiting(target, trials);
    }
    for (unsigned int tries = 0; trials_status(target, trials) == STATUS_FOUND; tries++) {
        if (on_terminal && tries % TRIES_EACH_SECOND == 0) {
            show_countdown(target, trials, (unsigned int)((kernel_milliseconds() - start) / 1000));
        }
        nanosleep(&pause, NULL);
        trials_free(trials);
        trials_make(target, trials);
    }
    if (on_terminal) {
        fputs("\r\033[K", stderr);
    }
}

static int why(const struct trial_target *target, bool wait, bool json)
{
    struct trials trials;
    trials_make(target, &trials);
    if (wait) {
        wait_until_free(target, &trials);
    }
    trials_explain(target, &trials);
    struct survey survey = {0};
    if (target->protocol == IPPROTO_TCP) {
        survey_make(&survey);
    }
    int status = trials_status(target, &trials);
    if (status == STATUS_FINE && !wait && port_survey_count_lost(&survey, target->port) > 0) {
        status = STATUS_FOUND; /* whoever waits for the port only wants to know that it is free */
    }
    if (json) {
        show_json(target, &trials, &survey);
    } else {
        show_text(target, &trials, &survey);
    }
    survey_free(&survey);
    trials_free(&trials);
    return status;
}

/* The command that removes a leftover; NULL where there is none. The caller frees it. */
static char *removal(const struct unix_trial *trial, const char *name)
{
    if (trial->holders.file != FILE_LEFT_OVER) {
        return NULL;
    }
    char *word = text_shell_word(name);
    char *command = output_format("rm %s", word);
    free(word);
    return command;
}

static void show_unix_json(const struct unix_trial *trial, const char *name)
{
    struct json json = {0};
    char *error = error_text(trial->error);
    const struct holder *named = &trial->holders.named;
    const bool has_owner = holders_have_name(&trial->holders) && named->owner.search == OWNER_FOUND;
    json_open_object(&json, NULL);
    json_string(&json, "path", name);
    json_ternary(&json, "free", trial->error != 0 ? 0 : trial->is_known ? 1 : -1);
    json_string(&json, "bind", trial->error != 0 ? error : trial->is_known ? "works" : NULL);
    json_number(&json, "holders", trial->holders.total);
    json_string(&json, "message", trial->sentence);
    json_open_array(&json, "run_next");
    char *command = removal(trial, name);
    if (command != NULL) {
        json_string(&json, NULL, command);
    }
    free(command);
    json_close(&json);
    json_string(&json, "program", has_owner ? named->owner.program : NULL);
    if (has_owner) {
        json_number(&json, "pid", named->owner.pid);
        json_number(&json, "fd", named->owner.fd);
        json_number(&json, "processes", named->owner.sharers + 1);
    } else {
        json_null(&json, "pid");
        json_null(&json, "fd");
        json_null(&json, "processes");
    }
    json_close(&json);
    free(error);
}

/* The path of an AF_UNIX socket, or its name. */
static int why_unix(const struct address *address, const char *name, bool json)
{
    struct unix_trial trial;
    unix_trial_make(&trial, address);
    if (json) {
        show_unix_json(&trial, name);
    } else if (trial.error == 0 && !trial.is_known) {
        output_text(TONE_WARNING, "%s: not known: the sockets cannot be listed here\n", name);
    } else if (trial.error == 0) {
        output_text(TONE_GOOD, "%s: free: nothing has this name\n", name);
    } else {
        output_text(TONE_PLAIN, "%s\n", trial.sentence);
        char *command = removal(&trial, name);
        if (command != NULL) {
            output_text(TONE_PLAIN, "run: %s\n", command);
        }
        free(command);
    }
    free(trial.sentence);
    return trial.error != 0 ? STATUS_FOUND : trial.is_known ? STATUS_FINE : STATUS_REFUSED;
}

int why_command(int argc, char **argv)
{
    enum { UDP = 1, WAIT, JSON };
    static const struct option options[] = {
        {"udp", no_argument, NULL, UDP},     {"wait", no_argument, NULL, WAIT},
        {"json", no_argument, NULL, JSON},   {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'}, {0}};
    bool wait = false;
    bool json = false;
    struct trial_target target = {.protocol = IPPROTO_TCP};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "hV", options, NULL)) != -1;) {
        switch (option) {
        case UDP:
            target.protocol = IPPROTO_UDP;
            break;
        case WAIT:
            wait = true;
            break;
        case JSON:
            json = true;
            break;
        default:
            return command_common_option(option, "why", help, argv[optind - 1]);
        }
    }
    if (argc - optind != 1) {
        output_error("why: expected one [ADDRESS:]PORT, or PATH");
        return command_usage("why");
    }
    if (target_unix(argv[optind], &target.address)) {
        if (target.address.length == 0) {
            return command_usage("why");
        }
        if (wait || target.protocol == IPPROTO_UDP) {
            output_error("why: %s: --wait and --udp are for ports", argv[optind]);
            return command_usage("why");
        }
        return why_unix(&target.address, argv[optind], json);
    }
    if (!target_socket(argv[optind], &target)) {
        return command_usage("why");
    }
    return why(&target, wait, json);
}
