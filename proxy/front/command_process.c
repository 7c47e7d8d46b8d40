/* Commands about the process itself: HELP, VERSION, RELOAD, SHUTDOWN, LOG LEVEL. */
#include "proxy/front/command_handlers.h"

#include "conf/base/clock.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

const struct result_shape no_shape = {NULL, 0};

static const struct result_column version_columns[] = {{"version", COLUMN_TEXT}};
const struct result_shape version_shape = RESULT_SHAPE(version_columns);

static const struct result_column state_columns[] = {
    {"version", COLUMN_TEXT},
    {"state", COLUMN_TEXT}, /* active, paused (all databases), stopping */
    {"pid", COLUMN_NUMBER},
    {"uptime_s", COLUMN_NUMBER},
};
const struct result_shape state_shape = RESULT_SHAPE(state_columns);

bool show_version(struct command_call *call, struct error *error)
{
    (void)error;
    result_text(&call->result, "rolecall " ROLECALL_VERSION);
    return true;
}

bool show_state(struct command_call *call, struct error *error)
{
    const struct admin_view *view = call->view;
    (void)error;
    result_text(&call->result, "rolecall " ROLECALL_VERSION);
    result_text(&call->result, view->stopping ? "stopping" : view->pauses.all ? "paused" : "active");
    result_number(&call->result, (uint64_t)getpid());
    result_number(&call->result, (clock_now_us() - view->started_us) / 1000000);
    return true;
}

static const struct result_column help_columns[] = {{"command", COLUMN_TEXT}, {"arguments", COLUMN_TEXT},
    {"permission", COLUMN_TEXT}, {"units", COLUMN_TEXT}, {"help", COLUMN_TEXT}};
const struct result_shape help_shape = RESULT_SHAPE(help_columns);

bool show_help(struct command_call *call, struct error *error)
{
    size_t n;
    const struct command *table = command_table(&n);
    (void)error;
    for (size_t i = 0; i < n; i++) {
        if (!table[i].help)
            continue;
        result_text(&call->result, table[i].words);
        result_text(&call->result, table[i].arguments);
        result_text(&call->result, table[i].permission == PERMISSION_ADMIN ? "admin" : "read");
        result_text(&call->result, table[i].units);
        result_text(&call->result, table[i].help);
    }
    return true;
}

bool run_reload(struct command_call *call, struct error *error)
{
    return call->view->actions->reload(call->view->context, error);
}

bool run_shutdown(struct command_call *call, struct error *error)
{
    static const char *const words[] = {[STOP_WAIT] = "WAIT", [STOP_NOW] = "IMMEDIATE"};
    enum admin_stop how = STOP_DRAIN;
    if (call->n_arguments > 0)
        for (how = STOP_WAIT; how <= STOP_NOW; how++)
            if (call->n_arguments == 1 && strcasecmp(call->arguments[0].text, words[how]) == 0)
                break;
    if (how > STOP_NOW)
        return error_set(error, SQLSTATE_SYNTAX_ERROR, "SHUTDOWN takes WAIT, IMMEDIATE, or nothing");
    call->view->actions->stop(call->view->context, how);
    return true;
}

bool run_log_level(struct command_call *call, struct error *error)
{
    static const char *const names[] = {
        [LOG_ERROR] = "error", [LOG_WARNING] = "warning", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};
    for (size_t i = 0; call->n_arguments == 1 && i < sizeof names / sizeof *names; i++)
        if (strcasecmp(call->arguments[0].text, names[i]) == 0) {
            log_set_level((enum log_level)i);
            return true;
        }
    return error_set(
        error, SQLSTATE_INVALID_PARAMETER, "LOG LEVEL wants one of %s", call->command->arguments);
}

bool run_nothing(struct command_call *call, struct error *error)
{
    (void)call;
    (void)error;
    return true;
}
