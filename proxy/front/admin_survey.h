/*
 * Asking every worker what it holds, without stopping any: each is sent MESSAGE_STATUS_REQUEST, writes a
 * bounded number of reports (proxy/session/report.h) in its own thread, posts them back, and is asked again
 * until it has told everything. Main thread, but for the function that a worker runs.
 */
#ifndef ROLECALL_FRONT_ADMIN_SURVEY_H
#define ROLECALL_FRONT_ADMIN_SURVEY_H

#include "proxy/session/errand.h"
#include "proxy/session/explain.h"
#include "proxy/session/report.h"
#include "proxy/worker/worker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum survey_kind {
    SURVEY_NONE,
    SURVEY_SESSIONS,
    SURVEY_SERVERS,
    SURVEY_POOLS,
    SURVEY_PREPARED,
    SURVEY_ERRAND,
    SURVEY_ROUTE /* of one session: errand.worker and errand.serial, and what errand.text would do there */
};

struct survey_part;

struct surveys {
    struct worker *workers;
    uint32_t n_workers;
    struct mailbox *mailbox;   /* main's */
    struct survey_part *first; /* every part that lives, abandoned ones too */
};

struct survey {
    enum survey_kind kind;
    union { /* all workers' reports when done, ordered by worker */
        void *reports;
        struct session_report *sessions;
        struct server_report *servers;
        struct pool_report *pools;
        struct prepared_report *prepared;
        struct errand_report *errands; /* one for each worker that answered */
        struct explanation *routes;    /* the same */
    };
    size_t n;
    uint32_t silent; /* workers that did not answer in time */
    bool incomplete; /* memory was out */

    /* private */
    struct surveys *all;
    uint32_t missing;
    uint64_t progress_us; /* when a worker was last heard of */
    void (*done)(void *user, struct survey *survey);
    void *user;
};

void surveys_init(
    struct surveys *surveys, struct worker *workers, uint32_t n_workers, struct mailbox *mailbox);
/* When the workers' threads have ended. */
void surveys_fini(struct surveys *surveys);

/* `done` is called later, never from here, unless survey_free came first. `errand`: of SURVEY_ERRAND and
   SURVEY_ROUTE, copied with its text; else NULL. NULL: out of memory. */
struct survey *survey_start(struct surveys *surveys, enum survey_kind kind, const struct errand *errand,
    void (*done)(void *, struct survey *), void *user);
/* Ends the wait when no worker has answered for two seconds; call it now and then. */
void survey_check(struct survey *survey);
/* Also while it is on its way. NULL is allowed. */
void survey_free(struct survey *survey);

/* A MESSAGE_STATUS_REPLY has come. */
void surveys_on_reply(struct surveys *surveys, void *request);

#endif
