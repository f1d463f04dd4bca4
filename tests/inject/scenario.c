#include "scenario.h"

#include <netinet/in.h>

#define TCP4                                                                                       \
    {                                                                                              \
        AF_INET, SOCK_STREAM, false                                                                \
    }
#define TCP6                                                                                       \
    {                                                                                              \
        AF_INET6, SOCK_STREAM, false                                                               \
    }
#define TCP4_ITS_OWN                                                                               \
    {                                                                                              \
        AF_INET, SOCK_STREAM, true                                                                 \
    }
#define FREE_PORT      "0.0.0.0:9000"
#define HELD_PORT      "0.0.0.0:9001"
#define HELD_PORT6     "[::]:9002"
#define TIME_WAIT_PORT "0.0.0.0:9003"
#define TIME_WAIT6     "[::]:9004"
#define LEFT_PORT      "0.0.0.0:9005" /* by a run without the library, whose connection lives */
#define HELD_UDP       "0.0.0.0:9006"

#define QUIET          "LIBREUSE_LOG=none"

const struct scenario scenarios[] = {
    {.name = "free port, bind and listen",
     .sockets = {TCP4},
     .steps = {{BIND, 0, FREE_PORT}, {LISTEN, 0, NULL}}},
    {.name = "the same, LIBREUSE_LEVEL=info",
     .settings = {"LIBREUSE_LEVEL=info"},
     .sockets = {TCP4},
     .steps = {{BIND, 0, FREE_PORT}, {LISTEN, 0, NULL}}},
    {.name = "free port, IPv6",
     .sockets = {TCP6},
     .steps = {{BIND, 0, "[::]:9000"}, {LISTEN, 0, NULL}}},
    {.name = "live holder", .sockets = {TCP4}, .steps = {{BIND, 0, HELD_PORT}}},
    {.name = "live holder, IPv6", .sockets = {TCP6}, .steps = {{BIND, 0, HELD_PORT6}}},
    {.name = "live holder, swallowed",
     .settings = {QUIET},
     .sockets = {TCP4},
     .steps = {{BIND, 0, HELD_PORT}, {LISTEN, 0, NULL}}},
    {.name = "connection of a bare run, swallowed",
     .sockets = {TCP4},
     .steps = {{BIND, 0, LEFT_PORT}, {LISTEN, 0, NULL}}},
    {.name = "live holder, LIBREUSE_SWALLOWED=fail",
     .settings = {"LIBREUSE_SWALLOWED=fail", "LIBREUSE_EXPLAIN=0"},
     .sockets = {TCP4},
     .steps = {{BIND, 0, HELD_PORT}, {LISTEN, 0, NULL}},
     .is_kept = true},
    {.name = "live holder, then another port",
     .settings = {"LIBREUSE_EXPLAIN=0"},
     .sockets = {TCP4},
     .steps = {{BIND, 0, HELD_PORT}, {BIND, 0, FREE_PORT}, {LISTEN, 0, NULL}}},
    {.name = "TIME_WAIT, rescued",
     .settings = {QUIET},
     .sockets = {TCP4},
     .steps = {{BIND, 0, TIME_WAIT_PORT}, {LISTEN, 0, NULL}}},
    {.name = "TIME_WAIT, rescued, reported",
     .sockets = {TCP4},
     .steps = {{BIND, 0, TIME_WAIT_PORT}, {LISTEN, 0, NULL}}},
    {.name = "TIME_WAIT, rescued, IPv6",
     .settings = {"LIBREUSE_EXPLAIN=0"},
     .sockets = {TCP6},
     .steps = {{BIND, 0, TIME_WAIT6}, {LISTEN, 0, NULL}}},
    {.name = "TIME_WAIT, not in LIBREUSE_PORTS",
     .settings = {"LIBREUSE_PORTS=80", "LIBREUSE_EXPLAIN=0"},
     .sockets = {TCP4},
     .steps = {{BIND, 0, TIME_WAIT_PORT}, {LISTEN, 0, NULL}},
     .unhelped = true},
    {.name = "listen refused, option its own",
     .sockets = {TCP4_ITS_OWN, TCP4_ITS_OWN},
     .steps = {{BIND, 0, FREE_PORT}, {BIND, 1, FREE_PORT}, {LISTEN, 0, NULL}, {LISTEN, 1, NULL}}},
    {.name = "listen refused, option off",
     .settings = {"LIBREUSE_EXPLAIN=0"},
     .sockets = {TCP4_ITS_OWN, TCP4_ITS_OWN},
     .steps = {{BIND, 0, FREE_PORT}, {BIND, 1, FREE_PORT}, {LISTEN, 0, NULL}, {LISTEN, 1, NULL}},
     .clears_option = true},
    {.name = "live holder, option its own",
     .settings = {"LIBREUSE_EXPLAIN=0"},
     .sockets = {TCP4_ITS_OWN},
     .steps = {{BIND, 0, HELD_PORT}, {LISTEN, 0, NULL}}},
    {.name = "dual stack, the second refused",
     .sockets = {TCP6, TCP4},
     .steps = {{BIND, 0, "[::]:9000"}, {LISTEN, 0, NULL}, {BIND, 1, FREE_PORT}}},
    {.name = "dual stack, TIME_WAIT",
     .settings = {QUIET},
     .sockets = {TCP6, TCP4},
     .steps = {{BIND, 0, TIME_WAIT6}, {LISTEN, 0, NULL}, {BIND, 1, "0.0.0.0:9004"}}},
    {.name = "UDP", .sockets = {{AF_INET, SOCK_DGRAM, false}}, .steps = {{BIND, 0, HELD_UDP}}},
    {.name = "AF_UNIX, held",
     .sockets = {{AF_UNIX, SOCK_STREAM, false}},
     .steps = {{BIND, 0, "/run/held"}}},
    {.name = "AF_UNIX, a file left behind",
     .sockets = {{AF_UNIX, SOCK_STREAM, false}},
     .steps = {{BIND, 0, "/run/left"}}},
    {.name = "port 80 without the right",
     .sockets = {TCP4},
     .steps = {{BIND, 0, "0.0.0.0:80"}},
     .lacks_rights = true},
    {.name = "LIBREUSE_WAIT, ended by a signal",
     .settings = {"LIBREUSE_WAIT=5", "LIBREUSE_EXPLAIN=0"},
     .sockets = {TCP4},
     .steps = {{BIND, 0, HELD_PORT}, {LISTEN, 0, NULL}},
     .gets_alarm = true},
    {.name = "standard error is a pipe, signals pend",
     .settings = {"LIBREUSE_EXPLAIN=0", "LIBREUSE_LOG=stderr"},
     .sockets = {TCP4},
     .steps = {{BIND, 0, HELD_PORT}, {LISTEN, 0, NULL}},
     .has_pending_signals = true,
     .writes_to_pipe = true},
    {.name = "a log file, JSON",
     .settings = {"LIBREUSE_EXPLAIN=0", "LIBREUSE_LOG=/run/log/shim", "LIBREUSE_FORMAT=json"},
     .sockets = {TCP4},
     .steps = {{BIND, 0, HELD_PORT}, {LISTEN, 0, NULL}}},
    {.name = "a log file on a full disk",
     .settings = {"LIBREUSE_EXPLAIN=0", "LIBREUSE_LOG=/run/full/shim"},
     .sockets = {TCP4},
     .steps = {{BIND, 0, HELD_PORT}}},
    {.name = "the journal",
     .settings = {"LIBREUSE_EXPLAIN=0", "LIBREUSE_LOG=journal"},
     .sockets = {TCP4},
     .steps = {{BIND, 0, HELD_PORT}, {LISTEN, 0, NULL}}},
    {.name = "the system log",
     .settings = {"LIBREUSE_EXPLAIN=0", "LIBREUSE_LOG=syslog"},
     .sockets = {TCP4},
     .steps = {{BIND, 0, HELD_PORT}, {LISTEN, 0, NULL}}},
    {.name = "descriptor 0 is closed",
     .settings = {"LIBREUSE_EXPLAIN=0", "LIBREUSE_LOG=/run/log/shim"},
     .sockets = {TCP4},
     .steps = {{BIND, 0, HELD_PORT}},
     .has_no_input = true},
    {.name = "a setting that is not understood",
     .settings = {"LIBREUSE_WAIT=soon", "LIBREUSE_LEVEL=info"},
     .sockets = {TCP4},
     .steps = {{BIND, 0, FREE_PORT}}},
};
const size_t scenario_count = sizeof scenarios / sizeof scenarios[0];
