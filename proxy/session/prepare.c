/*
 * Putting prepared statements in place on a server; see prepare.h.
 *
 * All well: a statement that the server holds costs nothing; one that it lacks is parsed there, hidden, in
 * the same write. What SQL's PREPARE has prepared is prepared by SQL again, as an unseen part of the batch.
 * Texts that name statements (EXECUTE, DEALLOCATE, PREPARE) go out with the server's names in them.
 * DEALLOCATE takes nothing from the server, since others may share it: it is given a name of its own to take
 * away. Failure: the node's error is the client's (wording.c), and the server forgets what was not prepared.
 */
#include "proxy/session/prepare.h"

#include "proxy/session/changes.h"
#include "proxy/session/prefix.h"
#include "router/statement_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_MAX 512
#define HELPER "rc_t"      /* statement and portal that prepare by SQL: no id is written so */
#define DEALLOCATED "rc_x" /* what a DEALLOCATE takes away, with a digit behind it */

static bool owe(struct server *server, enum expect_kind kind, bool hidden, uint64_t about)
{
    return expect_push(
        &server->expect, (struct expect){.kind = (uint8_t)kind, .hidden = hidden, .about = about});
}

/* ---- hidden messages ---- */

static bool close_hidden(struct server *server, char kind, struct slice name, uint64_t about)
{
    char out[HEAD_MAX];
    struct builder builder = builder_of(out, sizeof out);
    if (!frontend_build_target(&builder, FRONTEND_CLOSE, kind, name))
        return false;
    server_send(server, out, builder.len);
    return owe(server, EXPECT_CLOSE, true, about);
}

static void write_parse(
    struct server *server, struct slice name, struct slice query, uint16_t n_types, struct slice types)
{
    char head[HEAD_MAX], count[2] = {(char)(n_types >> 8), (char)n_types};
    struct builder builder = builder_of(head, sizeof head);
    builder_begin(&builder, FRONTEND_PARSE);
    builder_cstring(&builder, name);
    builder_end_plus(&builder, query.len + 1 + sizeof count + types.len);
    server_send(server, head, builder.len);
    server_send(server, query.data, query.len);
    server_send(server, "", 1);
    server_send(server, count, sizeof count);
    server_send(server, types.data, types.len);
}

static struct slice server_name(const struct prepared *prepared, char name[STATEMENT_NAME_MAX])
{
    return slice_of(name, statement_name(prepared->id, name));
}

/* Keeps the number of statements on the server bounded: the least recently used goes. And what may be there
   under this name, where that is not known. */
static bool make_room(struct session *session, struct server *server, struct slice name)
{
    uint32_t max = session->runtime->config->max_prepared_statements;
    uint64_t oldest;
    while ((oldest = statements_excess(&server->statements, max)) != 0) {
        char old[STATEMENT_NAME_MAX];
        statements_remove(&server->statements, oldest);
        if (!close_hidden(server, 'S', slice_of(old, statement_name(oldest, old)), oldest))
            return false;
    }
    return !server->statements.unsure || close_hidden(server, 'S', name, 0);
}

/* PREPARE as a part of the batch: a simple query would end its transaction. */
static bool prepare_by_sql(struct server *server, const struct prepared *prepared, struct slice name)
{
    static const char bind[] = "B\0\0\0\x14" HELPER "\0" HELPER "\0\0\0\0\0\0";
    static const char execute[] = "E\0\0\0\x0d" HELPER "\0\0\0\0";
    const struct slice helper = slice_from(HELPER);
    char head[HEAD_MAX];
    struct builder builder = builder_of(head, sizeof head);
    bool fine = close_hidden(server, 'S', helper, 0);
    builder_begin(&builder, FRONTEND_PARSE);
    builder_cstring(&builder, helper);
    builder_bytes(&builder, "PREPARE ", 8);
    builder_slice(&builder, name);
    builder_end_plus(&builder, prepared->query.len + 1 + 2);
    server_send(server, head, builder.len);
    server_send(server, prepared->query.data, prepared->query.len);
    server_send(server, "\0\0", 3);
    fine = fine && owe(server, EXPECT_PARSE, true, EXPECT_ABOUT_NOTHING);
    server_send(server, bind, sizeof bind);
    fine = fine && owe(server, EXPECT_BIND, true, 0);
    server_send(server, execute, sizeof execute);
    fine = fine && owe(server, EXPECT_EXECUTE, true, prepared->id);
    return fine && close_hidden(server, 'P', helper, 0) && close_hidden(server, 'S', helper, 0);
}

