/*
 * Classing what a client says, and keeping its names of prepared statements; see note.h.
 *
 * All well: each text is classed once, where it is parsed and where it is run; an EXECUTE is what it
 * executes. Names by Parse and by SQL's PREPARE are of one kind and are changed at once, in the order of the
 * messages; answer.c takes back what the node did not do. A PREPARE in a longer string, or one too many, is
 * left to the node, and the session stays there (PIN_PREPARE). Failure: more names than
 * max_prepared_statements by the protocol, malformed messages and lack of memory end the session.
 */
#include "proxy/session/note.h"

#include "conf/base/utf8.h"
#include "proxy/session/changes.h"
#include "proxy/session/inquiry.h"
#include "proxy/session/resets.h"
#include "proxy/session/stale.h"
#include "proxy/session/statement_text.h"
#include "proxy/wire/reader.h"
#include "router/statement_names.h"

#include <stdlib.h>
#include <string.h>

static bool violation(struct session *session, const char *what)
{
    session_fatal(session, SQLSTATE_PROTOCOL_VIOLATION, "invalid message from the client: %s", what);
    return false;
}

/* ---- classing ---- */

void note_merge(struct request *request, const struct classification *class, uint64_t shape)
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

uint64_t note_hash(struct slice text)
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

static const struct catalogue *last_catalogue_of(const struct session *session)
{
    return wants_catalogue(session) ? sessions_last_catalogue(session->known) : NULL;
}

/* What a read calls or stands on cannot be known without a catalogue. */
static void doubt(struct session *session, struct classification *class)
{
    const struct catalogue *catalogue = catalogue_of(session);
    if (!session_is_split(session) || class->class != STATEMENT_READ || catalogue)
        return;
    class->class = STATEMENT_WRITE;
    class->reason = REASON_NO_CATALOGUE;
}

/* By the catalogue as it was last read: where a stale one could be wrong, see is_doubtful() and doubt(). */
static struct classification class_of(struct session *session, struct slice text)
{
    struct classification class;
    classify(text, last_catalogue_of(session), !session->escape_strings, &class);
    return class;
}

static struct classification class_of_prepared(struct session *session, struct prepared *prepared)
{
    const struct catalogue *catalogue = last_catalogue_of(session);
    uint64_t serial = session->all->catalogue_serial;
    if (!prepared->classed || prepared->classed_serial != serial || !catalogue) {
        classify(prepared->statement, catalogue, !session->escape_strings, &prepared->class);
        prepared->classed = true;
        prepared->classed_serial = serial;
    }
    return prepared->class;
}

/* It may run what only a catalogue tells of. */
static bool may_call(const struct classification *class)
{
    static const enum reason reasons[] = {REASON_READ, REASON_WRITE, REASON_FUNCTION_UNKNOWN,
        REASON_FUNCTION_SPECIAL, REASON_RELATION_SPECIAL, REASON_NO_CATALOGUE, REASON_MULTIPLE,
        REASON_ROW_LOCK, REASON_INTO};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (class->reason == reasons[i])
            return true;
    return false;
}

/* The session itself has defined something that no catalogue knows of yet: in this transaction, or just
 * before. */
static bool is_ahead(const struct session *session, const struct classification *class)
{
    const uint32_t flags = session->tx_flags | session->request->flags | class->flags;
    return flags & STATEMENT_DDL || !sessions_has_read(session->known, session->defined);
}

/* ... and the statement may call it. */
static bool is_doubtful(struct session *session, const struct classification *class, struct slice text)
{
    struct classification bare;
    if (!wants_catalogue(session) || !may_call(class) || !is_ahead(session, class))
        return false;
    classify(text, NULL, !session->escape_strings, &bare);
    return bare.class != STATEMENT_READ;
}

static void note_effects(struct session *session, const struct classification *class, struct slice text)
{
    struct classification noted = *class;
    bool doubtful = is_doubtful(session, class, text);
    bool blind = may_call(class) && wants_catalogue(session) && !last_catalogue_of(session);
    if (class->class == STATEMENT_READ && !doubtful)
        return;
    if (doubtful || blind)
        noted.flags |= STATEMENT_SURVEY | STATEMENT_SETS_ANY | STATEMENT_SETS_PARSING;
    inquiry_note(session, &noted, text);
    if (doubtful)
        inquiry_doubt(session, text);
}

/* ---- texts that name prepared statements ---- */

static bool may_name(const struct classification *class)
{
    return class->reason == REASON_SESSION || class->reason == REASON_UTILITY ||
           class->reason == REASON_DDL || class->reason == REASON_NOT_LEXED ||
           (class->flags & STATEMENT_MULTIPLE);
}

