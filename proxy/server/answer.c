/*
 * What a node says, message by message; see answer.h.
 *
 * Each message is matched with the head of the queue of what is owed: the head says whether it is hidden and
 * what ends with it. Rows pass in runs, large messages in parts; everything that carries state is looked at
 * whole. After an error in the extended protocol the entries up to the next Sync are dropped, as the node
 * skips them.
 */
#include "proxy/server/answer.h"

#include <assert.h>
#include <stdlib.h>

#define WHOLE_MAX                                                                                            \
    (REACTOR_READ_BUFFER / 4) /* messages that must be seen whole and are longer pass unseen                 \
                               */

static void deliver(struct server *server, const struct answer *answer)
{
    if (!server->user_events)
        return;
    if (!answer->hidden)
        server->user_events->on_answer(server->user, server, answer);
    else if (answer->inquiry && answer->type == BACKEND_DATA_ROW)
        server->user_events->on_inquiry(server->user, server, answer);
    else if (answer->kind == EXPECT_DESCRIBE && server->user_events->on_described &&
             (answer->type == BACKEND_ROW_DESCRIPTION || answer->type == BACKEND_NO_DATA))
        server->user_events->on_described(server->user, server, answer);
}

static void bad_message(struct server *server, char type)
{
    struct error error;
    error_set(&error, SQLSTATE_PROTOCOL_VIOLATION, "unexpected %s from the node", frame_backend_name(type));
    server->owner_events->on_end(server, STREAM_END_OTHER, &error);
}

void answer_local(struct server *server)
{
    struct expect *head;
    while ((head = expect_head(&server->expect)) &&
           (head->kind == EXPECT_LOCAL || head->kind == EXPECT_COPY_END)) {
        if (head->kind == EXPECT_COPY_END) { /* there was no COPY: the node has ignored it */
            expect_pop(&server->expect);
            continue;
        }
        const char bytes[5] = {head->local, 0, 0, 0, 4};
        struct answer answer = {
            .type = head->local, .bytes = bytes, .len = sizeof bytes, .first = true, .last = true};
        expect_pop(&server->expect);
        deliver(server, &answer);
        if (server->state == SERVER_CLOSED)
            return;
    }
}

/* Does this message end the entry at the head? */
static bool ends(const struct expect *head, char type)
{
    switch ((enum expect_kind)head->kind) {
    case EXPECT_PARSE: return type == BACKEND_PARSE_COMPLETE;
    case EXPECT_BIND: return type == BACKEND_BIND_COMPLETE;
    case EXPECT_CLOSE: return type == BACKEND_CLOSE_COMPLETE;
    case EXPECT_DESCRIBE: return type == BACKEND_ROW_DESCRIPTION || type == BACKEND_NO_DATA;
    case EXPECT_EXECUTE:
        return type == BACKEND_COMMAND_COMPLETE || type == BACKEND_EMPTY_QUERY ||
               type == BACKEND_PORTAL_SUSPENDED;
    case EXPECT_QUERY:
    case EXPECT_SYNC: return type == BACKEND_READY;
    case EXPECT_COPY_END:
    case EXPECT_LOCAL: return false;
    }
    return false;
}

/* A Parse that was skipped or failed left nothing on the server; a Close that was skipped left what was
 * there. */
static void forget_skipped(void *context, const struct expect *entry)
{
    struct server *server = context;
    if (entry->kind == EXPECT_CLOSE && entry->hidden && entry->about)
        statements_add(&server->statements, entry->about);
    if (entry->kind == EXPECT_EXECUTE && entry->hidden)
        statements_remove(&server->statements, entry->about);
    if (entry->kind != EXPECT_PARSE || entry->about == EXPECT_ABOUT_NOTHING)
        return;
    if (entry->about)
        statements_remove(&server->statements, entry->about);
    else
        server->statements.unnamed = STATEMENTS_UNNAMED_UNKNOWN; /* perhaps the one parsed before it */
}

