/*
 * What happens to shared statements when the schema changes; see stale.h.
 *
 * PostgreSQL refuses to run a statement whose columns are others than when it was parsed ("cached plan must
 * not change result type"). What a server holds may have been parsed before or after the client's own Parse.
 * So what the client was told of the columns is kept, and what each server has said of what it holds. Where
 * they differ, or the server lacks the statement, it is parsed there and described, hidden, before the
 * client's Bind follows; a server that has once said the same guards it by itself. A batch that tells the
 * client of the columns anew needs none of that.
 *
 * All well: nothing is asked, or what is said is what the client knows. An error of the server's own makes
 * the request run again, unseen, with a statement parsed anew, which is compared like any other. Failure:
 * columns that are others now are the error that a connection of the client's own would give; so is any error
 * when a part of the answer is out, or inside a transaction.
 */
#include "proxy/session/stale.h"

#include "proxy/session/changes.h"
#include "proxy/wire/reader.h"

#include <string.h>

#define HEALS_MAX 16

/* ---- what a client was told ---- */

static uint64_t mix(uint64_t hash, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return hash;
}

/* Names and types of the columns: what PostgreSQL compares. 0: not known, or there is no result that could
   have others. */
static uint64_t columns_of(const struct answer *answer)
{
    if (answer->type == BACKEND_NO_DATA || !answer->first || !answer->last)
        return 0;
    struct reader reader =
        reader_of(slice_of(answer->bytes + FRAME_HEADER_LEN, answer->len - FRAME_HEADER_LEN));
    uint16_t columns = reader_u16(&reader);
    uint64_t hash = 0xcbf29ce484222325u ^ columns;
    for (uint16_t i = 0; i < columns; i++) {
        struct slice name = reader_cstring(&reader);
        reader_bytes(&reader, 6); /* the table's column */
        struct slice type = reader_bytes(&reader, 4);
        reader_bytes(&reader, 2); /* the type's length */
        struct slice modifier = reader_bytes(&reader, 4);
        reader_bytes(&reader, 2); /* format */
        hash = mix(hash, name.data, name.len + 1);
        hash = mix(mix(hash, type.data, type.len), modifier.data, modifier.len);
    }
    return reader.failed ? 0 : hash | 1;
}

/* All of it can run again without anybody's notice. */
static bool may_run_again(const struct session *session)
{
    const struct request *request = session->request;
    const uint32_t ends =
        STATEMENT_BEGIN | STATEMENT_BEGIN_READ_ONLY | STATEMENT_COMMIT | STATEMENT_ROLLBACK | STATEMENT_CALL;
    return request->complete && !request->stream && !request->in_transaction && !request->committed &&
           !request->error_seen && !(request->flags & ends) && !session->cancelled &&
           request->heals < HEALS_MAX;
}

/* The request, when its server is ready. Nothing of its answer goes to the client. */
static void run_again(struct session *session)
{
    struct request *request = session->request;
    buffer_release(&request->withheld, &session->all->spares);
    buffer_release(&request->kept_error, &session->all->spares);
    request->healing = true;
    request->heals++;
}

/* The client is told of the one that was parsed last, or of one before it. */
static void on_unnamed(struct session *session, uint64_t columns, bool hidden)
{
    struct request *request = session->request;
    bool last = !request->has_unnamed_parse || request->done_of[CAUSE_PARSE] > request->unnamed_ordinal;
    if (hidden)
        request->unnamed_columns = columns;
    else if (last)
        session->unnamed_told = columns;
}

void stale_on_description(
    struct session *session, struct server *server, const struct answer *answer, bool hidden)
{
    uint64_t columns = answer->about ? columns_of(answer) : 0;
    const struct name *name = answer->about ? names_by_key(&session->names, answer->about) : NULL;
    if (answer->about == ABOUT_UNNAMED)
        on_unnamed(session, columns, hidden);
    if (!name)
        return;
    statements_describe(&server->statements, name->prepared->id, columns);
    if (!hidden)
        names_tell(&session->names, answer->about, columns);
    else if (!session->request->probing && columns != name->told && name->told && may_run_again(session))
        run_again(session);
}

/* ---- a batch ---- */

/* Whether the client is told of the statement's columns in this batch. */
static bool describes(const struct request *request, struct slice statement)
{
    struct slice portal = {NULL, 0};
    struct frame frame;
    for (size_t at = 0; at < request->bytes.len; at += frame.total) {
        struct frontend_bind bind;
        struct frontend_target target;
        if (frame_parse(request->bytes.data + at, request->bytes.len - at, &frame) != FRAME_OK ||
            !frame.whole)
            return false;
        if (frame.type == FRONTEND_BIND && frontend_parse_bind(frame_body(&frame), &bind)) {
            if (slice_equal(bind.statement, statement))
                portal = bind.portal;
            else if (portal.data && slice_equal(bind.portal, portal))
                portal = (struct slice){NULL, 0};
        }
        if (frame.type != FRONTEND_DESCRIBE || !frontend_parse_target(frame_body(&frame), &target))
            continue;
        if (target.kind == 'S' ? slice_equal(target.name, statement)
                               : portal.data && slice_equal(target.name, portal))
            return true;
    }
    return false;
}

void stale_note_bind(struct session *session, const struct frontend_bind *bind)
{
    struct request *request = session->request;
    const struct name *name = bind->statement.len > 0 ? names_entry(&session->names, bind->statement) : NULL;
    bool told = bind->statement.len > 0 ? name && name->told : session->unnamed_told;
    request->bare += told;
    request->bare_portal = told ? names_hash(bind->portal) : 0;
}