bool prepare_ensure(struct session *session, struct server *server, const struct prepared *prepared)
{
    char buffer[STATEMENT_NAME_MAX];
    struct slice name = server_name(prepared, buffer);
    if (statements_use(&server->statements, prepared->id))
        return true;
    if (!make_room(session, server, name) || !statements_add(&server->statements, prepared->id))
        return false;
    if (prepared->sql)
        return prepare_by_sql(server, prepared, name);
    write_parse(server, name, prepared->query, prepared->n_types, prepared->types);
    return owe(server, EXPECT_PARSE, true, prepared->id);
}

bool prepare_describe(struct server *server, const struct prepared *prepared)
{
    char name[STATEMENT_NAME_MAX], out[64];
    struct builder builder = builder_of(out, sizeof out);
    frontend_build_target(&builder, FRONTEND_DESCRIBE, 'S', server_name(prepared, name));
    server_send(server, out, builder.len);
    return owe(server, EXPECT_DESCRIBE, true, prepared->key);
}

bool prepare_forget(struct server *server, const struct prepared *prepared)
{
    char name[STATEMENT_NAME_MAX];
    if (!statements_has(&server->statements, prepared->id))
        return true;
    statements_remove(&server->statements, prepared->id);
    return close_hidden(server, 'S', server_name(prepared, name), prepared->id);
}

bool prepare_parse(struct session *session, struct server *server, const struct prepared *prepared)
{
    char buffer[STATEMENT_NAME_MAX];
    struct slice name = server_name(prepared, buffer);
    if (server->tx_status == 'E' && !prepare_forget(server, prepared)) /* the node refuses all but few */
        return false;
    if (statements_use(&server->statements, prepared->id))
        return expect_push(
            &server->expect, (struct expect){.kind = EXPECT_LOCAL, .local = BACKEND_PARSE_COMPLETE});
    if (!make_room(session, server, name) || !statements_add(&server->statements, prepared->id))
        return false;
    write_parse(server, name, prepared->query, prepared->n_types, prepared->types);
    return owe(server, EXPECT_PARSE, false, prepared->id);
}

bool prepare_parse_by_name(struct session *session, struct server *server, const struct frontend_parse *parse,
    const struct prepared *prepared)
{
    char out[STATEMENT_NAME_MAX + 8];
    struct slice name = prepare_unknown(parse->name, out);
    write_parse(server, name, parse->query, parse->n_types, parse->types);
    return owe(server, EXPECT_PARSE, false, EXPECT_ABOUT_NOTHING) && close_hidden(server, 'S', name, 0) &&
           prepare_ensure(session, server, prepared);
}

bool prepare_close_by_name(struct server *server, struct slice name)
{
    char longer[STATEMENT_NAME_MAX + 8], out[HEAD_MAX];
    struct builder builder = builder_of(out, sizeof out);
    if (!frontend_build_target(&builder, FRONTEND_CLOSE, 'S', prepare_unknown(name, longer)))
        return false;
    server_send(server, out, builder.len);
    return owe(server, EXPECT_CLOSE, false, 0);
}

