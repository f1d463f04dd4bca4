#include "port_survey.h"

#include "guest/address.h"
#include "socket_unit.h"
#include "terminal/output.h"

#include <stdlib.h>

static bool has_lost(const struct finding *finding, unsigned int port)
{
    return finding->has_lost && address_port(&finding->loss.asked) == port;
}

/* The listeners of programs that had asked for this port, as libreuse.so in them knows. */
size_t port_survey_count_lost(const struct survey *survey, unsigned int port)
{
    size_t count = 0;
    for (size_t i = 0; i < survey->count; i++) {
        const struct finding *finding = &survey->findings[i];
        count += has_lost(finding, port);
    }
    return count;
}

/* "python3[4250] (server.py)". The caller frees it. */
static char *process_text(const struct finding *finding)
{
    char *program = output_printable(finding->program);
    char *runs = output_printable(finding->runs != NULL ? finding->runs : "");
    char *text = runs[0] != '\0' ? output_format("%s[%d] (%s)", program, finding->user.pid, runs)
                                 : output_format("%s[%d]", program, finding->user.pid);
    free(program);
    free(runs);
    return text;
}

static void say_lost(const struct survey *survey, unsigned int port, bool is_free)
{
    for (size_t i = 0; i < survey->count; i++) {
        const struct finding *finding = &survey->findings[i];
        if (!has_lost(finding, port)) {
            continue;
        }
        char *address = sockets_local_text(&finding->entry);
        char *lost = loss_text(&finding->loss);
        char *process = process_text(finding);
        output_text(TONE_BAD, "%s %s, listens on %s", process, lost, address);
        output_text(TONE_PLAIN, "; restart it%s\n", is_free ? "" : " when the port is free");
        free(process);
        free(lost);
        free(address);
    }
}

/* Those that have not lost it: they have it by their other family. */
static bool is_served(const struct finding *finding, unsigned int port)
{
    return finding->served_by != NULL && address_port(&finding->loss.asked) == port;
}

static size_t say_served(const struct survey *survey, unsigned int port)
{
    size_t count = 0;
    for (size_t i = 0; i < survey->count; i++) {
        const struct finding *finding = &survey->findings[i];
        if (is_served(finding, port)) {
            char *process = process_text(finding);
            char *asked = sockets_address_text(&finding->loss.asked);
            char *error = loss_error_name(&finding->loss);
            output_text(TONE_WARNING,
                        "%s serves port %u itself, on %s, and so its bind of %s failed "
                        "(%s)",
                        process, port, finding->served_by, asked, error);
            output_text(TONE_PLAIN,
                        ": it must set IPV6_V6ONLY before [::] is bound, or bind only one "
                        "of the two; a restart does not help\n");
            free(error);
            free(asked);
            free(process);
            count++;
        }
    }
    return count;
}

static void json_losses(const struct survey *survey, unsigned int port, struct json *json,
                        const char *name,
                        bool (*is_one)(const struct finding *finding, unsigned int port))
{
    json_open_array(json, name);
    for (size_t i = 0; i < survey->count; i++) {
        const struct finding *finding = &survey->findings[i];
        if (!is_one(finding, port)) {
            continue;
        }
        json_open_object(json, NULL);
        json_number(json, "pid", finding->user.pid);
        json_string(json, "program", finding->program);
        json_string(json, "runs", finding->runs);
        sockets_json_local(json, "listens_on", &finding->entry);
        loss_json(&finding->loss, json, "lost");
        json_string(json, "served_by", finding->served_by);
        json_close(json);
    }
    json_close(json);
}

/* A holder that libreuse guard sees to: to stop it is safe. */
static bool is_guarded_here(const struct finding *finding, unsigned int port)
{
    return finding->is_guarded && finding->reuse_address == 1 && finding->entry.facts.port == port;
}

static void say_guarded(const struct survey *survey, unsigned int port)
{
    for (size_t i = 0; i < survey->count; i++) {
        const struct finding *finding = &survey->findings[i];
        if (is_guarded_here(finding, port)) {
            char *program = output_printable(finding->program);
            output_text(TONE_GOOD, "%s[%d] is under libreuse guard: its next start gets the port\n",
                        program, finding->user.pid);
            free(program);
        }
    }
}

