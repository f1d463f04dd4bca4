/*
 * Where a record comes from, as a person knows it: the unit of systemd or the container that its
 * control group belongs to, and the user.
 */
#ifndef LIBREUSE_ORIGIN_H
#define LIBREUSE_ORIGIN_H

#include "explain/event.h"
#include "kernel/watch_programs.h"

#include <stdbool.h>

struct origin {
    char *group;     /* the control group's path; NULL where it is not known */
    char *unit;      /* the system's service or scope; NULL */
    char *container; /* the first twelve digits of its ID, or its name; NULL */
    char *user;
    char *runs;      /* what its program runs, if that is an interpreter; NULL */
    bool is_service; /* the unit is one that the system's manager starts */
    bool is_gone;    /* the process has ended */
};

/* Fills in what is known. The caller frees it with origin_free(). */
void origin_find(struct origin *origin, const struct watch_record *record);
void origin_free(struct origin *origin);

/* The same from the path of a control group, without user and process. */
void origin_parse(struct origin *origin, const char *group);

/* Whether it is of this unit, also without ".service", or container, also by a part of its ID. */
bool origin_is(const struct origin *origin, const char *name);

#endif
