/*
 * The commands of the admin socket: one constant table of words, arguments, permission, columns, help text
 * and handler that serves both languages, HELP and `rolecall ctl`. Main thread.
 *
 *     command_find -> (survey of the workers, when the command wants one) -> command_run -> result
 *                                                                        -> again, or a reply is awaited
 */
#ifndef ROLECALL_FRONT_COMMAND_H
#define ROLECALL_FRONT_COMMAND_H

#include "conf/base/error.h"
#include "proxy/front/admin_survey.h"
#include "proxy/front/admin_view.h"
#include "proxy/front/command_result.h"
#include "proxy/front/command_words.h"

#define SQLSTATE_SYNTAX_ERROR "42601"
#define SQLSTATE_UNDEFINED_OBJECT "42704"

enum permission {
    PERMISSION_READ, /* whoever may open the socket */
    PERMISSION_ADMIN /* root and the account that rolecall runs as */
};

/* What becomes of a command when its handler has run without an error. */
enum command_next {
    COMMAND_DONE,
    COMMAND_AGAIN,  /* it is run again in a moment, with a new survey */
    COMMAND_ORDERED /* the control thread was asked by this ticket: its reply decides */
};

struct command_call {
    const struct command *command;
    const struct word *arguments; /* the words behind the command's own */
    size_t n_arguments;
    struct admin_view *view;
    enum survey_kind asks;       /* the command's, unless `prepare` has chosen another */
    const struct survey *survey; /* finished; NULL unless one is wanted */
    struct errand errand;        /* of SURVEY_ERRAND and SURVEY_ROUTE */
    struct result result;        /* to be filled; has the command's columns */
    enum command_next next;
    uint64_t ticket;
    bool anew; /* what PAUSE pauses was not paused before */
};

struct command {
    const char *words;     /* "SHOW NODES": upper case, one blank between */
    const char *arguments; /* for people; NULL = none are taken; "..." = any, and ignored */
    enum permission permission;
    enum survey_kind survey;
    const struct result_shape *shape;
    bool (*run)(struct command_call *call, struct error *error);
    const char *units; /* of columns whose names do not end with them; NULL = all do */
    const char *help;  /* NULL: accepted for the sake of drivers, not shown */
    /* Reads the arguments before the workers are asked; NULL = nothing is to be read then. */
    bool (*prepare)(struct command_call *call, struct error *error);
    /* Whoever gave it waits no longer. False fills the error that it ends with; true: it ends later, by being
       run again at once (COMMAND_AGAIN, with call->errand), or by a reply (COMMAND_ORDERED). NULL = it takes
       no time. */
    bool (*cancel)(struct command_call *call, struct error *error);
    bool lasts; /* the control thread replies when it is over, and sees to it that it is over some time */
};

const struct command *command_table(size_t *n);

/* The command that these words begin with, checked for arguments and permission; NULL fills the error. *used:
   how many of the words are the command's own. */
const struct command *command_find(
    const struct words *words, bool is_admin, size_t *used, struct error *error);

/* Fills call->result, or the error. */
bool command_run(struct command_call *call, struct error *error);

/* The first word: what CommandComplete says. */
struct slice command_tag(const struct command *command);

#endif
