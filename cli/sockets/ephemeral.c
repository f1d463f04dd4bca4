#include "ephemeral.h"

#include "lookup/local_ports.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

const char ephemeral_meaning[] =
    "on a port that the kernel gives out by itself (net.ipv4.ip_local_port_range); a server that "
    "has lost its port looks like this, and so does one that is meant to listen there";

static struct {
    bool is_read;
    struct local_ports range;
    bool is_reserved[UINT16_MAX + 1];
} ports;

/* "8080,40000-40010", and nothing where there are none. */
static void read_reserved(void)
{
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_reserved_ports", "re");
    unsigned int first;
    while (file != NULL && fscanf(file, "%u", &first) == 1) {
        unsigned int last;
        if (fscanf(file, "-%u", &last) != 1) {
            last = first;
        }
        for (unsigned int port = first; port <= last && port <= UINT16_MAX; port++) {
            ports.is_reserved[port] = true;
        }
        fscanf(file, ",");
    }
    if (file != NULL) {
        fclose(file);
    }
}

int ephemeral_port(unsigned int port)
{
    if (!ports.is_read) {
        ports.is_read = true;
        local_ports_read(&ports.range);
        read_reserved();
    }
    if (ports.range.first == 0) {
        return -1;
    }
    return local_ports_have(&ports.range, port) && !ports.is_reserved[port];
}
