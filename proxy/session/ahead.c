/*
 * What is put in place on a server before a request, outside of its batch; see prepare_ahead.
 *
 * A statement keeps the settings that it was parsed under. Where a server lacks it and the session's settings
 * are others by now, the statement's are put in place, it is parsed, and the session's are put back; in an
 * open transaction a savepoint does that. Where the server's columns of a statement could be others than
 * those that the client was told of, it is described, hidden, and the request waits for that (stale.c).
 * Failure: the node's errors are kept and given to the client in place of those that follow from them.
 */
#include "proxy/session/changes.h"
#include "proxy/session/inquiry.h"
#include "proxy/session/prefix.h"
#include "proxy/session/prepare.h"
#include "proxy/session/stale.h"
#include "router/statement_names.h"

#include <string.h>

struct ahead {
    struct session *session;
    struct server *server;
    const struct settings *before; /* one reference, while a savepoint is set */
    bool saved;                    /* a savepoint is set */
    bool describes;                /* the answer must be waited for */
    bool fine;
};

static bool owe(struct server *server, enum expect_kind kind, uint64_t about)
{
    return expect_push(
        &server->expect, (struct expect){.kind = (uint8_t)kind, .hidden = true, .about = about});
}

static void send_sync(struct ahead *ahead)
{
    server_send(ahead->server, "S\0\0\0\4", 5);
    ahead->fine = ahead->fine && owe(ahead->server, EXPECT_SYNC, 0);
}

/* ---- settings ---- */

static void inject(struct ahead *ahead, const char *text)
{
    ahead->fine = ahead->fine && server_inject_query(ahead->server, text, INJECTED_PREFIX);
}

/* What a transaction has set is given back by the savepoint, whatever it is. */
static void save(struct ahead *ahead)
{
    struct server *server = ahead->server;
    if (ahead->saved || server->tx_status == 'I')
        return;
    ahead->saved = true;
    ahead->before = server->applied ? settings_ref(server->applied) : NULL;
    inject(ahead, "SAVEPOINT rolecall_parse");
    if (!inquiry_unsure(ahead->session))
        return;
    inject(ahead, "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL");
    settings_replace(&server->applied, NULL);
}

static void restore(struct ahead *ahead)
{
    if (!ahead->saved)
        return;
    inject(ahead, "ROLLBACK TO SAVEPOINT rolecall_parse;RELEASE SAVEPOINT rolecall_parse");
    settings_replace(&ahead->server->applied, ahead->before);
}

/* Outside of a transaction the session's settings are what they are said to be. */
static bool was_parsed_otherwise(const struct ahead *ahead, const struct settings *settings)
{
    const struct session *session = ahead->session;
    bool unsure = ahead->server->tx_status != 'I' && inquiry_unsure(session);
    return settings && (settings->parsing != session->settings->parsing || unsure);
}

static bool is_parsed_here(const struct request *request, const struct prepared *prepared)
{
    for (uint32_t i = 0; i < request->n_changes; i++)
        if (!request->changes[i].closed && request->changes[i].prepared == prepared)
            return true;
    return false;
}

static void parse_as_then(struct ahead *ahead, const struct prepared *prepared)
{
    if (statements_use(&ahead->server->statements, prepared->id) ||
        !was_parsed_otherwise(ahead, prepared->settings))
        return;
    save(ahead);
    prefix_change_to_parse(ahead->session, ahead->server, prepared->settings);
    ahead->fine = ahead->fine && prepare_ensure(ahead->session, ahead->server, prepared);
    send_sync(ahead);
}

/* ---- columns ---- */

static void describe(struct ahead *ahead, const struct prepared *prepared)
{
    prefix_settings(ahead->session, ahead->server);
    ahead->fine = ahead->fine && prepare_ensure(ahead->session, ahead->server, prepared) &&
                  prepare_describe(ahead->server, prepared);
    ahead->describes = true;
    send_sync(ahead);
}

static void describe_unnamed(struct ahead *ahead)
{
    static const char message[] = "D\0\0\0\6S";
    prefix_settings(ahead->session, ahead->server);
    ahead->fine = ahead->fine && prepare_unnamed(ahead->session, ahead->server);
    server_send(ahead->server, message, sizeof message);
    ahead->fine = ahead->fine && owe(ahead->server, EXPECT_DESCRIBE, ABOUT_UNNAMED);
    ahead->describes = true;
    send_sync(ahead);
}

/* ---- the request's messages ---- */

static void look_at(struct ahead *ahead, struct slice text, bool binds)
{
    struct session *session = ahead->session;
    struct prepared *prepared = changes_find(session, text);
    struct name *name = names_entry(&session->names, text);
    if (!prepared || prepared->names || is_parsed_here(session->request, prepared))
        return;
    bool asks = binds && name && name->prepared == prepared && stale_must_ask(session, ahead->server, name);
    if (asks) /* what is there may be stale, and could not be described in a transaction */
        ahead->fine = ahead->fine && prepare_forget(ahead->server, prepared);
    parse_as_then(ahead, prepared);
    if (asks)
        describe(ahead, prepared);
}

