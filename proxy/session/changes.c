/*
 * The names that a request gives and takes; see changes.h.
 *
 * All well: every change was made when its message was collected, and stays. Failure: the node skips what
 * follows an error; answers counted by kind tell which changes it made, the others are undone, last first.
 */
#include "proxy/session/changes.h"

#include "proxy/session/prepare.h"
#include "router/statement_names.h"

#include <stdlib.h>
#include <string.h>

static bool note(struct request *request, struct slice name, struct name_change change)
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

bool changes_add(struct session *session, enum name_cause cause, uint32_t ordinal, struct slice name,
    struct prepared *prepared)
{
    struct name_change change = {.cause = cause, .ordinal = ordinal};
    change.duplicate = !names_add(&session->names, name, prepared);
    if (change.duplicate)
        prepared_unref(session->all->pools.prepared, prepared);
    else
        change.prepared = prepared_ref(prepared);
    if (note(session->request, name, change))
        return true;
    prepared_unref(session->all->pools.prepared, change.prepared);
    return false;
}

bool changes_remove(struct session *session, enum name_cause cause, uint32_t ordinal, struct slice name)
{
    struct name_change change = {
        .closed = true, .cause = cause, .ordinal = ordinal, .prepared = names_remove(&session->names, name)};
    if (note(session->request, name, change))
        return true;
    prepared_unref(session->all->pools.prepared, change.prepared);
    return false;
}

bool changes_remove_all(struct session *session, uint32_t ordinal)
{
    while (session->names.by_name) {
        char name[LEX_NAME_MAX];
        size_t len = session->names.by_name->len;
        memcpy(name, session->names.by_name->text, len);
        if (!changes_remove(session, CAUSE_EXECUTE, ordinal, slice_of(name, len)))
            return false;
    }
    return true;
}

/* The last change that has been sent decides, or the state before the first that has not. */
struct prepared *changes_find(struct session *session, struct slice name)
{
    const struct request *request = session->request;
    struct prepared *now = NULL;
    bool known = false;
    for (uint32_t i = 0; i < request->n_changes; i++) {
        const struct name_change *change = &request->changes[i];
        if (change->duplicate || !slice_equal(slice_of(change->name, change->len), name))
            continue;
        if (change->ordinal < request->sent_of[change->cause]) {
            now = change->closed ? NULL : change->prepared;
            known = true;
            continue;
        }
        if (!known)
            now = change->closed ? change->prepared : NULL;
        return now;
    }
    return known ? now : names_find(&session->names, name);
}

const struct name_change *changes_nth(const struct request *request, enum name_cause cause, uint32_t ordinal)
{
    for (uint32_t i = 0; i < request->n_changes; i++) {
        const struct name_change *change = &request->changes[i];
        if (!change->closed && change->cause == cause && change->ordinal == ordinal)
            return change;
    }
    return NULL;
}

const struct name_change *changes_next_prepare(const struct request *request, struct slice name)
{
    for (uint32_t i = 0; i < request->n_changes; i++) {
        const struct name_change *change = &request->changes[i];
        if (!change->closed && change->cause == CAUSE_EXECUTE &&
            change->ordinal >= request->sent_of[CAUSE_EXECUTE] &&
            slice_equal(slice_of(change->name, change->len), name))
            return change;
    }
    return NULL;
}

/* A PREPARE that failed, or was skipped: what the server holds now is not known. */
static void forget_prepare(struct server *server, const struct prepared *prepared)
{
    statements_remove(&server->statements, prepared->id);
    server->statements.unsure = true;
}

/* The last unnamed Parse among the first `end`. */
struct parses {
    uint32_t n, end, last_ordinal;
    struct frame last;
};

static void look_for_parses(struct parses *parses, const struct buffer *bytes)
{
    struct frame frame;
    struct frontend_parse parse;
    for (size_t at = 0; at < bytes->len && parses->n < parses->end; at += frame.total) {
        if (frame_parse(bytes->data + at, bytes->len - at, &frame) != FRAME_OK || !frame.whole)
            return;
        if (frame.type != FRONTEND_PARSE)
            continue;
        parses->n++;
        if (frontend_parse_parse(frame_body(&frame), &parse) && parse.name.len == 0)
            parses->last_ordinal = parses->n, parses->last = frame;
    }
}

