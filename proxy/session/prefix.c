/*
 * What must be in place on a server before a session's request: its settings, hidden, in the same write.
 *
 * All well: the server's set is the session's and nothing is sent. Else only the difference goes out, as one
 * simple query that is undone as a whole when part of it fails; a change of client_encoding goes ahead of it,
 * since the values behind it are written in that encoding. Settings are put in place by the login user
 * itself; role and session authorization are left before and taken up last. Failure: nothing may run with
 * settings other than its own, so it ends the connection; what the node itself had trouble with is tried
 * elsewhere, any other error ends the session (lost.c).
 */
#include "proxy/session/prefix.h"
#include "proxy/session/inquiry.h"
#include "proxy/session/session.h"
#include "router/setting.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void sql_add(struct sql *sql, const char *text)
{
    sql_add_bytes(sql, text, strlen(text));
}

void sql_add_bytes(struct sql *sql, const char *bytes, size_t len)
{
    sql->failed |= !buffer_append(&sql->text, sql->spares, bytes, len);
}

void sql_add_literal(struct sql *sql, struct slice text)
{
    sql_add(sql, "E'");
    for (size_t from = 0, at = 0; at <= text.len; at++) {
        bool special = at < text.len && (text.data[at] == '\'' || text.data[at] == '\\');
        if (at < text.len && !special)
            continue;
        sql_add_bytes(sql, text.data + from, at - from);
        if (special)
            sql_add_bytes(sql, text.data + at, 1);
        from = at;
    }
    sql_add(sql, "'");
}

static void add_name(struct sql *sql, const char *name)
{
    sql_add(sql, "\"");
    for (; *name; name++)
        sql_add_bytes(sql, *name == '"' ? "\"\"" : name, *name == '"' ? 2 : 1);
    sql_add(sql, "\"");
}

void prefix_add_set(struct sql *sql, const char *name, const char *value)
{
    sql_add(sql, "SET ");
    add_name(sql, name);
    sql_add(sql, " TO ");
    sql_add_literal(sql, slice_from(value));
    sql_add(sql, ";");
}

bool sql_send(struct sql *sql, struct server *server, enum injected injected)
{
    sql_add_bytes(sql, "", 1);
    bool sent = !sql->failed && server_inject_query(server, sql->text.data, injected);
    buffer_release(&sql->text, sql->spares);
    return sent;
}

/* ---- the difference between two sets ---- */

static bool same(const struct params *params, const char *name, const char *value)
{
    const char *other = params_get(params, name);
    return other && value ? strcmp(other, value) == 0 : other == value;
}

static bool differs(const struct params *from, const struct params *to, const char *name)
{
    return !same(from, name, params_get(to, name));
}

static void add_reset(struct sql *sql, const char *name)
{
    sql_add(sql, "RESET ");
    add_name(sql, name); /* one name, also when there is a dot in it */
    sql_add(sql, ";");
}

static void add_call(struct sql *sql, bool *first, const char *name, const char *value)
{
    sql_add(sql, *first ? "SELECT pg_catalog.set_config(" : ",pg_catalog.set_config(");
    *first = false;
    sql_add_literal(sql, slice_from(name));
    sql_add(sql, ",");
    sql_add_literal(sql, slice_from(value));
    sql_add(sql, ",false)");
}

/* A custom setting has no default: where it was set once it stays, and is empty. */
static bool is_spent(const char *name, const char *value)
{
    return setting_is_custom(slice_from(name)) && !*value;
}

/* Role and session authorization go first, and are taken up last, whatever changes: who has taken one up
   might not be allowed to set what the login user may. */
static void add_resets(struct sql *sql, const struct params *from, const struct params *to)
{
    const char *name, *value;
    if (params_get(from, "role"))
        sql_add(sql, "RESET ROLE;");
    if (params_get(from, "session_authorization"))
        sql_add(sql, "RESET SESSION AUTHORIZATION;");
    for (uint32_t at = 0; params_next(from, &at, &name, &value);) {
        /* 'ISO' alone keeps the order of the fields that is in force: it must be the server's own */
        bool merges = strcasecmp(name, "datestyle") == 0 && differs(from, to, name);
        if (!setting_is_authority(slice_from(name)) && !is_spent(name, value) &&
            (merges || !params_get(to, name)))
            add_reset(sql, name);
    }
}

static void add_calls(struct sql *sql, const struct params *from, const struct params *to)
{
    static const char *const authority[] = {"session_authorization", "role"};
    const char *name, *value;
    bool first = true;
    for (uint32_t at = 0; params_next(to, &at, &name, &value);)
        if (!setting_is_authority(slice_from(name)) && !same(from, name, value))
            add_call(sql, &first, name, value);
    for (size_t i = 0; i < 2; i++)
        if ((value = params_get(to, authority[i])))
            add_call(sql, &first, authority[i], value);
    if (!first)
        sql_add(sql, ";");
}

/*
 * One query that changes all of it or nothing. With exit_on_error its failure ends the connection, so that
 * the request behind it, which is on its way already, cannot run with somebody else's settings. That is on
 * first and off last, by commands that need no snapshot: a conflict with recovery finds none then.
 */
