/*
 * libreuse disable: removes what "libreuse enable" has written, and nothing else.
 */
#include "command.h"
#include "drop_in.h"
#include "output.h"
#include "restart.h"
#include "running.h"
#include "unit.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: libreuse disable UNIT\n"
    "\n"
    "Removes /etc/systemd/system/UNIT.d/50-libreuse.conf, where \"libreuse enable\" has written "
    "it,\n"
    "and the folder where it is empty then; and says what to run next. Until its next restart the\n"
    "service goes on with libreuse. The unit itself need not be there any more.\n"
    "\n"
    "A start without libreuse cannot bind the port while connections of this run are in "
    "TIME_WAIT:\n"
    "stop the service, wait for the port with \"libreuse why --wait PORT\", and start it.\n"
    "\n"
    "  -h, --help     this text\n"
    "  -V, --version  the version\n"
    "\n"
    "Exit status: 0 removed; 1 it was not enabled, or the file is somebody else's; 2 wrong usage;\n"
    "3 not permitted.\n";

/* `id` is the unit's, or the name of an earlier alias of it. */
static void tell_next(const char *id, const struct unit *unit)
{
    const int pid = atoi(unit_value(unit, "MainPID"));
    struct running running = {0};
    const bool is_running = pid > 0 && running_examine(&running, pid);
    output_text(TONE_PLAIN, "run next:\n  systemctl daemon-reload\n");
    if (is_running && running.library != NULL && running.listeners_count > 0) {
        restart_print_waiting(id, &running, "without libreuse");
        restart_print_lost_port(id, &running);
    } else if (unit_is(unit, "ActiveState", "active")) {
        output_line("  systemctl restart %s", id);
    }
    running_free(&running);
}

/* Removes the file of this unit, which is there. */
static int remove_file(const char *id, const struct unit *unit)
{
    char *path = drop_in_path(id);
    const bool is_removed = drop_in_remove(id);
    if (is_removed) {
        output_line("%s: removed", path);
        tell_next(id, unit);
    } else {
        output_error("disable: %s: cannot be removed: %s", path, strerror(errno));
    }
    free(path);
    return is_removed ? STATUS_FINE : STATUS_REFUSED;
}

/* What is to be said where there is no file of ours. */
static int say_none(const char *unit, enum drop_in state)
{
    char *path = drop_in_path(unit);
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

static int disable(const char *name)
{
    struct unit unit;
    char *text;
    char *why = NULL;
    const bool is_known = unit_ask(&unit, name, &why);
    /* An alias has its file under the unit's own name. */
    const char *id = is_known ? unit.id : name;
    enum drop_in state = drop_in_read(id, &text);
    if (state != DROP_IN_OURS && strcmp(id, name) != 0) {
        enum drop_in by_alias = drop_in_read(name, &text);
        id = by_alias == DROP_IN_OURS ? name : id;
        state = by_alias == DROP_IN_OURS ? by_alias : state;
    }
    const int status = state == DROP_IN_OURS ? remove_file(id, &unit) : say_none(id, state);
    free(text);
    free(why);
    unit_free(&unit);
    return status;
}

int disable_command(int argc, char **argv)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
    opterr = 0;
    const int option = getopt_long(argc, argv, "hV", options, NULL);
    if (option != -1) {
        return command_common_option(option, "disable", help, argv[optind - 1]);
    }
    if (optind != argc - 1) {
        output_error(optind == argc ? "disable: no unit given"
                                    : "disable: %s: one unit was expected",
                     argv[argc - 1]);
        return command_usage("disable");
    }
    if (geteuid() != 0) {
        output_error("disable: only root may remove a file below " DROP_IN_FOLDER "; run it as "
                     "root");
        return STATUS_REFUSED;
    }
    char *name = unit_full_name(argv[optind], "disable");
    if (name == NULL) {
        return command_usage("disable");
    }
    const int status = disable(name);
    free(name);
    return status;
}
