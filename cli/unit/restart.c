#include "restart.h"

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

void advise_waiting(struct advice *advice, const char *unit, const struct running *running,
                    const char *without)
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
        if (running_is_first_on_port(running, i)) {
            add_sentence(&advice->commands, "libreuse why --wait %u", running->listeners[i].port);
        }
    }
    add_sentence(&advice->commands, "systemctl start %s", word);
    free(word);
    add_sentence(&advice->remarks,
                 "instead of a restart: %s, bind() fails while connections of this run are "
                 "in TIME_WAIT",
                 without);
}

void advise_lost_port(struct advice *advice, const char *unit, const struct running *running)
{
    char *word = text_shell_word(unit);
    for (size_t i = 0; i < running->listeners_count; i++) {
        if (running->listeners[i].ephemeral == 1 && running_is_first_on_port(running, i)) {
            add_sentence(&advice->remarks,
                         "%u is ephemeral: %s; if it has lost its port, run instead, with "
                         "PORT for the one that it should have: systemctl stop %s, libreuse "
                         "why --wait PORT (or libreuse free PORT), systemctl start %s",
                         running->listeners[i].port, ephemeral_meaning, word, word);
        }
    }
    free(word);
}

void advice_print(const struct advice *advice)
{
    output_text(TONE_PLAIN, "run next:\n");
    for (size_t i = 0; i < advice->commands.count; i++) {
        output_line("  %s", advice->commands.list[i]);
    }
    for (size_t i = 0; i < advice->remarks.count; i++) {
        output_line("%s", advice->remarks.list[i]);
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