static bool send_difference(
    struct session *session, struct server *server, const struct params *from, const struct params *to)
{
    struct sql sql = {.spares = &session->all->spares};
    sql_add(&sql, "SET exit_on_error=on;");
    if (server->role == ROLE_REPLICA) /* a standby refuses queries where serializable is the default */
        sql_add(&sql, "SET transaction_isolation='read committed';");
    add_resets(&sql, from, to);
    add_calls(&sql, from, to);
    sql_add(&sql, "SET exit_on_error=off");
    return sql_send(&sql, server, INJECTED_PREFIX);
}

/* The texts behind it are written in the session's encoding, so that goes first. */
static bool send_encoding(
    struct session *session, struct server *server, struct params *from, const struct params *to)
{
    static const char encoding[] = "client_encoding";
    struct params before;
    const char *value = params_get(to, encoding);
    if (!differs(from, to, encoding))
        return false;
    params_init(&before);
    bool sent = params_copy(&before, from);
    if (value)
        params_set(from, slice_from(encoding), slice_from(value));
    else
        params_remove(from, slice_from(encoding));
    sent = sent && send_difference(session, server, &before, from);
    params_fini(&before);
    return sent;
}

/* PostgreSQL drops every plan when this changes: it would parse what is there anew, with its literals, under
   the settings of whoever comes next. */
static const char drops_plans[] = "session_replication_role";

bool prefix_change(struct session *session, struct server *server, const struct settings *wanted)
{
    const struct params *to = &wanted->params;
    struct params from;
    params_init(&from);
    bool fine = !server->applied || params_copy(&from, &server->applied->params);
    bool sent = fine && send_encoding(session, server, &from, to);
    if (fine && !params_equal(&from, to)) {
        if (differs(&from, to, drops_plans))
            statements_distrust(&server->statements);
        sent |= send_difference(session, server, &from, to);
    }
    params_fini(&from);
    settings_replace(&server->applied, settings_ref(wanted));
    return sent;
}

bool prefix_put(struct session *session, struct server *server, const struct params *values)
{
    struct sql sql = {.spares = &session->all->spares};
    const char *name, *value;
    bool first = true;
    for (uint32_t at = 0; params_next(values, &at, &name, &value);)
        add_call(&sql, &first, name, value);
    return !first && sql_send(&sql, server, INJECTED_PREFIX);
}

void prefix_refused(struct session *session, struct server *server)
{
    struct error error = server->prefix_error;
    pool_cut(&session->claim, &error, "its settings could not be put in place");
}

bool prefix_may_succeed_elsewhere(const struct error *error)
{
    static const char *const classes[] = {"08", "40", "53", "57", "58"};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strncmp(error->sqlstate, classes[i], 2) == 0)
            return true;
    return false;
}

/*
 * A setting that was made up (`ext.name`) is taken away by PostgreSQL with a warning when the extension is
 * loaded and does not know it. On a shared connection it may be loaded already: then it is an error (42602).
 */
bool prefix_forgives(struct session *session, const struct error *error)
{
    const char *name, *value;
    struct params left;
    if (strcmp(error->sqlstate, "42602") != 0)
        return false;
    params_init(&left);
    bool fine = params_copy(&left, &session->settings->params);
    for (uint32_t at = 0; params_next(&session->settings->params, &at, &name, &value);) {
        const char *found = strstr(error->text, name);
        bool quoted = found && found > error->text && found[-1] == '"' && found[strlen(name)] == '"';
        if (quoted && setting_is_custom(slice_from(name)))
            params_remove(&left, slice_from(name));
    }
    bool changed = fine && left.len != session->settings->params.len;
    const struct settings *settings = changed ? settings_get(session->all->pools.settings, &left) : NULL;
    params_fini(&left);
    if (settings)
        session_set_settings(session, settings);
    return settings != NULL;
}

bool prefix_settings(struct session *session, struct server *server)
{
    if (!SESSION_TRACKING || server->applied == session->settings || server->tx_status != 'I')
        return false;
    return prefix_change(session, server, session->settings);
}

void prefix_before_statements(struct session *session, struct server *server)
{
    static const struct params none;
    const struct params *from = server->applied ? &server->applied->params : &none;
    if (server->applied != session->settings && differs(from, &session->settings->params, drops_plans))
        prefix_settings(session, server);
}

bool prefix_change_to_parse(struct session *session, struct server *server, const struct settings *then)
{
    const struct params *now = &session->settings->params;
    const char *value = params_get(now, drops_plans);
    if (!differs(&then->params, now, drops_plans))
        return prefix_change(session, server, then);
    struct params mixed;
    params_init(&mixed);
    bool fine = params_copy(&mixed, &then->params);
    if (value)
        fine = fine && params_set(&mixed, slice_from(drops_plans), slice_from(value));
    else
        params_remove(&mixed, slice_from(drops_plans));
    const struct settings *settings = fine ? settings_get(session->all->pools.settings, &mixed) : NULL;
    params_fini(&mixed);
    bool sent = settings && prefix_change(session, server, settings);
    settings_unref(settings);
    return sent;
}
