/*
 * A strict reader of JSON (RFC 8259), small enough to be believed: whether some bytes are one
 * object, and what its members are. Text outside ASCII must be valid UTF-8.
 */
#ifndef LIBREUSE_TESTS_JSON_H
#define LIBREUSE_TESTS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The bytes that are still to be read. A reader that fails returns false and is not used again. */
struct json {
    const unsigned char *next;
    const unsigned char *end;
};

enum { JSON_DEPTH = 16 };

static inline void json_skip_space(struct json *json)
{
    while (json->next < json->end && memchr(" \t\r\n", *json->next, 4) != NULL) {
        json->next++;
    }
}

static inline bool json_take(struct json *json, char byte)
{
    if (json->next == json->end || *json->next != (unsigned char)byte) {
        return false;
    }
    json->next++;
    return true;
}

/* The bytes that follow the first one of a UTF-8 sequence (RFC 3629); -1: it cannot be first. */
static inline int json_utf8_rest(const struct json *json)
{
    const unsigned char first = json->next[0];
    const unsigned char second = json->end - json->next > 1 ? json->next[1] : 0;
    if (first < 0x80) {
        return 0;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        return 1;
    }
    if (first >= 0xe0 && first <= 0xef) {
        const bool overlong = first == 0xe0 && second < 0xa0;
        const bool surrogate = first == 0xed && second > 0x9f;
        return overlong || surrogate ? -1 : 2;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        const bool overlong = first == 0xf0 && second < 0x90;
        const bool too_large = first == 0xf4 && second > 0x8f;
        return overlong || too_large ? -1 : 3;
    }
    return -1;
}

static inline bool json_take_character(struct json *json)
{
    const int rest = json_utf8_rest(json);
    if (*json->next < 0x20 || rest < 0 || json->end - json->next <= rest) {
        return false;
    }
    for (int i = 1; i <= rest; i++) {
        if ((json->next[i] & 0xc0) != 0x80) {
            return false;
        }
    }
    json->next += rest + 1;
    return true;
}

static inline bool json_take_escape(struct json *json)
{
    if (json->next == json->end) {
        return false;
    }
    const unsigned char kind = *json->next++;
    if (kind != 'u') {
        return memchr("\"\\/bfnrt", kind, 8) != NULL;
    }
    for (int i = 0; i < 4; i++) {
        if (json->next == json->end ||
            memchr("0123456789abcdefABCDEF", *json->next++, 22) == NULL) {
            return false;
        }
    }
    return true;
}

static inline bool json_take_string(struct json *json)
{
    if (!json_take(json, '"')) {
        return false;
    }
    while (json->next < json->end && *json->next != '"') {
        if (json_take(json, '\\') ? !json_take_escape(json) : !json_take_character(json)) {
            return false;
        }
    }
    return json_take(json, '"');
}

static inline bool json_take_digits(struct json *json)
{
    const unsigned char *const start = json->next;
    while (json->next < json->end && *json->next >= '0' && *json->next <= '9') {
        json->next++;
    }
    return json->next > start;
}

static inline bool json_take_number(struct json *json)
{
    json_take(json, '-');
    if (!json_take(json, '0') && !json_take_digits(json)) {
        return false;
    }
    if (json_take(json, '.') && !json_take_digits(json)) {
        return false;
    }
    if (json_take(json, 'e') || json_take(json, 'E')) {
        if (!json_take(json, '+')) {
            json_take(json, '-');
        }
        return json_take_digits(json);
    }
    return true;
}

static inline bool json_take_word(struct json *json, const char *word)
{
    const size_t length = strlen(word);
    if ((size_t)(json->end - json->next) < length || memcmp(json->next, word, length) != 0) {
        return false;
    }
    json->next += length;
    return true;
}

static inline bool json_take_value(struct json *json, int depth);

/* The members of an object or the values of an array, and the bracket at the end. */
static inline bool json_take_members(struct json *json, int depth, bool named, char end)
{
    json_skip_space(json);
    if (json_take(json, end)) {
        return true;
    }
    do {
        json_skip_space(json);
        if (named) {
            if (!json_take_string(json)) {
                return false;
            }
            json_skip_space(json);
            if (!json_take(json, ':')) {
                return false;
            }
        }
        if (!json_take_value(json, depth)) {
            return false;
        }
    } while (json_take(json, ','));
    return json_take(json, end);
}

/* A value, with the space around it. */
static inline bool json_take_value(struct json *json, int depth)
{
    bool taken;
    json_skip_space(json);
    if (depth == 0 || json->next == json->end) {
        return false;
    }
    if (json_take(json, '{')) {
        taken = json_take_members(json, depth - 1, true, '}');
    } else if (json_take(json, '[')) {
        taken = json_take_members(json, depth - 1, false, ']');
    } else if (*json->next == '"') {
        taken = json_take_string(json);
    } else {
        taken = json_take_word(json, "true") || json_take_word(json, "false") ||
                json_take_word(json, "null") || json_take_number(json);
    }
    json_skip_space(json);
    return taken;
}

/* Whether the bytes are one object and nothing else. */
static inline bool json_is_object(const char *bytes, size_t length)
{
    struct json json = {(const unsigned char *)bytes, (const unsigned char *)bytes + length};
    json_skip_space(&json);
    return json.next < json.end && *json.next == '{' && json_take_value(&json, JSON_DEPTH) &&
           json.next == json.end;
}

/* The text of a JSON string of ASCII without \u, as the shim writes it. */
static inline char *json_unescaped(const unsigned char *from, const unsigned char *to)
{
    static const char letters[] = "bfnrt";
    static const char meant[] = "\b\f\n\r\t";
    char *text = calloc(1, (size_t)(to - from) + 1);
    for (size_t used = 0; text != NULL && from < to; from++) {
        char byte = (char)*from;
        if (byte == '\\') {
            byte = (char)*++from;
            const char *letter = strchr(letters, byte);
            byte = letter != NULL ? meant[letter - letters] : byte;
        }
        text[used++] = byte;
    }
    return text;
}

/*
 * The value of a member of an object that json_is_object(): of a string its text, otherwise what
 * stands there. NULL where there is no such member or more than one. The text is never freed.
 */
static inline char *json_member(const char *object, const char *name)
{
    struct json json = {(const unsigned char *)object,
                        (const unsigned char *)object + strlen(object)};
    char *found = NULL;
    json_skip_space(&json);
    json_take(&json, '{');
    do {
        json_skip_space(&json);
        const unsigned char *const key = json.next + 1;
        if (!json_take_string(&json)) {
            return NULL;
        }
        const size_t length = (size_t)(json.next - 1 - key);
        json_skip_space(&json);
        json_take(&json, ':');
        json_skip_space(&json);
        const unsigned char *const value = json.next;
        if (!json_take_value(&json, JSON_DEPTH)) {
            return NULL;
        }
        if (length == strlen(name) && memcmp(key, name, length) == 0) {
            if (found != NULL) {
                return NULL;
            }
            found = *value == '"' ? json_unescaped(value + 1, json.next - 1)
                                  : json_unescaped(value, json.next);
        }
    } while (json_take(&json, ','));
    return found;
}

#endif
