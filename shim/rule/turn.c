#include "turn.h"

#include "guest/kernel_sockets.h"
#include "guest/line.h"

#include <errno.h>
#include <stddef.h>
#include <sys/un.h>

enum { PATIENCE_MS = 2, PAUSE_NS = 100000 };

static bool claim(int fd, unsigned int port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct line path = {.text = name.sun_path + 1, .size = sizeof name.sun_path - 1};
    line_text(&path, "libreuse/");
    line_number(&path, port);
    const size_t length = offsetof(struct sockaddr_un, sun_path) + 1 + path.length;
    return kernel_bind(fd, (const struct sockaddr *)&name, (socklen_t)length) == 0;
}

/* False where somebody else has it for too long, or where it may not be had at all. */
static bool wait_for(int fd, unsigned int port)
{
    int64_t end = 0;
    while (!claim(fd, port)) {
        if (errno != EADDRINUSE || (end != 0 && kernel_is_past(end))) {
            return false;
        }
        end = end != 0 ? end : kernel_milliseconds() + PATIENCE_MS;
        kernel_pause(PAUSE_NS);
    }
    return true;
}

void turn_take(struct turn *turn, unsigned int port)
{
    turn->signals_held = kernel_hold_signals(&turn->signals);
    turn->fd = kernel_socket(AF_UNIX, SOCK_DGRAM, 0);
    if (turn->fd >= 0 && !wait_for(turn->fd, port)) {
        kernel_close(turn->fd);
        turn->fd = -1;
    }
}

void turn_give_back(struct turn *turn)
{
    if (turn->fd >= 0) {
        kernel_close(turn->fd);
    }
    if (turn->signals_held) {
        kernel_release_signals(&turn->signals);
    }
}
