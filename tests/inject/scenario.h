/*
 * What a program does with bind() and listen(), and among what it does it. Every call is a step;
 * the ports and files that are in the way are made once, by stage_prepare().
 */
#ifndef LIBREUSE_INJECT_SCENARIO_H
#define LIBREUSE_INJECT_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { MOST_SETTINGS = 4, MOST_SOCKETS = 2, MOST_STEPS = 4 };

enum call { NO_CALL, BIND, LISTEN };

struct step {
    enum call call;
    int socket;
    const char *address; /* "0.0.0.0:9001", "[::]:9002", "/run/held" */
};

struct scenario {
    const char *name;
    const char *settings[MOST_SETTINGS];
    struct {
        int family;
        int type;
        bool sets_option; /* SO_REUSEADDR, itself, before its first step */
    } sockets[MOST_SOCKETS];
    struct step steps[MOST_STEPS];
    bool unhelped;            /* by its settings: whatever is refused stays refused */
    bool is_kept;             /* LIBREUSE_SWALLOWED=fail */
    bool lacks_rights;        /* all of root's */
    bool clears_option;       /* of its second socket, before its last step */
    bool has_pending_signals; /* blocked ones, SIGPIPE among them */
    bool gets_alarm;          /* again and again, which ends a wait */
    bool has_no_input;        /* descriptor 0 is closed: the shim's next one gets its number */
    bool writes_to_pipe;      /* by descriptor 2; else to a file */
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

/* Namespaces of its own, with the ports, the files, and the sinks that the scenarios need. */
void stage_enter(void);
void stage_prepare(void);

/* Before each run: TIME_WAIT sockets get old, and queues full. */
void stage_renew(void);

/* The descriptor 2 that a program of this scenario gets. */
int stage_error_output(const struct scenario *scenario);

/* An address as it is written in a step. */
socklen_t scenario_address(const char *text, struct sockaddr_storage *address);

/*
 * Is the program: makes the scenario's steps, and writes down what is to be seen after each. It
 * does by itself what the library is to do, at the steps whose bits are set in `help`; where that
 * of MOST_STEPS is, a listen() after a failed bind() is kept from being made.
 */
struct record;
int host_main(const struct scenario *scenario, unsigned int help, int record_fd);

/* What a run leaves, in memory that host and tracer share. */
struct record {
    bool is_complete;
    unsigned long library_start; /* the shim's code; 0 where it is not there */
    unsigned long library_end;
    size_t length;
    char text[8192];
};

/* Ends everything with a message, as perror() writes it. */
void fail(const char *what) __attribute__((noreturn));

#endif
