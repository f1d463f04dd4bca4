#include "restart.h"

#include "ephemeral.h"
#include "output.h"
#include "processes.h"

#include <stdlib.h>

static void print(char *text)
{
    char *printable = output_printable(text);
    output_text(TONE_PLAIN, "%s\n", printable);
    free(printable);
    free(text);
}

static bool is_elsewhere(const struct running *running)
{
    return running->pid > 0 && process_is_in_this_network(running->pid) == PRESENCE_NO;
}

char *restart_elsewhere(const struct running *running)
{
    return is_elsewhere(running) ? output_format("nsenter -t %d -n ", running->pid)
                                 : output_format("%s", "");
}

void restart_print_waiting(const char *unit, const struct running *running, const char *without)
{
    print(output_format("  systemctl stop %s", unit));
    if (is_elsewhere(running)) {
        print(output_format("  sleep 65, where its network namespace is kept: it has one of its "
                            "own"));
    }
    for (size_t i = 0; i < running->listeners_count && !is_elsewhere(running); i++) {
        if (running_is_first_on_port(running, i)) {
            print(output_format("  libreuse why --wait %u", running->listeners[i].port));
        }
    }
    print(output_format("  systemctl start %s", unit));
    print(output_format("instead of a restart: %s, bind() fails while connections of this run are "
                        "in TIME_WAIT",
                        without));
}

void restart_print_lost_port(const char *unit, const struct running *running)
{
    for (size_t i = 0; i < running->listeners_count; i++) {
        if (running->listeners[i].ephemeral == 1 && running_is_first_on_port(running, i)) {
            print(output_format("%u is ephemeral: %s; if it has lost its port, run instead, with "
                                "PORT for the one that it should have: systemctl stop %s, libreuse "
                                "why --wait PORT (or libreuse free PORT), systemctl start %s",
                                running->listeners[i].port, ephemeral_meaning, unit, unit));
        }
    }
}
