/*
 * Values of rolecall's own settings; see own_value.h.
 *
 * rolecall.max_lag has two kinds, bytes and time: "16MB", "200ms", both ("16MB, 200ms"), "off". One SET
 * changes the kinds that it names; 0 is no bound, as in the configuration.
 */
#include "proxy/session/own_value.h"

#include "proxy/session/token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXT_MAX 128

/* ---- rolecall.max_lag ---- */

static const struct unit {
    const char *name;
    bool time;
    uint64_t factor; /* in bytes or ms; each kind from large to small */
} units[] = {
    {"TB", false, UINT64_C(1) << 40},
    {"GB", false, 1 << 30},
    {"MB", false, 1 << 20},
    {"kB", false, 1 << 10},
    {"B", false, 1},
    {"d", true, 24 * 60 * 60 * 1000},
    {"h", true, 60 * 60 * 1000},
    {"min", true, 60 * 1000},
    {"s", true, 1000},
    {"ms", true, 1},
    {"", false, 1},
};

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t\n");
}

/* One amount with its unit; *text moves past it. */
static bool take_amount(const char **text, struct own_settings *own)
{
    const char *at = skip_blanks(*text);
    char *end;
    if (*at < '0' || *at > '9')
        return false;
    errno = 0;
    unsigned long long number = strtoull(at, &end, 10);
    const char *unit = skip_blanks(end);
    size_t len = strspn(unit, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    for (size_t i = 0; errno == 0 && i < sizeof units / sizeof *units; i++) {
        if (strlen(units[i].name) != len || memcmp(unit, units[i].name, len) != 0)
            continue;
        if (number >= TARGET_NO_BOUND / units[i].factor)
            return false;
        uint64_t bound = number ? number * units[i].factor : TARGET_NO_BOUND;
        *(units[i].time ? &own->max_lag_ms : &own->max_lag_bytes) = bound;
        *text = skip_blanks(unit + len);
        return true;
    }
    return false;
}

static bool set_max_lag(struct own_settings *own, const char *text)
{
    struct own_settings changed = *own;
    if (strcasecmp(text, "default") == 0)
        changed.max_lag_bytes = changed.max_lag_ms = 0;
    else if (strcasecmp(text, "off") == 0)
        changed.max_lag_bytes = changed.max_lag_ms = TARGET_NO_BOUND;
    else
        for (;;) {
            if (!take_amount(&text, &changed))
                return false;
            if (!*text)
                break;
            text += *text == ',';
        }
    *own = changed;
    return true;
}

/* "" for the cluster's own bound. */
static void format_amount(uint64_t amount, bool time, char *out, size_t size)
{
    out[0] = 0;
    if (amount == TARGET_NO_BOUND)
        snprintf(out, size, time ? "0ms" : "0B");
    for (const struct unit *unit = units; amount && amount != TARGET_NO_BOUND && *unit->name; unit++) {
        if (unit->time != time || amount % unit->factor != 0)
            continue;
        snprintf(out, size, "%llu%s", (unsigned long long)(amount / unit->factor), unit->name);
        return;
    }
}

static void show_max_lag(const struct own_settings *own, char *out, size_t size)
{
    char bytes[32], ms[32];
    format_amount(own->max_lag_bytes, false, bytes, sizeof bytes);
    format_amount(own->max_lag_ms, true, ms, sizeof ms);
    if (own->max_lag_bytes == TARGET_NO_BOUND && own->max_lag_ms == TARGET_NO_BOUND)
        snprintf(out, size, "off");
    else if (!bytes[0] && !ms[0])
        snprintf(out, size, "default");
    else
        snprintf(out, size, "%s%s%s", bytes, bytes[0] && ms[0] ? ", " : "", ms);
}

/* ---- words ---- */

static const char *const routes[] = {[OWN_ROUTE_DEFAULT] = "default",
    [OWN_ROUTE_PRIMARY] = "primary",
    [OWN_ROUTE_REPLICA] = "replica",
    [OWN_ROUTE_ANY] = "any"};
static const char *const consistencies[] = {
    [CONSISTENCY_SESSION] = "session", [CONSISTENCY_EVENTUAL] = "eventual", [CONSISTENCY_STRONG] = "strong"};

static int word_of(const char *const *words, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(words[i], text) == 0)
            return (int)i;
    return -1;
}

