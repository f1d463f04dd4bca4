/*
 * The LIBREUSE_* variables. They are read once, when the library is loaded (or at the first call,
 * should that come earlier), and copied: what the program does to its environment later does not
 * matter. A host that runs with more rights than its user (AT_SECURE) gets the defaults.
 *
 * Everything here but config_load() is async-signal-safe.
 */
#ifndef LIBREUSE_CONFIG_H
#define LIBREUSE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How severe an event is. LIBREUSE_LEVEL names the least severe that is shown. */
enum level { LEVEL_ERR, LEVEL_WARNING, LEVEL_NOTICE, LEVEL_INFO };

/* LEVEL_ERR as a priority of syslog(3); the others follow in the same order. */
enum { LEVEL_ERR_PRIORITY = 3 };

enum level config_level(void);

/* The word that LIBREUSE_LEVEL takes for a level. */
const char *config_level_name(enum level level);

/* LIBREUSE_DRY_RUN: report only. */
bool config_dry_run(void);

/* LIBREUSE_PORTS: whether every port is rescued and armed, and whether this one (1 to 65535) is. */
bool config_all_ports(void);
bool config_port(unsigned int port);

/* LIBREUSE_LOG: where reports go. */
enum log { LOG_AUTO, LOG_STDERR, LOG_JOURNAL, LOG_SYSLOG, LOG_NONE, LOG_FILE };

enum log config_log(void);

/* The word that LIBREUSE_LOG takes for a place other than a file. */
const char *config_log_name(enum log log);

/* The bytes of the longest path that LIBREUSE_LOG takes, its end included. */
enum { LOG_PATH_SIZE = 256 };

/* The path where config_log() is LOG_FILE. */
void config_log_path(char path[LOG_PATH_SIZE]);

/* LIBREUSE_FORMAT: whether reports are JSON, not text. */
bool config_json(void);

/* LIBREUSE_WAIT: how many seconds bind() waits for a port, at most WAIT_MAX. */
enum { WAIT_MAX = 86400 };
unsigned int config_wait(void);

/* LIBREUSE_SWALLOWED: what listen() does after a bind() that failed. */
enum swallowed { SWALLOWED_LOG, SWALLOWED_FAIL, SWALLOWED_EXIT };

enum swallowed config_swallowed(void);

/* LIBREUSE_EXPLAIN: whether it is looked up who holds a port. */
bool config_explain(void);

/* JOURNAL_STREAM: the file that systemd(1) says it has connected to the journal. */
bool config_is_journal_stream(uint64_t device, uint64_t inode);

/* A variable whose value was not understood, or a name like those that no variable has. */
struct complaint {
    const char *variable; /* of a wrong name: the variable that may be meant, or NULL */
    char value[48];       /* the beginning of the value, or of the name; NUL-terminated */
    const char *expected; /* what would have been understood; NULL: it is a wrong name */
    const char *in_use;   /* the default, which is used instead */
};

/* Takes one complaint; each is given out once in a process. False when there is none left. */
bool config_take_complaint(struct complaint *complaint);

/* False before the C library is initialized, while there is no environment: the defaults hold. */
bool config_is_loaded(void);

/* Reads the environment. Threads that load at the same time store the same values. */
void config_load(void);

#endif
