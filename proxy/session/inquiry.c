/*
 * Asking a server for what a transaction left in its session; see inquiry.h.
 *
 * All well: one query, whose rows become the session's set of settings and its pins. What was reset to the
 * server's defaults, but was asked for by the client when it began, is put in place again. Failure: a query
 * that fails (a timeout of the session's own, a cancel) leaves the session pinned to its server, and the next
 * transaction's end asks again, but behind a read on a replica; a server that is lost meanwhile is lost.c's.
 */
#include "proxy/session/inquiry.h"

#include "conf/base/log.h"
#include "proxy/session/prefix.h"
#include "proxy/session/question.h"
#include "proxy/session/resets.h"
#include "proxy/session/session.h"
#include "proxy/wire/reader.h"
#include "router/setting.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ROWS_MAX (2 * 1024 * 1024)
#define ATTEMPTS 3
#define NAMES_MAX (64 * 1024)
#define DOUBTS_MAX (64 * 1024)
#define SETS (STATEMENT_SETS | STATEMENT_SETS_ANY | STATEMENT_SURVEY)

enum stage { STAGE_COLLECTING, STAGE_ASKING, STAGE_RESTORING };

enum tag { TAG_OTHER, TAG_ROLLBACK, TAG_RESET /* or DISCARD ALL */ };

struct inquiry {
    enum stage stage;
    uint32_t flags, pins, frees; /* of all statements noted */
    struct params names;         /* settings that they name; values are empty */
    struct buffer doubts;        /* texts to be noted anew, a NUL behind each */
    bool chained;                /* some part of the transaction was committed on the way */
    enum tag tag;                /* the last command tag */
    struct resets resets;
    char status;
    enum depth depth;
    uint32_t asked; /* enum pin */
    struct buffer rows;
    bool overflow;
    bool temporary; /* the answer tells of a schema for temporary objects */
    uint32_t failures;
    bool unanswered; /* what transactions before have left is not known */
};

/* ---- noting ---- */

static struct inquiry *inquiry_of(struct session *session)
{
    if (!session->inquiry)
        session->inquiry = calloc(1, sizeof *session->inquiry);
    return session->inquiry;
}

void inquiry_free(struct session *session)
{
    if (!session->inquiry)
        return;
    params_fini(&session->inquiry->names);
    resets_fini(&session->inquiry->resets);
    buffer_release(&session->inquiry->rows, &session->all->spares);
    buffer_release(&session->inquiry->doubts, &session->all->spares);
    free(session->inquiry);
    session->inquiry = NULL;
}

static void add_name(void *context, struct slice name)
{
    struct inquiry *inquiry = context;
    if (inquiry->names.len + name.len > NAMES_MAX || !params_set(&inquiry->names, name, slice_of("", 0)))
        inquiry->pins |= PIN_SETTING; /* too many to ask for */
}

static void add_catalogue_names(struct session *session, struct inquiry *inquiry)
{
    const struct catalogue *catalogue = sessions_last_catalogue(session->known);
    const char *const *names;
    size_t n = catalogue ? catalogue_settings(catalogue, &names) : 0;
    for (size_t i = 0; i < n; i++)
        add_name(inquiry, slice_from(names[i]));
}

void inquiry_runs(struct session *session, struct slice text, bool has_null)
{
    if (session->inquiry)
        resets_note(
            &session->inquiry->resets, session_base(session), text, !session->escape_strings, has_null);
}

void inquiry_note(struct session *session, const struct classification *class, struct slice text)
{
    const uint32_t flags = SETS | STATEMENT_SETS_PARSING | STATEMENT_RESETS;
    if (!SESSION_TRACKING)
        return;
    bool frees = (class->frees & session->pins) || (session->inquiry && class->frees);
    if (!(class->flags & flags) && !(class->pins & PIN_ASKABLE) && !frees)
        return;
    struct inquiry *inquiry = inquiry_of(session);
    if (!inquiry) {
        session_pin(session, PIN_UNKNOWN);
        return;
    }
    inquiry->flags |= class->flags;
    inquiry->pins |= class->pins;
    inquiry->frees |= class->frees;
    if (class->flags & (STATEMENT_SETS | STATEMENT_SETS_ANY))
        setting_names(text, !session->escape_strings, inquiry, add_name);
    if (class->flags & STATEMENT_SURVEY) {
        add_catalogue_names(session, inquiry);
        setting_names_in_strings(text, !session->escape_strings, inquiry, add_name);
    }
}

