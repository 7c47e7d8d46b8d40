/*
 * The extended protocol on the admin socket: prepared statements without parameters, portals, row limits. A
 * command's columns are known from the table, so that Describe need not run it. Portals live until Sync,
 * since there are no transactions; what a client may keep is bounded.
 */
#include "proxy/front/admin_script.h"
#include "proxy/front/admin_wire.h"

#include "proxy/wire/frontend.h"
#include "proxy/wire/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_BYTES_MAX ((size_t)256 * 1024)
#define PORTALS_MAX 16
#define NAME_SHOWN 64
#define SQLSTATE_INVALID_CURSOR_NAME "34000"
#define SQLSTATE_DUPLICATE_CURSOR "42P03"

struct statement {
    struct statement *next;
    char *name, *text;
    const struct command *command; /* NULL: an empty query */
};

struct portal {
    struct portal *next;
    char *name, *text;
    const struct command *command;
    bool ran;
    uint64_t binary; /* bit i: column i is wanted in binary */
    struct result result;
    size_t next_row;
};

static void refuse(struct client *client, const struct error *error)
{
    wire_error(client, SEVERITY_ERROR, error);
    wire_of(client)->skip_to_sync = true;
}

static void refuse_name(
    struct client *client, const char *sqlstate, const char *what, struct slice name, const char *why)
{
    struct error error;
    char shown[NAME_SHOWN + 1];
    size_t len = name.len < NAME_SHOWN ? name.len : NAME_SHOWN;
    for (size_t i = 0; i < len; i++)
        shown[i] = name.data[i] < ' ' || name.data[i] > '~' ? '?' : name.data[i];
    shown[len] = 0;
    error_set(&error, sqlstate, "%s \"%s\" %s", what, shown, why);
    refuse(client, &error);
}

static void refuse_text(struct client *client, const char *sqlstate, const char *text)
{
    struct error error;
    error_set(&error, sqlstate, "%s", text);
    refuse(client, &error);
}

/* ---- what is kept ---- */

static size_t weight(const char *name, const char *text)
{
    return strlen(name) + strlen(text) + 2;
}

static bool has_room(struct client *client, size_t bytes)
{
    if (wire_of(client)->kept_bytes + bytes <= KEPT_BYTES_MAX)
        return true;
    refuse_text(client, SQLSTATE_LIMIT_EXCEEDED, "too many prepared statements for the admin socket");
    return false;
}

static struct statement **find_statement(struct client *client, struct slice name)
{
    struct statement **at = &wire_of(client)->statements;
    while (*at && !slice_is(name, (*at)->name))
        at = &(*at)->next;
    return at;
}

static void drop_statement(struct client *client, struct statement **at)
{
    struct statement *statement = *at;
    *at = statement->next;
    wire_of(client)->kept_bytes -= weight(statement->name, statement->text);
    free(statement->name);
    free(statement->text);
    free(statement);
}

static struct portal **find_portal(struct client *client, struct slice name)
{
    struct portal **at = &wire_of(client)->portals;
    while (*at && !slice_is(name, (*at)->name))
        at = &(*at)->next;
    return at;
}

static void drop_portal(struct client *client, struct portal **at)
{
    struct portal *portal = *at;
    *at = portal->next;
    wire_of(client)->n_portals--;
    result_fini(&portal->result);
    free(portal->name);
    free(portal->text);
    free(portal);
}

void extended_sync(struct client *client)
{
    while (wire_of(client)->portals)
        drop_portal(client, &wire_of(client)->portals);
}

void extended_fini(struct client *client)
{
    extended_sync(client);
    while (wire_of(client)->statements)
        drop_statement(client, &wire_of(client)->statements);
}

/* ---- Parse ---- */

/* The one command in the text; false fills the error. */
static bool read_command(
    struct client *client, struct slice text, const struct command **out, struct error *error)
{
    struct slice first, second;
    struct words words;
    size_t used;
    *out = NULL;
    if (!words_next_command(&text, &first))
        return true;
    if (words_next_command(&text, &second))
        return error_set(
            error, SQLSTATE_SYNTAX_ERROR, "cannot insert multiple commands into a prepared statement");
    if (!words_parse(first, &words, error))
        return false;
    *out = script_find(client, &words, &used, error);
    words_fini(&words);
    return *out != NULL;
}

