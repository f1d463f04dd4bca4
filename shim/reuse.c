#include "reuse.h"

#include "address.h"
#include "config.h"
#include "next.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* What one question tells of a TCP socket. */
struct tcp_facts {
    bool can_listen; /* its state allows it: neither connected nor connecting */
    bool pristine;   /* it has never been connected */
};

/*
 * Whether the socket is a TCP (or MPTCP) stream, and in what state. TCP_INFO answers both with one
 * call, and unlike SO_PROTOCOL does not take a raw socket for TCP. The path MTU that it shows is 0
 * until the socket first connects. MPTCP knows TCP_INFO since Linux 5.16 only. qemu's user mode,
 * which containers of a foreign architecture run on, cuts the answer to four bytes.
 */
static bool is_tcp(int fd, struct tcp_facts *facts)
{
    struct tcp_info info;
    const socklen_t needed = offsetof(struct tcp_info, tcpi_pmtu) + sizeof info.tcpi_pmtu;
    socklen_t length = needed;
    const bool answered = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0;
    if (answered && length >= needed) {
        facts->can_listen = info.tcpi_state == TCP_CLOSE || info.tcpi_state == TCP_LISTEN;
        facts->pristine = info.tcpi_pmtu == 0;
        return true;
    }
    if (!answered && errno != EOPNOTSUPP) {
        return false;
    }
    facts->can_listen = true;
    facts->pristine = false;
    int protocol = 0;
    length = sizeof protocol;
    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 &&
           (protocol == IPPROTO_MPTCP || (answered && protocol == IPPROTO_TCP));
}

static bool reuse_is_on(int fd)
{
    int on = 0;
    socklen_t length = sizeof on;
    return getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, &length) == 0 && on != 0;
}

static bool set_reuse(int fd, int on)
{
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
}

enum rescue reuse_rescue(int fd, const struct sockaddr *addr, socklen_t len, unsigned int port)
{
    struct tcp_facts facts;
    if (!is_tcp(fd, &facts)) {
        return RESCUE_NOT_TCP;
    }
    if (port == 0) {
        return RESCUE_ANY_PORT;
    }
    if (reuse_is_on(fd)) {
        return RESCUE_PROGRAMS_OWN;
    }
    if (!config_port(port)) {
        return RESCUE_LEFT_OUT;
    }
    if (config_dry_run()) {
        return RESCUE_DRY_RUN;
    }
    if (!set_reuse(fd, 1)) {
        return RESCUE_NOT_SET;
    }
    const bool bound = next_bind(fd, addr, len) == 0;
    set_reuse(fd, 0);
    return bound ? RESCUE_WORKED : RESCUE_NO_USE;
}

/* LIBREUSE_PORTS speaks of the port that a socket is bound to: without it nothing is asked. */
static bool is_selected(int fd)
{
    if (config_all_ports()) {
        return true;
    }
    struct address address;
    address_of_socket(&address, fd);
    const unsigned int port = address_port(&address);
    return port != 0 && config_port(port);
}

enum arming reuse_arm(int fd)
{
    struct tcp_facts facts;
    if (config_dry_run() || !is_tcp(fd, &facts) || !facts.can_listen || !is_selected(fd)) {
        return ARMING_NONE;
    }
    if (facts.pristine) {
        return set_reuse(fd, 1) ? ARMING_DONE : ARMING_NONE;
    }
    if (reuse_is_on(fd)) {
        return ARMING_NONE;
    }
    return set_reuse(fd, 1) ? ARMING_UNSURE : ARMING_NONE;
}

void reuse_disarm(int fd)
{
    set_reuse(fd, 0);
}
