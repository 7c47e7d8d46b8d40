/*
 * From a client's messages to a request: one Query or FunctionCall, or everything up to Sync.
 *
 * All well: messages are appended to the request until it is complete, each Parse and Query is classed on the
 * way, and route.c is called. A batch that grows past request_buffer, or that is flushed after an Execute,
 * becomes a stream: it goes to the primary and the rest is passed on message by message. A Flush after only
 * Parse, Describe and Close binds nothing: it is sent as a Sync whose ReadyForQuery the client does not see.
 * Failure: what is not protocol 3 is FATAL 08P01; nothing of it has reached a server.
 */
#include "proxy/session/inquiry.h"
#include "proxy/session/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void violation(struct session *session, const char *what)
{
    session_fatal(session, SQLSTATE_PROTOCOL_VIOLATION, "invalid message from the client: %s", what);
}

struct request *request_begin(struct session *session)
{
    struct sessions *all = session->all;
    if (session->request != all->no_request)
        return session->request;
    struct request *request = all->spare_requests;
    if (request)
        all->spare_requests = request->next_spare;
    else
        request = malloc(sizeof *request);
    if (!request) {
        session_fatal(session, SQLSTATE_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    *request = (struct request){0};
    return session->request = request;
}

void request_reset(struct session *session)
{
    struct request *request = session->request;
    struct sessions *all = session->all;
    session->cancelled = false;
    if (request == all->no_request)
        return;
    for (uint32_t i = 0; i < request->n_changes; i++) {
        prepared_unref(all->pools.prepared, request->changes[i].prepared);
        free(request->changes[i].name);
    }
    free(request->changes);
    free(request->special);
    buffer_release(&request->bytes, &all->spares);
    buffer_release(&request->withheld, &all->spares);
    params_fini(&request->before);
    request->next_spare = all->spare_requests;
    all->spare_requests = request;
    session->request = all->no_request;
}

/* ---- classing ---- */

static void merge(struct request *request, const struct classification *class, uint64_t shape)
{
    bool first = request->statements == 0 && request->reason == REASON_READ;
    if (first || (request->class == STATEMENT_READ && class->class != STATEMENT_READ)) {
        request->class = class->class;
        request->reason = class->reason;
    }
    request->flags |= class->flags;
    request->pins |= class->pins;
    request->frees |= class->frees;
    request->statements += class->statements;
    request->shape = (request->shape ^ shape) * 0x9E3779B97F4A7C15u;
}

static uint64_t hash_text(struct slice text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * 0x100000001b3u;
    return hash;
}

/* Wherever a connection is shared: what a function does to its session must be known. */
static bool wants_catalogue(const struct session *session)
{
    return session->limits->pool != POOL_SESSION || session_is_split(session);
}

static const struct catalogue *catalogue_of(struct session *session)
{
    return wants_catalogue(session) ? sessions_catalogue(session->all, session->known) : NULL;
}

static void note_special(struct session *session, const struct classification *class,
    const struct catalogue *catalogue, struct slice text)
{
    struct classification noted = *class;
    if (class->class == STATEMENT_READ)
        return;
    if (class->statements == 1)
        special_note(session, text);
    bool runs = class->reason == REASON_WRITE || class->reason == REASON_FUNCTION_UNKNOWN ||
                class->reason == REASON_NO_CATALOGUE || class->reason == REASON_MULTIPLE ||
                class->reason == REASON_ROW_LOCK || class->reason == REASON_INTO;
    if (runs && !catalogue && wants_catalogue(session)) /* what it calls is not known */
        noted.flags |= STATEMENT_SURVEY | STATEMENT_SETS_ANY | STATEMENT_SETS_PARSING;
    inquiry_note(session, &noted, text);
}

/* What a read calls or stands on cannot be known without a catalogue. */
static void doubt(
    const struct session *session, struct classification *class, const struct catalogue *catalogue)
{
    if (!session_is_split(session) || class->class != STATEMENT_READ || catalogue)
        return;
    class->class = STATEMENT_WRITE;
    class->reason = REASON_NO_CATALOGUE;
}

static void class_text(struct session *session, struct slice text)
{
    struct classification class;
    const struct catalogue *catalogue = catalogue_of(session);
    classify(text, catalogue, !session->escape_strings, &class);
    note_special(session, &class, catalogue, text);
    doubt(session, &class, catalogue);
    merge(session->request, &class, class.class == STATEMENT_READ ? hash_text(text) : 0);
}

static void class_prepared(struct session *session, struct prepared *prepared)
{
    const struct catalogue *catalogue = catalogue_of(session);
    uint64_t serial = session->all->catalogue_serial;
    if (!prepared->classed || prepared->classed_serial != serial || !catalogue) {
        classify(prepared->query, catalogue, !session->escape_strings, &prepared->class);
        prepared->classed = true;
        prepared->classed_serial = serial;
    }
    struct classification class = prepared->class;
    note_special(session, &class, catalogue, prepared->query);
    doubt(session, &class, catalogue);
    merge(session->request, &class, prepared->id);
}

/* ---- the session's names ---- */

static bool note_change(struct request *request, struct slice name, struct name_change change)
{
    if (request->n_changes == request->cap_changes) {
        uint32_t cap = request->cap_changes ? request->cap_changes * 2 : 4;
        struct name_change *changes = realloc(request->changes, cap * sizeof *changes);
        if (!changes)
            return false;
        request->changes = changes;
        request->cap_changes = cap;
    }
    change.name = malloc(name.len + 1);
    if (!change.name)
        return false;
    memcpy(change.name, name.data, name.len);
    change.len = name.len;
    request->changes[request->n_changes++] = change;
    return true;
}

static bool on_named_parse(struct session *session, const struct frontend_parse *parse, uint32_t ordinal)
{
    struct prepared_registry *registry = session->all->pools.prepared;
    if (names_count(&session->names) >= session->runtime->config->max_prepared_statements) {
        session_fatal(session, SQLSTATE_LIMIT_EXCEEDED,
            "more than max_prepared_statements = %u prepared statements",
            session->runtime->config->max_prepared_statements);
        return false;
    }
    struct prepared *prepared =
        prepared_get(registry, inquiry_unsure(session) ? session->all->stamp++ : session->space, parse->query,
            parse->n_types, parse->types);
    if (!prepared)
        return false;
    class_prepared(session, prepared);
    bool duplicate = !names_add(&session->names, parse->name, prepared);
    if (duplicate)
        prepared_unref(registry, prepared);
    struct name_change change = {
        .ordinal = ordinal, .duplicate = duplicate, .prepared = duplicate ? NULL : prepared_ref(prepared)};
    return note_change(session->request, parse->name, change);
}

static bool on_parse(struct session *session, const struct frame *frame)
{
    struct frontend_parse parse;
    if (!frontend_parse_parse(frame_body(frame), &parse)) {
        violation(session, "malformed Parse");
        return false;
    }
    uint32_t ordinal = session->request->n_parses++;
    if (parse.name.len > 0)
        return on_named_parse(session, &parse, ordinal);
    class_text(session, parse.query);
    session->request->has_unnamed_parse = true;
    session->request->unnamed_ordinal = ordinal;
    session->unnamed_stamp = session->all->stamp++;
    session->unnamed.len = 0;
    return buffer_append(
        &session->unnamed, &session->all->spares, frame->body - FRAME_HEADER_LEN, frame->total);
}

static bool on_bind(struct session *session, const struct frame *frame)
{
    struct frontend_bind bind;
    if (!frontend_parse_bind(frame_body(frame), &bind)) {
        violation(session, "malformed Bind");
        return false;
    }
    if (bind.statement.len > 0) {
        struct prepared *prepared = names_find(&session->names, bind.statement);
        if (prepared)
            class_prepared(session, prepared);
    } else if (!session->request->has_unnamed_parse && session->unnamed.len > 0) {
        struct frame kept;
        struct frontend_parse parse;
        if (frame_parse(session->unnamed.data, session->unnamed.len, &kept) == FRAME_OK && kept.whole &&
            frontend_parse_parse(frame_body(&kept), &parse))
            class_text(session, parse.query);
    }
    return true;
}

static bool on_close(struct session *session, const struct frame *frame)
{
    struct frontend_target target;
    if (!frontend_parse_target(frame_body(frame), &target)) {
        violation(session, "malformed Close");
        return false;
    }
    uint32_t ordinal = session->request->n_closes++;
    if (target.kind != 'S' || target.name.len == 0)
        return true;
    struct name_change change = {
        .closed = true, .ordinal = ordinal, .prepared = names_remove(&session->names, target.name)};
    return note_change(session->request, target.name, change);
}

bool collect_note(struct session *session, const struct frame *frame)
{
    bool fine = true;
    if (frame->type == FRONTEND_PARSE)
        fine = on_parse(session, frame);
    else if (frame->type == FRONTEND_BIND)
        fine = on_bind(session, frame);
    else if (frame->type == FRONTEND_CLOSE)
        fine = on_close(session, frame);
    else if (frame->type == FRONTEND_EXECUTE)
        session->request->has_execute = true;
    if (!fine && session->state != SESSION_CLOSED)
        session_fatal(session, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    return session->state != SESSION_CLOSED;
}

void collect_undo(struct session *session)
{
    struct request *request = session->request;
    struct prepared_registry *registry = session->all->pools.prepared;
    if (request->has_unnamed_parse && request->unnamed_ordinal >= request->parses_done) {
        session->unnamed.len = 0;
        session->unnamed_stamp = 0;
    }
    for (uint32_t i = request->n_changes; i-- > 0;) {
        struct name_change *change = &request->changes[i];
        struct slice name = slice_of(change->name, change->len);
        if (!change->closed && !change->duplicate && change->ordinal >= request->parses_done)
            prepared_unref(registry, names_remove(&session->names, name));
        if (change->closed && change->prepared && change->ordinal >= request->closes_done &&
            names_add(&session->names, name, change->prepared))
            change->prepared = NULL;
    }
}

/* ---- messages ---- */

static bool append(struct session *session, const char *bytes, size_t len)
{
    if (buffer_append(&session->request->bytes, &session->all->spares, bytes, len))
        return true;
    session_fatal(session, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    return false;
}

static void complete(struct session *session, enum request_kind kind)
{
    session->request->kind = kind;
    session->request->complete = true;
    route_request(session);
}

static void on_query(struct session *session, const struct frame *frame)
{
    struct slice query;
    if (!frontend_parse_query(frame_body(frame), &query)) {
        violation(session, "malformed Query");
        return;
    }
    class_text(session, query);
    session->unnamed_stamp = 0; /* a simple query drops the unnamed statement */
    session->unnamed.len = 0;
    complete(session, REQUEST_QUERY);
}

static void begin_stream(struct session *session)
{
    session->request->kind = REQUEST_BATCH;
    session->request->stream = true;
    session->request->class = STATEMENT_WRITE;
    session->request->reason = REASON_COPY;
    route_request(session);
}

static void on_flush(struct session *session)
{
    struct request *request = session->request;
    request->kind = REQUEST_BATCH;
    if (!request->has_execute && !session->claim.server) {
        request->flush_as_sync = true;
        request->complete = true;
    } else {
        request->stream = true;
        request->class = STATEMENT_WRITE;
        request->reason = REASON_FLUSH;
    }
    route_request(session);
}

static void on_function_call(struct session *session)
{
    session->request->class = STATEMENT_WRITE;
    session->request->reason = REASON_WRITE;
    session->request->flags |= STATEMENT_CALL;
    complete(session, REQUEST_FUNCTION);
}

/* One whole message, which is the last of the request's bytes. */
static void on_message(struct session *session, const struct frame *frame)
{
    switch ((enum frontend_type)frame->type) {
    case FRONTEND_PARSE:
    case FRONTEND_BIND:
    case FRONTEND_CLOSE:
    case FRONTEND_DESCRIBE:
    case FRONTEND_EXECUTE: collect_note(session, frame); return;
    case FRONTEND_QUERY: on_query(session, frame); return;
    case FRONTEND_FLUSH: on_flush(session); return;
    case FRONTEND_SYNC: complete(session, REQUEST_BATCH); return;
    case FRONTEND_FUNCTION_CALL: on_function_call(session); return;
    case FRONTEND_TERMINATE:
    case FRONTEND_COPY_DATA:
    case FRONTEND_COPY_DONE:
    case FRONTEND_COPY_FAIL:
    case FRONTEND_PASSWORD: abort(); /* unrequested() has dealt with them */
    }
}

static bool is_known(char type)
{
    return type && strchr("BCDEFHPQSXcdfp", type);
}

static bool has_no_body(char type)
{
    return type == FRONTEND_SYNC || type == FRONTEND_FLUSH || type == FRONTEND_TERMINATE ||
           type == FRONTEND_COPY_DONE;
}

static bool is_copy(char type)
{
    return type == FRONTEND_COPY_DATA || type == FRONTEND_COPY_DONE || type == FRONTEND_COPY_FAIL;
}

/* Messages that are no part of a request. True when the frame was one; `*used` of `len` bytes are done with.
 */
static bool unrequested(struct session *session, const struct frame *frame, size_t len, size_t *used)
{
    *used = len;
    if (frame->type == FRONTEND_TERMINATE) {
        session_close(session, "terminated by the client");
        return true;
    }
    if (frame->type == FRONTEND_PASSWORD) {
        violation(session, "unexpected password message");
        return true;
    }
    /* COPY's messages outside of a request are ignored, as PostgreSQL does. */
    bool copy = is_copy(frame->type) && session->request->bytes.len == 0;
    bool empty_flush = frame->type == FRONTEND_FLUSH && session->request->bytes.len == 0;
    bool skipped = session->skip_to_sync && frame->type != FRONTEND_SYNC;
    if (skipped && session->skip_simple) {
        session->skip_to_sync = session->skip_simple = false;
        session_ready_for_query(session, session->tx_status);
    }
    if (session->skip_to_sync && frame->type == FRONTEND_SYNC) {
        session->skip_to_sync = false;
        session_ready_for_query(session, session->tx_status);
        *used = frame->total;
        return true;
    }
    if (!copy && !empty_flush && !skipped)
        return false;
    if (frame->whole)
        *used = frame->total;
    else
        session->passing = frame->total - len;
    return true;
}

/* The rest of a message that is skipped, or collected although it is large. */
static size_t go_on(struct session *session, const char *bytes, size_t len)
{
    struct request *request = session->request;
    size_t *left = session->passing ? &session->passing : &request->awaited;
    size_t part = len < *left ? len : *left;
    *left -= part;
    if (left == &session->passing || !append(session, bytes, part) || request->awaited > 0)
        return part;
    struct frame frame;
    frame_parse(request->bytes.data + request->message_at, request->bytes.len - request->message_at, &frame);
    on_message(session, &frame);
    return part;
}

size_t collect_on_data(struct session *session, const char *bytes, size_t len)
{
    struct request *request = request_begin(session);
    struct frame frame;
    size_t used;
    if (!request)
        return len;
    if (session->passing > 0 || request->awaited > 0)
        return go_on(session, bytes, len);
    if (stream_is_full(&session->stream)) { /* it does not read what it asked for */
        stream_hold(&session->stream);
        return 0;
    }
    if (!is_known(bytes[0])) {
        violation(session, "unknown message type");
        return len;
    }
    enum frame_result result = frame_parse(bytes, len, &frame);
    if (result == FRAME_MORE)
        return 0;
    if (result == FRAME_BAD || (frame.body_len > 0 && has_no_body(frame.type))) {
        violation(session, "bad message length");
        return len;
    }
    if (unrequested(session, &frame, len, &used))
        return used;
    bool simple = frame.type == FRONTEND_QUERY || frame.type == FRONTEND_FUNCTION_CALL;
    bool alien = (simple || is_copy(frame.type)) && request->bytes.len > 0;
    if (alien || /* inside a batch without Sync: the batch goes first, as it is */
        request->bytes.len + frame.total > session->runtime->config->request_buffer_bytes) {
        begin_stream(session);
        return 0;
    }
    used = frame.whole ? frame.total : len;
    if (!frame.whole && frame.total < REACTOR_READ_BUFFER / 2)
        return 0;
    request->message_at = request->bytes.len;
    request->awaited = frame.total - used;
    if (append(session, bytes, used) && frame.whole)
        on_message(session, &frame);
    return session->state == SESSION_CLOSED ? len : used;
}