static void on_parse(struct client *client, struct slice body)
{
    struct frontend_parse parse;
    const struct command *command;
    struct error error = {0};
    if (!frontend_parse_parse(body, &parse)) {
        wire_fatal(client, SQLSTATE_PROTOCOL_VIOLATION, "invalid Parse message");
        return;
    }
    struct statement **old = find_statement(client, parse.name);
    if (*old && parse.name.len > 0) {
        refuse_name(client, SQLSTATE_DUPLICATE_STATEMENT, "prepared statement", parse.name, "already exists");
        return;
    }
    if (*old)
        drop_statement(client, old);
    if (!read_command(client, parse.query, &command, &error)) {
        refuse(client, &error);
        return;
    }
    if (!has_room(client, parse.name.len + parse.query.len + 2))
        return;
    struct statement *statement = calloc(1, sizeof *statement);
    if (!statement || !(statement->name = strndup(parse.name.data, parse.name.len)) ||
        !(statement->text = strndup(parse.query.data, parse.query.len)))
        abort();
    statement->command = command;
    statement->next = wire_of(client)->statements;
    wire_of(client)->statements = statement;
    wire_of(client)->kept_bytes += weight(statement->name, statement->text);
    wire_empty(client, BACKEND_PARSE_COMPLETE);
}

/* ---- Bind ---- */

/* What stands behind the names in a Bind. */
struct bind_tail {
    uint32_t parameters;
    uint32_t formats; /* of results: 0, 1 for all, or one for each column */
    uint64_t binary;  /* bit i: format i is binary */
};

/* False: malformed. */
static bool read_tail(const struct frontend_bind *bind, struct bind_tail *out)
{
    struct reader reader = reader_of(bind->rest);
    uint32_t formats = reader_u16(&reader);
    reader_bytes(&reader, (size_t)formats * 2);
    *out = (struct bind_tail){.parameters = reader_u16(&reader)};
    for (uint32_t i = 0; i < out->parameters && !reader.failed; i++) {
        int32_t len = reader_i32(&reader);
        reader_bytes(&reader, len > 0 ? (size_t)len : 0);
    }
    out->formats = reader_u16(&reader);
    for (uint32_t i = 0; i < out->formats && !reader.failed; i++) {
        bool binary = reader_u16(&reader) == 1;
        out->binary |= i < RESULT_COLUMNS_MAX && binary ? UINT64_C(1) << i : 0;
    }
    if (out->formats == 1 && out->binary)
        out->binary = UINT64_MAX;
    return reader_done(&reader);
}

static bool may_bind(struct client *client, const struct frontend_bind *bind, struct bind_tail *tail)
{
    struct statement *statement = *find_statement(client, bind->statement);
    if (!read_tail(bind, tail)) {
        wire_fatal(client, SQLSTATE_PROTOCOL_VIOLATION, "invalid Bind message");
        return false;
    }
    if (!statement) {
        refuse_name(
            client, SQLSTATE_INVALID_STATEMENT_NAME, "prepared statement", bind->statement, "does not exist");
        return false;
    }
    uint32_t columns = statement->command ? statement->command->shape->n : 0;
    if (tail->formats > 1 && tail->formats != columns) {
        refuse_text(
            client, SQLSTATE_PROTOCOL_VIOLATION, "the number of result formats is not that of the columns");
        return false;
    }
    if (tail->parameters > 0) {
        refuse_text(client, SQLSTATE_PROTOCOL_VIOLATION, "commands of the admin socket have no parameters");
        return false;
    }
    if (bind->portal.len > 0 && *find_portal(client, bind->portal)) {
        refuse_name(client, SQLSTATE_DUPLICATE_CURSOR, "portal", bind->portal, "already exists");
        return false;
    }
    if (wire_of(client)->n_portals == PORTALS_MAX) {
        refuse_text(client, SQLSTATE_LIMIT_EXCEEDED, "too many portals for the admin socket");
        return false;
    }
    return true;
}

static void on_bind(struct client *client, struct slice body)
{
    struct frontend_bind bind;
    struct bind_tail tail;
    if (!frontend_parse_bind(body, &bind)) {
        wire_fatal(client, SQLSTATE_PROTOCOL_VIOLATION, "invalid Bind message");
        return;
    }
    struct portal **old = find_portal(client, bind.portal);
    if (*old && bind.portal.len == 0)
        drop_portal(client, old);
    if (!may_bind(client, &bind, &tail))
        return;
    const struct statement *statement = *find_statement(client, bind.statement);
    struct portal *portal = calloc(1, sizeof *portal);
    if (!portal || !(portal->name = strndup(bind.portal.data, bind.portal.len)) ||
        !(portal->text = strdup(statement->text)))
        abort();
    portal->command = statement->command;
    portal->binary = tail.binary;
    portal->next = wire_of(client)->portals;
    wire_of(client)->portals = portal;
    wire_of(client)->n_portals++;
    wire_empty(client, BACKEND_BIND_COMPLETE);
}