static struct slice name_of_use(const struct statement_name *use)
{
    return slice_of(use->name, use->name_len);
}

/* A session with one connection of its own needs no other names. Where the settings of the moment are not
 * known, no other connection could prepare it as it is. */
static bool may_carry(const struct session *session)
{
    bool pinned = session->pins & PIN_PREPARE; /* the node has names of its own: it must know all */
    bool own = session->limits->pool == POOL_SESSION && !session_is_split(session);
    return !pinned && !own && !inquiry_unsure(session) &&
           names_count(&session->names) < session->runtime->config->max_prepared_statements;
}

/* What an EXECUTE does is what it executes does; one that is not known may do anything. */
static void add_executed(struct session *session, struct slice text, const struct statement_name *use,
    struct classification *class)
{
    struct prepared *prepared = names_find(&session->names, name_of_use(use));
    if (!prepared || prepared->names) {
        class->flags |= STATEMENT_SURVEY | STATEMENT_SETS_ANY | STATEMENT_SETS_PARSING;
        return;
    }
    struct classification executed = class_of_prepared(session, prepared);
    note_effects(session, &executed, prepared->statement);
    inquiry_runs(session, prepared->statement, resets_mentions(text, "null"));
    class->flags |= executed.flags & ~(uint32_t)STATEMENT_MULTIPLE;
    class->pins |= executed.pins;
    class->frees |= executed.frees;
    bool plain = use->plain && !class->pins && !class->flags && !class->frees;
    if (executed.class == STATEMENT_READ && !plain)
        return;
    if (class->class != STATEMENT_READ && use->alone) {
        class->class = executed.class;
        class->reason = executed.reason;
    }
}

/* Goes through a text's uses of names, and adds to its class what they do. */
static void note_uses(struct session *session, struct slice text, struct classification *class, bool *names)
{
    struct statement_name uses[STATEMENT_NAMES_MAX];
    size_t n = statement_names(text, !session->escape_strings, uses);
    if (n == SIZE_MAX) {
        class->flags |= STATEMENT_SURVEY | STATEMENT_SETS_ANY | STATEMENT_SETS_PARSING;
        return;
    }
    *names = n > 0;
    for (size_t i = 0; i < n; i++) {
        if (uses[i].verb == VERB_EXECUTE)
            add_executed(session, text, &uses[i], class);
        else if (uses[i].verb == VERB_PREPARE && may_carry(session))
            class->pins &= ~(uint32_t)PIN_PREPARE;
    }
}

static void note_class(struct session *session, struct classification *class, struct slice text, bool *names)
{
    *names = false;
    if (class->class == STATEMENT_READ) {
        note_effects(session, class, text);
        return;
    }
    if (class->statements == 1)
        own_note(session, text);
    if (may_name(class))
        note_uses(session, text, class, names);
    session->request->names_statements |= *names;
    note_effects(session, class, text);
}

/* Returns whether the text names prepared statements. */
static bool class_text(struct session *session, struct slice text)
{
    bool names;
    struct classification class = class_of(session, text);
    note_class(session, &class, text, &names);
    doubt(session, &class);
    note_merge(session->request, &class, class.class == STATEMENT_READ ? note_hash(text) : 0);
    return names;
}

static void class_prepared(struct session *session, struct prepared *prepared)
{
    bool names;
    struct classification class = class_of_prepared(session, prepared);
    note_class(session, &class, prepared->statement, &names);
    prepared->names = names;
    doubt(session, &class);
    note_merge(session->request, &class, prepared->id);
}

/* ---- the session's names ---- */

static struct prepared_key key_of(const struct session *session)
{
    bool unsure = inquiry_unsure(session);
    return (struct prepared_key){.space = unsure ? session->all->stamp++ : session->space,
        .settings = unsure ? NULL : session->settings};
}

/* Shared by its key. The client parses it now: what servers hold from before a change of the schema that is
   known of is not what it asks for. */
static struct prepared *prepared_now(struct session *session, const struct prepared_key *key)
{
    struct prepared_registry *registry = session->all->pools.prepared;
    uint64_t schema = sessions_schema(session->known);
    struct prepared *prepared = prepared_get(registry, key);
    if (!prepared)
        return NULL;
    if (prepared->schema && prepared->schema != schema)
        prepared_renew(registry, prepared);
    prepared->schema = schema;
    return prepared;
}

