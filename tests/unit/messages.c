/* docs/messages.md, of which the journal's catalogue is made, knows every event by its MESSAGE_ID.
 */
#include "explain/event.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(messages);

static const enum event_kind kinds[] = {
#define EVENT_KIND(constant, name, level, id) EVENT_##constant,
    EVENTS(EVENT_KIND)
#undef EVENT_KIND
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static char *document(void)
{
    FILE *file = fopen(SOURCE_FOLDER "/docs/messages.md", "r");
    cr_assert_not_null(file, "there is no docs/messages.md");
    static char text[65536];
    const size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    return text;
}

Test(messages, every_event_has_a_section_with_its_message_id)
{
    const char *text = document();
    for (size_t i = 0; i < KINDS; i++) {
        char expected[128];
        snprintf(expected, sizeof expected, "\n## %s\n\n`MESSAGE_ID %s`\n\n*", event_name(kinds[i]),
                 event_message_id(kinds[i]));
        cr_assert_not_null(strstr(text, expected), "docs/messages.md has no section like this: %s",
                           expected);
    }
}

Test(messages, every_message_id_of_the_document_is_that_of_an_event)
{
    size_t found = 0;
    for (const char *at = document(); (at = strstr(at, "MESSAGE_ID ")) != NULL; at++) {
        found++;
    }
    cr_assert_eq(found, KINDS);
}

Test(messages, no_two_events_have_the_same_message_id)
{
    for (size_t i = 0; i < KINDS; i++) {
        cr_assert_eq(strlen(event_message_id(kinds[i])), 32);
        for (size_t j = 0; j < i; j++) {
            cr_assert_str_neq(event_message_id(kinds[i]), event_message_id(kinds[j]));
        }
    }
}

/* Of "bind-failed" there are as many causes as pages: the journal shows it with one line of them.
 */
Test(messages, the_catalogue_has_of_each_event_no_more_than_fits_below_a_line)
{
    enum { MOST_LINES = 20 };
    char line[1024];
    size_t entries = 0;
    size_t lines = 0;
    FILE *catalogue = popen(
        "awk -f " SOURCE_FOLDER "/packaging/catalog.awk " SOURCE_FOLDER "/docs/messages.md", "r");
    while (fgets(line, sizeof line, catalogue) != NULL) {
        const bool begins = strncmp(line, "-- ", 3) == 0;
        entries += begins;
        lines = begins ? 0 : lines + 1;
        cr_assert_leq(lines, MOST_LINES, "%s", line);
    }
    cr_assert_eq(pclose(catalogue), 0);
    cr_assert_eq(entries, KINDS);
}
