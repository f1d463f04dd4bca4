/*
 * The two servers and the libreuse command: starting and ending them, with and without libreuse,
 * and what they said on stdout and stderr. None outlives the demo, whatever the demo dies of.
 */
#ifndef DEMO_STAGE_H
#define DEMO_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

enum { SERVER1_PORT = 9999, SERVER2_PORT = 8888 };

struct program {
    const char *name;
    pid_t pid;    /* 0 while it does not run */
    int status;   /* of the last run, as a shell shows it: for a signal, its number and 128 added */
    int said;     /* a file in memory with all that it said; -1 before the first run */
    size_t shown; /* how many bytes of that the viewer has seen */
};

extern struct program server1, server2, command;

/* Makes the demo's folder the working folder. Ends the demo if libreuse.so is not there. */
void enter_own_folder(void);

/*
 * Starts it by what is typed in a shell: variables, the program, its arguments, NULL. It gets no
 * other variable, because one of the viewer's could change the story.
 */
void launch(struct program *program, const char *const words[]);

/* These wait. False: it has not come true in time, or cannot any more. */
bool comes_up(struct program *program);
bool comes_to_an_end(struct program *program);

/* Ctrl-c, if it runs. */
void interrupt(struct program *program);

/* SIGKILL, to those that run. */
void kill_all(void);

bool has_said(const struct program *program, const char *what);

/* Prints the lines that the viewer has not seen yet. */
void show_said(void);

#endif