/* A statement that does nothing. */
static bool put_empty(struct server *server, struct slice name)
{
    if (!close_hidden(server, 'S', name, 0))
        return false;
    write_parse(server, name, slice_of("", 0), 0, slice_of("", 0));
    return owe(server, EXPECT_PARSE, true, EXPECT_ABOUT_NOTHING);
}

static bool put_taken(struct server *server, char out[STATEMENT_NAME_MAX], struct slice *name)
{
    *name = slice_of(out, statement_name(PREPARE_TAKEN_ID, out));
    return put_empty(server, *name);
}

bool prepare_duplicate(struct server *server, const struct frontend_parse *parse)
{
    char out[STATEMENT_NAME_MAX];
    struct slice name;
    if (!put_taken(server, out, &name))
        return false;
    write_parse(server, name, parse->query, parse->n_types, parse->types);
    return owe(server, EXPECT_PARSE, false, EXPECT_ABOUT_NOTHING);
}

/* ---- texts that name statements ---- */

struct slice prepare_unknown(struct slice name, char out[STATEMENT_NAME_MAX + 8])
{
    bool ours = name.len > 3 && name.len < STATEMENT_NAME_MAX && memcmp(name.data, "rc_", 3) == 0;
    for (size_t i = 3; ours && i < name.len; i++)
        ours = name.data[i] && strchr("0123456789abcdef", name.data[i]);
    if (!ours)
        return name;
    memcpy(out, "rc_", 3);
    memcpy(out + 3, name.data, name.len);
    return slice_of(out, name.len + 3);
}