void inquiry_doubt(struct session *session, struct slice text)
{
    struct buffer *doubts = session->inquiry ? &session->inquiry->doubts : NULL;
    struct buffer_spares *spares = &session->all->spares;
    if (doubts &&
        (doubts->len + text.len > DOUBTS_MAX || !buffer_append(doubts, spares, text.data, text.len) ||
            !buffer_append(doubts, spares, "", 1)))
        session_pin(session, PIN_FUNCTION);
}

/* What was noted by an old catalogue is noted by the new one, once it is there. */
static void settle_doubts(struct session *session)
{
    struct buffer doubts = session->inquiry->doubts;
    uint32_t flags = session->tx_flags | session->request->flags;
    if (doubts.len == 0 || flags & STATEMENT_DDL || !sessions_has_read(session->known, session->defined))
        return;
    session->inquiry->doubts = (struct buffer){0};
    for (size_t at = 0; at < doubts.len; at += strlen(doubts.data + at) + 1) {
        struct slice text = slice_from(doubts.data + at);
        struct classification class;
        classify(text, sessions_last_catalogue(session->known), !session->escape_strings, &class);
        session_pin(session, class.pins & ~(uint32_t)(PIN_ASKABLE | PIN_SEQUENCE));
        inquiry_note(session, &class, text);
    }
    buffer_release(&doubts, &session->all->spares);
}

/* All that could be asked for was: nothing that the new catalogue tells has a name that was not known. */
void inquiry_on_catalogue(struct session *session)
{
    struct inquiry *inquiry = session->inquiry;
    bool idle =
        session->state == SESSION_IDLE && session->tx_status == 'I' && session->request->bytes.len == 0;
    if (!idle || !inquiry || inquiry->doubts.len == 0 || inquiry->unanswered)
        return;
    size_t names = inquiry->names.len;
    settle_doubts(session);
    if (inquiry->doubts.len > 0 || inquiry->names.len != names)
        return;
    inquiry_free(session);
    session_unpin(session, PIN_UNKNOWN);
    settle_give_back(session, false);
}

bool inquiry_unsure(const struct session *session)
{
    return session->inquiry && (session->inquiry->flags & STATEMENT_SETS_PARSING);
}

bool inquiry_may_have_prepared(const struct session *session)
{
    const struct inquiry *inquiry = session->inquiry;
    return session->pins & (PIN_PREPARE | PIN_UNKNOWN) ||
           (inquiry && (inquiry->pins & PIN_PREPARE || inquiry->flags & STATEMENT_SURVEY));
}

static enum tag tag_of(struct slice text)
{
    if (slice_is(text, "ROLLBACK"))
        return TAG_ROLLBACK;
    return slice_is(text, "RESET") || slice_is(text, "DISCARD ALL") ? TAG_RESET : TAG_OTHER;
}

void inquiry_saw_tag(struct session *session, struct slice tag)
{
    struct inquiry *inquiry = session->inquiry;
    inquiry->tag = tag_of(tag);
    if (inquiry->tag != TAG_ROLLBACK && session->request->flags & STATEMENT_COMMIT &&
        slice_is(tag, "COMMIT") && session->request->statements > 1)
        inquiry->chained = true;
}

/* ---- the question ---- */

static bool ask(struct session *session, struct server *server)
{
    struct inquiry *inquiry = session->inquiry;
    const struct question question = {
        .depth = inquiry->depth, .names = &inquiry->names, .pins = inquiry->asked};
    server->prefix_failed = inquiry->overflow = inquiry->temporary = false;
    return question_send(session, server, &question);
}

/* ---- the answer ---- */

void inquiry_on_row(struct session *session, const struct answer *answer)
{
    struct inquiry *inquiry = session->inquiry;
    if (!inquiry || inquiry->stage != STAGE_ASKING)
        return;
    if (inquiry->rows.len + answer->len > ROWS_MAX ||
        !buffer_append(&inquiry->rows, &session->all->spares, answer->bytes, answer->len))
        inquiry->overflow = true;
}

