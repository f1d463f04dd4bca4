/*
 * The turn of a port: whoever switches SO_REUSEADDR on for a moment has it meanwhile, so that two
 * programs that start together do not both have the option on, and both get the port.
 *
 * It is an abstract AF_UNIX name, "\0libreuse/PORT", and so one for a network namespace; the kernel
 * takes it back however its holder ends. It is advice: whoever does not get it within 2 ms, from a
 * stopped process or from one that squats the name, goes on without it.
 *
 * Async-signal-safe. errno is left changed.
 */
#ifndef LIBREUSE_TURN_H
#define LIBREUSE_TURN_H

#include "guest/kernel.h"

#include <stdbool.h>

struct turn {
    int fd; /* -1: it was not to be had */
    bool signals_held;
    struct kernel_signals signals;
};

/* All signals are held until it is given back: no handler runs, and none leaves by a jump. */
void turn_take(struct turn *turn, unsigned int port);
void turn_give_back(struct turn *turn);

#endif
