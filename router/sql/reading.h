/*
 * The reading of one statement: what its parts share. Private to statement.c and the files with the readers,
 * each of which takes the statements of one kind from their first word on and refines the verdict of the
 * table in statement.c.
 */
#ifndef ROLECALL_ROUTER_SQL_READING_H
#define ROLECALL_ROUTER_SQL_READING_H

#include "router/sql/statement.h"
#include "router/sql/tokens.h"
#include "router/sql/walk.h"

#include <stdbool.h>

struct reading {
    struct tokens *tokens;
    const struct catalogue *catalogue;
    struct statement *out;
};

/* The key word at hand. */
enum keyword reading_word(const struct reading *reading);
/* Goes past the key word when it is this one. */
bool reading_accept(struct reading *reading, enum keyword keyword);

void reading_verdict(
    struct reading *reading, enum statement_class class, enum reason reason, struct slice culprit);
/* No SQL from the culprit on. */
void reading_broken(struct reading *reading, struct slice culprit);
/* The verdict of a walk over a query. */
void reading_take(struct reading *reading, const struct findings *findings);

/* The rest of a statement whose verdict stands: what it calls may change the session. */
void reading_calls(struct reading *reading, enum walk_kind kind);
/* The rest of a statement of which nothing is wanted. */
void reading_rest(struct reading *reading);

/* query.c */
void read_query(struct reading *reading);
void read_explain(struct reading *reading);
void read_copy(struct reading *reading);
void read_declare(struct reading *reading);

/* command.c */
void read_begin(struct reading *reading);
void read_commit(struct reading *reading);
void read_rollback(struct reading *reading);
void read_set(struct reading *reading); /* RESET, too */
void read_discard(struct reading *reading);
void read_prepare(struct reading *reading);
void read_execute(struct reading *reading);

/* routine.c */
void read_do(struct reading *reading);
void read_call(struct reading *reading);

/* definition.c */
void read_create(struct reading *reading);
void read_ddl(struct reading *reading);

#endif
