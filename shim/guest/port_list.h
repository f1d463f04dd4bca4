/* A list of ports, like 9999,8000-8099,http. Async-signal-safe; errno is left changed. */
#ifndef LIBREUSE_PORT_LIST_H
#define LIBREUSE_PORT_LIST_H

#include <stdbool.h>

/* Calls `use` for each range, until something is none. False where it is no such list. */
bool port_list_each(const char *list, void (*use)(unsigned int first, unsigned int last));

#endif
