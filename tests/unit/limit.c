#include "limit.h"

#include "kernel.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

TestSuite(limit);

Test(limit, a_burst_passes_and_the_rest_is_counted)
{
    for (int i = 0; i < LIMIT_BURST; i++) {
        cr_assert(limit_admits(), "number %d of the burst", i + 1);
    }
    for (int i = 0; i < 100; i++) {
        cr_assert_not(limit_admits());
    }
    cr_assert_eq(limit_take_left_out(), 100);
    cr_assert_eq(limit_take_left_out(), 0);
}

Test(limit, one_more_passes_when_its_time_has_come)
{
    const int64_t start = kernel_milliseconds();
    while (limit_admits()) {
    }
    while (!limit_admits()) { /* as long as it takes: the clock is the kernel's */
    }
    const int64_t waited = kernel_milliseconds() - start;
    cr_assert_geq(waited, LIMIT_MILLISECONDS_EACH - 1);
    cr_assert_not(limit_admits());
}

static atomic_int admitted;

static void *ask_often(void *unused)
{
    for (int i = 0; i < 10000; i++) {
        admitted += limit_admits();
    }
    return unused;
}

Test(limit, threads_share_one_burst)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    const int64_t start = kernel_milliseconds();
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, ask_often, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    const int64_t seconds = (kernel_milliseconds() - start) / LIMIT_MILLISECONDS_EACH + 1;
    cr_assert_geq(admitted, LIMIT_BURST);
    cr_assert_leq(admitted, LIMIT_BURST + seconds);
    cr_assert_eq(limit_take_left_out(), THREADS * 10000 - (unsigned int)admitted);
}