static bool set_route(struct own_settings *own, const char *text)
{
    int route = strcasecmp(text, "split") == 0 ? OWN_ROUTE_DEFAULT
                                               : word_of(routes, sizeof routes / sizeof *routes, text);
    if (route >= 0)
        own->route = (enum own_route)route;
    return route >= 0;
}

static bool set_consistency(struct own_settings *own, const char *text)
{
    int word = word_of(consistencies, sizeof consistencies / sizeof *consistencies, text);
    own->has_consistency = word >= 0 || (own->has_consistency && strcasecmp(text, "default") != 0);
    if (word >= 0)
        own->consistency = (enum consistency)word;
    return word >= 0 || strcasecmp(text, "default") == 0;
}

static bool set_token(struct own_settings *own, const char *text)
{
    uint32_t timeline = 0;
    uint64_t lsn;
    if (text[0] && strcasecmp(text, "default") != 0 && !token_parse(slice_from(text), &timeline, &lsn))
        return false;
    own->token_timeline = timeline;
    own->token_epoch = 0;
    return true;
}

/* ---- all of them ---- */

static const struct row {
    const char *name, *wanted;
    bool (*set)(struct own_settings *own, const char *text);
} rows[] = {
    {"route", "primary, replica, any or default", set_route},
    {"max_lag", "bytes (16MB), a time (200ms), both (16MB, 200ms), off or default", set_max_lag},
    {"consistency", "session, eventual, strong or default", set_consistency},
    {"token", "what SHOW rolecall.token has told", set_token},
};

static const struct row *row_of(struct slice name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (slice_is(name, rows[i].name))
            return &rows[i];
    return NULL;
}

bool own_value_unknown(struct slice name, struct error *error)
{
    return error_set(
        error, "42704", "unrecognized configuration parameter \"rolecall.%.*s\"", (int)name.len, name.data);
}

bool own_value_set(struct own_settings *own, struct slice name, struct slice value, struct error *error)
{
    char text[TEXT_MAX];
    if (slice_is(name, "node"))
        return error_set(error, "55P02", "parameter \"rolecall.node\" cannot be changed");
    const struct row *row = row_of(name);
    if (!row)
        return own_value_unknown(name, error);
    snprintf(text, sizeof text, "%.*s", (int)value.len, value.data);
    if (value.len < sizeof text && strlen(text) == value.len && row->set(own, text))
        return true;
    return error_set(error, SQLSTATE_INVALID_PARAMETER, "rolecall.%s must be %s, not \"%s\"", row->name,
        row->wanted, text);
}

bool own_value_reset(
    struct own_settings *own, const struct own_settings *base, struct slice name, struct error *error)
{
    if (slice_is(name, "route")) {
        own->route = base->route;
    } else if (slice_is(name, "max_lag")) {
        own->max_lag_bytes = base->max_lag_bytes;
        own->max_lag_ms = base->max_lag_ms;
    } else if (slice_is(name, "consistency")) {
        own->has_consistency = base->has_consistency;
        own->consistency = base->consistency;
    } else if (slice_is(name, "token")) {
        own->token_timeline = base->token_timeline;
        own->token_epoch = base->token_epoch;
    } else {
        return own_value_set(own, name, slice_of("", 0), error);
    }
    return true;
}

void own_value_show(
    const struct own_settings *own, enum consistency consistency, struct slice name, char *out, size_t size)
{
    if (slice_is(name, "max_lag"))
        show_max_lag(own, out, size);
    else
        snprintf(out, size, "%s", slice_is(name, "route") ? routes[own->route] : consistencies[consistency]);
}