static void on_error(struct server *server, const struct frame *frame, struct answer *answer)
{
    struct backend_error error;
    if (frame->whole && backend_parse_error(frame_body(frame), &error)) {
        answer->error = &error;
        if (error.severity >= SEVERITY_FATAL) {
            memcpy(server->fatal_sqlstate, error.sqlstate, sizeof server->fatal_sqlstate);
            server->spent = true; /* its end of the connection comes with the next read */
        }
    }
    struct expect *head = expect_head(&server->expect);
    if (head && head->hidden && head->kind == EXPECT_QUERY) {
        answer->hidden = true;
        server->prefix_failed = true;
        if (answer->error)
            error_set(
                &server->prefix_error, error.sqlstate, "%.*s", (int)error.message.len, error.message.data);
        else
            error_set(&server->prefix_error, SQLSTATE_PROTOCOL_VIOLATION, "malformed error from the node");
        return;
    }
    answer->injected = answer->hidden;
    answer->within = head && head->within && expect_next_is(&server->expect, EXPECT_BIND);
    answer->hidden = false; /* an injected Parse that fails fails the client's Bind */
    if (head && head->kind != EXPECT_QUERY)
        expect_skip_to_sync(&server->expect, server, forget_skipped);
    deliver(server, answer);
    answer->error = NULL; /* it was on this stack */
}

static void on_notice(struct server *server, const struct frame *frame, struct answer *answer)
{
    struct backend_error notice;
    if (frame->whole && backend_parse_error(frame_body(frame), &notice)) {
        answer->error = &notice;
        if (strcmp(notice.sqlstate, SQLSTATE_ADMIN_SHUTDOWN) == 0 || strcmp(notice.sqlstate, "57P02") == 0)
            server->shutdown_warned = true;
    }
    deliver(server, answer);
    answer->error = NULL; /* it was on this stack */
}

static void settled(struct server *server)
{
    if (server->state == SERVER_ACTIVE || server->expect.count > 0)
        return;
    bool setup = server->state == SERVER_SETUP;
    if ((setup || server->state == SERVER_RESETTING) && server->prefix_failed) {
        struct error error = server->prefix_error;
        memcpy(server->fatal_sqlstate, error.sqlstate,
            sizeof server->fatal_sqlstate); /* the node itself said no */
        server->owner_events->on_end(server, STREAM_END_OTHER, &error);
        return;
    }
    if (setup || server->state == SERVER_RESETTING) {
        server->state = SERVER_IDLE;
        server->used_ms = uv_now(server->reactor->loop);
        server->deadline_ms = 0;
        server->owner_events->on_ready(server);
    }
}

/* What a user has said that it is about. */
static uint64_t key_of(const struct expect *entry)
{
    switch ((enum expect_kind)entry->kind) {
    case EXPECT_BIND:
    case EXPECT_DESCRIBE: return entry->about;
    case EXPECT_EXECUTE:
    case EXPECT_QUERY: return entry->hidden ? 0 : entry->about;
    case EXPECT_PARSE:
    case EXPECT_CLOSE:
    case EXPECT_SYNC:
    case EXPECT_COPY_END:
    case EXPECT_LOCAL: return 0;
    }
    return 0;
}

