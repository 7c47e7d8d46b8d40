/*
 * Values; see value.h. One function per type parses; what is allowed comes from the schema's row, so that the
 * error of a bad value and the sample's explanation are the same words.
 */
#include "conf/value.h"

#include "conf/command_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t times, divided; /* to the member's unit */
};

static const struct unit durations[] = {
    {"us", 1, 1000}, {"ms", 1, 1}, {"s", 1000, 1}, {"min", 60000, 1}, {"h", 3600000, 1}, {"d", 86400000, 1}};
static const struct unit sizes[] = {
    {"B", 1, 1}, {"kB", 1024, 1}, {"MB", 1024 * 1024, 1}, {"GB", 1024 * 1024 * 1024, 1}};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static bool refuse(char *why, const char *text)
{
    snprintf(why, VALUE_WHY_MAX, "%s", text);
    return false;
}

/* Refuses with what would be allowed. */
static bool refuse_kind(const struct schema_key *key, char *why);

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The decimal digits at the beginning of `text`; NULL when there are none or they are too many. */
static const char *read_digits(const char *text, uint64_t *number)
{
    const char *at = text;
    *number = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (*number > (UINT64_MAX - 9) / 10)
            return NULL;
        *number = *number * 10 + (uint64_t)(*at - '0');
    }
    return at == text ? NULL : at;
}

static bool in_range(const struct schema_key *key, uint64_t number)
{
    return (number >= key->min && number <= key->max) || (number == 0 && key->zero_is_none);
}

static bool parse_number(const struct schema_key *key, const char *text, uint64_t *number, char *why)
{
    const char *end = read_digits(text, number);
    if (!end || *end || !in_range(key, *number))
        return refuse_kind(key, why);
    return true;
}

static const struct unit *find_unit(const struct unit *units, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(units[i].name, name) == 0)
            return &units[i];
    }
    return NULL;
}

/* Digits and a unit. `bare`: the unit of a number without one, NULL when that is refused. */
static bool parse_quantity(const struct schema_key *key, const char *text, const struct unit *units, size_t n,
    const char *bare, uint64_t *number, char *why)
{
    uint64_t digits;
    const char *end = read_digits(text, &digits);
    while (end && is_blank(*end))
        end++;
    if (!end || (*end == '\0' && !bare && digits > 0))
        return refuse_kind(key, why);
    const struct unit *unit = *end          ? find_unit(units, n, end)
                              : digits == 0 ? &units[1]
                                            : find_unit(units, n, bare);
    if (!unit || digits > UINT64_MAX / unit->times)
        return refuse_kind(key, why);
    if (digits % unit->divided != 0)
        return refuse(why, "expected whole milliseconds");
    *number = digits * unit->times / unit->divided;
    return in_range(key, *number) || refuse_kind(key, why);
}

static bool parse_bool(const struct schema_key *key, const char *text, bool *out, char *why)
{
    static const char *const words[] = {"off", "on", "no", "yes", "false", "true", "0", "1"};
    for (size_t i = 0; i < COUNT(words); i++) {
        if (strcmp(words[i], text) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    }
    return refuse_kind(key, why);
}

static bool parse_enum(const struct schema_key *key, const char *text, unsigned *out, char *why)
{
    for (size_t i = 0; i < key->n_names; i++) {
        if (strcmp(key->names[i], text) == 0) {
            *out = (unsigned)i;
            return true;
        }
    }
    return refuse_kind(key, why);
}

static bool parse_mode(const struct schema_key *key, const char *text, uint32_t *out, char *why)
{
    uint32_t mode = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 4 || strspn(text, "01234567") != len)
        return refuse_kind(key, why);
    for (; *text; text++)
        mode = mode * 8 + (uint32_t)(*text - '0');
    if (mode > key->max)
        return refuse_kind(key, why);
    *out = mode;
    return true;
}

/* A name or a path: a blank followed by a comment sign is nearly always meant as a comment. */
static bool check_word(const struct schema_key *key, const char *text, char *why)
{
    if (*text == '\0' && key->not_empty)
        return refuse(why, "the value is empty");
    if (strstr(text, " #") || strstr(text, " ;") || strstr(text, "\t#") || strstr(text, "\t;"))
        return refuse(why, "a comment must stand on a line of its own");
    for (const char *at = text; *at; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7F)
            return refuse(why, "control characters are not allowed");
    }
    return true;
}

static bool store_string(const struct schema_key *key, const char *text, char **out, char *why)
{
    char *copy = NULL;
    if (*text && !(copy = strdup(text)))
        return refuse(why, "out of memory");
    value_fini(key, out);
    *out = copy;
    return true;
}

void value_list_free(char **list)
{
    for (char **item = list; item && *item; item++)
        free(*item);
    free(list);
}

/* Takes the next item of a comma separated list, without blanks around it; false at the end. */
static bool take_item(const char **at, const char **item, size_t *len)
{
    if (!**at)
        return false;
    const char *begin = *at, *end = strchrnul(begin, ',');
    *at = *end ? end + 1 : end;
    while (begin < end && is_blank(*begin))
        begin++;
    while (end > begin && is_blank(end[-1]))
        end--;
    *item = begin;
    *len = (size_t)(end - begin);
    return true;
}

