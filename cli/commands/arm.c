/*
 * libreuse arm: switches SO_REUSEADDR on, from outside, on the sockets of a running server, so that
 * what they leave behind does not keep its successor from the port. A connection that the server
 * has not accepted yet is no process's, and cannot be reached until it is.
 */
#include "command.h"
#include "explain/explain.h"
#include "sockets/arming.h"
#include "sockets/processes.h"
#include "sockets/remote.h"
#include "sockets/socket_list.h"
#include "sockets/target.h"
#include "terminal/output.h"
#include "terminal/text.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: libreuse arm [--dry-run] [--json] PORT|PID\n"
    "       libreuse arm [--dry-run] [--json] --port=PORT | --pid=PID\n"
    "\n"
    "Switches SO_REUSEADDR on, from outside, for a running TCP server that was\n"
    "started without libreuse.so: on its listening sockets and open connections, in\n"
    "whatever processes have them. Its next start works at once if that one sets\n"
    "SO_REUSEADDR, too, as \"libreuse run\" makes it. The server notices nothing.\n"
    "\n"
    "A number is a port where a TCP socket has it, else a process; where it could be\n"
    "both, that is said. PORT may be the name of a service.\n"
    "\n"
    "      --port=PORT  all listeners and connections on this port\n"
    "      --pid=PID    those on the addresses on which this process listens\n"
    "  -n, --dry-run    only show what would be done\n"
    "      --json       the same as a JSON object\n"
    "  -h, --help, -V, --version\n"
    "\n"
    "TIME_WAIT sockets cannot be armed: wait for them, or: libreuse free PORT.\n"
    "Needs Linux 5.6, and CAP_SYS_PTRACE; or the server's own user, if there is no\n"
    "kernel.yama.ptrace_scope above 0.\n"
    "\n"
    "Exit status: 0 armed; 1 nothing to arm, or some that cannot be reached were left\n"
    "unarmed; 2 wrong usage; 3 not permitted or not supported.\n";

static void add_row(struct table *table, const struct armed *outcome)
{
    static const char *const values[] = {"off", "on"};
    struct address peer;
    sockets_peer(&outcome->entry, &peer);
    char *local_text = sockets_local_text(&outcome->entry);
    char *peer_text = sockets_address_text(&peer);
    table_cell(table, TONE_PLAIN, "%s", explain_state_name(outcome->entry.facts.state));
    table_cell(table, TONE_PLAIN, "%s", local_text);
    table_cell(table, TONE_PLAIN, "%s", peer_text);
    free(local_text);
    free(peer_text);
    if (outcome->user.pid == 0) {
        table_cell(table, TONE_FAINT, "?");
        table_cell(table, TONE_FAINT, "?");
        table_cell(table, TONE_FAINT, "?");
    } else {
        char *program = process_program(outcome->user.pid);
        if (outcome->other_users == 0) {
            table_cell(table, TONE_PLAIN, "%d", outcome->user.pid);
        } else {
            table_cell(table, TONE_PLAIN, "%d +%zu", outcome->user.pid, outcome->other_users);
        }
        table_cell(table, TONE_PLAIN, "%s", program);
        table_cell(table, TONE_PLAIN, "%d", outcome->user.fd);
        free(program);
    }
    if (outcome->before < 0) {
        table_cell(table, TONE_BAD, "not known");
    } else if (outcome->before == outcome->after) {
        table_cell(table, outcome->after == 1 ? TONE_GOOD : TONE_BAD, "%s", values[outcome->after]);
    } else {
        table_cell(table, TONE_GOOD, "off -> on");
    }
}

static int compare_rows(const void *one, const void *other)
{
    const struct armed *a = one;
    const struct armed *b = other;
    if (a->entry.facts.state != b->entry.facts.state) {
        return a->entry.facts.state < b->entry.facts.state ? -1 : 1;
    }
    if (a->user.pid != b->user.pid) {
        return a->user.pid < b->user.pid ? -1 : 1;
    }
    return (a->user.fd > b->user.fd) - (a->user.fd < b->user.fd);
}

