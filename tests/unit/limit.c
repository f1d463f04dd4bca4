#include "report/limit.h"

#include "guest/kernel.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

TestSuite(limit);

static struct address port(unsigned short number)
{
    struct address address = {.length = sizeof(struct sockaddr_in)};
    address.as.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(number)};
    return address;
}

static struct address path(const char *text)
{
    struct address address = {.length = sizeof(struct sockaddr_un)};
    address.as.un.sun_family = AF_UNIX;
    strcpy(address.as.un.sun_path, text);
    return address;
}

static struct event event_of(enum event_kind kind, const struct address *address)
{
    return (struct event){.kind = kind, .error = EADDRINUSE, .address = address};
}

static bool admits(const struct address *address)
{
    struct event event = event_of(EVENT_BIND_FAILED, address);
    return limit_admits(&event);
}

/* The burst of an address is over. */
static void use_up(const struct address *address)
{
    while (admits(address)) {
    }
}

Test(limit, a_burst_passes_and_the_rest_is_counted_until_something_passes)
{
    const struct address address = port(1);
    const struct address other = port(2);
    struct event event;
    for (int i = 0; i < LIMIT_BURST; i++) {
        event = event_of(EVENT_BIND_FAILED, &address);
        cr_assert(limit_admits(&event), "number %d of the burst", i + 1);
        cr_assert_eq(event.left_out, 0);
        cr_assert_eq(event.ends_burst, i == LIMIT_BURST - 1);
    }
    for (int i = 0; i < 100; i++) {
        cr_assert_not(admits(&address));
    }
    event = event_of(EVENT_BIND_FAILED, &other);
    cr_assert(limit_admits(&event));
    cr_assert_eq(event.left_out, 100);
    cr_assert_not(event.ends_burst);
}

Test(limit, one_more_passes_when_its_time_has_come)
{
    const struct address address = port(1);
    const int64_t start = kernel_milliseconds();
    use_up(&address);
    while (!admits(&address)) { /* as long as it takes: the clock is the kernel's */
    }
    const int64_t waited = kernel_milliseconds() - start;
    cr_assert_geq(waited, LIMIT_MILLISECONDS_EACH - 1);
    cr_assert_not(admits(&address));
}

Test(limit, unix_sockets_have_a_budget_of_their_own)
{
    const struct address address = port(1);
    const struct address name = path("/run/a");
    use_up(&name);
    for (int i = 0; i < LIMIT_BURST; i++) {
        cr_assert(admits(&address));
    }
}

Test(limit, what_is_new_of_an_address_passes)
{
    const struct address address = port(1);
    use_up(&address);
    struct event event = event_of(EVENT_RECOVERED, &address);
    cr_assert(limit_admits(&event));
    event = event_of(EVENT_RECOVERED, &address);
    cr_assert_not(limit_admits(&event));
    event = event_of(EVENT_BIND_FAILED, &address);
    event.error = EADDRNOTAVAIL;
    cr_assert(limit_admits(&event));
    event.error = EADDRNOTAVAIL;
    cr_assert_not(limit_admits(&event));
}

Test(limit, swallowed_always_passes)
{
    const struct address address = port(1);
    use_up(&address);
    for (int i = 0; i < 100; i++) {
        struct event event = event_of(EVENT_SWALLOWED, &address);
        cr_assert(limit_admits(&event));
    }
}

Test(limit, so_many_addresses_are_known)
{
    const struct address first = port(1);
    use_up(&first);
    for (unsigned short i = 2; i <= LIMIT_ADDRESSES; i++) {
        const struct address another = port(i);
        cr_assert(admits(&another), "address %d", i);
    }
    const struct address one_too_many = port(LIMIT_ADDRESSES + 1);
    cr_assert_not(admits(&one_too_many));
}

static atomic_int admitted;

static void *ask_often(void *address)
{
    for (int i = 0; i < 10000; i++) {
        admitted += admits(address);
    }
    return NULL;
}

Test(limit, threads_share_one_burst)
{
    enum { THREADS = 8 };
    struct address address = port(1);
    pthread_t threads[THREADS];
    const int64_t start = kernel_milliseconds();
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, ask_often, &address);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    const int64_t seconds = (kernel_milliseconds() - start) / LIMIT_MILLISECONDS_EACH + 1;
    cr_assert_geq(admitted, LIMIT_BURST);
    cr_assert_leq(admitted, LIMIT_BURST + seconds);
}

Test(limit, what_has_no_address_is_never_new)
{
    const struct address unknown = {.length = 0};
    int passed = 0;
    for (int i = 0; i < 2 * LIMIT_BURST; i++) {
        struct event event = event_of(EVENT_CONFIG, i % 2 == 0 ? NULL : &unknown);
        passed += limit_admits(&event);
    }
    cr_assert_leq(passed, LIMIT_BURST + 2);
    cr_assert_geq(passed, LIMIT_BURST);
}