static enum pin pin_named(struct slice name)
{
    for (uint32_t pin = 1; pin < PIN_UNKNOWN; pin <<= 1)
        if (slice_is(name, pin_name((enum pin)pin)))
            return (enum pin)pin;
    return PIN_UNKNOWN;
}

static bool take_setting(struct session *session, struct params *found, struct slice name, struct slice value)
{
    bool no_role =
        slice_is(name, "role") && slice_is(value, "none") && !settings_value(session_base(session), "role");
    bool absent = !value.data || no_role ||
                  (slice_is(name, "session_authorization") && slice_is(value, pool_user(session->pool)));
    if (!absent)
        return params_set(found, name, value);
    params_remove(found, name);
    return true;
}

static struct slice column(struct reader *reader)
{
    int32_t len = (int32_t)reader_u32(reader);
    return len < 0 ? (struct slice){NULL, 0} : reader_bytes(reader, (size_t)len);
}

/* Rows of (kind, name, value). */
static bool read_rows(struct session *session, struct params *found, uint32_t *pins)
{
    struct inquiry *inquiry = session->inquiry;
    struct frame frame;
    for (size_t at = 0; at < inquiry->rows.len; at += frame.total) {
        if (frame_parse(inquiry->rows.data + at, inquiry->rows.len - at, &frame) != FRAME_OK || !frame.whole)
            return false;
        struct reader reader = reader_of(frame_body(&frame));
        uint16_t columns = reader_u16(&reader);
        struct slice kind = column(&reader), name = column(&reader), value = column(&reader);
        if (reader.failed || columns != 3)
            return false;
        if (slice_is(kind, "p"))
            *pins |= pin_named(value);
        else if (slice_is(kind, "t"))
            inquiry->temporary = true;
        else if (!take_setting(session, found, name, value))
            return false;
    }
    return true;
}

/* ---- what follows from it ---- */

const struct settings *session_base(const struct session *session)
{
    return session->limits->pool == POOL_SESSION ? session->all->no_settings : session->startup;
}

void session_set_settings(struct session *session, const struct settings *settings)
{
    bool others = session->settings->parsing != settings->parsing;
    session->names.mixed |= others && (names_count(&session->names) > 0 || session->unnamed.len > 0);
    settings_replace(&session->settings, settings);
    session_respace(session);
}

/* With pg_temp in front whatever is created is temporary, without a word about it. */
static bool makes_temporary(const struct settings *settings)
{
    const char *path = settings_value(settings, "search_path");
    return path && strncmp(path + strspn(path, "\" "), "pg_temp", 7) == 0;
}

/* The set that is on the server, and the session's: with what the client asked for when it began. */
static bool adopt(struct session *session, struct server *server, struct params *found)
{
    struct settings_table *table = session->all->pools.settings;
    const struct params *base = &session_base(session)->params;
    const char *name, *value;
    const struct settings *on_server = settings_get(table, found);
    bool fine = on_server != NULL;
    for (uint32_t at = 0; fine && params_next(base, &at, &name, &value);)
        if (resets_gave_back(&session->inquiry->resets, found, name))
            fine = params_set(found, slice_from(name), slice_from(value));
    const struct settings *wanted = fine ? settings_get(table, found) : NULL;
    if (!wanted) {
        settings_unref(on_server);
        return false;
    }
    resets_forget(&session->inquiry->resets);
    settings_replace(&server->applied, on_server);
    session_set_settings(session, wanted);
    return true;
}

/* RESET ALL and DISCARD ALL: what is left is known without asking. */
static bool adopt_reset(struct session *session, struct server *server)
{
    bool authority = !session->request->discarded;
    struct params left;
    const char *name, *value;
    params_init(&left);
    resets_forget(&session->inquiry->resets); /* what is left is no default */
    bool fine = true;
    for (uint32_t at = 0; fine && params_next(&session->settings->params, &at, &name, &value);) {
        if (authority && setting_is_authority(slice_from(name)))
            fine = params_set(&left, slice_from(name), slice_from(value));
        else if (setting_is_custom(slice_from(name)) && !settings_value(session_base(session), name))
            fine = params_set(&left, slice_from(name), slice_of("", 0));
    }
    fine = fine && adopt(session, server, &left);
    params_fini(&left);
    return fine;
}

/* Its search_path is another one now: PostgreSQL would parse what is there anew, under the settings of
   whoever comes next. */
