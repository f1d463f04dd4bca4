#include "reuse.h"

#include "guest/address.h"
#include "guest/config.h"
#include "guest/kernel.h"
#include "guest/kernel_sockets.h"
#include "next.h"
#include "turn.h"

#include <netinet/in.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/*
 * TCP or MPTCP, by one question that every kernel and every emulator answers. It takes a raw socket
 * with TCP's number for one, too: that can neither be refused a port, nor listen.
 */
static bool is_tcp(int fd)
{
    int protocol = 0;
    socklen_t length = sizeof protocol;
    return kernel_get_option(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) &&
           (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP);
}

/* Negative where it is not told, also by a filter that answers in the kernel's place. */
static int reuse(int fd)
{
    int on = -1;
    socklen_t length = sizeof on;
    return kernel_get_option(fd, SOL_SOCKET, SO_REUSEADDR, &on, &length) ? on : -1;
}

static bool set_reuse(int fd, int on)
{
    return kernel_set_option(fd, SOL_SOCKET, SO_REUSEADDR, on);
}

/* Whether the kernel, or a filter, that lets the option be switched on lets it be off again. */
static bool may_be_switched(int fd)
{
    return set_reuse(fd, 0);
}

/* Again where it is refused, or only said to be done: the socket must not stay open to others. */
static void switch_off(int fd)
{
    enum { TRIES = 3 };
    for (int i = 0; i < TRIES && (!set_reuse(fd, 0) || reuse(fd) != 0); i++) {
    }
}

/* Whether the option is known to be off; else `rescue` says why the socket is left alone. */
static bool is_off(int fd, enum rescue *rescue)
{
    const int on = reuse(fd);
    *rescue = on > 0 ? RESCUE_PROGRAMS_OWN : RESCUE_NOT_SET;
    return on == 0;
}

enum rescue reuse_rescue(int fd, const struct sockaddr *addr, socklen_t len, unsigned int port)
{
    if (!is_tcp(fd)) {
        return RESCUE_NOT_TCP;
    }
    if (port == 0) {
        return RESCUE_ANY_PORT;
    }
    enum rescue rescue;
    if (!is_off(fd, &rescue)) {
        return rescue;
    }
    if (!config_port(port)) {
        return RESCUE_LEFT_OUT;
    }
    if (config_dry_run()) {
        return RESCUE_DRY_RUN;
    }
    struct turn turn;
    turn_take(&turn, port);
    if (may_be_switched(fd)) {
        if (set_reuse(fd, 1)) {
            rescue = next_bind(fd, addr, len) == 0 ? RESCUE_WORKED : RESCUE_NO_USE;
        }
        switch_off(fd);
    }
    turn_give_back(&turn);
    return rescue;
}

/* The port that a socket is bound to, 0 where it is none that is to be rescued and armed. */
static unsigned int selected_port(int fd)
{
    struct address address;
    address_of_socket(&address, fd);
    const unsigned int port = address_port(&address);
    return port != 0 && config_port(port) ? port : 0;
}

/*
 * Two sockets with the option that listen at the same instant refuse each other: each is a listener
 * while it looks whether there is one (inet_csk_listen_start() of the kernel). The other may be a
 * program's that sets the option itself and takes no turn. A moment later it has given up.
 */
static bool listens(int fd, int backlog)
{
    enum { MOMENT_NS = 200000 };
    if (next_listen(fd, backlog) == 0) {
        return true;
    }
    kernel_pause(MOMENT_NS);
    return next_listen(fd, backlog) == 0;
}

enum rescue reuse_listen(int fd, int backlog)
{
    if (!is_tcp(fd)) {
        return RESCUE_NOT_TCP;
    }
    enum rescue rescue;
    if (!is_off(fd, &rescue)) {
        return rescue;
    }
    const unsigned int port = selected_port(fd);
    if (port == 0) {
        return RESCUE_LEFT_OUT;
    }
    if (config_dry_run()) {
        return RESCUE_DRY_RUN;
    }
    struct turn turn;
    turn_take(&turn, port);
    if (may_be_switched(fd)) {
        if (set_reuse(fd, 1)) {
            rescue = listens(fd, backlog) ? RESCUE_WORKED : RESCUE_NO_USE;
        }
        if (rescue != RESCUE_WORKED) {
            switch_off(fd);
        }
    }
    turn_give_back(&turn);
    return rescue;
}

bool reuse_arm(int fd)
{
    /* In this order: a listener that is left out by LIBREUSE_PORTS is asked for its address alone,
     * which a filter that kills for getsockopt(2) may let pass. */
    return !config_dry_run() && (config_all_ports() || selected_port(fd) != 0) && is_tcp(fd) &&
           set_reuse(fd, 1);
}
