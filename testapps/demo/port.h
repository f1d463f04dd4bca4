/*
 * A port as a program meets it: whether bind(2) can have it, and how the demo gets rid of the
 * TIME_WAIT sockets on it without waiting for 60 s.
 */
#ifndef DEMO_PORT_H
#define DEMO_PORT_H

/* What a server that asks for the port on all addresses gets from bind(2): 0 or the error. */
int bind_error(unsigned port);

/* Removes the TIME_WAIT sockets of the story, as far as that is possible. */
void remove_time_waits(void);

#endif
