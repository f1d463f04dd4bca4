/*
 * libreuse run: becomes a program that has libreuse.so preloaded, with the settings that the
 * options name; or says why that program cannot be reached.
 */
#include "command.h"
#include "program/library.h"
#include "program/program.h"
#include "terminal/output.h"
#include "unit/settings.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: libreuse run [OPTION]... [--] PROGRAM [ARG]...\n"
    "\n"
    "Becomes PROGRAM, with libreuse.so before everything else in LD_PRELOAD.\n"
    "\n"
    "  --log=WHERE        auto, stderr, journal, syslog, none, or an absolute path\n"
    "  --format=FORM      text or json\n"
    "  --level=LEVEL      the least reported: err, warning, notice or info\n"
    "  --ports=LIST       only these ports: 9999,8000-8099,http\n"
    "  --wait=SECONDS     how long bind() waits for a port that is held\n"
    "  --swallowed=WHAT   log, fail or exit: listen() after a bind() that failed\n"
    "  --explain          look up who holds a port (the default)\n"
    "  --no-explain       do not\n"
    "  --report-only      in the program, libreuse reports and changes nothing\n"
    "  -f, --force        run PROGRAM even where a preload cannot reach it\n"
    "  -n, --dry-run      only say whether it is reached, as libreuse check does\n"
    "  --json             with --dry-run: as a JSON object\n"
    "  -h, --help, -V, --version\n"
    "\n"
    "The options set the LIBREUSE_* variables; see libreuse.so(8).\n"
    "Exit status: PROGRAM's; 125 libreuse failed, 126 PROGRAM cannot be run or is\n"
    "refused, 127 PROGRAM is not found.\n";

struct options {
    bool force;
    bool dry_run;
    bool json;
    struct settings settings;
};

enum { JSON = 1 };

/* Wrong usage: as of env(1), for the program has statuses of its own. */
static int failed(int status)
{
    return status == STATUS_USAGE ? STATUS_RUN_FAILED : status;
}

/* -1 where the command is to go on, else its exit status. */
static int parse(int argc, char **argv, struct options *options)
{
    struct option longs[5 + SETTINGS + 1] = {
        {"force", no_argument, NULL, 'f'},   {"dry-run", no_argument, NULL, 'n'},
        {"json", no_argument, NULL, JSON},   {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
    };
    settings_options(longs + 5);
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "+:fnhV", longs, NULL)) != -1;) {
        if (option == 'f') {
            options->force = true;
        } else if (option == 'n') {
            options->dry_run = true;
        } else if (option == JSON) {
            options->json = true;
        } else if (!settings_take(&options->settings, option, optarg)) {
            return failed(command_common_option(option, "run", help, argv[optind - 1]));
        }
    }
    if (options->json && !options->dry_run) {
        output_error("run: --json goes with --dry-run; for reports in JSON: --format=json");
        return failed(command_usage("run"));
    }
    if (optind == argc) {
        output_error("run: no program given");
        return failed(command_usage("run"));
    }
    return settings_apply(&options->settings, "run") ? -1 : STATUS_RUN_FAILED;
}

/* The exit status for a program that is not run. */
static int status_of(enum obstacle obstacle)
{
    switch (obstacle) {
    case OBSTACLE_NOT_FOUND:
        return STATUS_RUN_NOT_FOUND;
    case OBSTACLE_NO_LIBRARY:
    case OBSTACLE_LIBRARY_PATH:
        return STATUS_RUN_FAILED;
    default:
        return STATUS_RUN_CANNOT;
    }
}

/* Whether --force would not help: the kernel would refuse it, or there is nothing to preload. */
static bool is_final(enum obstacle obstacle)
{
    return status_of(obstacle) != STATUS_RUN_CANNOT || obstacle == OBSTACLE_NOT_EXECUTABLE;
}

/* What is preloaded in spite of an obstacle: the programs that it starts may be reached. */
static void choose_any(struct program *program, const struct libraries *libraries)
{
    if (program->preload == NULL && libraries->count > 0) {
        program->library = &libraries->list[0];
        program->preload = library_preload_path(libraries, program->library, &program->elf);
    }
}

static bool set_preload(const struct program *program)
{
    char *value = library_add_to_preload(getenv("LD_PRELOAD"), program->preload, program->library,
                                         &program->elf);
    const bool is_set = setenv("LD_PRELOAD", value, 1) == 0;
    free(value);
    return is_set;
}

static int refuse(const struct program *program, const char *name)
{
    char *reason = program_reason(program, name);
    output_error("%s; %s%s", reason, program->way_out,
                 is_final(program->obstacle) ? "" : "; --force runs it all the same");
    free(reason);
    return status_of(program->obstacle);
}

/* Returns only where the program could not be executed. */
static int run(const struct options *options, char **argv)
{
    struct libraries libraries;
    struct program program;
    libraries_find(&libraries);
    program_examine(&program, argv[0], &libraries);
    int status;
    const bool is_refused =
        program.obstacle != OBSTACLE_NONE && (!options->force || is_final(program.obstacle));
    if (options->dry_run) {
        check_program(argv[0], options->json);
        status = is_refused ? status_of(program.obstacle) : STATUS_FINE;
        program_free(&program);
        libraries_free(&libraries);
        return status;
    }
    if (options->force) {
        choose_any(&program, &libraries);
    }
    if (is_refused) {
        status = refuse(&program, argv[0]);
    } else if (program.preload == NULL) {
        output_error("run: there is no libreuse.so that LD_PRELOAD could name; install it");
        status = STATUS_RUN_FAILED;
    } else if (!set_preload(&program)) {
        output_error("run: LD_PRELOAD cannot be set: %s", strerror(errno));
        status = STATUS_RUN_FAILED;
    } else {
        if (program.warning != NULL) {
            output_error("%s: %s", argv[0], program.warning);
        }
        execvp(program.steps[0].path, argv);
        output_error("%s: %s: %s; see execve(2)", argv[0], program.steps[0].path, strerror(errno));
        status = errno == ENOENT ? STATUS_RUN_NOT_FOUND : STATUS_RUN_CANNOT;
    }
    program_free(&program);
    libraries_free(&libraries);
    return status;
}

int run_command(int argc, char **argv)
{
    struct options options = {0};
    const int status = parse(argc, argv, &options);
    return status < 0 ? run(&options, argv + optind) : status;
}
