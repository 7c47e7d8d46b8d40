/*
 * PAUSE, RESUME, RECONNECT and KILL: errands for the workers (proxy/session/errand.h). Databases are named as
 * clients call them; other names of the same database on the nodes are meant with it.
 *
 * PAUSE is run again until no connection is left. It stays in force when whoever gave it goes away, and is
 * undone when a CancelRequest (Ctrl-C in psql) comes before it is answered.
 */
#include "proxy/front/command_handlers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct outcome {
    uint64_t done, left, relays;
    bool met; /* some worker has a pool of the database */
};

static struct outcome add_up(const struct survey *survey)
{
    struct outcome sum = {0};
    for (size_t i = 0; i < survey->n; i++) {
        sum.done += survey->errands[i].done;
        sum.left += survey->errands[i].left;
        sum.relays += survey->errands[i].relays;
        sum.met = sum.met || survey->errands[i].met;
    }
    return sum;
}

/* ---- arguments ---- */

static bool read_database(struct command_call *call, enum errand_kind kind, struct error *error)
{
    const char *name = call->n_arguments > 0 ? call->arguments[0].text : "";
    const struct config_database *database = *name ? config_database(call->view->config, name) : NULL;
    if (call->n_arguments > 1 || (call->n_arguments == 1 && !*name))
        return error_set(
            error, SQLSTATE_SYNTAX_ERROR, "%s takes the name of one database", call->command->words);
    if (database && database->dbname)
        name = database->dbname;
    if (strlen(name) >= sizeof call->errand.database)
        return error_set(error, SQLSTATE_INVALID_PARAMETER, "no database has a name that long");
    call->errand.kind = kind;
    snprintf(call->errand.database, sizeof call->errand.database, "%s", name);
    return true;
}

bool prepare_pause(struct command_call *call, struct error *error)
{
    struct pauses *pauses = &call->view->pauses;
    if (!read_database(call, ERRAND_PAUSE, error))
        return false;
    call->anew = !pauses_cover(pauses, call->errand.database) && !(pauses->n && !call->errand.database[0]);
    if (!pauses_add(pauses, call->errand.database))
        return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
            "%d databases are paused already; PAUSE without a name pauses all", PAUSES_MAX);
    return true;
}

bool prepare_resume(struct command_call *call, struct error *error)
{
    struct pauses *pauses = &call->view->pauses;
    if (!read_database(call, ERRAND_RESUME, error))
        return false;
    if (pauses_remove(pauses, call->errand.database) && !pauses->all)
        return true;
    if (call->errand.database[0] && pauses->all)
        return error_set(
            error, SQLSTATE_OBJECT_NOT_IN_STATE, "all databases are paused: RESUME without a name goes on");
    return error_set(error, SQLSTATE_OBJECT_NOT_IN_STATE, "%s%s is not paused",
        call->errand.database[0] ? "database " : "nothing is paused: rolecall", call->errand.database);
}

bool prepare_reconnect(struct command_call *call, struct error *error)
{
    return read_database(call, ERRAND_RECONNECT, error);
}

bool prepare_kill(struct command_call *call, struct error *error)
{
    const char *id = call->n_arguments == 1 ? call->arguments[0].text : "";
    if (!session_id_parse(id, &call->errand.worker, &call->errand.serial))
        return error_set(error, SQLSTATE_SYNTAX_ERROR,
            "KILL wants the id of a session as SHOW SESSIONS has it, such as 0.17");
    call->errand.kind = ERRAND_KILL;
    return true;
}

bool session_id_parse(const char *text, uint32_t *worker, uint64_t *serial)
{
    char *dot, *end;
    if (*text < '0' || *text > '9')
        return false;
    unsigned long first = strtoul(text, &dot, 10);
    if (*dot != '.' || dot[1] < '0' || dot[1] > '9' || first > UINT32_MAX)
        return false;
    *worker = (uint32_t)first;
    *serial = strtoull(dot + 1, &end, 10);
    return *end == 0;
}

/* ---- what came of it ---- */

static void note_stranger(struct command_call *call, const struct outcome *outcome)
{
    if (call->errand.database[0] && !outcome->met)
        snprintf(call->result.notice, sizeof call->result.notice,
            "no client has used database %s so far: is it the name that was meant?", call->errand.database);
}

bool run_pause(struct command_call *call, struct error *error)
{
    struct outcome outcome = add_up(call->survey);
    if (call->errand.kind == ERRAND_RESUME)
        return error_set(error, SQLSTATE_QUERY_CANCELED,
            "canceling statement due to user request; nothing is paused by it any more");
    if (!pauses_cover(&call->view->pauses, call->errand.database))
        return error_set(error, SQLSTATE_QUERY_CANCELED, "it was resumed meanwhile");
    if (outcome.left > 0) {
        call->errand.kind = ERRAND_LOOK;
        call->next = COMMAND_AGAIN;
        return true;
    }
    note_stranger(call, &outcome);
    if (outcome.relays > 0)
        snprintf(call->result.notice, sizeof call->result.notice,
            "%llu relayed connections go on: KILL ends them", (unsigned long long)outcome.relays);
    return true;
}

bool cancel_pause(struct command_call *call, struct error *error)
{
    struct pauses *pauses = &call->view->pauses;
    if (!call->anew)
        return error_set(error, SQLSTATE_QUERY_CANCELED,
            "canceling statement due to user request; it was paused before, and stays so");
    pauses_remove(pauses, call->errand.database);
    call->errand.kind = ERRAND_RESUME;
    call->next = COMMAND_AGAIN;
    return true;
}

bool run_resume(struct command_call *call, struct error *error)
{
    (void)call;
    (void)error;
    return true;
}

bool run_reconnect(struct command_call *call, struct error *error)
{
    struct outcome outcome = add_up(call->survey);
    (void)error;
    note_stranger(call, &outcome);
    if (outcome.left > 0)
        snprintf(call->result.notice, sizeof call->result.notice,
            "%llu connections are in use and will be closed when they are given back",
            (unsigned long long)outcome.left);
    return true;
}

bool run_kill(struct command_call *call, struct error *error)
{
    if (add_up(call->survey).done > 0)
        return true;
    return error_set(error, SQLSTATE_UNDEFINED_OBJECT, "there is no session %u.%llu", call->errand.worker,
        (unsigned long long)call->errand.serial);
}