static void note_temporary(struct server *server)
{
    server->has_temporary = true;
    statements_distrust(&server->statements);
}

static bool take_answer(struct session *session, struct server *server)
{
    struct inquiry *inquiry = session->inquiry;
    struct params found;
    uint32_t pins = 0;
    params_init(&found);
    bool fine = !server->prefix_failed && !inquiry->overflow &&
                (inquiry->depth != DEPTH_NAMED || params_copy(&found, &session->settings->params)) &&
                read_rows(session, &found, &pins) &&
                (inquiry->depth == DEPTH_NONE || adopt(session, server, &found));
    params_fini(&found);
    if (fine) {
        uint32_t asked = inquiry->asked | (inquiry->depth == DEPTH_ALL ? PIN_UNKNOWN : 0);
        if (makes_temporary(session->settings))
            pins |= PIN_TEMPORARY;
        if (inquiry->temporary)
            note_temporary(server);
        session_unpin(session, asked & ~pins);
        session_pin(session, pins);
    }
    return fine;
}

/* ---- the way ---- */

/* All that was set has gone with the transaction. */
static bool is_undone(const struct session *session)
{
    const struct inquiry *inquiry = session->inquiry;
    const struct request *request = session->request;
    if (inquiry->chained || session->pins & PIN_UNKNOWN) /* something of transactions before is not known */
        return false;
    if (request->in_transaction)
        return inquiry->tag == TAG_ROLLBACK && request->statements == 1;
    return request->error_seen && !request->discarded && /* which commits by itself */
           !(request->flags & (STATEMENT_COMMIT | STATEMENT_ROLLBACK | STATEMENT_CALL));
}

/* The last statement was a RESET or DISCARD ALL, and was run, not only parsed. */
static bool has_reset(const struct inquiry *inquiry)
{
    return inquiry->flags & STATEMENT_RESETS && inquiry->tag == TAG_RESET;
}

static enum depth depth_of(const struct session *session)
{
    const struct inquiry *inquiry = session->inquiry;
    if (!(inquiry->flags & (SETS | STATEMENT_RESETS)) || is_undone(session))
        return DEPTH_NONE;
    const struct request *request = session->request;
    bool in_company =
        inquiry->flags & SETS || request->in_transaction || request->error_seen || request->statements > 1;
    if ((inquiry->flags & STATEMENT_RESETS && in_company) ||
        inquiry->flags & (STATEMENT_SETS_ANY | STATEMENT_SURVEY))
        return DEPTH_ALL;
    return inquiry->flags & SETS ? DEPTH_NAMED : DEPTH_NONE;
}

/* Puts back in place what the client asked for when it began, so that it hears of no other value. */
static bool restore(struct session *session, struct server *server)
{
    session->inquiry->stage = STAGE_RESTORING;
    server->prefix_failed = false;
    if (server->applied == session->settings || !prefix_change(session, server, session->settings))
        return false;
    return true;
}

/* A RESET inside a transaction: the server's defaults are not this session's, and what they are now the
   server is asked. */
static bool ask_in_transaction(struct session *session, struct server *server)
{
    const struct request *request = session->request;
    struct inquiry *inquiry = session->inquiry;
    if (!(request->flags & (STATEMENT_RESETS | STATEMENT_SETS_ANY)) || request->error_seen ||
        !inquiry->resets.spoken)
        return false;
    server->prefix_failed = false;
    enum resets_put put = resets_put_by_name(session, server);
    if (put != RESETS_UNTOLD) {
        resets_forget(&inquiry->resets);
        inquiry->stage = put == RESETS_SENT ? STAGE_RESTORING : STAGE_COLLECTING;
        return put == RESETS_SENT;
    }
    inquiry->resets.spoken = false;
    inquiry->depth = DEPTH_ALL;
    inquiry->asked = 0;
    inquiry->stage = STAGE_ASKING;
    if (ask(session, server))
        return true;
    inquiry->stage = STAGE_COLLECTING;
    return false;
}

