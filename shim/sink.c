#include "sink.h"

#include "kernel.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* What descriptor 2 was at load. Written before `prepared` is set, and never again. */
static struct kernel_file at_load;
static bool open_at_load;
static atomic_bool prepared;

void sink_prepare(void)
{
    open_at_load = kernel_file(STDERR_FILENO, &at_load);
    prepared = true;
}

static bool is_dev_null(const struct kernel_file *file)
{
    return S_ISCHR(file->mode) && file->special_device == makedev(1, 3);
}

/* Before the library is loaded, what descriptor 2 is now is what it will be at load. */
static bool is_as_at_load(const struct kernel_file *now)
{
    return !prepared ||
           (open_at_load && now->device == at_load.device && now->inode == at_load.inode);
}

/* write(2) raises them: for a pipe without reader, a terminal's background, a file size limit. */
static const int raised[] = {SIGPIPE, SIGTTOU, SIGXFSZ};
enum { RAISED = sizeof raised / sizeof raised[0] };

/* While a signal is blocked, SIGTTOU's write is even allowed, and the others can be taken back. */
static void write_with_signals_held(const char *line, size_t length)
{
    struct kernel_signals ours = {{0}};
    for (size_t i = 0; i < RAISED; i++) {
        ours.bits[0] |= 1UL << (raised[i] - 1);
    }
    struct kernel_signals mask;
    if (!kernel_block_signals(&ours, &mask)) {
        return;
    }
    struct kernel_signals before;
    kernel_pending_signals(&before);
    if (kernel_writable(STDERR_FILENO) && kernel_write(STDERR_FILENO, line, length) < 0) {
        struct kernel_signals new = {{ours.bits[0] & ~before.bits[0]}};
        kernel_consume_signal(&new);
    }
    kernel_restore_signals(&mask);
}

void sink_write(const char *line, size_t length)
{
    struct kernel_file now;
    if (!kernel_file(STDERR_FILENO, &now) || is_dev_null(&now) || !is_as_at_load(&now)) {
        return;
    }
    if (S_ISSOCK(now.mode)) {
        kernel_send(STDERR_FILENO, line, length);
    } else {
        write_with_signals_held(line, length);
    }
}
