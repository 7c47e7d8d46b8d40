/* Commands about the process itself: HELP, VERSION, RELOAD, SHUTDOWN, LOG LEVEL. */
#include "proxy/front/command_handlers.h"

#include "conf/base/clock.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

const struct result_shape no_shape = {NULL, 0};

static const struct result_column version_columns[] = {
    {"version", COLUMN_TEXT}, {"pid", COLUMN_NUMBER}, {"uptime_s", COLUMN_NUMBER}};
const struct result_shape version_shape = RESULT_SHAPE(version_columns);

bool show_version(struct command_call *call, struct error *error)
{
    (void)error;
    result_text(&call->result, "rolecall " ROLECALL_VERSION);
    result_number(&call->result, (uint64_t)getpid());
    result_number(&call->result, (clock_now_us() - call->view->started_us) / 1000000);
    return true;
}

static const struct result_column help_columns[] = {
    {"command", COLUMN_TEXT}, {"arguments", COLUMN_TEXT}, {"permission", COLUMN_TEXT}, {"help", COLUMN_TEXT}};
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
    (void)error;
    call->view->actions->stop(call->view->context);
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
