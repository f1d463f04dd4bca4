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

/* Asserts that nothing was written. */
void expect_silence(const struct process *process);

#endif
