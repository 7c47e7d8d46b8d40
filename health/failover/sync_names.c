/*
 * Reading synchronous_standby_names; see sync_names.h.
 *
 *     ""                        nobody is waited for
 *     a, "b-c", *               one of these, the first that there is
 *     FIRST 2 (a, b, c), 2 (a, b, c)
 *     ANY 2 (a, b, c)
 *
 * FIRST and ANY differ in who is waited for at a time; over time it may have been any so many of the listed.
 */
#include "health/failover/sync_names.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

static void skip_blanks(const char **at)
{
    while (is_blank(**at))
        (*at)++;
}

/* The next word: bare, or in double quotes with "" for one of them. */
static bool take_name(const char **at, char out[SYNC_NAME_MAX])
{
    size_t len = 0;
    bool quoted = **at == '"';
    *at += quoted;
    while (quoted ? **at != '\0' : is_name(**at)) {
        if (quoted && **at == '"') {
            if ((*at)[1] != '"')
                break;
            (*at)++;
        }
        if (len == SYNC_NAME_MAX - 1)
            return false;
        out[len++] = *(*at)++;
    }
    out[len] = '\0';
    if (quoted && **at != '"')
        return false;
    *at += quoted;
    return len > 0;
}

static bool take_entry(const char **at, struct sync_names *out)
{
    skip_blanks(at);
    if (**at == '*') {
        (*at)++;
        out->any = true;
        return true;
    }
    return out->n < SYNC_NAMES_LIST_MAX && take_name(at, out->names[out->n]) && ++out->n;
}

/* Entries divided by commas. */
static bool take_list(const char **at, struct sync_names *out)
{
    do {
        if (!take_entry(at, out))
            return false;
        skip_blanks(at);
    } while (*(*at)++ == ',');
    (*at)--;
    return true;
}

/* "FIRST 2 (", "ANY 2 (" or "2 (": moves behind the parenthesis; leaves *at alone when it is a plain list. */
static bool take_method(const char **at, uint32_t *number)
{
    const char *look = *at;
    char *end;
    if (strncasecmp(look, "first", 5) == 0 || strncasecmp(look, "any", 3) == 0) {
        look += look[0] == 'f' || look[0] == 'F' ? 5 : 3;
        if (!is_blank(*look))
            return false;
        skip_blanks(&look);
    }
    if (*look < '1' || *look > '9')
        return false;
    unsigned long value = strtoul(look, &end, 10);
    look = end;
    skip_blanks(&look);
    if (*look != '(' || value > UINT32_MAX)
        return false;
    *at = look + 1;
    *number = (uint32_t)value;
    return true;
}

bool sync_names_parse(const char *text, struct sync_names *out)
{
    memset(out, 0, sizeof *out);
    skip_blanks(&text);
    if (!*text)
        return true;
    out->acknowledge = 1;
    bool method = take_method(&text, &out->acknowledge);
    if (!take_list(&text, out))
        return false;
    if (method && *text++ != ')')
        return false;
    skip_blanks(&text);
    return *text == '\0';
}

bool sync_names_list(const struct sync_names *names, const char *standby)
{
    for (size_t i = 0; i < names->n; i++) {
        if (strcasecmp(names->names[i], standby) == 0)
            return true;
    }
    return names->any;
}
