#include "event.h"

static const struct {
    const char *name;
    enum level level;
    const char *message_id;
} events[] = {
#define EVENT_ROW(constant, name, level, id) {name, level, id},
    EVENTS(EVENT_ROW)
#undef EVENT_ROW
};

const char *event_name(enum event_kind kind)
{
    return events[kind].name;
}

const char *event_message_id(enum event_kind kind)
{
    return events[kind].message_id;
}

enum level event_level(enum event_kind kind)
{
    return events[kind].level;
}

enum level event_level_of(const struct event *event)
{
    return event->is_expected ? LEVEL_INFO : event_level(event->kind);
}
