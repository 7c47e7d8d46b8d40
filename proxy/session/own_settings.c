/*
 * rolecall's own settings; see own_settings.h.
 *
 * All well: the statement is answered here, without a server, in either protocol. A wrong name or value gets
 * the error that PostgreSQL has for it, and the session lives.
 */
#include "proxy/session/own_settings.h"

#include "proxy/session/local.h"
#include "proxy/session/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct slice name_of(const struct special_statement *special)
{
    return slice_of(special->name, special->name_len);
}

static bool parse_bytes(const char *text, uint64_t *bytes)
{
    static const struct {
        const char *unit;
        uint64_t factor;
    } units[] = {{"", 1}, {"B", 1}, {"kB", 1024}, {"MB", 1024 * 1024}, {"GB", 1024 * 1024 * 1024}};
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (errno == 0 && end != text && text[0] != '-' && strcmp(end, units[i].unit) == 0 &&
            number <= UINT64_MAX / units[i].factor) {
            *bytes = number * units[i].factor;
            return true;
        }
    return false;
}

static bool set_route(struct session *session, struct slice value)
{
    if (slice_is(value, "primary"))
        session->route_hint = HINT_ROUTE_PRIMARY;
    else if (slice_is(value, "replica"))
        session->route_hint = HINT_ROUTE_REPLICA;
    else if (slice_is(value, "default") || slice_is(value, "split"))
        session->route_hint = HINT_ROUTE_NONE;
    else
        return false;
    return true;
}

bool own_set(struct session *session, struct slice name, struct slice value, struct error *error)
{
    char text[LEX_NAME_MAX];
    bool reset = slice_is(value, "default");
    snprintf(text, sizeof text, "%.*s", (int)value.len, value.data);
    if (slice_is(name, "route")) {
        return set_route(session, value) ||
               error_set(error, SQLSTATE_INVALID_PARAMETER,
                   "rolecall.route must be primary, replica or default, not \"%s\"", text);
    }
    if (slice_is(name, "max_lag")) {
        session->max_lag_bytes = 0;
        return reset || parse_bytes(text, &session->max_lag_bytes) ||
               error_set(error, SQLSTATE_INVALID_PARAMETER,
                   "rolecall.max_lag must be a number of bytes, or one with kB, MB or GB, not \"%s\"", text);
    }
    return error_set(
        error, "42704", "unrecognized configuration parameter \"rolecall.%.*s\"", (int)name.len, name.data);
}

static void set(struct session *session, const struct special_statement *special, struct local_result *result)
{
    bool reset = special->kind == SPECIAL_OWN_RESET;
    struct slice value = reset ? slice_from("default") : slice_of(special->value, special->value_len);
    if (own_set(session, name_of(special), value, &result->error))
        result->tag = reset ? "RESET" : "SET";
}

static void show(struct session *session, const struct special_statement *special,
    struct local_result *result, char value[64])
{
    static const char *const routes[] = {
        [HINT_ROUTE_NONE] = "default", [HINT_ROUTE_PRIMARY] = "primary", [HINT_ROUTE_REPLICA] = "replica"};
    result->tag = "SHOW";
    result->value = value;
    if (slice_is(name_of(special), "node")) {
        result->column = "rolecall.node";
        snprintf(value, 64, "%s", session->last_node ? session->last_node->name : "");
    } else if (slice_is(name_of(special), "route")) {
        result->column = "rolecall.route";
        snprintf(value, 64, "%s", routes[session->route_hint]);
    } else if (slice_is(name_of(special), "max_lag")) {
        result->column = "rolecall.max_lag";
        snprintf(value, 64, "%llu", (unsigned long long)session->max_lag_bytes);
    } else {
        result->tag = NULL;
        error_set(&result->error, "42704", "unrecognized configuration parameter \"rolecall.%.*s\"",
            (int)special->name_len, special->name);
    }
}

bool own_answer(struct session *session)
{
    const struct special_statement *special = session->request->special;
    struct local_result result = {0};
    char value[64];
    if (!special || session->request->statements != 1 || session->request->stream)
        return false;
    if (special->kind == SPECIAL_OWN_SHOW)
        show(session, special, &result, value);
    else if (special->kind == SPECIAL_OWN_SET || special->kind == SPECIAL_OWN_RESET)
        set(session, special, &result);
    else
        return false;
    bool failed = !local_answer(session, &result);
    if (failed)
        collect_undo(session);
    if (session->request->flush_as_sync) /* the Sync is still to come */
        session->skip_to_sync = failed;
    else
        session_ready_for_query(session, session->tx_status);
    session_next(session);
    return true;
}
