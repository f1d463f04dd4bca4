#include "losses.h"

#include "explain/explain.h"
#include "processes.h"
#include "socket_list.h"
#include "terminal/output.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

/* A part of the library's data that may have the block in it. */
struct range {
    uint64_t start;
    size_t length;
};

/* More than the data of any libreuse.so: nobody is made to read a process's whole memory. */
enum { RANGES = 8, RANGE_SIZE = 1 << 20 };

static size_t find_ranges(int pid, struct range ranges[RANGES])
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    size_t count = 0;
    while (maps != NULL && count < RANGES && getline(&line, &size, maps) >= 0) {
        unsigned long long start;
        unsigned long long end;
        char rights[5];
        if (sscanf(line, "%llx-%llx %4s", &start, &end, rights) == 3 && rights[0] == 'r' &&
            rights[1] == 'w' && end > start && end - start <= RANGE_SIZE &&
            process_maps_shim(line)) {
            ranges[count++] = (struct range){start, (size_t)(end - start)};
        }
    }
    free(line);
    if (maps != NULL) {
        fclose(maps);
    }
    return count;
}

static bool read_memory(int pid, uint64_t from, void *to, size_t length)
{
    if (from > UINTPTR_MAX) {
        return false;
    }
    const struct iovec local = {to, length};
    const struct iovec remote = {(void *)(uintptr_t)from, length};
    return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)length;
}

/* The losses lie where and as this version has them, or are of another one. */
static bool is_known(const struct ledger *ledger, size_t room)
{
    return ledger->format == LEDGER_FORMAT && ledger->size >= sizeof *ledger &&
           ledger->size <= room && ledger->loss_size == sizeof ledger->loss[0] &&
           ledger->loss_offset == offsetof(struct ledger, loss) &&
           ledger->loss_room == LEDGER_LOSSES;
}

/* Looks for the block in a part of the memory, and copies it. 0 where it is not there. */
static uint64_t find_block(int pid, const struct range *range, struct ledger *ledger)
{
    unsigned char *memory = output_allocate(range->length, 1);
    uint64_t found = 0;
    if (read_memory(pid, range->start, memory, range->length)) {
        for (size_t at = 0; found == 0 && at + sizeof *ledger <= range->length;
             at += LEDGER_MAGIC_SIZE) {
            memcpy(ledger, memory + at, sizeof *ledger);
            if (memcmp(ledger->magic, LEDGER_MAGIC, LEDGER_MAGIC_SIZE) == 0 &&
                is_known(ledger, range->length - at)) {
                found = range->start + at;
            }
        }
    }
    free(memory);
    return found;
}

static bool take_address(const struct ledger_address *from, struct address *to)
{
    *to = (struct address){0};
    if (from->port == 0 || from->port > UINT16_MAX) {
        return false;
    }
    if (from->family == AF_INET) {
        to->length = sizeof to->as.in;
        to->as.in =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)from->port)};
        memcpy(&to->as.in.sin_addr, from->ip, sizeof to->as.in.sin_addr);
    } else if (from->family == AF_INET6) {
        to->length = sizeof to->as.in6;
        to->as.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                           .sin6_port = htons((uint16_t)from->port),
                                           .sin6_scope_id = from->scope};
        memcpy(&to->as.in6.sin6_addr, from->ip, sizeof to->as.in6.sin6_addr);
    }
    return to->length > 0;
}

/* Takes what was not being written: the sequence was even, and is the same when read once more. */
static void take_losses(struct losses *losses, const struct ledger *ledger,
                        const struct ledger *again)
{
    enum { LARGEST_ERRNO = 4095 };
    for (size_t i = 0; i < LEDGER_LOSSES; i++) {
        const struct ledger_loss *loss = &ledger->loss[i];
        struct loss *taken = &losses->list[losses->count];
        if (loss->sequence == 0 || loss->sequence % 2 != 0 ||
            loss->sequence != again->loss[i].sequence || loss->error <= 0 ||
            loss->error > LARGEST_ERRNO || loss->time < 0 || loss->inode == 0 ||
            !take_address(&loss->asked, &taken->asked)) {
            continue;
        }
        taken->error = loss->error;
        taken->time = loss->time;
        taken->inode = loss->inode;
        losses->count++;
    }
}

void losses_read(struct losses *losses, int pid)
{
    struct range ranges[RANGES];
    struct ledger ledger;
    struct ledger again;
    *losses = (struct losses){0};
    const int thread = process_thread(pid);
    const size_t count = find_ranges(thread, ranges);
    for (size_t i = 0; i < count && !losses->is_read; i++) {
        const uint64_t at = find_block(thread, &ranges[i], &ledger);
        if (at != 0 && read_memory(thread, at, &again, sizeof again)) {
            losses->is_read = true;
            memcpy(losses->version, ledger.version, sizeof losses->version - 1);
            memcpy(losses->settings, ledger.settings, sizeof losses->settings - 1);
            losses->leaves_out = strstr(losses->settings, ", LIBREUSE_DRY_RUN=1") != NULL ||
                                 strstr(losses->settings, "(LIBREUSE_PORTS)") != NULL;
            take_losses(losses, &ledger, &again);
        }
    }
}

const struct loss *losses_of(const struct losses *losses, uint64_t inode)
{
    const struct loss *last = NULL;
    for (size_t i = 0; i < losses->count; i++) {
        const struct loss *loss = &losses->list[i];
        if (loss->inode == inode && (last == NULL || loss->time >= last->time)) {
            last = loss;
        }
    }
    return last;
}

bool loss_is_own_dual_stack(const struct loss *loss, const struct claim *claim,
                            const struct claim *other, unsigned int port)
{
    struct claim asked = *claim;
    claim_address(&asked, &loss->asked);
    return loss->error == EADDRINUSE && port == address_port(&loss->asked) &&
           IN6_IS_ADDR_V4MAPPED(&asked.ip) != IN6_IS_ADDR_V4MAPPED(&other->ip) &&
           claim_overlap(&asked, other) != OVERLAP_NONE;
}

char *loss_error_name(const struct loss *loss)
{
    char text[32];
    struct line line = {.text = text, .size = sizeof text};
    explain_name(&line, loss->error);
    return output_format("%.*s", (int)line.length, text);
}

/* The time of day, with the date where that is another one than today's. */
static void write_time(char *text, size_t size, int64_t milliseconds)
{
    const time_t then = (time_t)(milliseconds / 1000);
    const time_t now = time(NULL);
    struct tm its;
    struct tm today;
    if (localtime_r(&then, &its) == NULL || localtime_r(&now, &today) == NULL) {
        snprintf(text, size, "?");
        return;
    }
    const bool is_today = its.tm_year == today.tm_year && its.tm_yday == today.tm_yday;
    strftime(text, size, is_today ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &its);
}

char *loss_text(const struct loss *loss)
{
    char moment[64];
    write_time(moment, sizeof moment, loss->time);
    char *error = loss_error_name(loss);
    char *text =
        output_format("lost port %u at %s (%s)", address_port(&loss->asked), moment, error);
    free(error);
    return text;
}

void loss_json(const struct loss *loss, struct json *json, const char *name)
{
    if (loss == NULL) {
        json_null(json, name);
        return;
    }
    char *error = loss_error_name(loss);
    json_open_object(json, name);
    sockets_json_address(json, "address", &loss->asked);
    json_number(json, "port", address_port(&loss->asked));
    json_string(json, "error", error);
    json_number(json, "time", loss->time / 1000);
    json_close(json);
    free(error);
}
