#include "restart.h"

#include "guest/address.h"
#include "sockets/processes.h"
#include "sockets/socket_list.h"
#include "terminal/output.h"
#include "terminal/text.h"

#include <stdlib.h>

static bool is_elsewhere(const struct running *running)
{
    return running->pid > 0 && process_is_in_this_network(running->pid) == PRESENCE_NO;
}

char *restart_elsewhere(const struct running *running)
{
    return is_elsewhere(running) ? output_format("nsenter -t %d -n ", running->pid)
                                 : output_format("%s", "");
}

/* The port that a listener's next run is to have: what it has lost, where libreuse.so knows that.
 */
static unsigned int port_to_have(const struct listener *listener)
{
    const unsigned int lost = listener->loss != NULL ? address_port(&listener->loss->asked) : 0;
    return lost != 0 ? lost : listener->port;
}

static bool is_named_before(const struct running *running, size_t number)
{
    bool is_named = false;
    for (size_t i = 0; i < number; i++) {
        is_named = is_named || port_to_have(&running->listeners[i]) ==
                                   port_to_have(&running->listeners[number]);
    }
    return is_named;
}

void advise_waiting(struct advice *advice, const char *unit, const struct running *running,
                    const char *because)
{
    char *word = text_shell_word(unit);
    add_sentence(&advice->commands, "systemctl stop %s", word);
    const bool elsewhere = is_elsewhere(running);
    if (elsewhere) {
        add_sentence(&advice->commands,
                     "sleep 65, where its network namespace is kept: it has one of its "
                     "own");
    }
    for (size_t i = 0; i < running->listeners_count && !elsewhere; i++) {
        if (!is_named_before(running, i)) {
            add_sentence(&advice->commands, "libreuse why --wait %u",
                         port_to_have(&running->listeners[i]));
        }
    }
    add_sentence(&advice->commands, "systemctl start %s", word);
    free(word);
    add_sentence(&advice->remarks, "no plain restart: %s", because);
}

void advise_lost_port(struct advice *advice, const char *unit, const struct running *running)
{
    char *word = text_shell_word(unit);
    for (size_t i = 0; i < running->listeners_count; i++) {
        const struct listener *listener = &running->listeners[i];
        if (listener->loss == NULL && listener->ephemeral == 1 &&
            running_is_first_on_port(running, i)) {
            add_sentence(&advice->remarks,
                         "%u is ephemeral: %s; if it has lost its port, run instead, with "
                         "PORT for the one that it should have: systemctl stop %s, libreuse "
                         "why --wait PORT (or libreuse free PORT), systemctl start %s",
                         listener->port, ephemeral_meaning, word, word);
        }
    }
    free(word);
}

/* What is to be known first, first: a person runs the commands while reading. */
void advice_print(const struct advice *advice)
{
    for (size_t i = 0; i < advice->remarks.count; i++) {
        output_line("%s", advice->remarks.list[i]);
    }
    output_text(TONE_PLAIN, "run next:\n");
    for (size_t i = 0; i < advice->commands.count; i++) {
        output_line("  %s", advice->commands.list[i]);
    }
}

void advice_json(const struct advice *advice, struct json *json)
{
    sentences_json(&advice->commands, json, "run_next");
    sentences_json(&advice->remarks, json, "remarks");
}

void advice_free(struct advice *advice)
{
    sentences_free(&advice->commands);
    sentences_free(&advice->remarks);
}
