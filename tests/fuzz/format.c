/*
 * Events with random facts, in every form and in buffers of every size that the shim uses: JSON
 * must be valid, text one line of printable ASCII, a record of the journal one field a line, and
 * not one byte may be written behind the buffer.
 */
#include "fuzz.h"

#include "json.h"
#include "lookup/asker.h"
#include "report/date.h"
#include "report/format.h"

#include <errno.h>
#include <stdbool.h>

/* The buffers of report.c. */
enum { LARGE = 2048, SMALL = 448 };

static const char *const words[] = {"", "0", "LIBREUSE_LOG", "an absolute path of 255 bytes"};
enum { WORDS = sizeof words / sizeof words[0] };

/* What an event points to. */
struct facts {
    struct address address;
    struct address listens_on;
    struct holders holders;
    struct asker asker;
    struct complaint complaint;
    struct log_failure log;
    struct event event;
};

/* What a program asks for: anything. */
static void read_address(struct input *input, struct address *address)
{
    static const sa_family_t families[] = {AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    input_bytes(input, &address->as, sizeof address->as);
    address->as.any.sa_family = families[input_below(input, sizeof families / sizeof families[0])];
    address->length = (socklen_t)input_below(input, sizeof address->as + 1);
}

/* What the kernel says that a socket has. */
static void read_internet_address(struct input *input, struct address *address)
{
    input_bytes(input, &address->as, sizeof address->as.in6);
    const bool ipv6 = input_below(input, 2) == 1;
    address->as.any.sa_family = ipv6 ? AF_INET6 : AF_INET;
    address->length = ipv6 ? sizeof address->as.in6 : sizeof address->as.in;
}

static void read_holders(struct input *input, struct holders *holders)
{
    holders->source = (enum holders_source)input_below(input, HOLDERS_REFUSED + 1);
    holders->netlink_error = (int)input_below(input, 4096);
    holders->proc_error = (int)input_below(input, 4096);
    holders->complete = input_below(input, 2) == 1;
    holders->bound_seen = input_below(input, 2) == 1;
    for (size_t i = 0; i < STATES; i++) {
        holders->count[i] = input_below(input, 3) == 0 ? input_below(input, 1000000) : 0;
        holders->total += holders->count[i];
    }
    holders->unsure = holders->total > 0 ? input_below(input, holders->total + 1) : 0;
    input_bytes(input, &holders->time_wait_ms, sizeof holders->time_wait_ms);
    struct holder *const named = &holders->named;
    named->state = (enum state)input_below(input, STATES);
    read_internet_address(input, &named->local);
    if (input_below(input, 2) == 1) {
        read_internet_address(input, &named->peer);
    }
    input_bytes(input, named->device, sizeof named->device - 1);
    named->timed = input_below(input, 2) == 1;
    input_bytes(input, &named->remaining_ms, sizeof named->remaining_ms);
    input_bytes(input, &named->inode, sizeof named->inode);
    input_bytes(input, &named->uid, sizeof named->uid);
    named->owner.search = (enum owner_search)input_below(input, OWNER_REFUSED + 1);
    named->owner.pid = (int)input_below(input, INT32_MAX);
    named->owner.fd = (int)input_below(input, INT32_MAX);
    named->owner.this_process = input_below(input, 2) == 1;
    input_bytes(input, named->owner.program, sizeof named->owner.program - 1);
    input_bytes(input, named->owner.script, sizeof named->owner.script - 1);
    named->owner.sharers = input_below(input, 1000);
    named->owner.named_count = input_below(input, SHARERS_NAMED + 1);
    named->owner.sharers += named->owner.named_count;
    named->owner.unseen = input_below(input, 1000);
    for (size_t i = 0; i < SHARERS_NAMED; i++) {
        struct sharer *const sharer = &named->owner.named[i];
        sharer->pid = (int)input_below(input, INT32_MAX);
        input_bytes(input, sharer->program, sizeof sharer->program - 1);
    }
    holders->local_ports.first = input_below(input, 65536);
    holders->local_ports.last = input_below(input, 65536);
}

static void read_asker(struct input *input, struct asker *asker)
{
    asker->domain = (int)input_below(input, 64);
    read_internet_address(input, &asker->bound);
    input_bytes(input, asker->device, sizeof asker->device - 1);
    asker->may_bind_low_ports = (enum fact)input_below(input, FACT_YES + 1);
    asker->knows_first_free_port = input_below(input, 2) == 1;
    asker->first_free_port = input_below(input, 65536);
    asker->asked.index = input_below(input, 3);
    asker->asked.flags = input_below(input, 256);
    input_bytes(input, asker->asked_device, sizeof asker->asked_device - 1);
    asker->is_filtered = (enum fact)input_below(input, FACT_YES + 1);
    input_bytes(input, asker->label, sizeof asker->label - 1);
}

static bool needs_holders(const struct event *event)
{
    return event->error == EADDRINUSE && event->rescue != RESCUE_ANY_PORT;
}

/* What a bind() that failed may have met. */
static const enum rescue refused[] = {RESCUE_NO_USE,   RESCUE_PROGRAMS_OWN, RESCUE_NOT_TCP,
                                      RESCUE_LEFT_OUT, RESCUE_DRY_RUN,      RESCUE_ANY_PORT,
                                      RESCUE_NOT_SET};

/* As report.c makes them: some kinds of events always have some facts. */
static void read_facts(struct input *input, struct facts *facts)
{
    memset(facts, 0, sizeof *facts);
    struct event *const event = &facts->event;
    event->kind = (enum event_kind)input_below(input, EVENT_LOADED + 1);
    event->rescue = refused[input_below(input, sizeof refused / sizeof refused[0])];
    event->error = input_below(input, 2) == 0 ? EADDRINUSE : (int)input_below(input, 4096);
    event->fd = input_below(input, 2) == 0 ? -1 : INT32_MAX;
    event->ends_burst = input_below(input, 2) == 0;
    event->tries = event->kind == EVENT_RECOVERED || event->kind == EVENT_MOVED
                       ? input_below(input, UINT32_MAX)
                       : 0;
    event->left_out = input_below(input, UINT32_MAX);
    input_bytes(input, &event->milliseconds, sizeof event->milliseconds);
    if (event->kind == EVENT_WAITING && event->rescue == RESCUE_ANY_PORT) {
        event->rescue = RESCUE_NO_USE; /* for any port nobody waits */
    }

    if (event->kind == EVENT_LISTENING) {
        read_internet_address(input, &facts->address);
    } else {
        read_address(input, &facts->address);
    }
    event->address = &facts->address;
    read_internet_address(input, &facts->listens_on);
    if (event->kind == EVENT_SWALLOWED && input_below(input, 2) == 1) {
        event->listens_on = &facts->listens_on;
    }
    if (event->kind == EVENT_MOVED) {
        event->bound_to = &facts->listens_on;
    }
    read_holders(input, &facts->holders);
    const bool may_have_holders =
        event->kind == EVENT_RESCUED || event->kind == EVENT_WAITING || needs_holders(event);
    if (may_have_holders && input_below(input, 4) != 0) {
        event->holders = &facts->holders;
    }
    read_asker(input, &facts->asker);
    event->asker = &facts->asker;
    facts->complaint.variable = words[input_below(input, WORDS)];
    facts->complaint.expected = words[input_below(input, WORDS)];
    facts->complaint.in_use = words[input_below(input, WORDS)];
    input_bytes(input, facts->complaint.value, sizeof facts->complaint.value - 1);
    if (event->kind == EVENT_CONFIG) {
        event->complaint = &facts->complaint;
        event->address = NULL;
    }
    facts->log.trouble = (enum log_trouble)input_below(input, LOG_TROUBLE_CUT + 1);
    facts->log.error = (int)input_below(input, 4096);
    input_bytes(input, &facts->log.uid, sizeof facts->log.uid);
    if (event->kind == EVENT_LOG_FAILED) {
        event->log = &facts->log;
        event->instead = "the journal";
        event->address = NULL;
    }
    if (event->kind == EVENT_LOADED) {
        event->address = NULL;
    }
}

/* Programs may be called anything; the name is copied once, as at load. */
static void read_program(struct input *input)
{
    static char name[80];
    input_bytes(input, name, sizeof name - 1);
    program_invocation_short_name = name;
    format_prepare();
}

static void check_line(const struct line *line)
{
    MUST(line->length > 0 && line->length <= line->size);
    MUST(line->text[line->length - 1] == '\n');
    for (size_t i = 0; i + 1 < line->length; i++) {
        MUST(line->text[i] >= ' ' && line->text[i] <= '~');
    }
}

static void check_text(const struct line *line)
{
    check_line(line);
    MUST(strncmp(line->text, "libreuse: ", strlen("libreuse: ")) == 0);
}

static void check_json(const struct line *line)
{
    check_line(line);
    MUST(json_is_object(line->text, line->length));
}

static void check_journal(const struct line *line)
{
    MUST(line->length > 0 && line->length <= line->size);
    MUST(line->text[line->length - 1] == '\n');
    bool message = false;
    for (const char *field = line->text; field < line->text + line->length;) {
        const char *const end = memchr(field, '\n', (size_t)(line->text + line->length - field));
        const char *const name = memchr(field, '=', (size_t)(end - field));
        MUST(name != NULL && name > field);
        for (const char *letter = field; letter < name; letter++) {
            MUST((*letter >= 'A' && *letter <= 'Z') || (*letter == '_' && letter > field));
        }
        for (const char *value = name; value < end; value++) {
            MUST(*value >= ' ' && *value <= '~');
        }
        message = message || strncmp(field, "MESSAGE=", strlen("MESSAGE=")) == 0;
        field = end + 1;
    }
    MUST(message);
}

/* In memory of its own, so that a byte behind it is noticed. */
static void check_form(const struct event *event, size_t size,
                       void (*form)(struct line *line, const struct event *event),
                       void (*check)(const struct line *line))
{
    struct line line = {.text = malloc(size), .size = size};
    MUST(line.text != NULL);
    form(&line, event);
    check(&line);
    free(line.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct facts facts;
    read_facts(&input, &facts);
    read_program(&input);
    const struct event *const event = &facts.event;
    const bool small = event_level(event->kind) > LEVEL_NOTICE;
    check_form(event, small ? SMALL : LINE_SIZE, format_text, check_text);
    check_form(event, small ? SMALL : LINE_SIZE, format_json, check_json);
    check_form(event, small ? SMALL : LARGE, format_journal, check_journal);

    char time[64];
    int64_t milliseconds;
    input_bytes(&input, &milliseconds, sizeof milliseconds);
    struct line line = {.text = time, .size = sizeof time};
    date_write(&line, milliseconds);
    line.length = 0;
    date_write_syslog_header(&line, event_level(event->kind), milliseconds);
    return 0;
}
