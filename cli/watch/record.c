#include "record.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

void record_asked(const struct watch_record *record, struct address *address)
{
    *address = (struct address){.length = record->length};
    memcpy(&address->as, record->asked, record->length);
    address_complete(address);
}

void record_local(const struct watch_record *record, struct address *address)
{
    *address = (struct address){0};
    if (record->family == AF_INET) {
        address->length = sizeof address->as.in;
        address->as.in =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(record->port)};
        memcpy(&address->as.in.sin_addr, record->ipv4, sizeof record->ipv4);
    } else if (record->family == AF_INET6) {
        address->length = sizeof address->as.in6;
        address->as.in6 =
            (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(record->port)};
        memcpy(&address->as.in6.sin6_addr, record->ipv6, sizeof record->ipv6);
        if (IN6_IS_ADDR_LINKLOCAL(&address->as.in6.sin6_addr)) {
            address->as.in6.sin6_scope_id = record->device;
        }
    }
}

bool record_is_moved(const struct watch_record *record)
{
    struct address asked;
    struct address now;
    record_asked(record, &asked);
    record_local(record, &now);
    return record->kind == WATCH_RECOVERED && !address_is_what_was_asked(&now, &asked);
}

bool record_is_tcp(const struct watch_record *record)
{
    return (record->family == AF_INET || record->family == AF_INET6) &&
           (record->protocol == IPPROTO_TCP || record->protocol == IPPROTO_MPTCP);
}

unsigned int record_port(const struct watch_record *record)
{
    struct address asked;
    record_asked(record, &asked);
    return asked.length > 0 ? address_port(&asked) : record->port;
}
