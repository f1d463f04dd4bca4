#include "ledger.h"

#include "explain/explain.h"
#include "guest/kernel.h"
#include "guest/line.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static struct ledger ledger = {
    .magic = LEDGER_MAGIC,
    .format = LEDGER_FORMAT,
    .size = sizeof ledger,
    .loss_size = sizeof ledger.loss[0],
    .loss_offset = offsetof(struct ledger, loss),
    .loss_room = LEDGER_LOSSES,
    .version = LIBREUSE_VERSION,
};

void ledger_prepare(void)
{
    struct line line = {.text = ledger.settings, .size = sizeof ledger.settings - 1};
    explain_settings(&line);
}

static void put_address(struct ledger_address *to, const struct address *from)
{
    memset(to, 0, sizeof *to);
    if (from != NULL && from->length >= sizeof from->as.in && from->as.any.sa_family == AF_INET) {
        to->family = AF_INET;
        memcpy(to->ip, &from->as.in.sin_addr, sizeof from->as.in.sin_addr);
    } else if (from != NULL && from->length >= sizeof from->as.in6 &&
               from->as.any.sa_family == AF_INET6) {
        to->family = AF_INET6;
        to->scope = from->as.in6.sin6_scope_id;
        memcpy(to->ip, &from->as.in6.sin6_addr, sizeof from->as.in6.sin6_addr);
    }
    to->port = from != NULL ? address_port(from) : 0;
}

/* The next place; NULL where somebody else is at work on it, who was interrupted there. */
static struct ledger_loss *own_place(uint32_t *sequence)
{
    const uint32_t number = __atomic_fetch_add(&ledger.losses, 1, __ATOMIC_RELAXED);
    struct ledger_loss *loss = &ledger.loss[number % LEDGER_LOSSES];
    *sequence = __atomic_load_n(&loss->sequence, __ATOMIC_RELAXED);
    const bool is_owned = *sequence % 2 == 0 &&
                          __atomic_compare_exchange_n(&loss->sequence, sequence, *sequence + 1,
                                                      false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    return is_owned ? loss : NULL;
}

void ledger_note_loss(int fd, const struct failure *failure, const struct address *listens_on)
{
    struct kernel_file file = {0};
    struct kernel_signals before;
    uint32_t sequence;
    kernel_file(fd, &file);
    const int64_t now = kernel_wall_milliseconds();
    const bool is_blocked = kernel_hold_signals(&before);
    struct ledger_loss *loss = own_place(&sequence);
    if (loss != NULL) {
        loss->error = failure->error;
        loss->time = now;
        loss->inode = file.inode;
        put_address(&loss->asked, &failure->asked);
        put_address(&loss->listens_on, listens_on);
        __atomic_store_n(&loss->sequence, sequence + 2, __ATOMIC_SEQ_CST);
    }
    if (is_blocked) {
        kernel_release_signals(&before);
    }
}
