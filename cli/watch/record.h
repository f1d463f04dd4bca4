/*
 * What a record of the kernel says of its addresses and its socket.
 */
#ifndef LIBREUSE_RECORD_H
#define LIBREUSE_RECORD_H

#include "guest/address.h"
#include "kernel/watch_programs.h"

#include <stdbool.h>

/* What bind() was given; unknown where it was not given anything that the kernel reads. */
void record_asked(const struct watch_record *record, struct address *address);

/* The local address of the socket; unknown where it is not one of the internet's. */
void record_local(const struct watch_record *record, struct address *address);

/* The port that it is about: the one asked for, or of listen(), the socket's. */
unsigned int record_port(const struct watch_record *record);

/* Whether another address was bound at last than was asked for first. */
bool record_is_moved(const struct watch_record *record);

/* Whether the socket is one of TCP or MPTCP. */
bool record_is_tcp(const struct watch_record *record);

#endif