static bool on_named_parse(struct session *session, const struct frontend_parse *parse, uint32_t ordinal)
{
    uint32_t max = session->runtime->config->max_prepared_statements;
    if (names_count(&session->names) >= max) {
        session_fatal(session, SQLSTATE_LIMIT_EXCEEDED,
            "more than max_prepared_statements = %u prepared statements", max);
        return false;
    }
    struct prepared_key key = key_of(session);
    key.query = parse->query;
    key.n_types = parse->n_types;
    key.types = parse->types;
    struct prepared *prepared = prepared_now(session, &key);
    if (!prepared)
        return false;
    class_prepared(session, prepared);
    return changes_add(session, CAUSE_PARSE, ordinal, parse->name, prepared);
}

/* A PREPARE is run. */
static bool add_by_sql(struct session *session, const struct statement_name *use, uint32_t ordinal)
{
    struct prepared_key key = key_of(session);
    const char *behind = use->token.data + use->token.len, *end = use->statement.data + use->statement.len;
    key.sql = true;
    key.query = slice_of(behind, (size_t)(end - behind));
    key.statement = use->statement;
    struct prepared *prepared = prepared_now(session, &key);
    return prepared && changes_add(session, CAUSE_EXECUTE, ordinal, name_of_use(use), prepared);
}

/* A PREPARE that is not carried: the session has to stay where it is. */
static void leave_to_node(struct session *session)
{
    const struct classification class = {.class = STATEMENT_WRITE, .pins = PIN_PREPARE};
    session->request->pins |= class.pins;
    inquiry_note(session, &class, slice_of("", 0));
}

/* A text that names prepared statements is run: its changes of names are those of the next Execute. */
static bool note_changes(struct session *session, struct slice text)
{
    struct request *request = session->request;
    struct statement_name uses[STATEMENT_NAMES_MAX];
    size_t n = statement_names(text, !session->escape_strings, uses);
    bool fine = true;
    for (size_t i = 0; fine && n != SIZE_MAX && i < n; i++) {
        uint32_t ordinal = request->noted_of[CAUSE_EXECUTE] + uses[i].ordinal;
        switch (uses[i].verb) {
        case VERB_PREPARE:
            if (may_carry(session))
                fine = add_by_sql(session, &uses[i], ordinal);
            else
                leave_to_node(session);
            break;
        case VERB_EXECUTE: break;
        case VERB_DEALLOCATE:
            fine = !names_entry(&session->names, name_of_use(&uses[i])) ||
                   changes_remove(session, CAUSE_EXECUTE, ordinal, name_of_use(&uses[i]));
            break;
        case VERB_DEALLOCATE_ALL:
            request->drops_statements = true;
            fine = changes_remove_all(session, ordinal);
            break;
        }
    }
    return fine;
}

