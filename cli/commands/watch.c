/*
 * libreuse watch: every failed bind() and listen() of this host, and every one that a program has
 * swallowed, with nothing deployed before. The kernel's programs see them (kernel/watcher.h); what
 * the shim does for its host is done here for each of them: look up who holds the port, explain.
 */
#include "command.h"
#include "guest/kernel.h"
#include "guest/port_list.h"
#include "sockets/target.h"
#include "terminal/output.h"
#include "watch/stream.h"
#include "watch/unseen.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: libreuse watch [OPTION]...\n"
    "\n"
    "Sees each bind() and listen() that fails, of every program of this host,\n"
    "containers and static programs too, and each program that went on to listen\n"
    "after its bind() had failed; says who holds the port and what to do. Nothing is\n"
    "preloaded or changed, and nothing is left behind. Ctrl-c ends it with a\n"
    "summary.\n"
    "\n"
    "      --port=LIST    only these ports: 9999,8000-8099,http\n"
    "      --pid=PID      only this process\n"
    "      --unit=NAME    only this unit of systemd, or this container\n"
    "      --all          UDP, AF_UNIX and all others, too, not only TCP\n"
    "      --for=SECONDS  end by itself\n"
    "      --json         one JSON object a line, as of LIBREUSE_FORMAT=json\n"
    "      --journal      to the journal, with the fields of LIBREUSE_LOG=journal\n"
    "      --utc          times in UTC\n"
    "  -h, --help         this text\n"
    "  -V, --version      the version\n"
    "\n"
    "Needs root (CAP_BPF, CAP_PERFMON) and Linux 5.8. While it runs, each system\n"
    "call of the host takes some 80 ns more: libreuse(1) has the measurements, and\n"
    "what it does not see.\n"
    "\n"
    "Exit status: 0 nothing seen; 1 something seen; 2 wrong usage; 3 not permitted\n"
    "or not supported.\n";

struct watch {
    struct stream stream;
    int64_t end; /* kernel_milliseconds(); 0: none */
    struct watch_counts lost;
};

/* For how long it shows, when it is over, what has come before. */
enum { REST_MS = 500 };

static volatile sig_atomic_t is_over;

static void end(int signal)
{
    (void)signal;
    is_over = 1;
}

static void say_lost(struct watch *watch)
{
    struct watch_counts counts;
    watcher_counts(&watch->stream.watcher, &counts);
    if (counts.lost > watch->lost.lost) {
        output_error("watch: %llu events were lost: there were more than could be shown",
                     (unsigned long long)(counts.lost - watch->lost.lost));
    }
    if (counts.forgotten > watch->lost.forgotten) {
        output_error("watch: %llu calls were not followed: there were more at once than there is "
                     "room for",
                     (unsigned long long)(counts.forgotten - watch->lost.forgotten));
    }
    watch->lost = counts;
}

/* Milliseconds to wait; -1 for ever. */
static int time_to_wait(const struct watch *watch, int64_t now)
{
    int64_t due = stream_due(&watch->stream);
    if (watch->end != 0 && (due < 0 || watch->end < due)) {
        due = watch->end;
    }
    return due < 0 ? -1 : due <= now ? 0 : (int)(due - now);
}

static void count(void *context, const struct watch_record *record)
{
    (void)record;
    ++*(unsigned long long *)context;
}

/* What has come and is not shown, when it is over. */
static void leave_rest(struct watch *watch)
{
    unsigned long long rest = 0;
    watcher_take(&watch->stream.watcher, SIZE_MAX, count, &rest);
    if (rest > 0) {
        output_error("watch: %llu events had come and were not shown when it ended", rest);
        watch->lost.lost += rest;
    }
}

static void run(struct watch *watch)
{
    struct stream *stream = &watch->stream;
    sigset_t open;
    sigprocmask(SIG_SETMASK, NULL, &open);
    sigdelset(&open, SIGINT);
    sigdelset(&open, SIGTERM);
    struct pollfd ring = {.fd = watcher_fd(&stream->watcher), .events = POLLIN};
    bool is_more = false;
    while (!is_over && (watch->end == 0 || kernel_milliseconds() < watch->end)) {
        const int wait = is_more ? 0 : time_to_wait(watch, kernel_milliseconds());
        const struct timespec time = {wait / 1000, wait % 1000 * 1000000L};
        ppoll(&ring, 1, wait < 0 ? NULL : &time, &open); /* here alone a signal is heard */
        const int64_t now = kernel_milliseconds(); /* what was due then has had its second try */
        is_more = stream_take(stream);
        if (!is_more) {
            stream_show_due(stream, now);
            say_lost(watch);
        }
    }
    watcher_stop(&stream->watcher);
    stream->is_ending = true;
    const int64_t last = kernel_milliseconds() + REST_MS;
    while (stream_take(stream) && kernel_milliseconds() < last) {
    }
    stream_show_rest(stream);
    say_lost(watch);
    leave_rest(watch);
}