static bool parse_list(const struct schema_key *key, const char *text, char ***out, char *why)
{
    size_t room = 2, n = 0, len;
    for (const char *at = text; *at; at++)
        room += *at == ',';
    char **list = calloc(room, sizeof *list);
    if (!list)
        return refuse(why, "out of memory");
    const char *item;
    for (const char *at = text; take_item(&at, &item, &len);) {
        if (len == 0) {
            value_list_free(list);
            return refuse(why, "an item of the list is empty");
        }
        if (!(list[n++] = strndup(item, len))) {
            value_list_free(list);
            return refuse(why, "out of memory");
        }
    }
    value_fini(key, out);
    *out = list;
    return true;
}

static bool parse_command(const struct schema_key *key, const char *text, char ***out, char *why)
{
    char **argv;
    const char *reason;
    if (!command_line_split(text, &argv, &reason))
        return refuse(why, reason);
    value_fini(key, out);
    *out = argv;
    return true;
}

bool value_parse(const struct schema_key *key, const char *text, void *place, char *why)
{
    uint64_t number;
    switch (key->type) {
    case VALUE_BOOL: return parse_bool(key, text, place, why);
    case VALUE_ENUM: return parse_enum(key, text, place, why);
    case VALUE_MODE: return parse_mode(key, text, place, why);
    case VALUE_UINT:
        if (!parse_number(key, text, &number, why))
            return false;
        *(uint32_t *)place = (uint32_t)number;
        return true;
    case VALUE_PORT:
        if (!parse_number(key, text, &number, why))
            return false;
        *(uint16_t *)place = (uint16_t)number;
        return true;
    case VALUE_DURATION:
        if (!parse_quantity(key, text, durations, COUNT(durations), NULL, &number, why))
            return false;
        *(uint64_t *)place = number;
        return true;
    case VALUE_SIZE:
        if (!parse_quantity(key, text, sizes, COUNT(sizes), "B", &number, why))
            return false;
        *(uint64_t *)place = number;
        return true;
    case VALUE_STRING:
    case VALUE_PATH: return check_word(key, text, why) && store_string(key, text, place, why);
    case VALUE_TEXT:
    case VALUE_SECRET: return store_string(key, text, place, why);
    case VALUE_LIST: return check_word(key, text, why) && parse_list(key, text, place, why);
    case VALUE_COMMAND: return check_word(key, text, why) && parse_command(key, text, place, why);
    case VALUE_CLUSTER: break;
    }
    return refuse(why, "not a value");
}

void value_fini(const struct schema_key *key, void *place)
{
    char **text = place;
    switch (key->type) {
    case VALUE_SECRET:
        if (*text)
            explicit_bzero(*text, strlen(*text));
        free(*text);
        *text = NULL;
        return;
    case VALUE_STRING:
    case VALUE_TEXT:
    case VALUE_PATH:
        free(*text);
        *text = NULL;
        return;
    case VALUE_LIST:
    case VALUE_COMMAND:
        value_list_free(*(char ***)place);
        *(char ***)place = NULL;
        return;
    case VALUE_BOOL:
    case VALUE_UINT:
    case VALUE_PORT:
    case VALUE_DURATION:
    case VALUE_SIZE:
    case VALUE_ENUM:
    case VALUE_MODE:
    case VALUE_CLUSTER: return;
    }
}

size_t value_size(const struct schema_key *key)
{
    switch (key->type) {
    case VALUE_BOOL: return sizeof(bool);
    case VALUE_UINT:
    case VALUE_MODE: return sizeof(uint32_t);
    case VALUE_PORT: return sizeof(uint16_t);
    case VALUE_DURATION:
    case VALUE_SIZE: return sizeof(uint64_t);
    case VALUE_ENUM: return sizeof(unsigned);
    case VALUE_STRING:
    case VALUE_TEXT:
    case VALUE_PATH:
    case VALUE_SECRET: return sizeof(char *);
    case VALUE_LIST:
    case VALUE_COMMAND: return sizeof(char **);
    case VALUE_CLUSTER: return sizeof(size_t);
    }
    return 0;
}

static bool string_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool list_equal(char *const *a, char *const *b)
{
    if (!a || !b)
        return a == b;
    for (; *a && *b; a++, b++) {
        if (strcmp(*a, *b) != 0)
            return false;
    }
    return *a == *b; /* both at their end */
}

bool value_equal(const struct schema_key *key, const void *a, const void *b)
{
    switch (key->type) {
    case VALUE_STRING:
    case VALUE_TEXT:
    case VALUE_PATH:
    case VALUE_SECRET: return string_equal(*(char *const *)a, *(char *const *)b);
    case VALUE_LIST:
    case VALUE_COMMAND: return list_equal(*(char **const *)a, *(char **const *)b);
    case VALUE_BOOL:
    case VALUE_UINT:
    case VALUE_PORT:
    case VALUE_DURATION:
    case VALUE_SIZE:
    case VALUE_ENUM:
    case VALUE_MODE:
    case VALUE_CLUSTER: return memcmp(a, b, value_size(key)) == 0;
    }
    return false;
}

