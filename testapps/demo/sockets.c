#include "sockets.h"

#include "stage.h"
#include "terminal.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <glob.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define COUNT(list)     (sizeof(list) / sizeof((list)[0]))
#define MAX_SOCKETS     16
#define MAX_LINE        256
#define MAX_CELL        64
#define ROW_FORMAT      "%-11s  %-15s  %-15s  %s"
#define TIME_WAIT_TIMER 3 /* column "tr" of the kernel's table, see its proc_net_tcp.rst */

/* In the order of the constants in <netinet/tcp.h>, which begin at 1. */
static const char *const state_names[] = {
    "?",         "ESTABLISHED", "SYN_SENT",   "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2",
    "TIME_WAIT", "CLOSE",       "CLOSE_WAIT", "LAST_ACK", "LISTEN",    "CLOSING",
};

static struct tcp_socket seen[MAX_SOCKETS];
static size_t seen_count;

static bool has_socket(const struct program *program, unsigned long inode)
{
    char pattern[MAX_CELL], wanted[MAX_CELL];
    bool found = false;
    glob_t descriptors;

    snprintf(pattern, sizeof(pattern), "/proc/%d/fd/*", program->pid);
    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    if (glob(pattern, GLOB_NOSORT, NULL, &descriptors) != 0)
        return false;
    for (size_t i = 0; i < descriptors.gl_pathc && !found; i++) {
        char target[MAX_CELL] = "";

        found = readlink(descriptors.gl_pathv[i], target, sizeof(target) - 1) > 0 &&
                strcmp(target, wanted) == 0;
    }
    globfree(&descriptors);
    return found;
}

static void describe_end(uint32_t address, unsigned port, char *text, size_t size)
{
    char dotted[INET_ADDRSTRLEN] = "?";

    inet_ntop(AF_INET, &address, dotted, sizeof(dotted));
    snprintf(text, size, "%s:%u", dotted, port);
}

/* Takes one line of the kernel's table. False: the heading, or a socket of others. */
static bool take_line(const char *line, struct tcp_socket *socket)
{
    char local[MAX_CELL], peer[MAX_CELL], process[MAX_CELL];
    unsigned long ticks, inode, ticks_a_second = (unsigned long)sysconf(_SC_CLK_TCK);
    const struct program *owner = NULL;
    unsigned local_address, peer_address, timer; /* addresses in network byte order */
    bool has_our_port;

    if (sscanf(line, "%*d: %x:%x %x:%x %x %*x:%*x %x:%lx %*x %*u %*d %lu", &local_address,
               &socket->local_port, &peer_address, &socket->peer_port, &socket->state, &timer,
               &ticks, &inode) != 8)
        return false;
    describe_end(local_address, socket->local_port, local, sizeof(local));
    describe_end(peer_address, socket->peer_port, peer, sizeof(peer));
    has_our_port = socket->local_port == SERVER1_PORT || socket->local_port == SERVER2_PORT ||
                   strcmp(peer, "127.0.0.1:9999") == 0;
    if (has_socket(&server1, inode))
        owner = &server1;
    else if (has_socket(&server2, inode))
        owner = &server2;
    else if (!has_our_port)
        return false;

    if (owner != NULL)
        snprintf(process, sizeof(process), "%s[%d]", owner->name, owner->pid);
    else if (inode != 0)
        snprintf(process, sizeof(process), "another");
    else if (timer == TIME_WAIT_TIMER)
        snprintf(process, sizeof(process), "none; the kernel keeps it %lu s",
                 (ticks + ticks_a_second - 1) / ticks_a_second);
    else
        snprintf(process, sizeof(process), "none");
    snprintf(socket->row, sizeof(socket->row), ROW_FORMAT,
             socket->state < COUNT(state_names) ? state_names[socket->state] : "?", local,
             socket->state == TCP_LISTEN ? "-" : peer, process);
    return true;
}

void look_at_sockets(void)
{
    FILE *table = fopen("/proc/self/net/tcp", "re");
    char line[MAX_LINE];

    seen_count = 0;
    if (table == NULL)
        return;
    while (seen_count < MAX_SOCKETS && fgets(line, sizeof(line), table) != NULL)
        seen_count += take_line(line, &seen[seen_count]);
    fclose(table);
}

const struct tcp_socket *find_socket(unsigned state)
{
    for (size_t i = 0; i < seen_count; i++) {
        if (seen[i].state == state)
            return &seen[i];
    }
    return NULL;
}

bool sockets_are(const char *const patterns[])
{
    size_t matched;

    look_at_sockets();
    for (matched = 0; patterns[matched] != NULL; matched++) {
        size_t i = matched;
        struct tcp_socket match;

        while (i < seen_count && fnmatch(patterns[matched], seen[i].row, 0) != 0)
            i++;
        if (i == seen_count)
            return false;
        match = seen[i];
        seen[i] = seen[matched];
        seen[matched] = match;
    }
    return matched == seen_count;
}

void print_sockets(FILE *out)
{
    if (seen_count == 0)
        fprintf(out, INDENT "(no socket)\n");
    else
        fprintf(out, INDENT ROW_FORMAT "\n", "STATE", "LOCAL", "PEER", "PROCESS");
    for (size_t i = 0; i < seen_count; i++)
        fprintf(out, INDENT "%s%s%s\n", paint(out, seen[i].state == TCP_TIME_WAIT ? YELLOW : ""),
                seen[i].row, paint(out, PLAIN));
}
