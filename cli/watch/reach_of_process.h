/*
 * Whether libreuse.so is in a running process, or could be in its next run.
 */
#ifndef LIBREUSE_REACH_OF_PROCESS_H
#define LIBREUSE_REACH_OF_PROCESS_H

#include "explain/event.h"

/* REACH_UNKNOWN where the process has ended, or may not be looked into. */
enum reach reach_of_process(int pid);

#endif
