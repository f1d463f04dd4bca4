#include "target.h"

#include "output.h"

#include <arpa/inet.h>
#include <net/if.h>
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

bool target_port(const char *text, unsigned int *port)
{
    const int number = number_in(text);
    if (number == 0 || number > UINT16_MAX) {
        output_error("\"%s\" is not a port: expected a number from 1 to 65535", text);
        return false;
    }
    *port = (unsigned int)number;
    return true;
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

bool target_address_and_port(const char *text, struct address *address, unsigned int *port)
{
    *address = (struct address){0};
    const char *colon = strrchr(text, ':');
    if (!target_port(colon != NULL ? colon + 1 : text, port)) {
        return false;
    }
    if (colon == NULL) {
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
