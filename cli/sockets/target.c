#include "target.h"

#include "terminal/output.h"
#include "terminal/text.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits and nothing else, without a sign or blanks; 0 where they are not, or are too many. */
static int number_in(const char *text)
{
    int64_t number = 0;
    if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0') {
        return 0;
    }
    for (; *text != '\0' && number <= INT32_MAX; text++) {
        number = number * 10 + (*text - '0');
    }
    return number <= INT32_MAX ? (int)number : 0;
}

/*
 * The port of a service's name or alias in services(5), for that protocol; 0. The C library's own
 * look-up loads modules, which a static program cannot.
 */
static int service_port(const char *name, const char *protocol)
{
    static const char separators[] = " \t\n";
    char *line = NULL;
    size_t size = 0;
    int found = 0;
    FILE *services = fopen("/etc/services", "re");
    while (services != NULL && found == 0 && getline(&line, &size, services) >= 0) {
        char *rest;
        line[strcspn(line, "#")] = '\0';
        const char *word = strtok_r(line, separators, &rest);
        const char *its_name = word;
        char *port = word != NULL ? strtok_r(NULL, separators, &rest) : NULL;
        char *slash = port != NULL ? strchr(port, '/') : NULL;
        if (slash == NULL || strcmp(slash + 1, protocol) != 0) {
            continue;
        }
        *slash = '\0';
        for (; its_name != NULL; its_name = strtok_r(NULL, separators, &rest)) {
            if (strcmp(its_name, name) == 0) {
                found = number_in(port);
            }
        }
    }
    free(line);
    if (services != NULL) {
        fclose(services);
    }
    return found;
}

/* A number, or the name of a service. */
static bool port_of(const char *text, const char *protocol, unsigned int *port)
{
    int number = number_in(text);
    if (number == 0) {
        number = service_port(text, protocol);
    }
    if (number == 0 || number > UINT16_MAX) {
        output_error("\"%s\" is not a port: expected a number from 1 to 65535, or a service of "
                     "/etc/services",
                     text);
        return false;
    }
    *port = (unsigned int)number;
    return true;
}

bool target_port(const char *text, unsigned int *port)
{
    return port_of(text, "tcp", port);
}

bool target_pid(const char *text, int *pid)
{
    *pid = number_in(text);
    if (*pid == 0) {
        output_error("\"%s\" is not a process ID: expected a number like those of ps -e", text);
        return false;
    }
    return true;
}

bool target_port_or_pid(const char *text, unsigned int *port, int *pid)
{
    *pid = number_in(text);
    if (*pid == 0) {
        output_error("\"%s\" is neither a port nor a process ID: expected a number", text);
        return false;
    }
    *port = *pid <= UINT16_MAX ? (unsigned int)*pid : 0;
    return true;
}

static bool read_ipv4(const char *text, unsigned int port, struct address *address)
{
    address->as.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, text, &address->as.in.sin_addr) != 1) {
        return false;
    }
    address->length = sizeof address->as.in;
    return true;
}

/* The inside of the brackets: an address, or ADDRESS%INTERFACE. */
static bool read_ipv6(char *text, unsigned int port, struct address *address)
{
    unsigned int scope = 0;
    char *interface = strchr(text, '%');
    if (interface != NULL) {
        *interface++ = '\0';
        scope = if_nametoindex(interface);
        if (scope == 0) {
            scope = (unsigned int)number_in(interface);
        }
        if (scope == 0) {
            return false;
        }
    }
    address->as.in6 = (struct sockaddr_in6){
        .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_scope_id = scope};
    if (inet_pton(AF_INET6, text, &address->as.in6.sin6_addr) != 1) {
        return false;
    }
    address->length = sizeof address->as.in6;
    return true;
}

static bool read_address(char *text, unsigned int port, struct address *address)
{
    const size_t length = strlen(text);
    if (strcmp(text, "*") == 0) {
        return true;
    }
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text[length - 1] = '\0';
        return read_ipv6(text + 1, port, address);
    }
    return read_ipv4(text, port, address);
}

/* Takes "tcp/" or "/tcp" off a copy of a text, or "udp". Which of them was there; NULL. */
static const char *take_protocol(char *text)
{
    static const char *const protocols[] = {"tcp", "udp"};
    enum { LETTERS = 3 };
    const size_t length = strlen(text);
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0] && length > LETTERS + 1; i++) {
        const char *protocol = protocols[i];
        if (strncmp(text, protocol, LETTERS) == 0 && text[LETTERS] == '/') {
            memmove(text, text + LETTERS + 1, length - LETTERS);
            return protocol;
        }
        if (text[length - LETTERS - 1] == '/' && strcmp(text + length - LETTERS, protocol) == 0) {
            text[length - LETTERS - 1] = '\0';
            return protocol;
        }
    }
    return NULL;
}

static bool read_target(const char *text, const char *protocol, struct address *address,
                        unsigned int *port)
{
    const char *colon = strrchr(text, ':');
    if (!port_of(colon != NULL ? colon + 1 : text, protocol, port)) {
        return false;
    }
    if (colon == NULL || colon == text) {
        return true;
    }
    char *before = output_format("%.*s", (int)(colon - text), text);
    const bool understood = read_address(before, *port, address);
    free(before);
    if (!understood) {
        output_error(
            "\"%.*s\" is not an address: expected an IPv4 address, an IPv6 address of this "
            "host in brackets like [::1] or [fe80::1%%eth0], or *",
            (int)(colon - text), text);
    }
    return understood;
}

bool target_socket(const char *text, struct address *address, unsigned int *port, int *protocol)
{
    char *copy = output_format("%s", text);
    const char *named = take_protocol(copy);
    *address = (struct address){0};
    if (named != NULL) {
        *protocol = strcmp(named, "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP;
    }
    const bool understood =
        read_target(copy, *protocol == IPPROTO_UDP ? "udp" : "tcp", address, port);
    free(copy);
    return understood;
}

bool target_unix(const char *text, struct address *address)
{
    const size_t length = strlen(text);
    const bool is_abstract = text[0] == '@';
    *address = (struct address){0};
    if (!is_abstract && strchr(text, '/') == NULL) {
        return false;
    }
    if (!is_abstract && (starts_with(text, "tcp/") || starts_with(text, "udp/") ||
                         ends_with(text, "/tcp") || ends_with(text, "/udp"))) {
        return false; /* a port, as people paste it */
    }
    if (length >= sizeof address->as.un.sun_path) {
        output_error("%s: the path of a socket has at most %zu bytes, and this one %zu", text,
                     sizeof address->as.un.sun_path - 1, length);
        return true;
    }
    address->as.un.sun_family = AF_UNIX;
    memcpy(address->as.un.sun_path, text, length + 1);
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !is_abstract);
    if (is_abstract) {
        address->as.un.sun_path[0] = '\0';
    }
    return true;
}
