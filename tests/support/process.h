/*
 * Starting programs with and without the shim, and looking at what they write and how they end.
 *
 * What goes wrong here fails the running test, with the reason. A started program is killed when
 * the test ends, however the test ends.
 */
#ifndef LIBREUSE_TESTS_PROCESS_H
#define LIBREUSE_TESTS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SHIM_PATH BUILD_FOLDER "/libreuse.so"

enum shim { WITHOUT_SHIM, WITH_SHIM };

/* What to start. Everything that is not named is 0, which stands for the ordinary case. */
struct program {
    const char *path;            /* absolute */
    const char *title;           /* argv[0]; NULL: the path */
    enum shim shim;              /* whether LD_PRELOAD names the shim */
    const char *arguments[8];    /* after argv[0]; ends with NULL */
    const char *settings[8];     /* environment, "NAME=value"; ends with NULL */
    const char *preloaded_first; /* another library, named in LD_PRELOAD in front of the shim */
    const char *preloaded_last;  /* another library, named in LD_PRELOAD after the shim */
    int input;                   /* becomes descriptor 0; 0: /dev/null */
    int errors;                  /* becomes descriptor 2; 0: captured */
    int inherited;               /* stays open, under its number; 0: nothing but 0, 1 and 2 */
    bool errors_closed;          /* the program starts without a descriptor 2 */
    const char *group; /* the cgroup.procs of a control group to be in; NULL: the test's */
};

struct process {
    pid_t pid;
    const char *name; /* the last part of the program's path */
    int output;       /* what it wrote to descriptor 1 */
    int errors;       /* what it wrote to descriptor 2, unless the program says otherwise */
    bool ended;
    int status; /* as waitpid(2) tells it, once it has ended */
};

/*
 * Starts the program in the test's network, with the test's environment but without the LD_PRELOAD
 * and LIBREUSE_* of whoever runs the tests.
 */
struct process start(struct program program);

/* Whether the process has ended; does not wait. */
bool has_ended(struct process *process);

/* Waits for the end of the process, and asserts that it returned `code` from main(). */
void expect_exit(struct process *process, int code);

/* Sends the signal, waits for the end, and asserts that this signal was the cause. */
void end_by_signal(struct process *process, int signal_number);

/* start() and expect_exit(0). */
struct process run(struct program program);

/* All that the process has written so far. The text lives until the test ends. */
char *output_of(const struct process *process);
char *errors_of(const struct process *process);

/* The whole content of a file, from its beginning. The text lives until the test ends. */
char *content_of(int fd);

#endif
