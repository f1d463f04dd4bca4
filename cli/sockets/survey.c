#include "survey.h"
#include "socket_list.h"

#include "kernel/guards.h"
#include "remote.h"
#include "terminal/output.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* So that a process is opened once, and looked at once. */
static int compare_by_user(const void *one, const void *other)
{
    const struct user *a = &((const struct finding *)one)->user;
    const struct user *b = &((const struct finding *)other)->user;
    return a->pid != b->pid ? (a->pid > b->pid) - (a->pid < b->pid)
                            : (a->fd > b->fd) - (a->fd < b->fd);
}

static int compare_by_port(const void *one, const void *other)
{
    const struct finding *a = one;
    const struct finding *b = other;
    if (a->entry.facts.port != b->entry.facts.port) {
        return a->entry.facts.port < b->entry.facts.port ? -1 : 1;
    }
    if (a->entry.facts.family != b->entry.facts.family) {
        return a->entry.facts.family < b->entry.facts.family ? -1 : 1;
    }
    const int order =
        memcmp(&a->entry.facts.claim.ip, &b->entry.facts.claim.ip, sizeof a->entry.facts.claim.ip);
    return order != 0 ? order : compare_by_user(one, other);
}

static void sort(struct survey *survey, int (*compare)(const void *one, const void *other))
{
    if (survey->count > 0) {
        qsort(survey->findings, survey->count, sizeof survey->findings[0], compare);
    }
}

static int option(int fd, int name)
{
    int on = 0;
    socklen_t length = sizeof on;
    return getsockopt(fd, SOL_SOCKET, name, &on, &length) == 0 ? on != 0 : -1;
}

/* Finds out what is set on the socket. False where it is gone by now. */
static bool read_options(struct finding *finding, struct remote *remote, const struct user *users,
                         size_t count)
{
    int refused = 0;
    for (size_t i = 0; i < count; i++) {
        const int fd = remote_socket(remote, users[i].pid, users[i].fd, users[i].inode);
        if (fd >= 0) {
            finding->reuse_address = option(fd, SO_REUSEADDR);
            finding->reuse_port = option(fd, SO_REUSEPORT);
            close(fd);
            return true;
        }
        if (errno == EPERM && i > 0) {
            continue; /* those of one server are mostly alike: the first one's reason is enough */
        }
        if (errno != ESRCH && errno != EBADF) {
            refused = errno;
        }
    }
    if (refused != 0) {
        finding->reason = remote_explain(users[0].pid, refused);
    }
    return refused != 0;
}

static enum verdict verdict_of(const struct finding *finding)
{
    if (finding->is_managers) {
        return VERDICT_CLEAN;
    }
    if (finding->has_lost) {
        return VERDICT_LOST;
    }
    if (finding->reuse_address < 0) {
        return VERDICT_UNKNOWN;
    }
    /* SO_REUSEPORT is inherited, too, and lets its own user's sockets pass as well. */
    return finding->reuse_address == 1 || finding->reuse_port == 1 ? VERDICT_CLEAN : VERDICT_FAILS;
}

static void find_users(struct survey *survey, const struct processes *processes)
{
    for (size_t i = 0; i < survey->count; i++) {
        struct finding *finding = &survey->findings[i];
        size_t count;
        const struct user *users = processes_users(processes, finding->entry.facts.inode, &count);
        if (users != NULL) {
            finding->user = users[0];
            finding->other_users = processes_in(users, count) - 1;
        }
    }
}

static bool is_listed(const struct sockets *sockets, uint64_t inode)
{
    for (size_t i = 0; i < sockets->count; i++) {
        if (sockets->entries[i].facts.inode == inode) {
            return true;
        }
    }
    return false;
}

/* Forgets the listeners without a known user that were closed since they were listed. */
static void forget_closed(struct survey *survey)
{
    struct sockets now;
    size_t unknown = 0;
    for (size_t i = 0; i < survey->count; i++) {
        unknown += survey->findings[i].user.pid == 0;
    }
    if (unknown == 0) {
        return;
    }
    size_t kept = 0;
    const bool is_known = sockets_list(&now, IPPROTO_TCP, 0, SOCKETS_IN(STATE_LISTEN));
    for (size_t i = 0; i < survey->count; i++) {
        const struct finding *finding = &survey->findings[i];
        if (!is_known || finding->user.pid != 0 || is_listed(&now, finding->entry.facts.inode)) {
            survey->findings[kept++] = *finding;
        }
    }
    survey->count = kept;
    sockets_free(&now);
}

