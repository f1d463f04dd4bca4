#include "rule/failures.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(failures);

static const struct address nowhere;

static int new_socket(void)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    return fd;
}

Test(failures, nothing_is_remembered_at_first)
{
    struct failure failure;
    const int fd = new_socket();
    cr_assert_not(failures_any());
    cr_assert_not(failures_recall(fd, &failure));
    cr_assert_not(failures_take(fd, &failure));
}

Test(failures, a_failure_is_recalled_as_often_as_asked_and_taken_once)
{
    struct failure failure;
    const int fd = new_socket();
    failures_remember(fd, &nowhere, EADDRINUSE);
    failures_remember(fd, &nowhere, EACCES);
    cr_assert(failures_any());
    for (int i = 0; i < 3; i++) {
        cr_assert(failures_recall(fd, &failure));
        cr_assert_eq(failure.error, EACCES);
        cr_assert_eq(failure.tries, 2);
    }
    cr_assert(failures_take(fd, &failure));
    cr_assert_not(failures_take(fd, &failure));
    cr_assert_not(failures_any());
}

Test(failures, a_socket_is_not_known_by_its_descriptor)
{
    struct failure failure;
    const int fd = new_socket();
    failures_remember(fd, &nowhere, EADDRINUSE);
    const int copy = dup(fd);
    close(fd);
    cr_assert_eq(new_socket(), fd, "the number should be used again");
    cr_assert_not(failures_recall(fd, &failure));
    cr_assert(failures_take(copy, &failure));
}

Test(failures, descriptors_that_are_no_sockets_are_not_remembered)
{
    failures_remember(-1, &nowhere, EBADF);
    failures_remember(STDIN_FILENO, &nowhere, ENOTSOCK);
    cr_assert_not(failures_any());
}

Test(failures, when_the_table_is_full_an_old_failure_gives_way_to_a_new_one)
{
    struct failure failure;
    int fds[FAILURES + 10];
    for (int i = 0; i < FAILURES + 10; i++) {
        fds[i] = new_socket();
        failures_remember(fds[i], &nowhere, i + 1);
    }
    int kept = 0;
    for (int i = 0; i < FAILURES + 10; i++) {
        if (failures_take(fds[i], &failure)) {
            cr_assert_eq(failure.error, i + 1);
            cr_assert_eq(failure.tries, 1);
            kept++;
        } else {
            cr_assert_lt(i, 10, "the oldest go first, but number %d is gone", i);
        }
    }
    cr_assert_eq(kept, FAILURES);
    cr_assert_not(failures_any());
}

enum { THREADS = 8, ROUNDS = 20000 };

/* Every thread has sockets of its own, and more of them than there are places in all. */
static void *remember_and_take(void *mixed_up)
{
    enum { SOCKETS = FAILURES / 4 };
    int fds[SOCKETS];
    for (int i = 0; i < SOCKETS; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        struct failure failure;
        const int fd = fds[round % SOCKETS];
        failures_remember(fd, &nowhere, fd);
        if (failures_take(fds[(round * 7 + 3) % SOCKETS], &failure) &&
            failure.error != fds[(round * 7 + 3) % SOCKETS]) {
            *(int *)mixed_up = 1;
        }
    }
    for (int i = 0; i < SOCKETS; i++) {
        struct failure failure;
        failures_take(fds[i], &failure);
        close(fds[i]);
    }
    return NULL;
}

Test(failures, threads_do_not_mix_up_each_others_failures)
{
    pthread_t threads[THREADS];
    int mixed_up[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, remember_and_take, &mixed_up[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_not(mixed_up[i]);
    }
    cr_assert_not(failures_any(), "a place was counted twice or not at all");
}
