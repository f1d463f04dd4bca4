/*
 * The person at the terminal: printing, in colour only on a terminal and without NO_COLOR in the
 * environment, and waiting, which ctrl-c ends through exit(), so that the demo cleans up.
 */
#ifndef DEMO_TERMINAL_H
#define DEMO_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

#define INDENT "   "

#define BOLD   "\033[1m"
#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define PLAIN  "\033[0m"

/* VERBOSE=1 in the environment: the viewer wants the tables and every word of the servers. */
extern bool verbose;

/* The colour, or nothing where there shall be none. */
const char *paint(FILE *out, const char *colour);

/* Prints each line of the text indented. */
void tell(const char *text);

/* From now on the functions below call exit() if a signal has come that shall end the demo. */
void catch_signals(void);

/* Gives the reader time, on a terminal; then the five seconds of the next step begin. */
void pause_between_steps(void);

/* A short sleep, for a step that waits for something. False: its five seconds are over. */
bool wait_a_moment(void);

#endif
