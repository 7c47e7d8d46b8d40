/*
 * What happens to shared statements when the schema changes; see stale.h.
 *
 * PostgreSQL refuses to run a statement whose columns are others than when it was parsed ("cached plan must
 * not change result type"). A shared statement may be older than the client's own Parse, then it is parsed
 * anew and the request runs again, unseen; or younger, then what the client was told of its columns is
 * compared with what they are. Failure: where a client may rely on columns that are no more, or part of the
 * answer is out, or a transaction is open, it gets the error.
 */
#include "proxy/session/stale.h"

#include "proxy/session/changes.h"
#include "proxy/wire/reader.h"

#include <string.h>

#define HEALS_MAX 16
#define SHAPE_NO_COLUMNS 1

/* ---- what a client was told ---- */

static uint64_t mix(uint64_t hash, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return hash;
}

/* Names and types of the columns: what PostgreSQL compares. 0: not known. */
static uint64_t shape_of(const struct answer *answer)
{
    if (answer->type == BACKEND_NO_DATA)
        return SHAPE_NO_COLUMNS;
    if (!answer->first || !answer->last)
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
    if (reader.failed)
        return 0;
    return hash > SHAPE_NO_COLUMNS ? hash : SHAPE_NO_COLUMNS + 1;
}

static bool shares_servers(const struct session *session)
{
    return session->limits->pool != POOL_SESSION;
}

void stale_on_description(struct session *session, const struct answer *answer, bool hidden)
{
    struct name *name = answer->about ? names_by_key(&session->names, answer->about) : NULL;
    if (!name || !shares_servers(session))
        return;
    struct prepared *prepared = name->prepared;
    prepared->shape = shape_of(answer);
    prepared->shape_schema = session->request->schema;
    if (hidden)
        return;
    name->told = prepared->shape;
    name->told_schema = prepared->shape_schema;
    name->told_id = prepared->id;
    if (session->names.told)
        return;
    session->names.told = true;
    session->names.told_schema = name->told_schema;
    session->names.told_renewals = prepared_renewals(session->all->pools.prepared);
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

bool stale_is_possible(const struct session *session)
{
    const struct names *names = &session->names;
    return names->told && (names->told_schema != session->request->schema ||
                              names->told_renewals != prepared_renewals(session->all->pools.prepared));
}

bool stale_is_suspect(struct session *session, const struct name *name)
{
    bool changed = name->told_schema != session->request->schema || name->told_id != name->prepared->id;
    return shares_servers(session) && name->told && changed &&
           !describes(session->request, slice_of(name->text, name->len));
}

bool stale_is_other(struct session *session, struct slice text, const struct prepared *prepared)
{
    struct name *name = names_entry(&session->names, text);
    if (!name || name->prepared != prepared || !stale_is_suspect(session, name) || !prepared->shape ||
        prepared->shape_schema < session->request->schema)
        return false;
    if (name->told != prepared->shape)
        return true;
    name->told_schema = prepared->shape_schema;
    name->told_id = prepared->id;
    return false;
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

static bool was_parsed_now(const struct session *session, const struct name *name)
{
    const struct request *request = session->request;
    for (uint32_t i = 0; i < request->n_changes; i++)
        if (request->changes[i].cause == CAUSE_PARSE && request->changes[i].prepared == name->prepared &&
            !request->changes[i].closed)
            return true;
    return false;
}

/* The client cannot hold on to other columns than those that it will get. */
static bool is_unseen(const struct session *session, const struct answer *answer, const struct name *name)
{
    return answer->kind == EXPECT_QUERY || !name->told || was_parsed_now(session, name) ||
           describes(session->request, slice_of(name->text, name->len));
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
    if (!gone && !stale)
        return false;
    if (gone) { /* somebody took it away where it could not be seen */
        statements_clear(&server->statements);
        server->statements.unsure = true;
    } else {
        prepared_renew(session->all->pools.prepared, name->prepared);
    }
    if (answer->ahead || !may_run_again(session) || (stale && !is_unseen(session, answer, name)))
        return false;
    if (stale)
        renew_others(session, name->prepared);
    buffer_release(&request->withheld, &session->all->spares);
    buffer_release(&request->kept_error, &session->all->spares);
    if (!buffer_append(&request->kept_error, &session->all->spares, answer->bytes, answer->len))
        return false;
    request->healing = true;
    request->heals++;
    return true;
}
