/*
 * What a survey of all listeners says of one port: which programs have lost it, and who has it for
 * whom.
 */
#ifndef LIBREUSE_PORT_SURVEY_H
#define LIBREUSE_PORT_SURVEY_H

#include "sockets/survey.h"
#include "terminal/output.h"

#include <stdbool.h>
#include <stddef.h>

/* How many listeners are of programs that had asked for this port: libreuse.so in them knows. */
size_t port_survey_count_lost(const struct survey *survey, unsigned int port);

/* Names them; where there are none, those that may have lost it. */
void port_survey_show_lost(const struct survey *survey, unsigned int port, bool is_free);

/* Holders that libreuse guard looks after, and those that are socket units of systemd. */
void port_survey_show_holders(const struct survey *survey, unsigned int port);

void port_survey_json(const struct survey *survey, unsigned int port, struct json *json);

#endif
