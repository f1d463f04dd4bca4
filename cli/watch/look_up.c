#include "look_up.h"

#include "network.h"
#include "record.h"
#include "sockets/processes.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

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
    struct holders_question question;
    struct visit visit;
    *look_up = (struct look_up){0};
    ask(&question, record, is_ipv6_only, asked);
    question.other_network = !network_enter(&visit, record);
    holders_find(&question, &look_up->holders);
    look_up->enter = network_leave(&visit);
    holders_find_owner(&look_up->holders);
    struct owner *owner = &look_up->holders.named.owner;
    if (owner->search == OWNER_FOUND) {
        process_add_script(owner);
    }
    owner->this_process = owner->search == OWNER_FOUND && owner->pid == (int)record->process;
}

void look_up_free(struct look_up *look_up)
{
    free(look_up->enter);
}

void look_up_asker(struct asker *asker, const struct watch_record *record,
                   const struct address *asked)
{
    struct visit visit;
    *asker = (struct asker){.domain = record->family};
    record_local(record, &asker->bound);
    asker_find_in_process(asker, (int)record->process, record->error);
    if (network_enter(&visit, record)) {
        listed_device(asker->device, record->device);
        asker_find_in_network(asker, asked, record->error);
    }
    free(network_leave(&visit));
}
