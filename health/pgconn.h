/*
 * One libpq connection that never blocks: connect, then one query at a time, each with a deadline of its own.
 *
 * The only place, with pgconn.c, that sees libpq. Belongs to whoever opened it; loop's thread only. Callbacks
 * come from the loop, never from within pgconn_open or pgconn_query, and never after pgconn_close.
 * pgconn_close and pgconn_query may be called from any of them. After a callback with an outcome other than
 * PGCONN_OK or PGCONN_QUERY the connection is broken, and all that is left to do is pgconn_close.
 */
#ifndef ROLECALL_HEALTH_PGCONN_H
#define ROLECALL_HEALTH_PGCONN_H

#include "conf/base/error.h"
#include "conf/config.h"
#include "health/endpoint.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum pgconn_outcome {
    PGCONN_OK,
    PGCONN_UNRESOLVED,  /* the host name has no address */
    PGCONN_REFUSED,     /* nobody listens there */
    PGCONN_UNREACHABLE, /* no route, or the network says no */
    PGCONN_RESET,       /* the connection broke, before or after login */
    PGCONN_TIMEOUT,     /* the deadline passed; the connection is broken then */
    PGCONN_LOGIN,       /* the server refused the login: error.sqlstate says why */
    PGCONN_UNUSABLE,    /* it answered, but TLS failed, or not in a way that can be used */
    PGCONN_QUERY        /* the query ended with an error; the connection is still good */
};

const char *pgconn_outcome_name(enum pgconn_outcome outcome);

/* Valid during the callback. Without an SQLSTATE from the server, error.sqlstate is 08006. */
struct pgconn_answer {
    enum pgconn_outcome outcome;
    struct error error;
    int rows, columns;
    void *result; /* private */
};

/* NULL for SQL NULL, and for a row or column that is not there. */
const char *pgconn_value(const struct pgconn_answer *answer, int row, int column);
/* Overwrites all values of the answer: for secrets. */
void pgconn_wipe(const struct pgconn_answer *answer);

struct pgconn_params {
    struct endpoint *endpoint;              /* must live until pgconn_close */
    const char *user, *password, *database; /* password NULL: none */
    const char *options;                    /* "-c name=value ..." or NULL */
    const char *application_name;           /* NULL: "rolecall" */
    bool replication;             /* a walsender bound to the database: takes replication commands */
    const struct config_tls *tls; /* not used on Unix sockets */
    uint64_t tcp_user_timeout_ms, tcp_keepalive_ms; /* 0 = the kernel's own */
    uint64_t connect_timeout_ms;                    /* resolving, connecting and login together */
    void *context;
    void (*opened)(void *context, const struct pgconn_answer *answer);
    /* It broke while idle. May be NULL: then the next query fails. */
    void (*lost)(void *context, const struct pgconn_answer *answer);
    /* A notification of a channel that LISTEN has named; may be NULL. The strings are valid during the
     * callback. It may come while a query is under way, whose answer may be older than what it tells of. */
    void (*notified)(void *context, const char *channel, const char *payload);
};

struct pgconn;

/* Strings are copied; only the endpoint is kept. Never NULL: what fails is told through `opened`. */
struct pgconn *pgconn_open(uv_loop_t *loop, const struct pgconn_params *params);

/*
 * Only when ready, or broken while idle without a `lost` to be told. Without values: the simple protocol
 * (replication commands, several statements: the last answer or the first error counts); with values: each a
 * text parameter $1..$n (NULL = SQL NULL); with PGCONN_PREPARED for n_values, `sql` is the name of what
 * PREPARE has made on this connection, without parameters: half the work for the server.
 */
#define PGCONN_PREPARED (-1)
void pgconn_query(struct pgconn *conn, const char *sql, const char *const *values, int n_values,
    uint64_t timeout_ms, void *context, void (*done)(void *context, const struct pgconn_answer *answer));

/* True when logged in with no query under way. */
bool pgconn_ready(const struct pgconn *conn);

/* Any state; NULL is allowed. Nothing of `params` is used any more when it returns; the memory goes a turn
 * later. */
void pgconn_close(struct pgconn *conn);

/* Removes the variables that libpq reads from the environment. Before other threads run. */
void pgconn_clear_environment(void);

#endif