/* A number in the greatest unit that gives a whole one. */
static void print_quantity(char *out, size_t size, uint64_t number, const struct unit *units, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        if (units[i].divided == 1 && number % units[i].times == 0) {
            snprintf(out, size, "%llu%s", (unsigned long long)(number / units[i].times), units[i].name);
            return;
        }
    }
}

static void print_limit(const struct schema_key *key, char *out, size_t size, uint64_t number)
{
    if (key->type == VALUE_DURATION)
        print_quantity(out, size, number, durations, COUNT(durations));
    else if (key->type == VALUE_SIZE)
        print_quantity(out, size, number, sizes, COUNT(sizes));
    else
        snprintf(out, size, "%llu", (unsigned long long)number);
}

static void allowed_range(const struct schema_key *key, char *out, size_t size)
{
    char min[32], max[32];
    print_limit(key, min, sizeof min, key->min);
    print_limit(key, max, sizeof max, key->max);
    if (key->min == 0) /* without a unit */
        snprintf(min, sizeof min, "0");
    snprintf(out, size, "%s to %s%s", min, max, key->zero_is_none ? ", or 0 for no limit" : "");
}

static void allowed_names(const struct schema_key *key, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < key->n_names && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? " | " : "", key->names[i]);
}

void value_allowed(const struct schema_key *key, char *out, size_t size)
{
    switch (key->type) {
    case VALUE_BOOL: snprintf(out, size, "on | off"); return;
    case VALUE_ENUM: allowed_names(key, out, size); return;
    case VALUE_MODE: snprintf(out, size, "0 to %04o", (unsigned)key->max); return;
    case VALUE_UINT:
    case VALUE_PORT:
    case VALUE_DURATION:
    case VALUE_SIZE: allowed_range(key, out, size); return;
    case VALUE_LIST:
    case VALUE_COMMAND:
    case VALUE_PATH:
    case VALUE_TEXT:
    case VALUE_SECRET:
    case VALUE_STRING:
    case VALUE_CLUSTER: snprintf(out, size, "%s", ""); return;
    }
}

static char *join(char *const *list)
{
    size_t size = 1;
    for (char *const *item = list; item && *item; item++)
        size += strlen(*item) + 2;
    char *out = calloc(1, size), *at = out;
    for (char *const *item = list; at && item && *item; item++)
        at += sprintf(at, "%s%s", item == list ? "" : ", ", *item);
    return out;
}

char *value_text(const struct schema_key *key, const void *place)
{
    char number[32] = "";
    switch (key->type) {
    case VALUE_BOOL: return strdup(*(const bool *)place ? "on" : "off");
    case VALUE_ENUM: return strdup(key->names[*(const unsigned *)place]);
    case VALUE_UINT: print_limit(key, number, sizeof number, *(const uint32_t *)place); break;
    case VALUE_PORT: print_limit(key, number, sizeof number, *(const uint16_t *)place); break;
    case VALUE_DURATION:
    case VALUE_SIZE:
        if (*(const uint64_t *)place > 0)
            print_limit(key, number, sizeof number, *(const uint64_t *)place);
        else
            snprintf(number, sizeof number, "0"); /* without a unit */
        break;
    case VALUE_MODE: snprintf(number, sizeof number, "%04o", (unsigned)*(const uint32_t *)place); break;
    case VALUE_LIST: return join(*(char *const *const *)place);
    case VALUE_COMMAND: return *(char **const *)place ? command_line_join(*(char **const *)place) : NULL;
    case VALUE_SECRET: return *(char *const *)place ? strdup("********") : NULL;
    case VALUE_STRING:
    case VALUE_TEXT:
    case VALUE_PATH: return *(char *const *)place ? strdup(*(char *const *)place) : NULL;
    case VALUE_CLUSTER: return NULL;
    }
    return strdup(number);
}

/* What a refused value should have been. */
static const char *kind_of(enum value_type type)
{
    switch (type) {
    case VALUE_UINT: return "a whole number, ";
    case VALUE_PORT: return "a port, ";
    case VALUE_DURATION: return "a duration with its unit (us ms s min h d), ";
    case VALUE_SIZE: return "a size in B, kB, MB or GB, ";
    case VALUE_MODE: return "permissions in octal, ";
    case VALUE_BOOL:
    case VALUE_ENUM:
    case VALUE_LIST:
    case VALUE_COMMAND:
    case VALUE_PATH:
    case VALUE_TEXT:
    case VALUE_SECRET:
    case VALUE_STRING:
    case VALUE_CLUSTER: return "";
    }
    return "";
}

static bool refuse_kind(const struct schema_key *key, char *why)
{
    char allowed[VALUE_WHY_MAX / 2];
    value_allowed(key, allowed, sizeof allowed);
    snprintf(why, VALUE_WHY_MAX, "expected %s%s", kind_of(key->type), allowed);
    return false;
}