static void json_guarded(const struct survey *survey, unsigned int port, struct json *json)
{
    json_open_array(json, "guarded_pids");
    for (size_t i = 0; i < survey->count; i++) {
        if (is_guarded_here(&survey->findings[i], port)) {
            json_number(json, NULL, survey->findings[i].user.pid);
        }
    }
    json_close(json);
}

/* The socket unit that a listener of systemd on this port is for; NULL. The caller frees it. */
static char *unit_of(const struct finding *finding, unsigned int port)
{
    if (!finding->is_managers || finding->entry.facts.port != port) {
        return NULL;
    }
    char *address = sockets_local_text(&finding->entry);
    char *unit = socket_unit_of(address);
    free(address);
    return unit;
}

static void say_units(const struct survey *survey, unsigned int port)
{
    for (size_t i = 0; i < survey->count; i++) {
        char *unit = unit_of(&survey->findings[i], port);
        if (unit != NULL) {
            output_text(TONE_PLAIN, "systemd listens for %s: systemctl status %s\n", unit, unit);
        }
        free(unit);
    }
}

static void json_units(const struct survey *survey, unsigned int port, struct json *json)
{
    json_open_array(json, "socket_units");
    for (size_t i = 0; i < survey->count; i++) {
        char *unit = unit_of(&survey->findings[i], port);
        if (unit != NULL) {
            json_string(json, NULL, unit);
        }
        free(unit);
    }
    json_close(json);
}

/* Most of the candidates are named: more than these would hide those that matter. */
enum { CANDIDATES = 5 };

/*
 * Without libreuse in it, a program that has lost its port can only be suspected: it listens where
 * the kernel has put it.
 */
static bool is_candidate(const struct finding *finding, unsigned int port)
{
    return survey_may_have_lost(finding) && finding->program != NULL &&
           finding->entry.facts.port != port;
}

static void say_candidates(const struct survey *survey, unsigned int port, bool is_free)
{
    size_t count = 0;
    bool all_have_shim = true;
    for (size_t i = 0; i < survey->count; i++) {
        const struct finding *finding = &survey->findings[i];
        if (!is_candidate(finding, port)) {
            continue;
        }
        all_have_shim = all_have_shim && finding->shim == PRESENCE_YES;
        if (count++ < CANDIDATES) {
            char *address = sockets_local_text(&finding->entry);
            char *process = process_text(finding);
            output_text(TONE_WARNING, "%s %s on %s",
                        count == 1
                            ? "on ports that the kernel gives out listen, as servers do that "
                              "have lost their own:"
                            : ",",
                        process, address);
            free(process);
            free(address);
        }
    }
    if (count > CANDIDATES) {
        output_text(TONE_WARNING, " and %zu more", count - CANDIDATES);
    }
    if (count > 0) {
        output_text(TONE_PLAIN, "; if %u was theirs: restart them%s%s%s\n", port,
                    all_have_shim ? "" : " by libreuse run", is_free ? "" : " when it is free",
                    all_have_shim ? "" : ", or it happens again");
    }
}

static void json_candidates(const struct survey *survey, unsigned int port, struct json *json)
{
    json_open_array(json, "candidates");
    for (size_t i = 0; i < survey->count; i++) {
        const struct finding *finding = &survey->findings[i];
        if (is_candidate(finding, port)) {
            json_open_object(json, NULL);
            json_number(json, "pid", finding->user.pid);
            json_string(json, "program", finding->program);
            json_string(json, "runs", finding->runs);
            sockets_json_local(json, "listens_on", &finding->entry);
            json_close(json);
        }
    }
    json_close(json);
}

void port_survey_show_lost(const struct survey *survey, unsigned int port, bool is_free)
{
    say_lost(survey, port, is_free);
    if (say_served(survey, port) + port_survey_count_lost(survey, port) == 0) {
        say_candidates(survey, port, is_free);
    }
}

void port_survey_show_holders(const struct survey *survey, unsigned int port)
{
    say_guarded(survey, port);
    say_units(survey, port);
}

void port_survey_json(const struct survey *survey, unsigned int port, struct json *json)
{
    json_losses(survey, port, json, "lost_by", has_lost);
    json_losses(survey, port, json, "served_by_itself", is_served);
    json_candidates(survey, port, json);
    json_guarded(survey, port, json);
    json_units(survey, port, json);
}