/* The unnamed statement is the last one that was parsed before the error; one that fails takes it away. */
static void restore_unnamed(struct session *session)
{
    const struct request *request = session->request;
    struct parses parses = {.end = request->done_of[CAUSE_PARSE] + request->parse_failed};
    struct statement_name uses[STATEMENT_NAMES_MAX];
    struct frontend_parse parse;
    uint64_t told = session->unnamed_told;
    session_forget_unnamed(session);
    look_for_parses(&parses, &request->bytes);
    look_for_parses(&parses, &request->streamed);
    bool failed = request->parse_failed && parses.last_ordinal == parses.end;
    bool all = parses.n == parses.end && !failed; /* they may have been too many to keep */
    if (!all || !parses.last.body || !frontend_parse_parse(frame_body(&parses.last), &parse) ||
        !buffer_append(
            &session->unnamed, &session->all->spares, parses.last.body - FRAME_HEADER_LEN, parses.last.total))
        return;
    session->unnamed_stamp = session->all->stamp++;
    session->unnamed_told = told;
    session->unnamed_settings = settings_ref(session->settings);
    session->unnamed_names =
        request->names_statements && statement_names(parse.query, !session->escape_strings, uses) > 0;
}

static void undo(struct session *session, struct server *server, struct name_change *change)
{
    struct slice name = slice_of(change->name, change->len);
    if (change->closed && change->prepared && names_add(&session->names, name, change->prepared))
        change->prepared = NULL;
    if (change->closed)
        return;
    if (change->cause == CAUSE_EXECUTE && server)
        forget_prepare(server, change->prepared);
    prepared_unref(session->all->pools.prepared, names_remove(&session->names, name));
}

void changes_undo(struct session *session, struct server *server)
{
    struct request *request = session->request;
    if (request->has_unnamed_parse && !request->unnamed_closed &&
        request->unnamed_ordinal >= request->done_of[CAUSE_PARSE])
        restore_unnamed(session);
    for (uint32_t i = request->n_changes; i-- > 0;) {
        struct name_change *change = &request->changes[i];
        if (change->ordinal >= request->done_of[change->cause] && !change->duplicate)
            undo(session, server, change);
    }
}

void changes_undo_bound(struct session *session, struct server *server)
{
    struct request *request = session->request;
    if (request->kind != REQUEST_BATCH || !request->complete || request->stream)
        return;
    for (uint32_t i = request->n_changes; i-- > 0;) {
        struct name_change *change = &request->changes[i];
        if (change->cause == CAUSE_EXECUTE && change->ordinal >= request->noted_of[CAUSE_EXECUTE] &&
            !change->duplicate)
            undo(session, server, change);
    }
}

/* The name that the message which failed has given for the second time. */
static bool find_taken_name(const struct request *request, struct slice *name)
{
    for (uint32_t i = 0; i < request->n_changes; i++) {
        const struct name_change *change = &request->changes[i];
        if (!change->duplicate || change->ordinal != request->done_of[change->cause])
            continue;
        *name = slice_of(change->name, change->len);
        return true;
    }
    return false;
}

bool changes_client_name(const struct session *session, uint64_t id, struct slice *name)
{
    const struct request *request = session->request;
    if (id == PREPARE_TAKEN_ID)
        return find_taken_name(request, name);
    for (const struct name *entry = session->names.by_name; entry; entry = entry->hh.next) {
        if (entry->prepared->id != id)
            continue;
        *name = slice_of(entry->text, entry->len);
        return true;
    }
    for (uint32_t i = 0; i < request->n_changes; i++) {
        const struct name_change *change = &request->changes[i];
        if (!change->prepared || change->prepared->id != id)
            continue;
        *name = slice_of(change->name, change->len);
        return true;
    }
    *name = slice_of("", 0);
    return session->unnamed_prepared && session->unnamed_prepared->id == id;
}
