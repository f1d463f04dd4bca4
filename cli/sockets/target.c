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
#include <strings.h>
#include <sys/stat.h>

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

/* The port that a word names; 0. */
static unsigned int port_named(const char *word, const char *protocol)
{
    const int number = number_in(word);
    if (number > UINT16_MAX) {
        return 0;
    }
    return (unsigned int)(number != 0 ? number : service_port(word, protocol));
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

static bool read_ipv4(const char *text, unsigned int port, struct address *address)
{
    address->as.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, text, &address->as.in.sin_addr) != 1) {
        return false;
    }
    address->length = sizeof address->as.in;
    return true;
}

/* An address, or ADDRESS%INTERFACE. */
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

static bool read_address(char *text, struct trial_target *target)
{
    if (text[0] == '[') {
        char *end = strchr(text, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != '%')) {
            return false;
        }
        memmove(end, end + 1, strlen(end)); /* ss has [ADDRESS]%INTERFACE */
        return read_ipv6(text + 1, target->port, &target->address);
    }
    if (strchr(text, ':') != NULL) {
        return read_ipv6(text, target->port, &target->address); /* as netstat has it */
    }
    text[strcspn(text, "%")] = '\0'; /* to which its socket is bound, as ss has it */
    target->is_loopback = strcasecmp(text, "localhost") == 0;
    return target->is_loopback || strcmp(text, "*") == 0 ||
           read_ipv4(text, target->port, &target->address);
}

/* Takes "tcp/", "tcp:" or "/tcp" off a copy of a text, or "udp". Which of them was there; NULL. */
static const char *take_protocol(char *text)
{
    static const char *const protocols[] = {"tcp", "udp"};
    enum { LETTERS = 3 };
    const size_t length = strlen(text);
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0] && length > LETTERS; i++) {
        const char *protocol = protocols[i];
        if (strncasecmp(text, protocol, LETTERS) == 0 && strchr("/:", text[LETTERS]) != NULL) {
            memmove(text, text + LETTERS + 1, length - LETTERS);
            return protocol;
        }
        if (text[length - LETTERS - 1] == '/' &&
            strcasecmp(text + length - LETTERS, protocol) == 0) {
            text[length - LETTERS - 1] = '\0';
            return protocol;
        }
    }
    return NULL;
}

/* "localhost:9999" of "http://localhost:9999/", "localhost:http" of "http://localhost/". */
static char *take_url_apart(char *url)
{
    char *host = strstr(url, "://");
    if (host == NULL) {
        return url;
    }
    *host = '\0';
    host += 3;
    host[strcspn(host, "/?#")] = '\0';
    const char *bracket = strchr(host, ']');
    const bool has_port = strchr(bracket != NULL ? bracket : host, ':') != NULL;
    const bool is_protocol = strcasecmp(url, "tcp") == 0 || strcasecmp(url, "udp") == 0;
    char *text = is_protocol ? output_format("%s/%s", url, host)
                 : has_port  ? output_format("%s", host)
                             : output_format("%s:%s", host, url);
    free(url);
    return text;
}

/* A copy without what a person has marked too much: blanks, and what follows in a sentence. */
static char *trimmed(const char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t:,", text[length - 1]) != NULL) {
        length--;
    }
    return output_format("%.*s", (int)length, text);
}

static bool read_target(const char *given, const char *others, struct trial_target *target)
{
    char *text = take_url_apart(trimmed(given));
    const char *protocol = take_protocol(text);
    if (protocol != NULL) {
        target->protocol = strcmp(protocol, "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP;
    }
    char *colon = strrchr(text, ':');
    const char *word = colon != NULL ? colon + 1 : text;
    target->port = port_named(word, target->protocol == IPPROTO_UDP ? "udp" : "tcp");
    bool is_understood = target->port != 0;
    if (!is_understood) {
        output_error("\"%s\" is not a port: expected a number from 1 to 65535, or a service of "
                     "/etc/services%s",
                     word, others);
    } else if (colon != NULL && colon != text) {
        *colon = '\0';
        char *address = output_format("%s", text);
        is_understood = read_address(address, target);
        free(address);
        if (!is_understood) {
            output_error("\"%s\" is not an address: expected an IPv4 address, an IPv6 address of "
                         "this host in brackets like [::1] or [fe80::1%%eth0], localhost, or *",
                         text);
        }
    }
    free(text);
    return is_understood;
}

bool target_socket(const char *text, struct trial_target *target)
{
    *target = (struct trial_target){.protocol = target->protocol};
    return read_target(text, ", or the path of a socket", target);
}

static bool is_every_address(const struct trial_target *target)
{
    const struct address *address = &target->address;
    if (address->length == 0) {
        return !target->is_loopback;
    }
    return address->as.any.sa_family == AF_INET
               ? address->as.in.sin_addr.s_addr == INADDR_ANY
               : IN6_IS_ADDR_UNSPECIFIED(&address->as.in6.sin6_addr);
}

bool target_port(const char *text, unsigned int *port)
{
    struct trial_target target = {.protocol = IPPROTO_TCP};
    if (!read_target(text, "", &target)) {
        return false;
    }
    *port = target.port;
    if (target.protocol != IPPROTO_TCP) {
        output_error("\"%s\": only TCP has such sockets", text);
    } else if (!is_every_address(&target)) {
        output_error("\"%s\": this is for a port, of whatever address: expected %u", text, *port);
    }
    return target.protocol == IPPROTO_TCP && is_every_address(&target);
}

bool target_port_or_pid(const char *text, unsigned int *port, int *pid)
{
    *pid = number_in(text);
    *port = *pid <= UINT16_MAX ? (unsigned int)*pid : 0;
    return *pid != 0 || target_port(text, port);
}

/* Whether a word with a slash is a path, and not a port as people paste it. */
static bool is_path(const char *text)
{
    char *copy = output_format("%s", text);
    const bool is_port = strstr(text, "://") != NULL || take_protocol(copy) != NULL;
    free(copy);
    return text[0] == '/' || text[0] == '.' || !is_port;
}

/* Whether there is such a file, and no such port. */
static bool is_file_here(const char *text)
{
    struct stat file;
    const char *colon = strrchr(text, ':');
    return port_named(colon != NULL ? colon + 1 : text, "tcp") == 0 && lstat(text, &file) == 0;
}

bool target_unix(const char *text, struct address *address)
{
    const size_t length = strlen(text);
    const bool is_abstract = text[0] == '@';
    *address = (struct address){0};
    if (!is_abstract && !(strchr(text, '/') != NULL ? is_path(text) : is_file_here(text))) {
        return false;
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
