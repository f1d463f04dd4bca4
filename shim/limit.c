#include "limit.h"

#include "kernel.h"

#include <stdatomic.h>
#include <stdint.h>

/* When the bucket is full again, on the clock of kernel_milliseconds(); it is full if that is past.
 */
_Alignas(8) static _Atomic int64_t full_at;
static atomic_uint left_out;

bool limit_admits(void)
{
    const int64_t now = kernel_milliseconds();
    int64_t full = atomic_load(&full_at);
    int64_t later;
    do {
        later = (full > now ? full : now) + LIMIT_MILLISECONDS_EACH;
        if (later - now > (int64_t)LIMIT_BURST * LIMIT_MILLISECONDS_EACH) {
            atomic_fetch_add(&left_out, 1);
            return false;
        }
    } while (!atomic_compare_exchange_weak(&full_at, &full, later));
    return true;
}

unsigned int limit_take_left_out(void)
{
    return atomic_exchange(&left_out, 0);
}
