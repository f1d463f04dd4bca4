#include "reach_of_process.h"

#include "program/program.h"
#include "sockets/processes.h"
#include "terminal/output.h"

#include <elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Whether it runs with more rights than its user: the loader ignores LD_PRELOAD then. */
static bool is_secure(int pid)
{
    unsigned long pair[2];
    bool found = false;
    char *path = process_path(pid, "auxv");
    FILE *file = fopen(path, "re");
    while (!found && file != NULL && fread(pair, sizeof pair, 1, file) == 1) {
        found = pair[0] == AT_SECURE && pair[1] != 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    free(path);
    return found;
}

enum reach reach_of_process(int pid)
{
    if (process_has_shim(pid) == PRESENCE_YES) {
        return REACH_IS_THERE;
    }
    const struct libraries none = {0}; /* which ones are installed is not the question */
    struct program program;
    char *file = process_path(pid, "exe");
    program_examine_file(&program, file, "", &none);
    const enum obstacle obstacle = program.obstacle;
    program_free(&program);
    free(file);
    switch (obstacle) {
    case OBSTACLE_STATIC:
    case OBSTACLE_GO:
    case OBSTACLE_NO_LIBRARIES:
        return REACH_IMPOSSIBLE;
    case OBSTACLE_NONE:
    case OBSTACLE_NO_LIBRARY:
    case OBSTACLE_PLATFORM:
    case OBSTACLE_C_LIBRARY:
        return is_secure(pid) ? REACH_IMPOSSIBLE : REACH_POSSIBLE;
    default:
        return REACH_UNKNOWN;
    }
}