static bool has_user(const struct processes *processes, const struct entry *entry, int pid)
{
    size_t count;
    const struct user *users = processes_users(processes, entry->facts.inode, &count);
    for (size_t i = 0; i < count; i++) {
        if (users[i].pid == pid) {
            return true;
        }
    }
    return false;
}

static void take_loss(struct finding *finding, const struct loss *loss, const struct survey *survey,
                      const struct processes *processes)
{
    if (loss == NULL) {
        return;
    }
    finding->loss = *loss;
    for (size_t i = 0; i < survey->count && finding->served_by == NULL; i++) {
        const struct entry *other = &survey->findings[i].entry;
        if (loss_is_own_dual_stack(loss, &finding->entry.facts.claim, &other->facts.claim,
                                   other->facts.port) &&
            has_user(processes, other, finding->user.pid)) {
            finding->served_by = sockets_local_text(other);
        }
    }
    finding->has_lost = finding->served_by == NULL;
}

static void judge(struct survey *survey, const struct processes *processes)
{
    struct remote remote = REMOTE_NONE;
    int last_pid = 0;
    enum presence last_shim = PRESENCE_UNKNOWN;
    bool last_is_guarded = false;
    size_t guards_count = 0;
    struct guard *guards = guards_list(&guards_count);
    struct losses losses = {0};
    size_t kept = 0;
    for (size_t i = 0; i < survey->count; i++) {
        struct finding finding = survey->findings[i];
        if (finding.user.pid == 0) {
            finding.reason = output_format("%s", processes_why_unknown(processes));
        } else {
            size_t count;
            const struct user *users =
                processes_users(processes, finding.entry.facts.inode, &count);
            if (!read_options(&finding, &remote, users, count)) {
                continue; /* it was closed meanwhile */
            }
            finding.is_first_of_process = finding.user.pid != last_pid;
            if (finding.is_first_of_process) {
                last_pid = finding.user.pid;
                last_shim = process_has_shim(last_pid);
                last_is_guarded = guards_over_process(guards, guards_count, last_pid) != NULL;
                losses_read(&losses, last_pid);
            }
            finding.shim = last_shim;
            memcpy(finding.version, losses.version, sizeof finding.version);
            finding.is_guarded = last_is_guarded;
            finding.shim_knows =
                losses.is_read && (finding.reuse_address == 1 || losses.leaves_out);
            take_loss(&finding, losses_of(&losses, finding.entry.facts.inode), survey, processes);
            finding.program = process_program(last_pid);
            finding.runs = process_runs(last_pid);
            finding.is_managers = process_is_service_manager(last_pid);
        }
        finding.verdict = verdict_of(&finding);
        survey->verdicts[finding.verdict]++;
        survey->findings[kept++] = finding;
    }
    survey->count = kept;
    guards_free(guards, guards_count);
    remote_close(&remote);
}

bool survey_may_have_lost(const struct finding *finding)
{
    return finding->ephemeral == 1 && !finding->has_lost && !finding->shim_knows;
}

bool survey_make(struct survey *survey)
{
    struct sockets sockets;
    *survey = (struct survey){0};
    if (!sockets_list(&sockets, IPPROTO_TCP, 0, SOCKETS_IN(STATE_LISTEN))) {
        char *why = sockets_why_no_list(&sockets);
        output_error("the listening sockets cannot be listed (%s)", why);
        free(why);
        sockets_free(&sockets);
        return false;
    }
    survey->complete = sockets.complete;
    survey->findings = output_allocate(sockets.count, sizeof survey->findings[0]);
    for (size_t i = 0; i < sockets.count; i++) {
        survey->findings[survey->count++] =
            (struct finding){.entry = sockets.entries[i],
                             .shim = PRESENCE_UNKNOWN,
                             .reuse_address = -1,
                             .reuse_port = -1,
                             .ephemeral = ephemeral_port(sockets.entries[i].facts.port)};
    }
    processes_find_of(&survey->processes, &sockets);
    sockets_free(&sockets);
    find_users(survey, &survey->processes);
    forget_closed(survey);
    sort(survey, compare_by_user);
    judge(survey, &survey->processes);
    sort(survey, compare_by_port);
    return true;
}

void survey_free(struct survey *survey)
{
    for (size_t i = 0; i < survey->count; i++) {
        free(survey->findings[i].program);
        free(survey->findings[i].runs);
        free(survey->findings[i].reason);
        free(survey->findings[i].heirs);
        free(survey->findings[i].served_by);
    }
    free(survey->findings);
    processes_free(&survey->processes);
}
