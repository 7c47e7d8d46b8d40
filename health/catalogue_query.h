/* The questions that the catalogue reader asks, and how their rows become rules. Pure; any thread. */
#ifndef ROLECALL_HEALTH_CATALOGUE_QUERY_H
#define ROLECALL_HEALTH_CATALOGUE_QUERY_H

#include "health/catalogue_rules.h"
#include "health/pgconn.h"

#include <stdbool.h>

/* More objects than this are not read: then the catalogue stays unknown, which sends everything to the
 * primary. */
#define CATALOGUE_MAX_ROWS 200000

enum catalogue_question {
    CATALOGUE_BEGIN,       /* one snapshot for all that follows */
    CATALOGUE_FINGERPRINT, /* one row: version and a text that changes whenever the other answers may */
    CATALOGUE_FUNCTIONS,
    CATALOGUE_RELATIONS,
    CATALOGUE_DEPENDENCIES,
    CATALOGUE_QUESTIONS
};

/* Static text, for servers from PostgreSQL 12 on; server_version is ignored by BEGIN and FINGERPRINT. */
const char *catalogue_question_text(enum catalogue_question question, int server_version);

/* Adds what the rows of FUNCTIONS, RELATIONS or DEPENDENCIES say. False when there are too many. */
bool catalogue_answer_read(
    enum catalogue_question question, const struct pgconn_answer *answer, struct catalogue_rules *rules);

#endif