static void look_at_text(struct ahead *ahead, struct slice text)
{
    struct statement_name uses[STATEMENT_NAMES_MAX];
    size_t n = statement_names(text, !ahead->session->escape_strings, uses);
    for (size_t i = 0; n != SIZE_MAX && i < n; i++)
        if (uses[i].verb == VERB_EXECUTE)
            look_at(ahead, slice_of(uses[i].name, uses[i].name_len), false);
}

/* The unnamed statement does not outlive the queries that put settings back: it is given a name. */
static void look_at_unnamed(struct ahead *ahead, bool binds)
{
    struct session *session = ahead->session;
    struct frame frame;
    struct frontend_parse parse;
    if (session->unnamed.len == 0 || session->request->has_unnamed_parse ||
        frame_parse(session->unnamed.data, session->unnamed.len, &frame) != FRAME_OK || !frame.whole ||
        !frontend_parse_parse(frame_body(&frame), &parse))
        return;
    if (session->unnamed_names) {
        look_at_text(ahead, parse.query);
        return;
    }
    bool held = ahead->server->statements.unnamed == session->unnamed_stamp;
    if (!session->unnamed_prepared && !held && was_parsed_otherwise(ahead, session->unnamed_settings)) {
        struct prepared_key key = {.space = session->all->stamp++,
            .query = parse.query,
            .n_types = parse.n_types,
            .types = parse.types,
            .settings = session->unnamed_settings};
        session->unnamed_prepared = prepared_get(session->all->pools.prepared, &key);
        ahead->fine = ahead->fine && session->unnamed_prepared;
    }
    if (session->unnamed_prepared)
        parse_as_then(ahead, session->unnamed_prepared);
    else if (binds && stale_must_ask_unnamed(session, ahead->server))
        describe_unnamed(ahead);
}

static void look_at_message(struct ahead *ahead, const struct frame *frame)
{
    struct request *request = ahead->session->request;
    struct frontend_bind bind;
    struct frontend_target target;
    struct frontend_parse parse;
    struct slice query;
    if (frame->type == FRONTEND_PARSE) {
        request->sent_of[CAUSE_PARSE]++;
        if (request->names_statements && frontend_parse_parse(frame_body(frame), &parse) &&
            parse.name.len == 0)
            look_at_text(ahead, parse.query);
    } else if (frame->type == FRONTEND_CLOSE) {
        request->sent_of[CAUSE_CLOSE]++;
    } else if (frame->type == FRONTEND_EXECUTE) {
        request->sent_of[CAUSE_EXECUTE]++;
    } else if (frame->type == FRONTEND_QUERY && frontend_parse_query(frame_body(frame), &query)) {
        look_at_text(ahead, query);
    } else if (frame->type == FRONTEND_BIND && frontend_parse_bind(frame_body(frame), &bind)) {
        struct prepared *prepared =
            bind.statement.len > 0 ? changes_find(ahead->session, bind.statement) : NULL;
        if (bind.statement.len == 0)
            look_at_unnamed(ahead, true);
        else if (prepared && prepared->names)
            look_at_text(ahead, prepared->query);
        else
            look_at(ahead, bind.statement, true);
    } else if (frame->type == FRONTEND_DESCRIBE && frontend_parse_target(frame_body(frame), &target)) {
        if (target.kind == 'S' && target.name.len > 0)
            look_at(ahead, target.name, false);
        else if (target.kind == 'S')
            look_at_unnamed(ahead, false);
    }
}

/* What the rest of a stream will bind is not known yet, and cannot be put in place within it. */
static void look_at_all(struct ahead *ahead)
{
    for (const struct name *name = ahead->session->names.by_name; name; name = name->hh.next)
        look_at(ahead, slice_of(name->text, name->len), true);
}

bool prepare_asks(struct session *session, struct server *server, struct slice statement, bool *fine)
{
    const struct prepared *prepared = changes_find(session, statement);
    const struct name *name = names_entry(&session->names, statement);
    *fine = true;
    if (!prepared || !name || name->prepared != prepared || prepared->names ||
        !stale_must_ask(session, server, name))
        return false;
    *fine = prepare_forget(server, prepared) && prepare_ensure(session, server, prepared) &&
            prepare_describe(server, prepared);
    server_send(server, "H\0\0\0\4", 5);
    session->request->probing = true;
    return true;
}

bool prepare_ahead(struct session *session, struct server *server, bool *fine)
{
    struct request *request = session->request;
    struct ahead ahead = {.session = session, .server = server, .fine = true};
    uint32_t before = server->expect.count;
    struct frame frame;
    *fine = true;
    bool bare = request->bare > 0 && request->kept_error.len == 0;
    bool mixed = session->names.mixed || (server->tx_status != 'I' && inquiry_unsure(session));
    if ((!bare && !mixed) || server->tx_status == 'E')
        return false;
    memset(request->sent_of, 0, sizeof request->sent_of);
    for (size_t at = 0; at < request->bytes.len; at += frame.total) {
        if (frame_parse(request->bytes.data + at, request->bytes.len - at, &frame) != FRAME_OK ||
            !frame.whole)
            break;
        look_at_message(&ahead, &frame);
    }
    if (request->stream && session->names.mixed)
        look_at_all(&ahead);
    restore(&ahead);
    expect_mark_ahead(&server->expect, before);
    request->probing = ahead.describes;
    *fine = ahead.fine;
    return ahead.describes && ahead.fine;
}
