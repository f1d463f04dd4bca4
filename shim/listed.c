#include "listed.h"

#include <stddef.h>

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
