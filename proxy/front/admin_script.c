/*
 * What a client of the admin socket has asked for, command by command; see admin_script.h.
 *
 * All well: each command is found, the workers are asked when it wants to know something of them, it runs, is
 * answered, and the next one comes. Failure: the first error ends the script; a worker that does not answer
 * is left out of the answer, a control thread that does not is an error, and who has cancelled waits no
 * longer.
 */
#include "proxy/front/admin_script.h"

#include "conf/base/log.h"
#include "proxy/front/events.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_MS 5000 /* of the control thread */

static void end_script(struct client *client)
{
    const struct script_events *events = client->events;
    free(client->script);
    client->script = NULL;
    client->events = NULL;
    events->end(client);
}

void script_leave(struct client *client)
{
    result_fini(&client->call.result);
    words_fini(&client->words);
    survey_free(client->survey);
    client->survey = NULL;
}

/* An event for who has changed something, or tried to. */
static void note_command(const struct client *client, const char *failure)
{
    const struct command_call *call = &client->call;
    if (!call->command || call->command->permission != PERMISSION_ADMIN || !call->view->events)
        return;
    const char *first = call->n_arguments > 0 ? call->arguments[0].text : "";
    const char *second = call->n_arguments > 1 ? call->arguments[1].text : "";
    struct event event = {.kind = EVENT_COMMAND};
    event_say(event.text, sizeof event.text, "%s%s%s%s%s", call->command->words, *first ? " " : "", first,
        *second ? " " : "", second);
    event_say(event.reason, sizeof event.reason, "said %s%s%s", client->who, *failure ? "; refused: " : "",
        failure);
    events_add(call->view->events, &event);
}

static void fail_command(struct client *client, const struct error *error)
{
    note_command(client, error->text);
    client->events->fail(client, error);
    script_leave(client);
    end_script(client);
}

static void note_gaps(const struct survey *survey, struct result *result)
{
    if (survey && survey->silent)
        snprintf(result->notice, sizeof result->notice,
            "%u of the workers did not answer: their rows are missing", survey->silent);
    else if (result->truncated || (survey && survey->incomplete))
        snprintf(result->notice, sizeof result->notice, "out of memory: rows are missing");
}

static void answer_command(struct client *client)
{
    note_command(client, "");
    note_gaps(client->survey, &client->call.result);
    client->events->answer(client, &client->call);
    script_leave(client);
}

static void run_command(struct client *client)
{
    struct command_call *call = &client->call;
    struct error error = {0};
    call->survey = client->survey;
    call->next = COMMAND_DONE;
    if (!command_run(call, &error)) {
        fail_command(client, &error);
        return;
    }
    if (call->next == COMMAND_DONE) {
        answer_command(client);
        return;
    }
    survey_free(client->survey);
    client->survey = NULL;
    client->state = CLIENT_RUNNING;
    client->since_ms = uv_now(client->pipe.loop);
}

static void on_survey(void *user, struct survey *survey)
{
    struct client *client = user;
    assert(client->state == CLIENT_RUNNING && client->survey == survey);
    client->state = CLIENT_READING;
    run_command(client);
    client_step(client);
}

/* Runs it as soon as the workers have told what it wants to know. */
static void begin_command(struct client *client)
{
    enum survey_kind asks = client->call.asks;
    struct error error;
    if (asks == SURVEY_NONE) {
        run_command(client);
        return;
    }
    client->survey = survey_start(client->owner->surveys, asks, &client->call.errand, on_survey, client);
    if (client->survey) {
        client->state = CLIENT_RUNNING;
        return;
    }
    error_set(&error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    fail_command(client, &error);
}

static void start_command(struct client *client, const struct command *command, size_t used)
{
    struct error error = {0};
    client->call = (struct command_call){.command = command,
        .arguments = client->words.list + used,
        .n_arguments = client->words.n - used,
        .asks = command->survey,
        .view = client->owner->view};
    result_init(&client->call.result, command->shape);
    if (command->permission == PERMISSION_ADMIN)
        log_event(LOG_INFO, "admin_command", "command=%s argument=%s said=%s", command->words,
            client->call.n_arguments ? client->call.arguments[0].text : NULL, client->who);
    if (command->prepare && !command->prepare(&client->call, &error))
        fail_command(client, &error);
    else
        begin_command(client);
}

static void resume_command(struct client *client)
{
    client->state = CLIENT_READING;
    begin_command(client);
    client_step(client);
}

static void end_order(struct client *client, const struct error *error)
{
    client->state = CLIENT_READING;
    if (error)
        fail_command(client, error);
    else
        answer_command(client);
    client_step(client);
}

void script_cancel(struct client *client)
{
    const struct command *command = client->call.command;
    struct error error;
    if (client->state != CLIENT_RUNNING || !command || !command->cancel)
        return; /* what takes no time is not given up */
    bool goes_on = command->cancel(&client->call, &error);
    if (goes_on && client->call.next == COMMAND_ORDERED)
        return;
    survey_free(client->survey);
    client->survey = NULL;
    client->state = CLIENT_READING;
    if (goes_on)
        begin_command(client);
    else
        fail_command(client, &error);
    client_step(client);
}

static bool awaits_reply(const struct client *client)
{
    return client->state == CLIENT_RUNNING && !client->survey && client->call.next == COMMAND_ORDERED;
}

void script_on_reply(struct client *client, const struct message *reply)
{
    const struct error *error = &reply->node_order_reply.error;
    if (!awaits_reply(client) || client->call.ticket != reply->node_order_reply.ticket)
        return;
    if (reply->node_order_reply.done && client->call.command->shape->n > 0)
        result_text(&client->call.result, error->text);
    end_order(client, reply->node_order_reply.done ? NULL : error);
}

const struct command *script_find(
    const struct client *client, const struct words *words, size_t *used, struct error *error)
{
    if (client->may_look)
        return command_find(words, client->is_admin, used, error);
    error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE,
        "permission denied: your account is neither among admin_users nor among stats_users");
    return NULL;
}

void script_next(struct client *client)
{
    struct slice text;
    struct error error = {0};
    size_t used;
    if (!words_next_command(&client->rest, &text)) {
        end_script(client);
        return;
    }
    client->call = (struct command_call){0};
    if (!words_parse(text, &client->words, &error)) {
        fail_command(client, &error);
        return;
    }
    if (client->events->directive && client->events->directive(client, &client->words)) {
        script_leave(client);
        return;
    }
    const struct command *command = script_find(client, &client->words, &used, &error);
    if (command)
        start_command(client, command, used);
    else
        fail_command(client, &error);
}

void script_begin(struct client *client, struct slice text, const struct script_events *events)
{
    assert(!client->script);
    client->events = events;
    client->script = malloc(text.len + 1);
    if (!client->script) {
        struct error error;
        error_set(&error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
        events->fail(client, &error);
        end_script(client);
        return;
    }
    if (text.len)
        memcpy(client->script, text.data, text.len);
    client->rest = slice_of(client->script, text.len);
}

void script_tick(struct client *client)
{
    uint64_t waited = uv_now(client->pipe.loop) - client->since_ms;
    struct error error;
    if (client->survey) {
        survey_check(client->survey);
    } else if (client->call.next == COMMAND_AGAIN) {
        resume_command(client);
    } else if (waited > REPLY_MS && !client->call.command->lasts) {
        error_set(&error, SQLSTATE_INTERNAL_ERROR, "the control thread does not answer; the log will tell");
        end_order(client, &error);
    }
}
