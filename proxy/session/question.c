/*
 * The text of an inquiry; see question.h.
 *
 * All well: one SELECT, its parts put together by UNION ALL. No failure but that of the node, or of memory.
 */
#include "proxy/session/question.h"

#include "proxy/session/prefix.h"
#include "proxy/session/session.h"
#include "router/setting.h"

static const struct {
    enum pin pin;
    const char *text; /* behind SELECT 'p','', */
} questions[] = {
    {PIN_LISTEN, "'listen' WHERE EXISTS(SELECT FROM pg_catalog.pg_listening_channels())"},
    {PIN_TEMPORARY,
        "'temporary' WHERE EXISTS(SELECT FROM pg_catalog.pg_depend WHERE refclassid OPERATOR(pg_catalog.=)"
        " 'pg_catalog.pg_namespace'::pg_catalog.regclass"
        " AND refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())"},
    {PIN_CURSOR, "'cursor' WHERE EXISTS(SELECT FROM pg_catalog.pg_cursors WHERE is_holdable)"},
    {PIN_ADVISORY_LOCK,
        "'advisory_lock' WHERE EXISTS(SELECT FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=)"
        " 'advisory' AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())"},
    {PIN_PREPARE, "'prepare' WHERE EXISTS(SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql"
                  " AND NOT pg_catalog.starts_with(name, 'rc_'))"},
};

static void add_union(struct sql *sql)
{
    if (sql->text.len > 0)
        sql_add(sql, " UNION ALL ");
}

/* What a statement names it may have failed to set, or have set back with a savepoint. That its value is the
   one that the server has by itself is no harm to this session; but another one that has set this value and
   comes here would be sent nothing, and find it reset. So it is set now. */
static void ask_by_setting(struct sql *sql, const char *name)
{
    sql_add(sql, ",CASE WHEN pg_catalog.current_setting(");
    sql_add_literal(sql, slice_from(name));
    sql_add(sql, ",true) IS NOT NULL THEN pg_catalog.set_config(");
    sql_add_literal(sql, slice_from(name));
    sql_add(sql, ",pg_catalog.current_setting(");
    sql_add_literal(sql, slice_from(name));
    sql_add(sql, "),false) END");
}

/* One that the session may not set could not be put in place or given back: it is asked whether it has. */
static void ask_guarded(struct sql *sql, const char *name)
{
    sql_add(sql, ",(SELECT setting FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) 'session'"
                 " AND name OPERATOR(pg_catalog.=) ");
    sql_add_literal(sql, slice_from(name));
    sql_add(sql, ")");
}

static void ask_value(struct sql *sql, const char *name)
{
    sql_add(sql, ",pg_catalog.current_setting(");
    sql_add_literal(sql, slice_from(name));
    sql_add(sql, ",true)");
}

/* `applied`: what has been set on the server before. */
static void ask_setting(struct sql *sql, const char *name, const struct settings *applied)
{
    struct slice text = slice_from(name);
    bool tells = setting_is_custom(text) || setting_is_authority(text); /* by its value, see resets.h */
    add_union(sql);
    sql_add(sql, "SELECT 's',");
    sql_add_literal(sql, text);
    if (setting_is_guarded(text))
        ask_guarded(sql, name);
    else if (tells || (applied && settings_value(applied, name)))
        ask_value(sql, name);
    else
        ask_by_setting(sql, name);
}

static void ask_names(
    struct sql *sql, const struct params *names, bool custom_only, const struct settings *applied)
{
    const char *name, *value;
    for (uint32_t at = 0; params_next(names, &at, &name, &value);)
        if (!custom_only || setting_is_custom(slice_from(name)))
            ask_setting(sql, name, applied);
}

/* Whatever pg_settings shows, what it does not show, and whether all of it could be set elsewhere. */
static void ask_all(struct sql *sql, struct session *session, const struct params *names)
{
    add_union(sql);
    sql_add(sql,
        "SELECT 's',name,setting FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=)"
        " 'session' AND name OPERATOR(pg_catalog.<>) ALL (ARRAY['exit_on_error','transaction_isolation',"
        "'transaction_read_only','transaction_deferrable'])"); /* as they were, when it is over */
    ask_setting(sql, "role", NULL);
    ask_setting(sql, "session_authorization", NULL);
    ask_names(sql, names, true, NULL);
    ask_names(sql, &session->settings->params, true, NULL);
    sql_add(sql, " UNION ALL SELECT 'p','','setting' FROM pg_catalog.pg_roles r WHERE r.rolname"
                 " OPERATOR(pg_catalog.=) ");
    sql_add_literal(sql, slice_from(pool_user(session->pool)));
    sql_add(sql, " AND NOT r.rolsuper AND EXISTS(SELECT FROM pg_catalog.pg_settings s WHERE s.source"
                 " OPERATOR(pg_catalog.=) 'session' AND s.context OPERATOR(pg_catalog.=) 'superuser')");
}

static void ask_pins(struct sql *sql, uint32_t pins, bool has_temporary)
{
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        if (!(pins & questions[i].pin))
            continue;
        add_union(sql);
        sql_add(sql, "SELECT 'p','',");
        sql_add(sql, questions[i].text);
    }
    if (pins & PIN_TEMPORARY && !has_temporary)
        sql_add(sql, " UNION ALL SELECT 't','','' WHERE pg_catalog.pg_my_temp_schema()"
                     " OPERATOR(pg_catalog.<>) '0'");
}

bool question_send(struct session *session, struct server *server, const struct question *question)
{
    struct sql sql = {.spares = &session->all->spares};
    if (question->depth == DEPTH_NAMED)
        ask_names(&sql, question->names, false, server->applied);
    else if (question->depth == DEPTH_ALL)
        ask_all(&sql, session, question->names);
    ask_pins(&sql, question->pins, server->has_temporary);
    return sql_send(&sql, server, INJECTED_INQUIRY);
}
