#include "socket_state.h"

#include "guest/line.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

static const unsigned char states[] = {
    [1] = STATE_ESTABLISHED, [2] = STATE_SYN_SENT,  [3] = STATE_SYN_RECV, [4] = STATE_FIN_WAIT1,
    [5] = STATE_FIN_WAIT2,   [6] = STATE_TIME_WAIT, [7] = STATE_BOUND, /* TCP_CLOSE: sockets without
                                                                          a port are not listed */
    [8] = STATE_CLOSE_WAIT,  [9] = STATE_LAST_ACK,  [10] = STATE_LISTEN,  [11] = STATE_CLOSING,
    [12] = STATE_SYN_RECV, /* TCP_NEW_SYN_RECV */
    [13] = STATE_BOUND,    /* TCP_BOUND_INACTIVE */
};

enum state state_from_kernel(unsigned int number)
{
    return number > 0 && number < sizeof states ? (enum state)states[number] : STATES;
}

void listed_address(struct address *address, const struct listed *socket, const struct in6_addr *ip,
                    uint16_t port)
{
    *address = (struct address){0};
    if (socket->family == AF_INET) {
        address->length = sizeof address->as.in;
        address->as.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&address->as.in.sin_addr, &ip->s6_addr[12], sizeof address->as.in.sin_addr);
        return;
    }
    const unsigned int device = socket->claim.device;
    const bool has_scope = IN6_IS_ADDR_LINKLOCAL(ip) && device != DEVICE_UNKNOWN;
    address->length = sizeof address->as.in6;
    address->as.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                            .sin6_port = htons(port),
                                            .sin6_addr = *ip,
                                            .sin6_scope_id = has_scope ? device : 0};
}

void listed_device(char name[DEVICE_SIZE], unsigned int index)
{
    name[0] = '\0';
    if (index == 0 || index == DEVICE_UNKNOWN || kernel_device_name(index, name)) {
        return;
    }
    struct line line = {.text = name, .size = DEVICE_SIZE - 1};
    line_number(&line, index);
    name[line.length] = '\0';
}
