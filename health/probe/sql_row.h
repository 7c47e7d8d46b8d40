/* The question that an SQL probe asks, and how its one row is read. Pure; any thread. */
#ifndef ROLECALL_HEALTH_PROBE_SQL_ROW_H
#define ROLECALL_HEALTH_PROBE_SQL_ROW_H

#include "health/observation.h"
#include "health/pgconn.h"

/* FULL needs execute on pg_control_system; PLAIN works for any login role and leaves the identifier unknown.
 */
enum sql_question { SQL_QUESTION_FULL, SQL_QUESTION_PLAIN };

/* Static text; PostgreSQL 12 to 17. */
const char *sql_question_text(enum sql_question question);

/* False when the answer is not the row that was asked for. */
bool sql_row_read(const struct pgconn_answer *answer, struct observation *out);

/* IDENTIFY_SYSTEM's row, into system_identifier and timeline. */
bool sql_identity_read(const struct pgconn_answer *answer, struct observation *out);

#endif
