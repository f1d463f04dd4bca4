/*
 * A record of the kernel becomes an event of the shim's, explained with the shim's sentences, and
 * is shown: as a line for a person, as JSON, or as an entry of the journal.
 */
#ifndef LIBREUSE_SHOW_H
#define LIBREUSE_SHOW_H

#include "kernel/watch_programs.h"
#include "look_up.h"
#include "origin.h"

#include <stdbool.h>
#include <stdint.h>

enum show_form { SHOW_TEXT, SHOW_JSON, SHOW_JOURNAL };

struct show {
    enum show_form form;
    bool utc; /* of SHOW_TEXT: times are in UTC, not local; the others always are */
    const struct watch_layout *layout;
};

/* What was found out when the record came, for it to be shown now or a little later. */
struct finding {
    struct watch_record record;
    struct origin origin;
    struct look_up look_up;
    bool is_looked_up;
    struct asker asker;
    bool has_asker;
    enum reach reach;
};

/*
 * Finds it out; the caller frees it with finding_free(). Where there is no time for it, who holds
 * the address is left open.
 */
void finding_make(struct finding *finding, const struct watch_record *record,
                  const struct watch_layout *layout, bool is_late);
void finding_free(struct finding *finding);

void show_finding(const struct show *show, const struct finding *finding);

/* That there were more of them: that many, after the first, in that time. */
void show_repeats(const struct show *show, const struct watch_record *last, unsigned int count,
                  int64_t milliseconds);

#endif
