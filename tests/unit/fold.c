/* cli/watch/fold.h: what is shown of repeats, and when. */
#include "watch/fold.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct shown {
    unsigned int times;
    unsigned int count;
    int64_t milliseconds;
};

static void note(void *context, const struct watch_record *last, unsigned int count,
                 int64_t milliseconds)
{
    struct shown *shown = context;
    (void)last;
    *shown = (struct shown){shown->times + 1, count, milliseconds};
}

static struct watch_record failure(unsigned int port)
{
    struct watch_record record = {
        .kind = WATCH_BIND_FAILED, .error = EADDRINUSE, .program = "server1"};
    const struct sockaddr_in asked = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    record.length = sizeof asked;
    memcpy(record.asked, &asked, sizeof asked);
    return record;
}

static struct fold *new_fold(void)
{
    struct fold *fold = calloc(1, sizeof *fold);
    cr_assert_not_null(fold);
    return fold;
}

Test(fold, shows_the_first_and_counts_the_others_every_ten_seconds)
{
    struct shown shown = {0};
    const struct fold_show show = {note, &shown};
    struct fold *fold = new_fold();
    struct watch_record record = failure(9999);
    cr_assert_eq(fold_due(fold), -1);
    cr_assert(fold_add(fold, &record, 1000, &show));
    for (int i = 0; i < 3; i++) {
        record.process++; /* a new run of the program is no other kind */
        cr_assert_not(fold_add(fold, &record, 2000, &show));
    }
    cr_assert_eq(fold_due(fold), 11000);
    fold_end(fold, 10999, false, &show);
    cr_assert_eq(shown.times, 0);
    fold_end(fold, 11000, false, &show);
    cr_assert_eq(shown.count, 3);
    cr_assert_eq(shown.milliseconds, 10000);
    cr_assert_not(fold_add(fold, &record, 12000, &show));
    fold_end(fold, 21000, false, &show);
    cr_assert_eq(shown.count, 1);
    fold_end(fold, 31000, false, &show); /* nothing more: it is over */
    cr_assert_eq(shown.times, 2);
    cr_assert(fold_add(fold, &record, 32000, &show));
    cr_assert_eq(fold->events, 6);
    free(fold);
}

Test(fold, tells_what_differs_apart)
{
    struct shown shown = {0};
    const struct fold_show show = {note, &shown};
    struct fold *fold = new_fold();
    struct watch_record records[5];
    for (size_t i = 0; i < 5; i++) {
        records[i] = failure(9999);
    }
    records[1] = failure(9998);
    records[2].error = EACCES;
    records[3].program[0] = 'x';
    records[4].network = 7;
    for (size_t i = 0; i < 5; i++) {
        cr_assert(fold_add(fold, &records[i], 0, &show), "%zu", i);
    }
    free(fold);
}

Test(fold, takes_back_what_was_none)
{
    struct shown shown = {0};
    const struct fold_show show = {note, &shown};
    struct fold *fold = new_fold();
    const struct watch_record record = failure(9999);
    fold_add(fold, &record, 0, &show);
    fold_take_back(fold, &record);
    cr_assert_eq(fold->events, 0);
    cr_assert_eq(fold_due(fold), -1);
    fold_add(fold, &record, 0, &show);
    fold_add(fold, &record, 0, &show);
    fold_take_back(fold, &record);
    fold_end(fold, 99999, true, &show);
    cr_assert_eq(shown.times, 0);
    cr_assert_eq(fold->events, 1);
    free(fold);
}

/* More kinds and programs than there is room for: the oldest give way, and none is miscounted. */
Test(fold, has_room_for_any_number_of_kinds)
{
    struct shown shown = {0};
    const struct fold_show show = {note, &shown};
    struct fold *fold = new_fold();
    for (unsigned int port = 1; port <= 3000; port++) {
        const struct watch_record record = failure(port);
        cr_assert(fold_add(fold, &record, port, &show));
        cr_assert_not(fold_add(fold, &record, port, &show));
    }
    cr_assert_eq(shown.times, 3000 - FOLD_KINDS);
    cr_assert_eq(fold->events, 6000);
    unsigned int counted = 0;
    for (size_t i = 0; i < fold->total_count; i++) {
        counted += fold->totals[i].bind_failed;
    }
    cr_assert_eq(counted, 6000);
    free(fold);
}
