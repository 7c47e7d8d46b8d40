/*
 * The admin socket's PostgreSQL language: enough of protocol 3 for psql and drivers.
 *
 * All well: SSLRequest and GSSENCRequest are declined, any user and database is welcome (who may do what was
 * decided by the socket; who comes from a listener has logged in there), then simple queries of one or
 * several commands, or the extended protocol. Every column is text. Failure: a command's error is an
 * ErrorResponse and the session goes on; a malformed message is FATAL.
 */
#include "proxy/front/admin_wire.h"
#include "proxy/front/admin_script.h"

#include "proxy/wire/frontend.h"
#include "proxy/wire/startup.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMALL_MESSAGE 2048

/* ---- messages ---- */

static struct builder small(struct client *client)
{
    char *room = output_reserve(&client->out, SMALL_MESSAGE);
    return builder_of(room, room ? SMALL_MESSAGE : 0);
}

static void commit(struct client *client, const struct builder *builder)
{
    if (builder->data)
        output_commit(&client->out, builder->len);
}

void wire_error(struct client *client, enum severity severity, const struct error *error)
{
    struct builder builder = small(client);
    backend_build_error(&builder, severity, error->sqlstate, error->text, NULL, NULL);
    commit(client, &builder);
}

void wire_notice(struct client *client, const char *text)
{
    struct builder builder = small(client);
    backend_build_notice(&builder, SEVERITY_WARNING, SQLSTATE_INTERNAL_ERROR, text, NULL, NULL);
    commit(client, &builder);
}

void wire_empty(struct client *client, char type)
{
    struct builder builder = small(client);
    builder_empty(&builder, type);
    commit(client, &builder);
}

/* Types as PostgreSQL numbers them (pg_type.oid). */
static uint32_t type_of(enum column_kind kind)
{
    switch (kind) {
    case COLUMN_TEXT: return 25;   /* text */
    case COLUMN_NUMBER: return 20; /* int8 */
    case COLUMN_BOOL: return 16;   /* bool */
    }
    return 25;
}

static uint16_t length_of(enum column_kind kind)
{
    switch (kind) {
    case COLUMN_TEXT: return UINT16_MAX; /* -1: varies */
    case COLUMN_NUMBER: return 8;
    case COLUMN_BOOL: return 1;
    }
    return UINT16_MAX;
}

void wire_columns(struct client *client, const struct result_shape *shape, uint64_t binary)
{
    if (!shape || shape->n == 0) {
        wire_empty(client, BACKEND_NO_DATA);
        return;
    }
    struct builder builder = small(client);
    builder_begin(&builder, BACKEND_ROW_DESCRIPTION);
    builder_u16(&builder, (uint16_t)shape->n);
    for (uint32_t i = 0; i < shape->n; i++) {
        builder_cstring(&builder, slice_from(shape->columns[i].name));
        builder_u32(&builder, 0); /* no table */
        builder_u16(&builder, 0); /* no column of it */
        builder_u32(&builder, type_of(shape->columns[i].kind));
        builder_u16(&builder, length_of(shape->columns[i].kind));
        builder_u32(&builder, UINT32_MAX); /* no type modifier */
        builder_u16(&builder, (uint16_t)(binary >> i & 1));
    }
    bool fits = builder_end(&builder);
    assert(fits || !builder.data);
    commit(client, &builder);
}

static void add_value(struct builder *builder, struct slice cell, enum column_kind kind, bool binary)
{
    if (!cell.data) {
        builder_u32(builder, UINT32_MAX);
    } else if (binary && kind == COLUMN_NUMBER) {
        uint64_t number = 0;
        for (size_t i = 0; i < cell.len; i++)
            number = number * 10 + (uint64_t)(cell.data[i] - '0');
        builder_u32(builder, 8);
        builder_u32(builder, (uint32_t)(number >> 32));
        builder_u32(builder, (uint32_t)number);
    } else if (binary && kind == COLUMN_BOOL) {
        builder_u32(builder, 1);
        builder_u8(builder, cell.data[0] == 't');
    } else { /* binary text is text */
        builder_u32(builder, (uint32_t)cell.len);
        builder_slice(builder, cell);
    }
}

