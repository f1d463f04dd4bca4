#include "process_verdict.h"

#include "program.h"
#include "sockets/processes.h"
#include "sockets/remote.h"
#include "terminal/exit_status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t count_armed(const struct running *running, int armed)
{
    size_t count = 0;
    for (size_t i = 0; i < running->listeners_count; i++) {
        count += running->listeners[i].armed == armed;
    }
    return count;
}

/* Why libreuse.so is not in a process. The caller frees it. */
static char *why_not_loaded(const struct running *running, const struct program *program)
{
    if (program->obstacle != OBSTACLE_NONE && program->obstacle != OBSTACLE_UNREADABLE) {
        return output_format("it %s", program->reason);
    }
    if (running->is_secure) {
        return output_format("it was started with more rights than its user's, so the dynamic "
                             "loader has ignored LD_PRELOAD");
    }
    if (running->environment_error != 0) {
        return output_format("its LD_PRELOAD cannot be seen: %s",
                             strerror(running->environment_error));
    }
    if (running->preload_names_us) {
        return output_format("its LD_PRELOAD names it, but the dynamic loader did not find it, or "
                             "could not load it; its standard error said so at the start");
    }
    return output_format("its LD_PRELOAD did not name it when it was started");
}

static struct process_verdict not_loaded(const struct running *running,
                                         const struct libraries *libraries)
{
    struct program program;
    char *file = process_path(running->pid, "exe");
    program_examine_file(&program, file, running->program != NULL ? running->program : "?",
                         libraries);
    char *why = why_not_loaded(running, &program);
    const bool is_armed = count_armed(running, 1) == running->listeners_count;
    const bool is_open = running->descriptors_error == 0 && running->socket_error == 0;
    if (running->listeners_count > 0 && is_armed && is_open && running->is_guarded) {
        free(why);
        program_free(&program);
        free(file);
        return (struct process_verdict){
            .status = STATUS_FINE,
            .tone = TONE_GOOD,
            .text = output_format("restarts cleanly (guard)"),
            .restarts_cleanly = 1,
        };
    }
    struct process_verdict verdict = {
        .status = STATUS_FOUND,
        .tone = TONE_BAD,
        .text = output_format("libreuse.so is not in it: %s", why),
        .restarts_cleanly = -1,
    };
    if (program.obstacle != OBSTACLE_NONE && program.obstacle != OBSTACLE_UNREADABLE) {
        verdict.way_out = output_format("%s", program.way_out);
    } else if (running_count_ephemeral(running) > 0) {
        verdict.way_out = output_format(
            "if it has lost its port: libreuse why PORT, of that port, and start it "
            "again by libreuse run; if it is meant to be where it is: libreuse arm %d",
            running->pid);
    } else if (running->listeners_count > 0 && is_armed && is_open) {
        verdict.way_out =
            output_format("its listeners are armed all the same: start it by libreuse "
                          "run the next time");
    } else if (running->listeners_count == 0 && is_open) {
        verdict.way_out = output_format("start it by libreuse run");
    } else {
        verdict.way_out = output_format("libreuse arm %d, and start it by libreuse run the next "
                                        "time",
                                        running->pid);
    }
    free(why);
    program_free(&program);
    free(file);
    return verdict;
}

/* The listeners that are not armed may be of these modules: nothing else explains them as well. */
static struct process_verdict past(const struct running *running, size_t unarmed,
                                   const struct bypass *bypass)
{
    char *modules = bypass_text(bypass);
    struct process_verdict verdict = {
        .status = STATUS_FOUND,
        .tone = TONE_BAD,
        .text = output_format("%zu of %zu listeners are not armed: the calls of %s go past "
                              "libreuse.so to the C library (RTLD_DEEPBIND or dlmopen)",
                              unarmed, running->listeners_count, modules),
        .way_out =
            output_format("libreuse guard reaches it; for this run: libreuse arm %d", running->pid),
    };
    free(modules);
    return verdict;
}

static struct process_verdict loaded(const struct running *running, const struct bypass *bypass)
{
    const size_t unarmed = count_armed(running, 0);
    const int error =
        running->descriptors_error != 0 ? running->descriptors_error : running->socket_error;
    const struct listener *lost = running_lost(running);
    if (lost != NULL) {
        char *text = loss_text(lost->loss);
        const unsigned int port = address_port(&lost->loss->asked);
        struct process_verdict verdict = {
            .status = STATUS_FOUND,
            .tone = TONE_BAD,
            .text = output_format("%s, listens on %s", text, lost->address),
            .way_out = output_format("libreuse why %u, and start it again once that is free", port),
            .restarts_cleanly = -1,
        };
        free(text);
        return verdict;
    }
    if (unarmed > 0 && bypass->count > 0) {
        return past(running, unarmed, bypass);
    }
    if (unarmed > 0) {
        return (struct process_verdict){
            .status = STATUS_FOUND,
            .tone = TONE_BAD,
            .text = output_format("%zu of %zu listeners are not armed: LIBREUSE_PORTS or "
                                  "LIBREUSE_DRY_RUN leave them out, or they are older than the "
                                  "library is in the process",
                                  unarmed, running->listeners_count),
            .way_out = output_format("libreuse arm %d", running->pid),
        };
    }
    if (error != 0) {
        char *reason = remote_explain(running->pid, error == EACCES ? EPERM : error);
        struct process_verdict verdict = {
            .status = STATUS_REFUSED,
            .tone = TONE_WARNING,
            .text = output_format("whether its listeners are armed cannot be seen: %s", reason),
            .restarts_cleanly = -1,
        };
        free(reason);
        return verdict;
    }
    return (struct process_verdict){
        .status = STATUS_FINE,
        .tone = TONE_GOOD,
        .text = output_format(running->listeners_count > 0 ? "restarts cleanly"
                                                           : "libreuse.so is in it; nothing "
                                                             "listens yet"),
        .restarts_cleanly = running->listeners_count > 0 ? 1 : -1,
    };
}

struct process_verdict process_judge(const struct running *running,
                                     const struct libraries *libraries)
{
    if (running->has_ended || running->is_kernel) {
        return (struct process_verdict){
            .status = STATUS_FOUND,
            .tone = TONE_BAD,
            .text = output_format(running->has_ended ? "it has ended, and its parent has not "
                                                       "asked for its exit status yet"
                                                     : "it is a thread of the kernel"),
            .restarts_cleanly = -1,
        };
    }
    if (process_is_service_manager(running->pid)) {
        return (struct process_verdict){
            .status = STATUS_FINE,
            .tone = TONE_GOOD,
            .text = output_format("it is the service manager: it keeps what it listens on for its "
                                  "socket units over each restart of their services"),
            .restarts_cleanly = 1,
        };
    }
    if (running->library != NULL) {
        struct bypass bypass;
        bypass_find(&bypass, running->pid);
        struct process_verdict verdict = loaded(running, &bypass);
        verdict.bypass = bypass;
        return verdict;
    }
    if (running->maps_error == 0) {
        return not_loaded(running, libraries);
    }
    char *reason =
        remote_explain(running->pid, running->maps_error == EACCES ? EPERM : running->maps_error);
    struct process_verdict verdict = {
        .status = STATUS_REFUSED,
        .tone = TONE_WARNING,
        .text = output_format("whether libreuse.so is in it cannot be seen: %s", reason),
        .restarts_cleanly = -1,
    };
    free(reason);
    return verdict;
}

void process_verdict_free(struct process_verdict *verdict)
{
    free(verdict->text);
    free(verdict->way_out);
    free(verdict->heirs);
    bypass_free(&verdict->bypass);
}
