/* Which file a name means, as execvp(3) would look for it, and what the kernel says of that. */
#ifndef LIBREUSE_SEARCH_H
#define LIBREUSE_SEARCH_H

/*
 * The file that execvp(3) would execute, as a path with a slash, and 0; or NULL and the errno. A
 * file that may not be executed is the answer, with its errno, where no folder of PATH has another.
 * The caller frees it.
 */
char *search_program(const char *name, int *error);

#endif