void wire_rows(struct client *client, const struct result *result, size_t first, size_t n, uint64_t binary)
{
    const struct result_shape *shape = result->shape;
    assert(shape->n <= RESULT_COLUMNS_MAX);
    for (size_t row = first; row < first + n; row++) {
        size_t size = FRAME_HEADER_LEN + 2 + 12 * shape->n;
        for (uint32_t i = 0; i < shape->n; i++)
            size += result_cell(result, row, i).len;
        struct builder builder = builder_of(output_reserve(&client->out, size), size);
        if (!builder.data)
            return;
        builder_begin(&builder, BACKEND_DATA_ROW);
        builder_u16(&builder, (uint16_t)shape->n);
        for (uint32_t i = 0; i < shape->n; i++)
            add_value(&builder, result_cell(result, row, i), shape->columns[i].kind, binary >> i & 1);
        bool fits = builder_end(&builder);
        assert(fits);
        commit(client, &builder);
    }
}

void wire_complete(struct client *client, struct slice tag)
{
    struct builder builder = small(client);
    backend_build_command_complete(&builder, tag);
    commit(client, &builder);
}

static void ready(struct client *client)
{
    struct builder builder = small(client);
    backend_build_ready(&builder, 'I');
    commit(client, &builder);
}

void wire_fatal(struct client *client, const char *sqlstate, const char *text)
{
    struct error error;
    error_set(&error, sqlstate, "%s", text);
    wire_error(client, SEVERITY_FATAL, &error);
    client->ending = true;
}

/* ---- login ---- */

static void greet(struct client *client)
{
    static const char *const parameters[][2] = {
        /* A number that psql and drivers can read; psql warns of servers older or newer than it knows. */
        {"server_version", "14.0 (rolecall " ROLECALL_VERSION ")"},
        {"server_encoding", "UTF8"},
        {"client_encoding", "UTF8"},
        {"standard_conforming_strings", "on"},
        {"integer_datetimes", "on"},
        {"DateStyle", "ISO, MDY"},
        {"IntervalStyle", "postgres"},
        {"TimeZone", "UTC"},
        {"in_hot_standby", "off"},
        {"default_transaction_read_only", "off"},
    };
    struct builder builder = small(client);
    backend_build_authentication_ok(&builder);
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        backend_build_parameter_status(&builder, slice_from(parameters[i][0]), slice_from(parameters[i][1]));
    backend_build_key_data(
        &builder, client->key.pid, slice_of((const char *)client->key.secret, client->key.secret_len));
    commit(client, &builder);
    ready(client);
    wire_of(client)->logged_in = client->welcomed = true;
}

/* As PostgreSQL's: a positive number and 4 bytes, or 32 where the client's protocol has them. */
static bool make_key(struct client *client, const struct startup *startup)
{
    client->key.secret_len = startup->version == PROTOCOL_3_2 ? CANCEL_WIDE_SECRET : 4;
    if (!cancel_random(&client->key.pid, sizeof client->key.pid) ||
        !cancel_random(client->key.secret, client->key.secret_len))
        return false;
    client->key.pid = (client->key.pid & INT32_MAX) | 1;
    return true;
}

static void begin_session(struct client *client, const struct startup *startup)
{
    if (startup->replication != REPLICATION_NONE) {
        wire_fatal(client, SQLSTATE_FEATURE_NOT_SUPPORTED, "the admin socket does not replicate");
        return;
    }
    if (!make_key(client, startup)) {
        wire_fatal(client, SQLSTATE_INTERNAL_ERROR, "no random bytes");
        return;
    }
    if (startup->negotiate) {
        struct builder builder = small(client);
        startup_build_negotiate(&builder, startup);
        commit(client, &builder);
    }
    greet(client);
}

static bool talk(struct client *client)
{
    if (!client->talk && !(client->talk = calloc(1, sizeof(struct wire))))
        client->ending = true;
    return client->talk != NULL;
}

static void greet_adopted(struct client *client)
{
    if (talk(client))
        greet(client);
}

static size_t consume_startup(struct client *client, const char *bytes, size_t len)
{
    struct startup startup;
    struct error error = {0};
    enum frame_result result = startup_parse(bytes, len, &startup, &error);
    if (result == FRAME_MORE)
        return 0;
    if (result == FRAME_BAD) {
        wire_fatal(client, error.sqlstate, error.text);
        return len;
    }
    switch (startup.kind) {
    case STARTUP_SSL_REQUEST:
    case STARTUP_GSSENC_REQUEST: output_text(&client->out, "N"); break;
    case STARTUP_CANCEL:
        client->owner->on_cancel(client->owner->context, startup.cancel_pid, startup.cancel_secret);
        client->ending = true;
        break;
    case STARTUP_SESSION: begin_session(client, &startup); break;
    }
    return startup.total;
}

