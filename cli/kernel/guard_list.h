/*
 * The list of guards that "libreuse guard" shows.
 */
#ifndef LIBREUSE_GUARD_LIST_H
#define LIBREUSE_GUARD_LIST_H

#include <stdbool.h>

/* Prints it. The result is the command's exit status. */
int guard_list(bool json);

#endif
