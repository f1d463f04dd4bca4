/*
 * What the rule knows of a refused bind(), and tells the reports: the words that both sides share.
 */
#ifndef LIBREUSE_FACTS_H
#define LIBREUSE_FACTS_H

#include "guest/address.h"

#include <stdint.h>

/* What became of a bind() that was refused with EADDRINUSE. */
enum rescue {
    RESCUE_WORKED,       /* bound, with SO_REUSEADDR on for the time of the call */
    RESCUE_NO_USE,       /* refused with SO_REUSEADDR, too */
    RESCUE_NOT_SET,      /* a filter refuses to set SO_REUSEADDR, or to say whether it is off */
    RESCUE_PROGRAMS_OWN, /* the program itself had set SO_REUSEADDR: left alone */
    RESCUE_NOT_TCP,      /* left alone */
    RESCUE_ANY_PORT,     /* port 0, for which no predecessor can be in the way: left alone */
    RESCUE_LEFT_OUT,     /* not one of LIBREUSE_PORTS */
    RESCUE_DRY_RUN,      /* LIBREUSE_DRY_RUN */
    RESCUE_FREE,         /* a later try was not refused at all */
    RESCUE_NOT_TRIED,    /* nobody has tried SO_REUSEADDR: seen from outside */
};

/* Why the file that LIBREUSE_LOG names has not taken a report. */
enum log_trouble {
    LOG_TROUBLE_ERROR, /* `error` says */
    LOG_TROUBLE_OWNER, /* it, or a folder on the way to it, is somebody else's: `uid` says whose */
    LOG_TROUBLE_LINKS, /* it has a second name, where anybody may give it one */
    LOG_TROUBLE_SYMLINK, /* a symbolic link on the way to it may be anybody's */
    LOG_TROUBLE_TYPE,    /* neither a file nor a pipe */
    LOG_TROUBLE_SIGNALS, /* a filter refuses to hold back the signals that a write may raise */
    LOG_TROUBLE_CUT,     /* it has taken a part of the report only */
};

struct log_failure {
    enum log_trouble trouble;
    int error;
    uint32_t uid; /* otherwise that of the host */
};

/* A bind() that failed, as it is remembered of its socket. */
struct failure {
    struct address asked; /* of the first bind() that failed */
    int error;            /* the errno of the last one for this address */
    unsigned int tries;   /* failed binds of this socket so far */
    int64_t since;        /* when the first one failed: kernel_milliseconds() */
};

#endif
