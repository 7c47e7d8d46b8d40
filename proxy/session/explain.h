/*
 * What a session that lives would do with a statement at this moment, with all its state: for EXPLAIN ROUTE
 * ... FOR. Nothing is changed by it. A plain copy, as in report.h. The session's thread.
 */
#ifndef ROLECALL_SESSION_EXPLAIN_H
#define ROLECALL_SESSION_EXPLAIN_H

#include "conf/base/slice.h"
#include "proxy/session/report.h"

#define EXPLAIN_VALUE_MAX 64

struct explanation {
    bool found;       /* the session is there */
    bool has_verdict; /* else rolecall answers itself, or it cannot be told: `why` */
    bool by_rolecall; /* who answers */
    enum reason verdict;
    bool has_node;
    enum node_role role;
    char node[REPORT_NAME_MAX];
    char why[REPORT_WHY_MAX]; /* what is waited for, or what rolecall answers; "" = nothing is to be said */

    struct classification class; /* of the statement; its culprit is not to be read: */
    size_t culprit_at;           /* where that is in the text */

    /* the session */
    const char *state; /* static */
    char tx_status;
    bool owes_begin; /* its transaction is at no node yet */
    bool catalogue;  /* is known */
    uint32_t pins;
    char listener[REPORT_NAME_MAX], cluster[REPORT_NAME_MAX], database[REPORT_NAME_MAX];
    char route[EXPLAIN_VALUE_MAX], consistency[EXPLAIN_VALUE_MAX], max_lag[EXPLAIN_VALUE_MAX];
    uint64_t write_epoch, seen_epoch, replayed_epoch; /* the last: of the node */
    char search_path[REPORT_TEXT_MAX];                /* "" = the server's; longer ones are cut */
};

/* `sql`: what a simple Query would say. */
void explain_session(struct sessions *sessions, uint64_t serial, struct slice sql, struct explanation *out);

#endif