/* The answer: what was reset is put in place as the client had asked for it. */
static bool restore_in_transaction(struct session *session, struct server *server)
{
    const struct params *base = &session_base(session)->params;
    struct inquiry *inquiry = session->inquiry;
    struct params found, values;
    const char *name, *value;
    uint32_t pins = 0;
    params_init(&found);
    params_init(&values);
    bool known = !server->prefix_failed && !inquiry->overflow && read_rows(session, &found, &pins);
    for (uint32_t at = 0; known && params_next(base, &at, &name, &value);)
        if (resets_gave_back(&inquiry->resets, &found, name))
            params_set(&values, slice_from(name), slice_from(value));
    server->prefix_failed = false;
    bool sent = values.len > 0 && prefix_put(session, server, &values);
    if (known)
        resets_forget(&inquiry->resets);
    params_fini(&found);
    params_fini(&values);
    return sent;
}

bool inquiry_begin(struct session *session, struct server *server, char status)
{
    struct inquiry *inquiry = session->inquiry;
    if (!inquiry)
        return false;
    inquiry->status = status;
    if (request_ends(session->request) & STATEMENT_COMMIT && status != 'I')
        inquiry->chained = true;
    if (status == 'E') /* whatever the failed request has reset is undone, or will be */
        resets_forget(&inquiry->resets);
    if (status != 'I')
        return status == 'T' && ask_in_transaction(session, server);
    settle_doubts(session);
    inquiry->depth = depth_of(session);
    inquiry->asked = inquiry->pins | (inquiry->frees & session->pins);
    inquiry->asked = (inquiry->flags & STATEMENT_SURVEY ? PIN_ASKABLE : inquiry->asked) & PIN_ASKABLE;
    if (inquiry->depth == DEPTH_NONE && has_reset(inquiry) && !is_undone(session) &&
        !adopt_reset(session, server))
        inquiry->depth = DEPTH_ALL;
    if (inquiry->depth != DEPTH_NONE || inquiry->asked) {
        inquiry->stage = STAGE_ASKING;
        if (ask(session, server))
            return true;
        inquiry->stage = STAGE_COLLECTING;
        session_pin(session, PIN_UNKNOWN);
    } else if (restore(session, server)) {
        return true;
    }
    inquiry_free(session);
    return false;
}

/* A read alone leaves nothing: a replica that cannot say so keeps no session, whose writes belong elsewhere.
   Whatever is there goes with a reset. */
static bool leave_replica(struct session *session, struct server *server)
{
    const struct request *request = session->request;
    if (!session_is_split(session) || server->role != ROLE_REPLICA || request->in_transaction ||
        request->class != STATEMENT_READ)
        return false;
    log_event(LOG_WARNING, "replica_not_asked", "node=%s sqlstate=%s error=%s", server->node->name,
        server->prefix_failed ? server->prefix_error.sqlstate : "",
        server->prefix_failed ? server->prefix_error.text : "");
    server->dirty = true;
    inquiry_free(session);
    session_unpin(session, PIN_UNKNOWN);
    return true;
}

/* The server itself knows: the session stays there. What was not answered is asked again after the next
   transaction. */
static void stay(struct session *session, bool known)
{
    struct inquiry *inquiry = session->inquiry;
    session_pin(session, PIN_UNKNOWN);
    inquiry->unanswered = !known;
    if (!known) {
        inquiry->failures = 0;
        inquiry->flags |= STATEMENT_SURVEY;
    }
}

bool inquiry_on_done(struct session *session, struct server *server, char *status)
{
    struct inquiry *inquiry = session->inquiry;
    bool answered = inquiry->stage == STAGE_ASKING;
    if (inquiry->status != 'I') {
        inquiry->stage = STAGE_RESTORING;
        *status = inquiry->status;
        bool sent = answered && restore_in_transaction(session, server);
        buffer_release(&inquiry->rows, &session->all->spares);
        inquiry->stage = sent ? STAGE_RESTORING : STAGE_COLLECTING;
        return !sent;
    }
    bool known = !answered || take_answer(session, server);
    *status = inquiry->status;
    if (answered && known && restore(session, server))
        return false;
    buffer_release(&inquiry->rows, &session->all->spares);
    if (!known && ++inquiry->failures < ATTEMPTS && ask(session, server))
        return false;
    inquiry->stage = STAGE_COLLECTING;
    if (known && inquiry->doubts.len == 0)
        inquiry_free(session);
    else if (!leave_replica(session, server))
        stay(session, known);
    return true;
}

bool inquiry_is_asking(const struct session *session)
{
    return session->inquiry && session->inquiry->stage != STAGE_COLLECTING;
}
