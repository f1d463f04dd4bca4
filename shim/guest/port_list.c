#include "port_list.h"

#include "services.h"

#include <string.h>

enum { PORTS = 65536 };

/* Reads a decimal port and moves on behind it; 0 where there is none. */
static unsigned int parse_port(const char **text)
{
    unsigned int port = 0;
    while (**text >= '0' && **text <= '9' && port < PORTS) {
        port = port * 10 + (unsigned int)(**text - '0');
        (*text)++;
    }
    return port < PORTS ? port : 0;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Reads the name of a service and moves on behind it; 0 where there is no such service. */
static unsigned int parse_service(const char **text)
{
    const size_t length = strcspn(*text, ",");
    const unsigned int port = services_port(*text, length);
    *text += length;
    return port;
}

bool port_list_each(const char *list, void (*use)(unsigned int first, unsigned int last))
{
    for (;;) {
        const unsigned int first = is_letter(*list) ? parse_service(&list) : parse_port(&list);
        unsigned int last = first;
        if (*list == '-') {
            list++;
            last = parse_port(&list);
        }
        if (first == 0 || last < first) {
            return false;
        }
        use(first, last);
        if (*list == '\0') {
            return true;
        }
        if (*list++ != ',') {
            return false;
        }
    }
}