static void hear_signals(void)
{
    const struct sigaction action = {.sa_handler = end};
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void say_summary(const struct watch *watch)
{
    const unsigned long long events = watch->stream.fold.events;
    const unsigned long long lost = watch->lost.lost;
    output_text(TONE_PLAIN, "\n%llu event%s, %llu missed\n", events, events == 1 ? "" : "s", lost);
    if (events > 0) {
        fold_print_totals(&watch->stream.fold);
    } else {
        output_text(TONE_PLAIN,
                    "what failed before is not seen: libreuse audit, or libreuse why PORT\n");
    }
}

static int watch_host(struct watch *watch)
{
    char *why;
    hear_signals();
    if (!watcher_open(&watch->stream.watcher, &why)) {
        output_error("watch: %s", why);
        free(why);
        return STATUS_REFUSED;
    }
    watch->stream.show.layout = &watch->stream.watcher.layout;
    unseen_say();
    /* Not among the data, where that is for programs. */
    FILE *to = watch->stream.show.form == SHOW_TEXT ? stdout : stderr;
    fputs("watching every bind() and listen() of this host; ctrl-c ends\n", to);
    fflush(to);
    const int64_t start = kernel_milliseconds();
    watch->end = watch->end != 0 ? start + watch->end : 0;
    run(watch);
    if (watch->stream.show.form == SHOW_TEXT) {
        say_summary(watch);
    }
    watcher_close(&watch->stream.watcher);
    return watch->stream.fold.events > 0 ? STATUS_FOUND : STATUS_FINE;
}

static unsigned char *wanted_ports;

static void want_ports(unsigned int first, unsigned int last)
{
    memset(wanted_ports + first, 1, last - first + 1);
}

/* As of LIBREUSE_PORTS: 9999,8000-8099,http; NULL where it is something else. */
static unsigned char *parse_ports(const char *text)
{
    wanted_ports = output_allocate(UINT16_MAX + 1, 1);
    if (!port_list_each(text, want_ports)) {
        output_error("watch: --port=%s: expected ports from 1 to 65535, ranges, and services of "
                     "/etc/services, like 9999,8000-8099,http",
                     text);
        free(wanted_ports);
        wanted_ports = NULL;
    }
    return wanted_ports;
}

static bool parse_seconds(const char *text, int64_t *milliseconds)
{
    char *rest;
    errno = 0;
    const long seconds = strtol(text, &rest, 10);
    if (text[0] < '0' || text[0] > '9' || *rest != '\0' || errno != 0 || seconds < 1 ||
        seconds > INT32_MAX) {
        output_error("watch: --for=%s: expected whole seconds, at least 1", text);
        return false;
    }
    *milliseconds = (int64_t)seconds * 1000;
    return true;
}

enum { PORT = 1, PID, UNIT, ALL, FOR, JSON, JOURNAL, UTC };

static const struct option options[] = {{"port", required_argument, NULL, PORT},
                                        {"pid", required_argument, NULL, PID},
                                        {"unit", required_argument, NULL, UNIT},
                                        {"all", no_argument, NULL, ALL},
                                        {"for", required_argument, NULL, FOR},
                                        {"json", no_argument, NULL, JSON},
                                        {"journal", no_argument, NULL, JOURNAL},
                                        {"utc", no_argument, NULL, UTC},
                                        {"help", no_argument, NULL, 'h'},
                                        {"version", no_argument, NULL, 'V'},
                                        {0}};

static bool take_option(struct watch *watch, int option)
{
    switch (option) {
    case PORT:
        free(watch->stream.filter.ports);
        watch->stream.filter.ports = parse_ports(optarg);
        return watch->stream.filter.ports != NULL;
    case PID:
        return target_pid(optarg, &watch->stream.filter.pid);
    case UNIT:
        watch->stream.filter.unit = optarg;
        return true;
    case FOR:
        return parse_seconds(optarg, &watch->end);
    case JSON:
    case JOURNAL:
        watch->stream.show.form = option == JSON ? SHOW_JSON : SHOW_JOURNAL;
        return true;
    case UTC:
        watch->stream.show.utc = true;
        return true;
    default:
        watch->stream.filter.all = true;
        return true;
    }
}

static int parse_options(struct watch *watch, int argc, char **argv)
{
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":hV", options, NULL)) != -1;) {
        if (option > UTC) {
            return command_common_option(option, "watch", help, argv[optind - 1]);
        }
        if (!take_option(watch, option)) {
            return command_usage("watch");
        }
    }
    if (optind < argc) {
        output_error("watch: %s: no argument was expected", argv[optind]);
        return command_usage("watch");
    }
    return -1;
}

int watch_command(int argc, char **argv)
{
    struct watch *watch = output_allocate(1, sizeof *watch);
    int status = parse_options(watch, argc, argv);
    if (status < 0) {
        status = watch_host(watch);
    }
    free(watch->stream.filter.ports);
    free(watch);
    return status;
}