/* Characters, as PostgreSQL counts them in UTF-8. */
static size_t characters(const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

/* PREPARE of the client's own: what the server may hold of it goes, so that the node itself looks at it. */
static bool clear_for_prepare(struct session *session, struct server *server,
    const struct name_change *change, struct slice name, char out[STATEMENT_NAME_MAX + 8], struct slice *as)
{
    const struct prepared *taken = change ? NULL : changes_find(session, name);
    *as = name;
    if (taken || (change && change->duplicate))
        return put_taken(server, out, as);
    if (!change)
        return true;
    const struct prepared *prepared = change->prepared;
    *as = server_name(prepared, out);
    return prepare_forget(server, prepared) && make_room(session, server, *as) &&
           statements_add(&server->statements, prepared->id);
}

/* What a name is to be on the server; what must be there is sent. */
static bool resolve(struct session *session, struct server *server, const struct statement_name *use,
    size_t nth, char out[STATEMENT_NAME_MAX + 8], struct slice *as)
{
    struct request *request = session->request;
    struct slice name = slice_of(use->name, use->name_len);
    struct prepared *prepared = changes_find(session, name);
    switch (use->verb) {
    case VERB_PREPARE:
        return clear_for_prepare(session, server, changes_next_prepare(request, name), name, out, as);
    case VERB_EXECUTE:
        *as = prepared ? server_name(prepared, out) : prepare_unknown(name, out);
        request->executes_key = prepared ? prepared->key : 0;
        return !prepared || prepare_ensure(session, server, prepared);
    case VERB_DEALLOCATE:
        *as = prepare_unknown(name, out);
        if (!prepared)
            return true;
        *as = slice_of(out, (size_t)snprintf(out, STATEMENT_NAME_MAX, DEALLOCATED "%zu", nth));
        return put_empty(server, *as);
    case VERB_DEALLOCATE_ALL:
        statements_distrust(&server->statements);
        *as = use->token;
        return true;
    }
    return false;
}

static void note_shift(struct request *request, size_t at, size_t before, size_t after)
{
    if (request->n_shifts == SHIFTS_MAX || before == after)
        return;
    request->shifts[request->n_shifts++] =
        (struct shift){request->sent_of[CAUSE_EXECUTE], (uint32_t)at, (int32_t)after - (int32_t)before};
}

/* The text with the server's names, and a NUL, in `out`; what they stand for is sent. */
static bool rename_text(struct session *session, struct server *server, struct slice text, struct buffer *out)
{
    struct request *request = session->request;
    struct buffer_spares *spares = &session->all->spares;
    struct statement_name uses[STATEMENT_NAMES_MAX];
    size_t n = statement_names(text, !session->escape_strings, uses), at = 0;
    uint32_t sent = request->sent_of[CAUSE_EXECUTE];
    bool fine = true;
    for (size_t i = 0; fine && n != SIZE_MAX && i < n; i++) {
        char name[STATEMENT_NAME_MAX + 8];
        struct slice token = uses[i].token, as;
        size_t from = (size_t)(token.data - text.data);
        request->sent_of[CAUSE_EXECUTE] = sent + uses[i].ordinal;
        fine = resolve(session, server, &uses[i], i, name, &as) &&
               buffer_append(out, spares, text.data + at, from - at);
        bool same = as.data == uses[i].name || slice_equal(as, token);
        if (same)
            as = token;
        fine = fine && buffer_append(out, spares, as.data, as.len);
        note_shift(request, characters(out->data, out->len), characters(token.data, token.len), as.len);
        at = from + token.len;
    }
    request->sent_of[CAUSE_EXECUTE] = sent;
    return fine && buffer_append(out, spares, text.data + at, text.len - at) &&
           buffer_append(out, spares, "", 1);
}

bool prepare_renamed(
    struct session *session, struct server *server, struct slice query, uint16_t n_types, struct slice types)
{
    struct buffer text = {0};
    uint32_t before = server->expect.count;
    bool fine = rename_text(session, server, query, &text);
    expect_mark_within(&server->expect, before);
    if (fine)
        write_parse(server, slice_of("", 0), slice_of(text.data, text.len - 1), n_types, types);
    server->statements.unnamed = STATEMENTS_UNNAMED_UNKNOWN;
    buffer_release(&text, &session->all->spares);
    return fine && owe(server, EXPECT_PARSE, true, 0);
}

bool prepare_query(struct session *session, struct server *server, struct slice query)
{
    struct request *request = session->request;
    struct buffer text = {0};
    char head[16];
    struct builder builder = builder_of(head, sizeof head);
    uint32_t before = server->expect.count;
    request->executes_key = 0;
    bool fine = rename_text(session, server, query, &text);
    if (fine && server->expect.count > before) {
        server_send(server, "S\0\0\0\4", 5);
        fine = owe(server, EXPECT_SYNC, true, 0);
        expect_mark_ahead(&server->expect, before);
    }
    fine = fine && begin_send(session, server);
    if (fine) {
        builder_begin(&builder, FRONTEND_QUERY);
        builder_end_plus(&builder, text.len);
        server_send(server, head, builder.len);
        server_send(server, text.data, text.len);
    }
    buffer_release(&text, &session->all->spares);
    return fine && owe(server, EXPECT_QUERY, false, request->executes_key);
}

bool prepare_unnamed(struct session *session, struct server *server)
{
    const struct request *request = session->request;
    struct slice naming = request->unnamed_parse;
    struct frame frame;
    struct frontend_parse parse;
    if (!request->unnamed_sent && session->unnamed_names)
        naming = slice_of(session->unnamed.data, session->unnamed.len);
    if (naming.data)
        return frame_parse(naming.data, naming.len, &frame) == FRAME_OK && frame.whole &&
               frontend_parse_parse(frame_body(&frame), &parse) &&
               prepare_renamed(session, server, parse.query, parse.n_types, parse.types);
    if (server->statements.unnamed == session->unnamed_stamp)
        return true;
    if (session->unnamed.len == 0) {
        server->statements.unnamed = session->unnamed_stamp = 0;
        return close_hidden(server, 'S', slice_of("", 0), 0);
    }
    server_send(server, session->unnamed.data, session->unnamed.len);
    server->statements.unnamed = session->unnamed_stamp;
    return owe(server, EXPECT_PARSE, true, 0);
}
