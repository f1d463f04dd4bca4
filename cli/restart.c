#include "restart.h"

#include "ephemeral.h"
#include "output.h"
#include "processes.h"

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

void restart_print_waiting(const char *unit, const struct running *running, const char *without)
{
    output_line("  systemctl stop %s", unit);
    const bool elsewhere = is_elsewhere(running);
    if (elsewhere) {
        output_line("  sleep 65, where its network namespace is kept: it has one of its "
                    "own");
    }
    for (size_t i = 0; i < running->listeners_count && !elsewhere; i++) {
        if (running_is_first_on_port(running, i)) {
            output_line("  libreuse why --wait %u", running->listeners[i].port);
        }
    }
    output_line("  systemctl start %s", unit);
    output_line("instead of a restart: %s, bind() fails while connections of this run are "
                "in TIME_WAIT",
                without);
}

void restart_print_lost_port(const char *unit, const struct running *running)
{
    for (size_t i = 0; i < running->listeners_count; i++) {
        if (running->listeners[i].ephemeral == 1 && running_is_first_on_port(running, i)) {
            output_line("%u is ephemeral: %s; if it has lost its port, run instead, with "
                        "PORT for the one that it should have: systemctl stop %s, libreuse "
                        "why --wait PORT (or libreuse free PORT), systemctl start %s",
                        running->listeners[i].port, ephemeral_meaning, unit, unit);
        }
    }
}
