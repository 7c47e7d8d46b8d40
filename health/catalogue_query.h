/* The questions that are asked of a database's catalogues, and how their rows become rules. Pure; any thread.
 */
#ifndef ROLECALL_HEALTH_CATALOGUE_QUERY_H
#define ROLECALL_HEALTH_CATALOGUE_QUERY_H

#include "health/catalogue_rules.h"
#include "health/pgconn.h"

#include <stdbool.h>
#include <stdint.h>

/* More rows than this are not read: then the catalogue stays unknown, which sends everything to the primary.
 */
#define CATALOGUE_MAX_ROWS 200000

enum catalogue_question {
    CATALOGUE_PREPARE, /* once per connection, before LOOK and FINGERPRINT */
    CATALOGUE_LOOK,    /* cheap: two texts; while the first is the same, nothing was committed; see below */
    CATALOGUE_BEGIN,   /* one snapshot for all that follows, until END */
    CATALOGUE_FINGERPRINT, /* a text that changes whenever the answers below may */
    CATALOGUE_FUNCTIONS,
    CATALOGUE_RELATIONS,
    CATALOGUE_DEPENDENCIES,
    CATALOGUE_TYPES, /* and operators */
    CATALOGUE_CALLS, /* of built-in functions that change a session, outside of functions */
    CATALOGUE_END,
    CATALOGUE_QUESTIONS
};

/* Static text, for servers from PostgreSQL 12 on; only FUNCTIONS asks for server_version. */
const char *catalogue_question_text(enum catalogue_question question, int server_version);

/* The answers are borrowed, valid as long as theirs. */
struct catalogue_look {
    const char *snapshot; /* while it is the same, no transaction with changes has ended */
    const char *written;  /* "" before PostgreSQL 15; when it changes, a catalogue was written to. Backends
                             tell of that a second later, or not before they end */
};
void catalogue_look_read(const struct pgconn_answer *answer, struct catalogue_look *look);

struct catalogue_fingerprint {
    int server_version;
    const char *text;
    uint64_t cost_us; /* of the server, to compute it */
};
void catalogue_fingerprint_read(
    const struct pgconn_answer *answer, struct catalogue_fingerprint *fingerprint);

/* Adds what the rows of FUNCTIONS, ..., CALLS say. False when there are too many. */
bool catalogue_answer_read(
    enum catalogue_question question, const struct pgconn_answer *answer, struct catalogue_rules *rules);

#endif