bool note_query(struct session *session, struct slice text)
{
    bool names = class_text(session, text);
    inquiry_runs(session, text, false);
    session->request->replaces |= !session->request->resumes;
    session->request->unreadable = !utf8_is_valid(text);
    if (!session->request->unreadable)
        session_forget_unnamed(session); /* a simple query that is read drops it */
    if (!names || note_changes(session, text))
        return true;
    session_fatal(session, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    return false;
}

void session_forget_unnamed(struct session *session)
{
    session->unnamed.len = 0;
    session->unnamed_stamp = 0;
    session->unnamed_names = false;
    session->unnamed_told = 0;
    settings_replace(&session->unnamed_settings, NULL);
    prepared_unref(session->all->pools.prepared, session->unnamed_prepared);
    session->unnamed_prepared = NULL;
}

/* ---- messages ---- */

static bool on_parse(struct session *session, const struct frame *frame)
{
    struct frontend_parse parse;
    if (!frontend_parse_parse(frame_body(frame), &parse))
        return violation(session, "malformed Parse");
    uint32_t ordinal = session->request->noted_of[CAUSE_PARSE]++;
    if (parse.name.len > 0)
        return on_named_parse(session, &parse, ordinal);
    session_forget_unnamed(session);
    session->unnamed_names = class_text(session, parse.query);
    session->unnamed_settings = inquiry_unsure(session) ? NULL : settings_ref(session->settings);
    session->request->has_unnamed_parse = true;
    session->request->unnamed_closed = false;
    session->request->unnamed_ordinal = ordinal;
    session->unnamed_stamp = session->all->stamp++;
    return buffer_append(
        &session->unnamed, &session->all->spares, frame->body - FRAME_HEADER_LEN, frame->total);
}

static bool has_null(const struct frontend_bind *bind)
{
    struct reader reader = reader_of(bind->rest);
    reader_bytes(&reader, 2 * (size_t)reader_u16(&reader));
    for (uint16_t left = reader_u16(&reader); left > 0 && !reader.failed; left--) {
        uint32_t len = reader_u32(&reader);
        if (len == UINT32_MAX)
            return true;
        reader_bytes(&reader, len);
    }
    return false;
}

static bool on_bind(struct session *session, const struct frame *frame)
{
    struct frontend_bind bind;
    struct slice text;
    if (!frontend_parse_bind(frame_body(frame), &bind))
        return violation(session, "malformed Bind");
    session->request->has_bind = true;
    session->request->keeps_portal |= bind.portal.len > 0;
    session->request->replaces |= bind.portal.len == 0 && !session->request->resumes;
    stale_note_bind(session, &bind);
    if (bind.statement.len > 0) {
        struct prepared *prepared = names_find(&session->names, bind.statement);
        if (!prepared)
            return true;
        class_prepared(session, prepared);
        inquiry_runs(session, prepared->query, has_null(&bind));
        return !prepared->names || note_changes(session, prepared->query);
    }
    if (!statement_text(session, bind.statement, &text))
        return true;
    if (!session->request->has_unnamed_parse)
        class_text(session, text);
    inquiry_runs(session, text, has_null(&bind));
    session->request->names_statements |= session->unnamed_names;
    return !session->unnamed_names || note_changes(session, text);
}

/* It may be the last of those that only the node knows. */
static void note_close(struct session *session)
{
    const struct classification class = {.class = STATEMENT_WRITE, .frees = PIN_PREPARE};
    session->request->frees |= class.frees;
    inquiry_note(session, &class, slice_of("", 0));
}

static bool on_close(struct session *session, const struct frame *frame)
{
    struct frontend_target target;
    if (!frontend_parse_target(frame_body(frame), &target))
        return violation(session, "malformed Close");
    uint32_t ordinal = session->request->noted_of[CAUSE_CLOSE]++;
    if (target.kind != 'S')
        return true;
    if (target.name.len == 0) {
        session->request->unnamed_closed = true;
        session->request->unnamed_ordinal = ordinal;
        return true;
    }
    if (inquiry_may_have_prepared(session) && !names_entry(&session->names, target.name))
        note_close(session);
    return changes_remove(session, CAUSE_CLOSE, ordinal, target.name);
}

static void note_resumed(struct session *session, struct slice portal)
{
    session->request->resumes |= portal.len == 0 && !session->request->replaces;
}

/* Described alone it goes where it will run. */
static bool on_describe(struct session *session, const struct frame *frame)
{
    struct frontend_target target;
    struct request *request = session->request;
    if (!frontend_parse_target(frame_body(frame), &target))
        return violation(session, "malformed Describe");
    stale_note_describe(session, &target);
    if (target.kind == 'P')
        note_resumed(session, target.name);
    struct prepared *prepared =
        target.kind == 'S' && target.name.len > 0 ? names_find(&session->names, target.name) : NULL;
    if (!prepared || request->statements > 0)
        return true;
    struct classification class = class_of_prepared(session, prepared);
    doubt(session, &class);
    if (class.class != STATEMENT_READ) {
        request->class = STATEMENT_WRITE;
        request->reason = class.reason;
    }
    return true;
}

static bool on_execute(struct session *session, const struct frame *frame)
{
    struct frontend_execute execute;
    if (!frontend_parse_execute(frame_body(frame), &execute))
        return violation(session, "malformed Execute");
    note_resumed(session, execute.portal);
    session->request->noted_of[CAUSE_EXECUTE]++;
    return true;
}

/* In the middle of a batch that is passed on as it comes. */
static bool on_query(struct session *session, const struct frame *frame)
{
    struct slice text;
    if (!frontend_parse_query(frame_body(frame), &text))
        return violation(session, "malformed Query");
    return note_query(session, text);
}

bool note_message(struct session *session, const struct frame *frame)
{
    bool fine = true;
    if (frame->type == FRONTEND_QUERY)
        fine = on_query(session, frame);
    else if (frame->type == FRONTEND_PARSE)
        fine = on_parse(session, frame);
    else if (frame->type == FRONTEND_BIND)
        fine = on_bind(session, frame);
    else if (frame->type == FRONTEND_CLOSE)
        fine = on_close(session, frame);
    else if (frame->type == FRONTEND_DESCRIBE)
        fine = on_describe(session, frame);
    else if (frame->type == FRONTEND_EXECUTE)
        fine = on_execute(session, frame);
    if (!fine && session->state != SESSION_CLOSED)
        session_fatal(session, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    return session->state != SESSION_CLOSED;
}