/* ---- simple queries ---- */

static void on_answer(struct client *client, struct command_call *call)
{
    wire_of(client)->answers++;
    if (call->result.shape->n > 0) {
        wire_columns(client, call->result.shape, 0);
        wire_rows(client, &call->result, 0, result_rows(&call->result), 0);
    }
    if (call->result.notice[0])
        wire_notice(client, call->result.notice);
    wire_complete(client, command_tag(call->command));
}

static void on_fail(struct client *client, const struct error *error)
{
    wire_of(client)->answers++;
    wire_error(client, SEVERITY_ERROR, error);
}

static void on_end(struct client *client)
{
    if (wire_of(client)->answers == 0)
        wire_empty(client, BACKEND_EMPTY_QUERY);
    ready(client);
}

static const struct script_events query_events = {.answer = on_answer, .fail = on_fail, .end = on_end};

static void simple_query(struct client *client, const struct frame *frame)
{
    struct slice query;
    if (!frontend_parse_query(frame_body(frame), &query)) {
        wire_fatal(client, SQLSTATE_PROTOCOL_VIOLATION, "invalid Query message");
        return;
    }
    wire_of(client)->answers = 0;
    script_begin(client, query, &query_events);
}

/* ---- all messages ---- */

static void refuse_call(struct client *client)
{
    struct error error;
    error_set(&error, SQLSTATE_FEATURE_NOT_SUPPORTED, "the admin socket calls no functions");
    wire_error(client, SEVERITY_ERROR, &error);
    ready(client);
}

static void handle(struct client *client, const struct frame *frame)
{
    char text[64];
    if (frame->type == FRONTEND_SYNC) {
        wire_of(client)->skip_to_sync = false;
        extended_sync(client);
        ready(client);
        return;
    }
    if (frame->type == FRONTEND_TERMINATE) {
        client->ending = true;
        return;
    }
    if (wire_of(client)->skip_to_sync)
        return;
    switch (frame->type) {
    case FRONTEND_QUERY: simple_query(client, frame); return;
    case FRONTEND_PARSE:
    case FRONTEND_BIND:
    case FRONTEND_DESCRIBE:
    case FRONTEND_EXECUTE:
    case FRONTEND_CLOSE: extended_message(client, frame); return;
    case FRONTEND_FUNCTION_CALL: refuse_call(client); return;
    case FRONTEND_FLUSH:
    case FRONTEND_COPY_DATA: /* as PostgreSQL: the rest of a COPY that failed */
    case FRONTEND_COPY_DONE:
    case FRONTEND_COPY_FAIL: return;
    default: break;
    }
    snprintf(text, sizeof text, "invalid frontend message type %d", (unsigned char)frame->type);
    wire_fatal(client, SQLSTATE_PROTOCOL_VIOLATION, text);
}

static size_t consume(struct client *client, const char *bytes, size_t len)
{
    struct frame frame;
    if (!talk(client))
        return len;
    if (!wire_of(client)->logged_in)
        return consume_startup(client, bytes, len);
    enum frame_result result = frame_parse(bytes, len, &frame);
    if (result == FRAME_MORE)
        return 0;
    if (result == FRAME_BAD) {
        wire_fatal(client, SQLSTATE_PROTOCOL_VIOLATION, "invalid message length");
        return len;
    }
    if (frame.total > CLIENT_INPUT_MAX) {
        wire_fatal(
            client, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "the message is longer than the admin socket takes");
        return len;
    }
    if (!frame.whole)
        return 0;
    handle(client, &frame);
    return frame.total;
}

static void fatal(struct client *client, const struct error *error)
{
    wire_error(client, SEVERITY_FATAL, error);
}

static void fini(struct client *client)
{
    if (client->talk)
        extended_fini(client);
    free(client->talk);
}

const struct client_language wire_language = {
    .consume = consume, .greet = greet_adopted, .fatal = fatal, .fini = fini};