/* ---- Execute ---- */

/* The next rows of a portal that has run. */
static void send_rows(struct client *client, struct portal *portal)
{
    size_t left = result_rows(&portal->result) - portal->next_row;
    uint32_t limit = wire_of(client)->max_rows;
    bool suspend = limit > 0 && left > limit;
    size_t n = suspend ? limit : left;
    wire_rows(client, &portal->result, portal->next_row, n, portal->binary);
    portal->next_row += n;
    if (suspend)
        wire_empty(client, BACKEND_PORTAL_SUSPENDED);
    else
        wire_complete(client, command_tag(portal->command));
}

static void on_answer(struct client *client, struct command_call *call)
{
    struct portal *portal = wire_of(client)->executing;
    portal->ran = true;
    portal->result = call->result;
    result_init(&call->result, call->result.shape); /* it is the portal's now */
    if (portal->result.notice[0])
        wire_notice(client, portal->result.notice);
    send_rows(client, portal);
}

static void on_end(struct client *client)
{
    wire_of(client)->executing = NULL;
}

static const struct script_events portal_events = {.answer = on_answer, .fail = refuse, .end = on_end};

static void on_execute(struct client *client, struct slice body)
{
    struct frontend_execute execute;
    if (!frontend_parse_execute(body, &execute)) {
        wire_fatal(client, SQLSTATE_PROTOCOL_VIOLATION, "invalid Execute message");
        return;
    }
    struct portal *portal = *find_portal(client, execute.portal);
    wire_of(client)->max_rows = execute.max_rows;
    if (!portal) {
        refuse_name(client, SQLSTATE_INVALID_CURSOR_NAME, "portal", execute.portal, "does not exist");
    } else if (!portal->command) {
        wire_empty(client, BACKEND_EMPTY_QUERY);
    } else if (portal->ran) {
        send_rows(client, portal);
    } else {
        wire_of(client)->executing = portal;
        script_begin(client, slice_from(portal->text), &portal_events);
    }
}

/* ---- Describe, Close ---- */

static void describe(struct client *client, const struct frontend_target *target)
{
    struct statement *statement = target->kind == 'S' ? *find_statement(client, target->name) : NULL;
    struct portal *portal = target->kind == 'P' ? *find_portal(client, target->name) : NULL;
    if (target->kind == 'S' && !statement) {
        refuse_name(
            client, SQLSTATE_INVALID_STATEMENT_NAME, "prepared statement", target->name, "does not exist");
        return;
    }
    if (target->kind == 'P' && !portal) {
        refuse_name(client, SQLSTATE_INVALID_CURSOR_NAME, "portal", target->name, "does not exist");
        return;
    }
    const struct command *command = statement ? statement->command : portal->command;
    if (statement)
        output_bytes(&client->out, "t\0\0\0\6\0\0", 7); /* ParameterDescription: none */
    wire_columns(client, command ? command->shape : NULL, portal ? portal->binary : 0);
}

static void close_target(struct client *client, const struct frontend_target *target)
{
    struct statement **statement = target->kind == 'S' ? find_statement(client, target->name) : NULL;
    struct portal **portal = target->kind == 'P' ? find_portal(client, target->name) : NULL;
    if (statement && *statement)
        drop_statement(client, statement);
    if (portal && *portal)
        drop_portal(client, portal);
    wire_empty(client, BACKEND_CLOSE_COMPLETE);
}

void extended_message(struct client *client, const struct frame *frame)
{
    struct frontend_target target;
    struct slice body = frame_body(frame);
    if (frame->type == FRONTEND_PARSE)
        on_parse(client, body);
    else if (frame->type == FRONTEND_BIND)
        on_bind(client, body);
    else if (frame->type == FRONTEND_EXECUTE)
        on_execute(client, body);
    else if (!frontend_parse_target(body, &target))
        wire_fatal(client, SQLSTATE_PROTOCOL_VIOLATION, "invalid Describe or Close message");
    else if (frame->type == FRONTEND_DESCRIBE)
        describe(client, &target);
    else
        close_target(client, &target);
}
