/*
 * What a unit's sandbox (systemd.exec(5)) takes from a preload: the library's file, the system
 * calls and the address families that the library needs.
 */
#ifndef LIBREUSE_SANDBOX_H
#define LIBREUSE_SANDBOX_H

#include "unit_check.h"

/* Whether the service can load the library from where it is. */
void sandbox_check_library(struct unit_check *check, const struct unit *unit, const char *path);

void sandbox_check_calls(struct unit_check *check, const struct unit *unit);
void sandbox_check_families(struct unit_check *check, const struct unit *unit);

#endif
