/*
 * Statements that rolecall must look at itself (router/special_statement.h).
 *
 * SHOW, SET and RESET of rolecall's own settings are answered here, without a server. EXECUTE and DEALLOCATE
 * of a statement that was prepared by the protocol are sent with the server's name for it. RESET gives back
 * what the session asked for when it began, which the server does not know.
 */
#include "proxy/session/local.h"
#include "proxy/session/session.h"

#include "conf/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void special_note(struct session *session, struct slice text)
{
    struct special_statement special;
    struct request *request = session->request;
    if (request->special || !special_statement(text, !session->escape_strings, &special) || special.local)
        return;
    if ((request->special = malloc(sizeof special)))
        *request->special = special;
}

/* ---- rolecall's own settings ---- */

static struct slice own_name(const struct special_statement *special)
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

bool special_set(struct session *session, struct slice name, struct slice value, struct error *error)
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
    if (special_set(session, own_name(special), value, &result->error))
        result->tag = reset ? "RESET" : "SET";
}

static void show(struct session *session, const struct special_statement *special,
    struct local_result *result, char value[64])
{
    static const char *const routes[] = {
        [HINT_ROUTE_NONE] = "default", [HINT_ROUTE_PRIMARY] = "primary", [HINT_ROUTE_REPLICA] = "replica"};
    result->tag = "SHOW";
    result->value = value;
    if (slice_is(own_name(special), "node")) {
        result->column = "rolecall.node";
        snprintf(value, 64, "%s", session->last_node ? session->last_node->name : "");
    } else if (slice_is(own_name(special), "route")) {
        result->column = "rolecall.route";
        snprintf(value, 64, "%s", routes[session->route_hint]);
    } else if (slice_is(own_name(special), "max_lag")) {
        result->column = "rolecall.max_lag";
        snprintf(value, 64, "%llu", (unsigned long long)session->max_lag_bytes);
    } else {
        result->tag = NULL;
        error_set(&result->error, "42704", "unrecognized configuration parameter \"rolecall.%.*s\"",
            (int)special->name_len, special->name);
    }
}

bool special_answer(struct session *session)
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

/* ---- names of prepared statements ---- */

struct prepared *special_prepared(struct session *session)
{
    const struct special_statement *special = session->request->special;
    if (!special || (special->kind != SPECIAL_EXECUTE && special->kind != SPECIAL_DEALLOCATE))
        return NULL;
    return names_find(&session->names, own_name(special));
}

bool special_rename(
    struct session *session, const struct prepared *prepared, struct slice text, struct buffer *out)
{
    struct special_statement again; /* the text may have moved since it was noted */
    struct buffer_spares *spares = &session->all->spares;
    char name[STATEMENT_NAME_MAX];
    size_t len = statement_name(prepared->id, name);
    if (!special_statement(text, !session->escape_strings, &again))
        return false;
    size_t before = (size_t)(again.token.data - text.data), after = before + again.token.len;
    return buffer_append(out, spares, text.data, before) && buffer_append(out, spares, name, len) &&
           buffer_append(out, spares, text.data + after, text.len - after) &&
           buffer_append(out, spares, "", 1);
}

/* ---- what they did ---- */

void special_settle(struct session *session, struct server *server)
{
    const struct special_statement *special = session->request->special;
    struct prepared_registry *registry = session->all->pools.prepared;
    if (!special)
        return;
    switch (special->kind) {
    case SPECIAL_DEALLOCATE: {
        struct prepared *prepared = names_remove(&session->names, own_name(special));
        if (prepared)
            statements_remove(&server->statements, prepared->id);
        prepared_unref(registry, prepared);
        return;
    }
    case SPECIAL_DEALLOCATE_ALL:
        names_clear(&session->names, registry);
        statements_clear(&server->statements);
        return;
    case SPECIAL_RESET:
    case SPECIAL_RESET_ALL:
    case SPECIAL_NONE:
    case SPECIAL_PREPARE:
    case SPECIAL_EXECUTE:
    case SPECIAL_OWN_SHOW:
    case SPECIAL_OWN_SET:
    case SPECIAL_OWN_RESET: return;
    }
}
