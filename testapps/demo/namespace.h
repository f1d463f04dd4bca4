/*
 * Where the story is told: in a network namespace of the demo's own, which touches no port of the
 * machine, or else, if the ports are free, on the machine's own loopback.
 */
#ifndef DEMO_NAMESPACE_H
#define DEMO_NAMESPACE_H

#include <stdbool.h>

/* Prints where and why. Everybody can have a namespace who may make a user namespace. */
void find_a_place(bool want_namespace);

#endif
