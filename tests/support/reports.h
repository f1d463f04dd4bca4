/*
 * What the shim wrote to a program's descriptor 2: one line for a report,
 * "libreuse: PROGRAM[PID]: EVENT: ...".
 */
#ifndef LIBREUSE_TESTS_REPORTS_H
#define LIBREUSE_TESTS_REPORTS_H

#include "process.h"

/* How many reports of this event the process wrote: "rescued", "bind-failed" and so on. */
unsigned count_reports(const struct process *process, const char *event);

/*
 * Asserts that the process wrote exactly one report that begins so (after "PROGRAM[PID]: "), and
 * returns the rest of that line.
 */
const char *expect_report(const struct process *process, const char *beginning);

/* The same where there is more than one: the last of them. */
const char *last_report(const struct process *process, const char *beginning);

/*
 * Whether a report does not name a holder's process because that was not found in the 250 ms that
 * the search for it may take. This happens on a machine that is busy: what made the report is to be
 * made again, after this has paused, the longer the more often it was. False after the last try.
 */
enum { MOST_TRIES = 12 };
bool is_not_found_in_time(const char *rest, unsigned tries);

/* Asserts that these words are in the rest of a report, or are not. */
void expect_words(const char *rest, const char *words);
void expect_no_words(const char *rest, const char *words);

/* The number that follows these words. */
unsigned long number_after(const char *rest, const char *words);

/* Asserts that nothing was written. */
void expect_silence(const struct process *process);

#endif
