/*
 * The block that libreuse.so keeps in a process, as the command reads it: the process may have
 * written anything there. The parts are called one by one, because the whole would read the
 * fuzzer's own map of its memory for each input; the memory is read by process_vm_readv(2).
 */
#include "fuzz.h"

#include "sockets/losses.c" // NOLINT: its static functions

#include <unistd.h>

static void check_loss(const struct losses *losses, const struct loss *loss)
{
    MUST(loss->error > 0 && loss->error < 4096 && loss->time >= 0 && loss->inode != 0);
    MUST(loss->asked.length == sizeof loss->asked.as.in ||
         loss->asked.length == sizeof loss->asked.as.in6);
    MUST(address_port(&loss->asked) > 0 && address_port(&loss->asked) <= UINT16_MAX);
    const struct loss *last = losses_of(losses, loss->inode);
    MUST(last != NULL && last->inode == loss->inode && last->time >= loss->time);
    char *text = loss_text(loss);
    MUST(strncmp(text, "lost port ", strlen("lost port ")) == 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct range range = {(uintptr_t)data, size};
    const int pid = getpid();
    struct ledger ledger;
    struct ledger again;
    struct losses losses = {0};
    const uint64_t at = find_block(pid, &range, &ledger);
    if (at == 0) {
        return 0;
    }
    MUST(at >= range.start && at + sizeof ledger <= range.start + size);
    MUST(read_memory(pid, at, &again, sizeof again));
    take_losses(&losses, &ledger, &again);
    MUST(losses.count <= LEDGER_LOSSES);
    for (size_t i = 0; i < losses.count; i++) {
        check_loss(&losses, &losses.list[i]);
    }
    return 0;
}

/* A block as the library has it, which chance would never find. */
static size_t write_block(uint8_t *data, size_t room)
{
    struct ledger ledger = {
        .magic = LEDGER_MAGIC,
        .format = LEDGER_FORMAT,
        .size = sizeof ledger,
        .loss_size = sizeof ledger.loss[0],
        .loss_offset = offsetof(struct ledger, loss),
        .loss_room = LEDGER_LOSSES,
        .losses = 2,
        .version = "1",
        .settings = "LIBREUSE_PORTS=all",
        .loss = {{.sequence = 2,
                  .error = 98,
                  .time = 1,
                  .inode = 4711,
                  .asked = {.family = AF_INET, .port = 9999}},
                 {.sequence = 4,
                  .error = 13,
                  .time = 2,
                  .inode = 4711,
                  .asked = {.family = AF_INET6, .port = 80}}},
    };
    const size_t size = sizeof ledger < room ? sizeof ledger : room;
    memcpy(data, &ledger, size);
    return size;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned int seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned int seed)
{
    if (size < sizeof(struct ledger) || seed % 64 == 0) {
        size = write_block(data, room);
    }
    return LLVMFuzzerMutate(data, size, room);
}
