/*
 * What happened: the facts of one report, before they become words. Events are made by report.c,
 * and read by explain.c and format.c.
 */
#ifndef LIBREUSE_EVENT_H
#define LIBREUSE_EVENT_H

#include "facts.h"
#include "guest/address.h"
#include "guest/config.h"
#include "lookup/holders.h"

#include <stdbool.h>
#include <stdint.h>

/* Every event: its name, its level, and the MESSAGE_ID by which the journal's catalogue knows it.
 */
#define EVENTS(EVENT)                                                                              \
    EVENT(SWALLOWED, "swallowed", LEVEL_ERR, "797c1744a55f43d9bcb49cba1163dbc5")                   \
    EVENT(BIND_FAILED, "bind-failed", LEVEL_ERR, "03deeed9311f4ecaa3a3366e8b1c76c9")               \
    EVENT(LISTEN_FAILED, "listen-failed", LEVEL_ERR, "b49018f2d2e1488996401253698974e3")           \
    EVENT(LOG_FAILED, "log-failed", LEVEL_WARNING, "e7f7a73b89ddcb7e81f672165e9d2c52")             \
    EVENT(MOVED, "moved", LEVEL_WARNING, "8acb3dd26b4546b497316d33654aea16")                       \
    EVENT(CONFIG, "config", LEVEL_WARNING, "2428c3cd92254510aa881fb12753cf10")                     \
    EVENT(WAITING, "waiting", LEVEL_NOTICE, "79e89a807b4a44d585df761a6b26e529")                    \
    EVENT(RESCUED, "rescued", LEVEL_NOTICE, "5120eb3c0a64446b84973aa0f215978d")                    \
    EVENT(RECOVERED, "recovered", LEVEL_NOTICE, "46afa50352ef4a8e868787cd66a4af93")                \
    EVENT(LISTENING, "listening", LEVEL_INFO, "36aa45f5aa6a4f8bb2cc48ab940eb420")                  \
    EVENT(LOADED, "loaded", LEVEL_INFO, "3e5467a0188544a289d190eecc7a2284")

#define EVENT_NAME(constant, name, level, id) EVENT_##constant,
enum event_kind { EVENTS(EVENT_NAME) };
#undef EVENT_NAME

/* Whether libreuse.so is in a program, or could be. */
enum reach { REACH_UNKNOWN, REACH_IS_THERE, REACH_POSSIBLE, REACH_IMPOSSIBLE };

/*
 * Whom an event is of, where that is another process than the one that says it: what "libreuse
 * watch" sees. What is not known is NULL.
 */
struct subject {
    const char *program;
    const char *runs; /* what that runs, if it is an interpreter */
    unsigned int pid;
    const char *unit; /* of systemd, a service or a scope... */
    bool is_service;  /* ...which "libreuse enable" knows */
    const char *container;
    const char *user;
    const char *enter; /* "nsenter ... " to its network namespace, where that is not ours */
    enum reach reach;
    unsigned int repeats;     /* how many more such events this one stands for; 0: it is one */
    unsigned int repeat_time; /* in how many seconds */
};

struct event {
    enum event_kind kind;
    const struct subject *subject; /* NULL: of this process */
    int fd;                        /* the descriptor that the program named */
    int error;                     /* the errno, 0 where nothing failed */
    bool is_expected; /* bind-failed: the program's own other family has the port, and serves it */
    enum rescue rescue;                /* bind-failed, rescued: what became of EADDRINUSE */
    const struct address *address;     /* asked for, or bound to; NULL where there is none */
    const struct address *listens_on;  /* swallowed: where the program listens instead */
    const struct address *bound_to;    /* moved: what the program has bound instead */
    const struct asker *asker;         /* the socket and the process; NULL: `fd` of this process */
    const struct holders *holders;     /* who holds the address; NULL where that was not asked */
    const struct complaint *complaint; /* config */
    const struct log_failure *log;     /* log-failed */
    const char *instead;               /* log-failed: where reports go */
    unsigned int tries;                /* recovered, moved: failed tries before */
    uint64_t milliseconds; /* recovered: since the first of them; waiting: for how long */
    bool is_trial;         /* nobody but a command that only tries has made the call */
    unsigned int left_out; /* reports that the limit has kept back before this one */
    bool ends_burst;       /* the limit keeps back more of them from now on */
};

/* As `milliseconds`: the clock was refused. */
#define TIME_UNKNOWN UINT64_MAX

/* The names of an event, and how severe it is. */
const char *event_name(enum event_kind kind);
const char *event_message_id(enum event_kind kind);
enum level event_level(enum event_kind kind);

/* The same, or LEVEL_INFO where what has failed belongs to a healthy start (`is_expected`). */
enum level event_level_of(const struct event *event);

#endif