void stale_note_describe(struct session *session, const struct frontend_target *target)
{
    struct request *request = session->request;
    if (target->kind != 'P' || request->bare_portal == 0 || request->bare_portal != names_hash(target->name))
        return;
    request->bare--;
    request->bare_portal = 0;
}

static bool is_told_again(const struct session *session, struct slice statement)
{
    return !session->request->stream && describes(session->request, statement);
}

/* Nothing of a single read's answer goes to the client before its columns are known. */
static bool may_find_out_on_the_way(const struct session *session)
{
    const struct request *request = session->request;
    return request->class == STATEMENT_READ && request->statements == 1 && may_run_again(session);
}

bool stale_must_ask(const struct session *session, const struct server *server, const struct name *name)
{
    uint64_t columns = statements_columns(&server->statements, name->prepared->id);
    const struct request *request = session->request;
    if (!name->told || name->told == columns || (columns == 0 && may_find_out_on_the_way(session)) ||
        request->kept_error.len > 0 || request->undescribed || request->probes >= (columns ? 1 : HEALS_MAX))
        return false;
    return !expect_has(&server->expect, EXPECT_DESCRIBE, name->key) &&
           !is_told_again(session, slice_of(name->text, name->len));
}

bool stale_must_ask_unnamed(const struct session *session, const struct server *server)
{
    return session->unnamed_told && session->request->probes == 0 &&
           session->unnamed_stamp != server->statements.unnamed &&
           !expect_has(&server->expect, EXPECT_DESCRIBE, ABOUT_UNNAMED) &&
           !is_told_again(session, slice_of("", 0));
}

enum stale stale_look(const struct session *session, const struct server *server, struct slice text,
    const struct prepared *prepared)
{
    const struct name *name = names_entry(&session->names, text);
    if (!name || name->prepared != prepared || !name->told)
        return STALE_NOT;
    uint64_t columns = statements_columns(&server->statements, prepared->id);
    if (columns == name->told)
        return STALE_NOT;
    if (session->request->undescribed && !columns)
        return STALE_NOT;
    if (is_told_again(session, text))
        return columns ? STALE_HELD : STALE_NOT;
    bool in_vain = session->request->probes >= HEALS_MAX;
    if (columns || (in_vain && statements_has(&server->statements, prepared->id))) /* it has none any more */
        return STALE_TOLD;
    return may_find_out_on_the_way(session) ? STALE_UNSURE : STALE_NOT;
}

bool stale_is_other_unnamed(const struct session *session)
{
    uint64_t columns = session->request->unnamed_columns;
    return columns && session->unnamed_told && columns != session->unnamed_told;
}

/* ---- errors ---- */

/* The node's own function, since the message may be in any language. */
static bool says(const struct answer *answer, const char *sqlstate, const char *routine)
{
    struct reader reader =
        reader_of(slice_of(answer->bytes + FRAME_HEADER_LEN, answer->len - FRAME_HEADER_LEN));
    if (!answer->error || strcmp(answer->error->sqlstate, sqlstate) != 0)
        return false;
    for (uint8_t field; (field = reader_u8(&reader)) != 0;) {
        struct slice value = reader_cstring(&reader);
        if (field == 'R' && slice_is(value, routine))
            return true;
    }
    return false;
}

static bool is_gone(const struct answer *answer)
{
    return says(answer, SQLSTATE_INVALID_STATEMENT_NAME, "FetchPreparedStatement") ||
           says(answer, SQLSTATE_INVALID_STATEMENT_NAME, "exec_bind_message") ||
           says(answer, SQLSTATE_INVALID_STATEMENT_NAME, "exec_describe_statement_message");
}

/* Where one statement is stale, others that the request uses may be, and one after the other would take as
   many tries. */
static void renew_others(struct session *session, const struct prepared *renewed)
{
    const struct request *request = session->request;
    struct frame frame;
    struct frontend_bind bind;
    for (size_t at = 0; at < request->bytes.len; at += frame.total) {
        if (frame_parse(request->bytes.data + at, request->bytes.len - at, &frame) != FRAME_OK ||
            !frame.whole)
            return;
        struct prepared *prepared =
            frame.type == FRONTEND_BIND && frontend_parse_bind(frame_body(&frame), &bind)
                ? names_find(&session->names, bind.statement)
                : NULL;
        if (prepared && prepared != renewed)
            prepared_renew(session->all->pools.prepared, prepared);
    }
}

bool stale_on_error(struct session *session, struct server *server, const struct answer *answer)
{
    struct request *request = session->request;
    struct name *name = answer->about ? names_by_key(&session->names, answer->about) : NULL;
    bool gone = name && is_gone(answer);
    bool stale = name && says(answer, SQLSTATE_FEATURE_NOT_SUPPORTED, "RevalidateCachedQuery");
    bool undescribed = !gone && !stale && answer->injected && answer->kind == EXPECT_DESCRIBE;
    request->undescribed |= undescribed; /* what is wrong with bound values comes before that */
    if (!gone && !stale && !undescribed)
        return false;
    if (gone) { /* somebody took it away where it could not be seen */
        statements_distrust(&server->statements);
    } else if (stale) {
        prepared_renew(session->all->pools.prepared, name->prepared);
    }
    if (answer->ahead || !may_run_again(session))
        return false;
    if (stale)
        renew_others(session, name->prepared);
    run_again(session);
    return buffer_append(&request->kept_error, &session->all->spares, answer->bytes, answer->len);
}
