/*
 * What the library knows and the command asks for from outside: one block of the library's data,
 * which "libreuse" finds in a running process by its magic and reads with process_vm_readv(2). It
 * has the version, the settings in force, and the last ports that the program has lost.
 *
 * The block describes itself: a reader that knows another version of it goes by its sizes. Numbers
 * have the same width in 32-bit and 64-bit programs. A loss is written under a sequence number of
 * its own: odd while it is written, another even one afterwards, 0 where there is none yet. Whoever
 * reads must not trust a word of it: the process may have written anything there.
 *
 * Writing is async-signal-safe and lock-free; errno is left changed.
 */
#ifndef LIBREUSE_LEDGER_H
#define LIBREUSE_LEDGER_H

#include "explain/facts.h"
#include "guest/address.h"

#include <stdint.h>

enum {
    LEDGER_FORMAT = 1,
    LEDGER_MAGIC_SIZE = 16,
    LEDGER_VERSION_SIZE = 32,
    LEDGER_SETTINGS_SIZE = 512,
    LEDGER_LOSSES = 16,
};

/* Its 15 letters and the NUL stand in the library's data once. */
#define LEDGER_MAGIC "libreuse-ledger"

struct ledger_address {
    uint32_t family; /* AF_INET, AF_INET6; 0: not known */
    uint32_t port;   /* in host byte order */
    uint32_t scope;
    uint8_t ip[16]; /* of AF_INET the first four */
};

/*
 * A bind() that failed on a socket that the program went on to listen on, unbound or bound to
 * another port.
 */
struct ledger_loss {
    _Alignas(8) uint32_t sequence;
    int32_t error;  /* bind()'s errno */
    int64_t time;   /* of listen(), or of the other bind(): milliseconds since 1970 */
    uint64_t inode; /* of the socket: as long as the process has it, the port is lost */
    struct ledger_address asked;
    struct ledger_address listens_on; /* family 0: it was kept from listening */
};

struct ledger {
    _Alignas(16) char magic[LEDGER_MAGIC_SIZE];
    uint32_t format;
    uint32_t size;        /* of all of it */
    uint32_t loss_size;   /* of one loss */
    uint32_t loss_offset; /* where they begin */
    uint32_t loss_room;   /* how many there is room for: the last ones are kept */
    uint32_t losses;      /* how many there have been */
    char version[LEDGER_VERSION_SIZE];
    char settings[LEDGER_SETTINGS_SIZE]; /* as the event `loaded` says them; NUL-terminated */
    struct ledger_loss loss[LEDGER_LOSSES];
};

/* Writes the settings down. Call it once, when they are loaded. */
void ledger_prepare(void);

/* Writes a loss down; `listens_on` is NULL where the program is kept from listening. */
void ledger_note_loss(int fd, const struct failure *failure, const struct address *listens_on);

#endif
