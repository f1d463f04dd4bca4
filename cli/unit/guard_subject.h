/*
 * What "libreuse guard" is to look after: a service, a slice, a control group or the whole host;
 * and the drop-in that puts the guard on with each start of a service.
 */
#ifndef LIBREUSE_GUARD_SUBJECT_H
#define LIBREUSE_GUARD_SUBJECT_H

#include <stdbool.h>

/* The control group above all others. */
#define GUARD_HOST "/"

struct guard_subject {
    char *name;      /* of the guard: the unit's, or the control group's path */
    char *group;     /* the control group; NULL where the unit does not run */
    bool is_service; /* a drop-in makes it last... */
    char *file;      /* ...in this file; NULL for all others */
};

/*
 * Finds the unit or the control group that a word names. -1, else the exit status, after an error
 * message. The caller frees it in both cases with guard_subject_free().
 */
int guard_subject_find(struct guard_subject *subject, const char *text, bool is_host);
void guard_subject_free(struct guard_subject *subject);

/* How a person calls it. */
const char *guard_subject_title(const struct guard_subject *subject);

/*
 * The text of a service's drop-in, which the caller frees; NULL where it cannot have one, and then
 * the exit status, after an error message.
 */
char *guard_subject_drop_in(const struct guard_subject *subject, int *status);

/* Writes it, and has systemd read it. False after an error message. */
bool guard_subject_write(const struct guard_subject *subject, const char *text);

#endif
