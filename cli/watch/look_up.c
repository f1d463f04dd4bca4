#include "look_up.h"

#include "terminal/output.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static bool is_namespace(const char *path, uint32_t number)
{
    struct stat file;
    return stat(path, &file) == 0 && file.st_ino == number;
}

/* In a folder, "/proc" or "/run/netns": the first NAME whose file NAME`below` is the namespace. */
static char *find_in(const char *folder, const char *below, uint32_t number)
{
    char *found = NULL;
    DIR *entries = opendir(folder);
    for (const struct dirent *entry;
         found == NULL && entries != NULL && (entry = readdir(entries)) != NULL;) {
        char *path = output_format("%s/%s%s", folder, entry->d_name, below);
        if (entry->d_name[0] != '.' && is_namespace(path, number)) {
            found = path;
        } else {
            free(path);
        }
    }
    if (entries != NULL) {
        closedir(entries);
    }
    return found;
}

/* A file that is the network namespace of the record; its process may be gone, or in another. */
static char *find_network(const struct watch_record *record)
{
    char *path = output_format("/proc/%u/ns/net", record->process);
    if (is_namespace(path, record->network)) {
        return path;
    }
    free(path);
    path = find_in("/run/netns", "", record->network);
    return path != NULL ? path : find_in("/proc", "/ns/net", record->network);
}

static int protocol_of(const struct watch_record *record)
{
    if (record->protocol == IPPROTO_TCP || record->protocol == IPPROTO_MPTCP) {
        return IPPROTO_TCP;
    }
    return record->protocol == IPPROTO_UDP ? IPPROTO_UDP : 0;
}

/* A path of AF_UNIX is looked up only where it leads to the same file from here. */
static bool is_of_this_folder_tree(const struct watch_record *record, const struct address *asked)
{
    char path[64];
    struct stat here;
    struct stat there;
    const size_t name = offsetof(struct sockaddr_un, sun_path);
    if (asked->length > name && asked->as.un.sun_path[0] == '\0') {
        return true;
    }
    snprintf(path, sizeof path, "/proc/%u/ns/mnt", record->process);
    return asked->length > name && asked->as.un.sun_path[0] == '/' && stat(path, &there) == 0 &&
           stat("/proc/self/ns/mnt", &here) == 0 && here.st_ino == there.st_ino;
}

static void ask(struct holders_question *question, const struct watch_record *record,
                bool is_ipv6_only, const struct address *asked)
{
    *question =
        (struct holders_question){.port = address_port(asked), .except = record->socket.inode};
    if (asked->as.any.sa_family == AF_UNIX) {
        question->name = is_of_this_folder_tree(record, asked) ? asked : NULL;
        return;
    }
    question->protocol = protocol_of(record);
    question->claim.device = record->device;
    if (asked->as.any.sa_family == AF_INET) {
        question->claim.ip = claim_mapped(asked->as.in.sin_addr.s_addr);
        return;
    }
    question->claim.ip = asked->as.in6.sin6_addr;
    question->claim.v6only = is_ipv6_only ? V6ONLY_YES : V6ONLY_NO;
    if (record->device == 0 && IN6_IS_ADDR_LINKLOCAL(&question->claim.ip)) {
        question->claim.device = asked->as.in6.sin6_scope_id;
    }
}

void look_up_find(struct look_up *look_up, const struct watch_record *record, bool is_ipv6_only,
                  const struct address *asked)
{
    static const char own[] = "/proc/self/ns/net";
    struct holders_question question;
    *look_up = (struct look_up){0};
    ask(&question, record, is_ipv6_only, asked);
    const bool is_here = record->network == 0 || is_namespace(own, record->network);
    const int home = is_here ? -1 : open(own, O_RDONLY | O_CLOEXEC);
    if (!is_here) {
        char *path = find_network(record);
        const int there = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        question.other_network = home < 0 || there < 0 || setns(there, CLONE_NEWNET) != 0;
        if (there >= 0) {
            close(there);
        }
        if (path != NULL) {
            look_up->enter = output_format("nsenter --net=%s ", path);
        }
        free(path);
    }
    holders_find(&question, &look_up->holders);
    if (home >= 0) {
        if (!question.other_network && setns(home, CLONE_NEWNET) != 0) {
            output_error("watch: this process cannot go back to its own network namespace");
        }
        close(home);
    }
    holders_find_owner(&look_up->holders);
    struct owner *owner = &look_up->holders.named.owner;
    owner->this_process = owner->search == OWNER_FOUND && owner->pid == (int)record->process;
}

void look_up_free(struct look_up *look_up)
{
    free(look_up->enter);
}
