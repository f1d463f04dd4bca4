/*
 * A unit of systemd as systemd shows it, and where its variables come from. In the order of
 * systemd.exec(5), each replaces what comes before it: what systemd gives to every service,
 * PassEnvironment=, Environment=, EnvironmentFile=; UnsetEnvironment= takes away at last.
 */
#ifndef LIBREUSE_UNIT_H
#define LIBREUSE_UNIT_H

#include "systemctl.h"

#include <stdbool.h>

struct unit {
    struct properties properties;
    char *id;      /* the canonical name, where an alias was given */
    char *drop_in; /* the path of libreuse's drop-in for it */
};

/*
 * "server" is server.service. NULL, after an error message, where there can be no such name. The
 * caller frees it.
 */
char *unit_full_name(const char *name, const char *command);

/* "server@.service", of which only instances run. */
bool unit_is_template(const char *full_name);

/*
 * Asks systemd. False where it does not answer: `*why` says so, which the caller frees. A unit that
 * does not exist is an answer, too: LoadState. The caller frees it with unit_free().
 */
bool unit_ask(struct unit *unit, const char *full_name, char **why);

/* The same from what systemctl has printed. */
void unit_parse(struct unit *unit, const char *full_name, const char *text);

void unit_free(struct unit *unit);

/* The value of a property, empty where there is none; whether it is that text. */
const char *unit_value(const struct unit *unit, const char *name);
bool unit_is(const struct unit *unit, const char *name, const char *value);

/* Whether systemd has read libreuse's drop-in for it. */
bool unit_has_drop_in(const struct unit *unit);

/*
 * The LD_PRELOAD that it would have without libreuse's drop-in, as it can stand in a unit file
 * (specifiers are not resolved, a % is %%); NULL where it would have none. The caller frees it.
 */
char *unit_own_preload(const struct unit *unit);

/*
 * What would replace a variable of our drop-in: a file, as a path, or "UnsetEnvironment="; and the
 * value that it sets, NULL where it takes the variable away. The caller frees both. False where
 * nothing does.
 */
bool unit_replaces(const struct unit *unit, const char *name, char **where, char **value);

#endif
