/*
 * What happened: the facts of one report, before they become words. Events are made by report.c,
 * and read by explain.c and format.c.
 */
#ifndef LIBREUSE_EVENT_H
#define LIBREUSE_EVENT_H

#include "address.h"
#include "config.h"
#include "holders.h"
#include "reuse.h"

#include <stdint.h>

/* Every event: its name, its level, and the MESSAGE_ID by which the journal's catalogue knows it.
 */
#define EVENTS(EVENT)                                                                              \
    EVENT(SWALLOWED, "swallowed", LEVEL_ERR, "797c1744a55f43d9bcb49cba1163dbc5")                   \
    EVENT(BIND_FAILED, "bind-failed", LEVEL_ERR, "03deeed9311f4ecaa3a3366e8b1c76c9")               \
    EVENT(LISTEN_FAILED, "listen-failed", LEVEL_ERR, "b49018f2d2e1488996401253698974e3")           \
    EVENT(CONFIG, "config", LEVEL_WARNING, "2428c3cd92254510aa881fb12753cf10")                     \
    EVENT(WAITING, "waiting", LEVEL_NOTICE, "79e89a807b4a44d585df761a6b26e529")                    \
    EVENT(RESCUED, "rescued", LEVEL_NOTICE, "5120eb3c0a64446b84973aa0f215978d")                    \
    EVENT(RECOVERED, "recovered", LEVEL_NOTICE, "46afa50352ef4a8e868787cd66a4af93")                \
    EVENT(LISTENING, "listening", LEVEL_INFO, "36aa45f5aa6a4f8bb2cc48ab940eb420")                  \
    EVENT(LOADED, "loaded", LEVEL_INFO, "3e5467a0188544a289d190eecc7a2284")

#define EVENT_NAME(constant, name, level, id) EVENT_##constant,
enum event_kind { EVENTS(EVENT_NAME) };
#undef EVENT_NAME

struct event {
    enum event_kind kind;
    int fd;                            /* the descriptor that the program named */
    int error;                         /* the errno, 0 where nothing failed */
    enum rescue rescue;                /* bind-failed, rescued: what became of EADDRINUSE */
    const struct address *address;     /* asked for, or bound to; NULL where there is none */
    const struct address *listens_on;  /* swallowed: where the program listens instead */
    const struct holders *holders;     /* who holds the address; NULL where that was not asked */
    const struct complaint *complaint; /* config */
    unsigned int tries;                /* recovered: failed tries before */
    uint64_t milliseconds; /* recovered: since the first of them; waiting: for how long */
    unsigned int left_out; /* reports that the limit has kept back before this one */
};

/* The names of an event, and how severe it is. */
const char *event_name(enum event_kind kind);
const char *event_message_id(enum event_kind kind);
enum level event_level(enum event_kind kind);

#endif
