/*
 * The statements that begin, shape and end a transaction block, read to the last word: only what is
 * understood as a whole is told, so that rolecall can answer it in PostgreSQL's place. Pure; any thread.
 */
#ifndef ROLECALL_ROUTER_TRANSACTION_STATEMENT_H
#define ROLECALL_ROUTER_TRANSACTION_STATEMENT_H

#include "conf/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

enum transaction_verb {
    TRANSACTION_BEGIN,   /* BEGIN [WORK | TRANSACTION] [modes] */
    TRANSACTION_START,   /* START TRANSACTION [modes]: the same with another command tag */
    TRANSACTION_SET,     /* SET [LOCAL] TRANSACTION modes; not SNAPSHOT */
    TRANSACTION_COMMIT,  /* COMMIT or END [WORK | TRANSACTION] [AND NO CHAIN] */
    TRANSACTION_ROLLBACK /* ROLLBACK or ABORT ..., not TO a savepoint */
};

enum isolation {
    ISOLATION_DEFAULT, /* nothing was said */
    ISOLATION_READ_UNCOMMITTED,
    ISOLATION_READ_COMMITTED,
    ISOLATION_REPEATABLE_READ,
    ISOLATION_SERIALIZABLE
};

enum transaction_switch { SWITCH_DEFAULT, SWITCH_ON, SWITCH_OFF };

struct transaction_modes {
    enum isolation isolation;
    enum transaction_switch read_only, deferrable;
};

struct transaction_statement {
    enum transaction_verb verb;
    struct transaction_modes modes; /* the last word of each kind */
};

#define TRANSACTION_TEXT_MAX 96

/* False for everything else, several statements in one string and modes that are not known included. */
bool transaction_statement(struct slice text, bool standard_strings, struct transaction_statement *out);

/* What is said later stands. */
void transaction_modes_add(struct transaction_modes *modes, const struct transaction_modes *later);

/* "BEGIN ISOLATION LEVEL ... READ ONLY DEFERRABLE", with a NUL; the length without it. */
size_t transaction_begin_text(const struct transaction_modes *modes, char out[TRANSACTION_TEXT_MAX]);

#endif
