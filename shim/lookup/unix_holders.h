/*
 * The holders of an AF_UNIX name: a part of holders.h. A path is compared by the file that a socket
 * made where netlink tells it, and by name. Where no socket is found, as in another network
 * namespace, the kernel is asked whether the file has one behind it, in a way that a server does
 * not notice.
 */
#ifndef LIBREUSE_UNIX_HOLDERS_H
#define LIBREUSE_UNIX_HOLDERS_H

#include "holders.h"

/* Fills in the rest of `holders`, which is empty but for its beginning, until the deadline. */
void unix_holders_find(const struct holders_question *question, int64_t deadline,
                       struct holders *holders);

#endif