/* One whole message (or the first part of a large one). */
static void on_message(struct server *server, const struct frame *frame, struct answer *answer)
{
    struct expect *head = expect_head(&server->expect);
    answer->hidden = head && head->hidden;
    answer->inquiry = answer->hidden && head->kind == EXPECT_QUERY && head->about == INJECTED_INQUIRY;
    answer->ahead = head && head->ahead;

    answer->kind = head ? (enum expect_kind)head->kind : EXPECT_SYNC;
    answer->about = head ? key_of(head) : 0;
    char type = frame->type;
    if (type == BACKEND_PARAMETER_STATUS || type == BACKEND_NOTIFICATION) {
        struct slice name, value;
        if (type == BACKEND_PARAMETER_STATUS && frame->whole &&
            backend_parse_parameter_status(frame_body(frame), &name, &value))
            params_set(&server->params, name, value);
        if (type == BACKEND_NOTIFICATION)
            answer->hidden = false;
        deliver(server, answer);
        return;
    }
    if (type == BACKEND_NOTICE) {
        on_notice(server, frame, answer);
        return;
    }
    if (type == BACKEND_ERROR) {
        on_error(server, frame, answer);
        return;
    }
    if (!head) {
        bad_message(server, type);
        return;
    }
    if (type == BACKEND_READY) {
        if ((head->kind != EXPECT_SYNC && head->kind != EXPECT_QUERY) || !frame->whole ||
            !backend_parse_ready(frame_body(frame), &answer->status)) {
            bad_message(server, type);
            return;
        }
        server_note_transaction(server, answer->status);
    }
    if (type == BACKEND_COPY_IN && head->kind == EXPECT_EXECUTE)
        answer->copy_ended = expect_copy_in(&server->expect);
    if (answer->last && ends(head, type)) {
        if (head->kind == EXPECT_EXECUTE && head->hidden && !head->about)
            server_note_transaction(server, 'T'); /* server_inject_begin */
        expect_pop(&server->expect);
    }
    if (type == BACKEND_READY && answer->hidden && server->user_events)
        server->user_events->on_prefix_done(server->user, server);
    else
        deliver(server, answer);
}

static bool is_row(char type)
{
    return type == BACKEND_DATA_ROW || type == BACKEND_COPY_DATA;
}

/* Bytes of a run of whole rows of one type at the start. */
static size_t row_run(const char *bytes, size_t len, char type)
{
    size_t run = 0;
    struct frame frame;
    while (run < len && bytes[run] == type && frame_parse(bytes + run, len - run, &frame) == FRAME_OK &&
           frame.whole)
        run += frame.total;
    return run;
}

static size_t pass_on(struct server *server, const char *bytes, size_t len)
{
    size_t part = len < server->passing ? len : server->passing;
    server->passing -= part;
    struct answer answer = {.type = server->passing_type,
        .bytes = bytes,
        .len = part,
        .last = server->passing == 0,
        .hidden = server->passing_hidden,
        .inquiry = server->passing_inquiry};
    struct expect *head = expect_head(&server->expect);
    if (answer.last && head && ends(head, answer.type))
        expect_pop(&server->expect);
    deliver(server, &answer);
    return part;
}

static size_t one(struct server *server, const char *bytes, size_t len)
{
    if (server->passing > 0)
        return pass_on(server, bytes, len);
    struct frame frame;
    enum frame_result result = frame_parse(bytes, len, &frame);
    if (result == FRAME_MORE)
        return 0;
    if (result == FRAME_BAD) {
        bad_message(server, bytes[0]);
        return len;
    }
    if (!frame.whole && frame.total <= (is_row(frame.type) ? 0 : WHOLE_MAX))
        return 0;
    struct answer answer = {
        .type = frame.type, .bytes = bytes, .len = frame.total, .first = true, .last = true};
    if (!frame.whole) {
        answer.len = len;
        answer.last = false;
        server->passing = frame.total - len;
        server->passing_type = frame.type;
    } else if (is_row(frame.type)) {
        answer.len = row_run(bytes, len, frame.type);
    }
    answer.followed = answer.len < len;
    on_message(server, &frame, &answer);
    server->passing_hidden = answer.hidden;
    server->passing_inquiry = answer.inquiry;
    return answer.len;
}

size_t answer_parse(struct server *server, const char *bytes, size_t len)
{
    size_t used = 0;
    while (used < len) {
        enum server_state before = server->state;
        size_t took = one(server, bytes + used, len - used);
        if (took == 0)
            break;
        used += took;
        if (server->state == SERVER_CLOSED)
            return len;
        answer_local(server);
        if (server->state == SERVER_CLOSED)
            return len;
        settled(server);
        if (server->state == SERVER_CLOSED)
            return len;
        if (server->stream.held || (server->state != before && server->state == SERVER_RAW))
            break;
    }
    return used;
}
