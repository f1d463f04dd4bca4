/*
 * Who holds the address of a record, and who has asked for it: found out in the network namespace
 * of the record's socket.
 */
#ifndef LIBREUSE_LOOK_UP_H
#define LIBREUSE_LOOK_UP_H

#include "guest/address.h"
#include "kernel/watch_programs.h"
#include "lookup/asker.h"
#include "lookup/holders.h"

#include <stdbool.h>

struct look_up {
    struct holders holders;
    char *enter; /* how to run a command there: "nsenter --net=/proc/4250/ns/net "; NULL: here */
};

/* The caller frees it with look_up_free(). */
void look_up_find(struct look_up *look_up, const struct watch_record *record, bool is_ipv6_only,
                  const struct address *asked);
void look_up_free(struct look_up *look_up);

/* For an error other than EADDRINUSE. */
void look_up_asker(struct asker *asker, const struct watch_record *record,
                   const struct address *asked);

#endif