/* A server may have thousands of connections. */
enum { MOST_ROWS = 50 };

static void show(const struct arming *arming)
{
    static const char *const headings[] = {"STATE",   "LOCAL", "PEER",        "PID",
                                           "PROGRAM", "FD",    "SO_REUSEADDR"};
    enum { COLUMNS = sizeof headings / sizeof headings[0], FD = 5 };
    struct table *table = table_create(COLUMNS);
    for (size_t i = 0; i < COLUMNS; i++) {
        table_cell(table, TONE_HEADING, "%s", headings[i]);
    }
    table_align_right(table, FD);
    for (size_t i = 0; i < arming->count && i < MOST_ROWS; i++) {
        add_row(table, &arming->outcomes[i]);
    }
    table_print_and_free(table);
    if (arming->count > MOST_ROWS) {
        output_text(TONE_FAINT, "... and %zu more\n", arming->count - MOST_ROWS);
    }
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/*
 * The rests of connections that ended before the arming keep the port; later ones do not, and a
 * server with traffic always has some. Which is which cannot be seen, and need not be: TIME_WAIT
 * lasts 60 s, and the kernel's timers up to two more.
 */
static void say_time_wait(const struct leftovers *leftovers, unsigned int port, bool armed_now)
{
    if (armed_now) {
        const unsigned int seconds = leftovers->time_wait_ms / 1000 + 1;
        output_text(TONE_WARNING,
                    "%zu TIME_WAIT socket%s of connections that ended before cannot be armed and "
                    "will be in the way of a restart for up to %u s: wait, or: libreuse free %u\n",
                    leftovers->time_wait, plural(leftovers->time_wait), seconds, port);
    } else {
        output_text(TONE_PLAIN,
                    "%zu TIME_WAIT socket%s: in the way of a restart are only those of connections "
                    "that ended before the first arm; 65 s after it none of these is left "
                    "(sooner: libreuse free %u)\n",
                    leftovers->time_wait, plural(leftovers->time_wait), port);
    }
}

static void say_leftovers(const struct arming *arming, const struct leftovers *leftovers,
                          bool armed_now)
{
    const unsigned int port = arming->port != 0 ? arming->port : arming->listeners[0].facts.port;
    if (leftovers->time_wait > 0) {
        say_time_wait(leftovers, port, armed_now);
    }
    if (leftovers->waiting > 0) {
        output_text(TONE_WARNING,
                    "%zu connection%s that the server has not accepted yet cannot be reached; run "
                    "this again when it has\n",
                    leftovers->waiting, plural(leftovers->waiting));
    }
    if (leftovers->finishing > 0) {
        output_text(TONE_WARNING,
                    "%zu connection%s that the kernel is about to end cannot be reached; see: "
                    "libreuse why %u\n",
                    leftovers->finishing, plural(leftovers->finishing), port);
    }
    if (leftovers->bound > 0) {
        output_text(TONE_PLAIN,
                    "%zu socket%s bound and not listening left alone: with SO_REUSEADDR, others "
                    "could bind the port, too\n",
                    leftovers->bound, plural(leftovers->bound));
    }
}

/*
 * What is typed to start it. A script that was started by its "#!" line is a program of its own,
 * and its process is called as that file is; comm has the first 15 bytes. NULL where it is not
 * known. The caller frees it.
 */
static char *command_of(int pid, const char *comm)
{
    enum { COMM_LENGTH = 15 };
    char *script = process_runs(pid);
    const char *slash = script != NULL ? strrchr(script, '/') : NULL;
    const bool is_whole = script != NULL && strncmp(script, "...", 3) != 0; /* see script_find() */
    if (slash != NULL && is_whole && strncmp(slash + 1, comm, COMM_LENGTH) == 0) {
        return script;
    }
    free(script);
    return process_file(pid);
}

/* What the server's next start needs. */
static void say_next_start(const struct armed *listener)
{
    char *program = process_program(listener->user.pid);
    char *printable = output_printable(program);
    if (process_has_shim(listener->user.pid) == PRESENCE_YES) {
        output_text(TONE_PLAIN,
                    "%s runs with libreuse.so, which had left it unarmed (LIBREUSE_PORTS, "
                    "LIBREUSE_DRY_RUN); see: libreuse check %d\n",
                    printable, listener->user.pid);
    } else {
        char *command = command_of(listener->user.pid, program);
        char *word = text_shell_word(command != NULL ? command : "PROGRAM");
        output_text(TONE_PLAIN,
                    "%s does not set SO_REUSEADDR itself, and its next start must: libreuse run "
                    "%s, with its arguments\n",
                    printable, word);
        free(word);
        free(command);
    }
    free(printable);
    free(program);
}

static void say_refused(const struct sums *sums)
{
    const struct armed *refused = sums->first_refused;
    char *address = sockets_local_text(&refused->entry);
    if (refused->no_access != NULL) {
        output_error("%s: not armed: %s", address, refused->no_access);
    } else if (refused->before == 0) {
        output_error("%s: not armed: process %d, descriptor %d: setsockopt: %s%s", address,
                     refused->user.pid, refused->user.fd, strerror(refused->error),
                     refused->error == EINVAL ? " (a connection of MPTCP?)" : "");
    } else {
        char *why = remote_explain(refused->user.pid, refused->error);
        output_error("%s: not armed: process %d, descriptor %d: %s", address, refused->user.pid,
                     refused->user.fd, why);
        free(why);
    }
    free(address);
    if (sums->refused > 1) {
        output_error("... and %zu more", sums->refused - 1);
    }
}

static int status_of(const struct arming *arming, const struct leftovers *leftovers,
                     const struct sums *sums)
{
    const bool unarmed_left =
        sums->armed > 0 && leftovers->time_wait + leftovers->waiting + leftovers->finishing > 0;
    return sums->refused > 0                    ? STATUS_REFUSED
           : arming->count == 0 || unarmed_left ? STATUS_FOUND
                                                : STATUS_FINE;
}

static int report(struct arming *arming, const struct leftovers *leftovers)
{
    if (arming->count > 0) {
        qsort(arming->outcomes, arming->count, sizeof arming->outcomes[0], compare_rows);
        show(arming);
        output_text(TONE_PLAIN, "\n");
    }
    const struct sums sums = arming_sum_up(arming);
    if (arming->count == 0) {
        output_text(TONE_WARNING, "no listening socket and no open connection to arm\n");
    } else {
        output_text(sums.refused == 0 ? TONE_GOOD : TONE_PLAIN, "%zu socket%s %s", sums.armed,
                    plural(sums.armed), arming->dry_run ? "would be armed" : "armed");
        output_text(TONE_PLAIN, ", %zu armed before\n", sums.already);
    }
    if (sums.unarmed_listener != NULL) {
        say_next_start(sums.unarmed_listener);
    }
    say_leftovers(arming, leftovers, sums.armed > 0);
    if (sums.refused > 0) {
        say_refused(&sums);
    }
    return status_of(arming, leftovers, &sums);
}

/* Says why nothing of the process can be armed, nor of the port that its number may be; else 0. */
static int say_no_listeners(int pid, unsigned int port)
{
    if (!process_exists(pid)) {
        output_error("%d: there is no such process", pid);
        return STATUS_FOUND;
    }
    char *program = process_program(pid);
    char *start = port != 0 ? output_format("no TCP socket has port %u, and the process %s[%d]",
                                            port, program, pid)
                            : output_format("%s[%d]", program, pid);
    char *path = process_path(pid, "fd");
    int status = STATUS_FOUND;
    if (process_is_in_this_network(pid) == PRESENCE_NO) {
        output_error("%s is in another network namespace; run: nsenter --target %d --net "
                     "libreuse arm --pid=%d",
                     start, pid, pid);
    } else if (access(path, R_OK) != 0) {
        output_error("%s: %s", start, processes_why_forbidden());
        status = STATUS_REFUSED;
    } else {
        output_error("%s has no listening TCP socket; for the connections of a forked child give "
                     "the port",
                     start);
    }
    free(path);
    free(start);
    free(program);
    return status;
}

static int arm(struct arming *arming, bool json)
{
    if (arming->port == 0 && !arming_find_listeners(arming)) {
        return say_no_listeners(arming->pid, 0);
    }
    if (json) {
        /* nothing before the object */
    } else if (arming->port != 0) {
        output_text(TONE_HEADING, "port %u\n", arming->port);
    } else {
        char *program = process_program(arming->pid);
        char *printable = output_printable(program);
        output_text(TONE_HEADING, "process %s[%d]\n", printable, arming->pid);
        free(printable);
        free(program);
    }
    if (!arming_do(arming)) {
        return STATUS_REFUSED;
    }
    const struct leftovers leftovers = arming_leftovers(arming);
    if (!json) {
        return report(arming, &leftovers);
    }
    const struct sums sums = arming_sum_up(arming);
    arming_json(arming, &leftovers);
    return status_of(arming, &leftovers, &sums);
}

static bool process_listens(int pid)
{
    struct arming process = {.pid = pid, .remote = REMOTE_NONE};
    const bool listens = arming_find_listeners(&process);
    arming_free(&process);
    return listens;
}

/* A number that is a port with sockets and a process that listens: -1 where the port is meant. */
static int choose_between(const char *number, int pid, bool port_listens)
{
    char *program = process_program(pid);
    if (port_listens) {
        output_error("%s is also a process, %s[%d], which listens: taken for the port, on which "
                     "somebody listens; for the process: libreuse arm --pid=%s",
                     number, program, pid, number);
    } else {
        output_error("%s is a port with connections, and a process, %s[%d], which listens: say "
                     "which with --port=%s or --pid=%s",
                     number, program, pid, number, number);
    }
    free(program);
    return port_listens ? -1 : STATUS_USAGE;
}

/* Decides what a bare number names. Returns a status where it cannot be decided, or -1. */
static int decide(struct arming *arming, const char *text)
{
    struct sockets sockets = {0};
    if (!target_port_or_pid(text, &arming->port, &arming->pid)) {
        return command_usage("arm");
    }
    if (arming->pid == 0) {
        return -1; /* the name of a service, or a port as people paste it */
    }
    if (arming->port != 0) {
        sockets_list(&sockets, IPPROTO_TCP, arming->port, SOCKETS_IN_ANY);
    }
    const bool port_is_used = sockets.count > 0;
    const bool port_listens = sockets_count(&sockets, STATE_LISTEN) > 0;
    sockets_free(&sockets);
    const bool pid_listens = process_listens(arming->pid);
    if (port_is_used) {
        return pid_listens ? choose_between(text, arming->pid, port_listens) : -1;
    }
    if (!process_exists(arming->pid)) {
        output_error("%s: no TCP socket has this port, and there is no such process", text);
        return STATUS_FOUND;
    }
    if (!pid_listens) {
        return say_no_listeners(arming->pid, arming->port);
    }
    arming->port = 0;
    return -1;
}

int arm_command(int argc, char **argv)
{
    enum { PID = 1, PORT, JSON };
    static const struct option options[] = {{"pid", required_argument, NULL, PID},
                                            {"port", required_argument, NULL, PORT},
                                            {"dry-run", no_argument, NULL, 'n'},
                                            {"json", no_argument, NULL, JSON},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {0}};
    struct arming arming = {.remote = REMOTE_NONE};
    int named = 0;
    bool json = false;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":nhV", options, NULL)) != -1;) {
        switch (option) {
        case PID:
        case PORT:
            named++;
            if (!(option == PID ? target_pid(optarg, &arming.pid)
                                : target_port(optarg, &arming.port))) {
                return command_usage("arm");
            }
            break;
        case JSON:
            json = true;
            break;
        case 'n':
            arming.dry_run = true;
            break;
        default:
            return command_common_option(option, "arm", help, argv[optind - 1]);
        }
    }
    if (argc - optind + named != 1) {
        output_error("arm: expected one port or one process");
        return command_usage("arm");
    }
    int status = named > 0 ? -1 : decide(&arming, argv[optind]);
    if (status < 0) {
        status = arm(&arming, json);
    }
    arming_free(&arming);
    return status;
}
