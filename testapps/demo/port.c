#include "port.h"

#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel answers misplaced packets twice a second at most. */
#define REMOVAL_MS       1500
#define BETWEEN_TRIES_MS 10

static struct sockaddr_in address_of(in_addr_t host, unsigned port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(host)};
}

int bind_error(unsigned port)
{
    struct sockaddr_in address = address_of(INADDR_ANY, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;

    close(fd);
    return error;
}

/*
 * "TIME-WAIT assassination", RFC 1337, which needs no privilege. A SYN from the port of the former
 * peer is out of place for the TIME_WAIT socket, which answers with an ACK of the old connection.
 * That ACK is out of place for us, so our kernel answers with a RST, and the RST removes the
 * socket. Nobody may listen on the port meanwhile: a listener would accept the SYN as a new
 * connection.
 */
static void send_misplaced_syn(const struct tcp_socket *time_wait)
{
    struct sockaddr_in peer = address_of(INADDR_LOOPBACK, time_wait->peer_port);
    struct sockaddr_in local = address_of(INADDR_LOOPBACK, time_wait->local_port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&peer, sizeof(peer)) == 0)
        connect(fd, (struct sockaddr *)&local, sizeof(local));
    close(fd);
}

/* Does not stop_if_interrupted(), because it runs while the demo exits. */
void remove_time_waits(void)
{
    for (int ms = 0; ms < REMOVAL_MS; ms += BETWEEN_TRIES_MS) {
        const struct tcp_socket *time_wait;

        look_at_sockets();
        time_wait = find_socket(TCP_TIME_WAIT);
        if (time_wait == NULL)
            return;
        send_misplaced_syn(time_wait);
        poll(NULL, 0, BETWEEN_TRIES_MS);
    }
}
