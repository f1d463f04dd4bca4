/*
 * What systemd itself says of a unit: the output of "systemctl show", run and taken apart. Known to
 * be right for the formats of systemd 219 to 262.
 */
#ifndef LIBREUSE_SYSTEMCTL_H
#define LIBREUSE_SYSTEMCTL_H

#include <stdbool.h>
#include <stddef.h>

struct property {
    char *name;
    char *value; /* as it is printed */
};

/* In the order in which they are printed. A name may be there several times, or not at all. */
struct properties {
    struct property *list;
    size_t count;
};

/*
 * Asks for these properties (the list ends with NULL) of a unit; of the manager where that is NULL.
 * Where there is no answer, false, and `*why` is a text for a person, which the caller frees. The
 * caller frees the properties with properties_free(), whatever the result.
 */
bool systemctl_show(struct properties *properties, const char *unit, const char *const names[],
                    char **why);

/* The environment that the manager gives to every service: "systemctl show-environment". */
bool systemctl_show_environment(struct properties *properties, char **why);

/* "systemctl daemon-reload": the manager reads the units' files again. False, and why. */
bool systemctl_reload(char **why);

/* Takes apart what was printed. */
void properties_parse(struct properties *properties, const char *text);
void properties_free(struct properties *properties);

/* The value of the first of that name; NULL where this systemd does not print such a property. */
const char *property(const struct properties *properties, const char *name);

/* A list that a property shows, or a unit file has: words, with quotes and escapes resolved. */
struct words {
    char **list;
    size_t count;
};

/* The caller frees it with words_free(). */
void words_split(struct words *words, const char *text);
void words_free(struct words *words);
bool words_have(const struct words *words, const char *word);

/* Of the words "NAME=VALUE", the value of the last one with that name; NULL. */
const char *words_variable(const struct words *words, const char *name);

#endif
