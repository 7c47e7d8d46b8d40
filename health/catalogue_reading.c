/*
 * Asking one database; see catalogue_reading.h.
 *
 *     open -> prepare -> (look | fingerprint | begin -> fingerprint -> functions ... calls -> end)*
 *
 * A reading's questions share one snapshot. A fingerprint that did not change ends it early. Any error breaks
 * the connection: it is cheap to make a new one, and rare.
 */
#include "health/catalogue_reading.h"

#include "conf/base/clock.h"
#include "health/memory.h"

#define CONNECT_TIMEOUT_MS 5000
#define QUERY_TIMEOUT_MS 20000

struct catalogue_reading {
    struct catalogue_reading_events events;
    struct pgconn *conn;
    enum catalogue_question question; /* under way */
    bool in_reading;                  /* between BEGIN and END */
    uint64_t known, fingerprint, begun_at_us;
    int server_version;
    struct catalogue_rules *rules; /* of the reading under way */
};

uint64_t catalogue_reading_hash(const char *text)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001B3u;
    return hash ? hash : 1;
}

static void on_answer(void *context, const struct pgconn_answer *answer);

static void ask(struct catalogue_reading *reading, enum catalogue_question question)
{
    reading->question = question;
    pgconn_query(reading->conn, catalogue_question_text(question, reading->server_version), NULL, 0,
        QUERY_TIMEOUT_MS, reading, on_answer);
}

static void take_fingerprint(struct catalogue_reading *reading, const struct pgconn_answer *answer)
{
    struct catalogue_fingerprint fingerprint;
    catalogue_fingerprint_read(answer, &fingerprint);
    reading->server_version = fingerprint.server_version;
    reading->fingerprint = catalogue_reading_hash(fingerprint.text);
    if (!reading->in_reading) {
        reading->events.fingerprinted(reading->events.context, &fingerprint);
    } else if (reading->fingerprint == reading->known) {
        ask(reading, CATALOGUE_END);
    } else {
        reading->rules = catalogue_rules_new();
        ask(reading, CATALOGUE_FUNCTIONS);
    }
}

static void take_rows(struct catalogue_reading *reading, const struct pgconn_answer *answer)
{
    struct error too_many;
    if (catalogue_answer_read(reading->question, answer, reading->rules)) {
        ask(reading, reading->question + 1);
        return;
    }
    error_set(&too_many, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
        "more than %d objects: all statements go to the primary", CATALOGUE_MAX_ROWS);
    reading->events.failed(reading->events.context, &too_many, false);
}

static void end_reading(struct catalogue_reading *reading)
{
    struct catalogue_rules *rules = reading->rules;
    reading->rules = NULL;
    reading->in_reading = false;
    reading->events.read(
        reading->events.context, rules, reading->fingerprint, clock_now_us() - reading->begun_at_us);
}

static void take_answer(struct catalogue_reading *reading, const struct pgconn_answer *answer)
{
    struct catalogue_look look;
    switch (reading->question) {
    case CATALOGUE_PREPARE: reading->events.opened(reading->events.context); return;
    case CATALOGUE_LOOK:
        catalogue_look_read(answer, &look);
        reading->events.looked(reading->events.context, &look);
        return;
    case CATALOGUE_BEGIN: ask(reading, CATALOGUE_FINGERPRINT); return;
    case CATALOGUE_FINGERPRINT: take_fingerprint(reading, answer); return;
    case CATALOGUE_FUNCTIONS:
    case CATALOGUE_RELATIONS:
    case CATALOGUE_DEPENDENCIES:
    case CATALOGUE_TYPES:
    case CATALOGUE_CALLS: take_rows(reading, answer); return;
    case CATALOGUE_END: end_reading(reading); return;
    case CATALOGUE_QUESTIONS: return;
    }
}

static void on_answer(void *context, const struct pgconn_answer *answer)
{
    struct catalogue_reading *reading = context;
    if (answer->outcome == PGCONN_OK)
        take_answer(reading, answer);
    else
        reading->events.failed(reading->events.context, &answer->error, false);
}

static void on_opened(void *context, const struct pgconn_answer *answer)
{
    struct catalogue_reading *reading = context;
    if (answer->outcome == PGCONN_OK)
        ask(reading, CATALOGUE_PREPARE);
    else
        reading->events.failed(reading->events.context, &answer->error, false);
}

static void on_lost(void *context, const struct pgconn_answer *answer)
{
    struct catalogue_reading *reading = context;
    reading->events.failed(reading->events.context, &answer->error, true);
}

struct catalogue_reading *catalogue_reading_open(uv_loop_t *loop, const struct settings *settings,
    struct endpoint *endpoint, const char *database, const struct catalogue_reading_events *events)
{
    const struct config *config = settings->config;
    const struct config_cluster *cluster = settings->cluster;
    struct catalogue_reading *reading = memory_new(1, sizeof *reading);
    struct pgconn_params params = {.endpoint = endpoint,
        .user = cluster->probe_user,
        .password = cluster->probe_password,
        .database = database,
        .options = "-c search_path= -c lock_timeout=2s -c statement_timeout=20s -c jit=off",
        .tls = &cluster->tls,
        .tcp_user_timeout_ms = config->tcp_user_timeout_ms,
        .tcp_keepalive_ms = config->tcp_keepalive_ms,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .context = reading,
        .opened = on_opened,
        .lost = on_lost};
    reading->events = *events;
    reading->conn = pgconn_open(loop, &params);
    return reading;
}

void catalogue_reading_look(struct catalogue_reading *reading)
{
    ask(reading, CATALOGUE_LOOK);
}

void catalogue_reading_fingerprint(struct catalogue_reading *reading)
{
    ask(reading, CATALOGUE_FINGERPRINT);
}

void catalogue_reading_read(struct catalogue_reading *reading, uint64_t known)
{
    reading->known = known;
    reading->in_reading = true;
    reading->begun_at_us = clock_now_us();
    ask(reading, CATALOGUE_BEGIN);
}

void catalogue_reading_close(struct catalogue_reading *reading)
{
    if (!reading)
        return;
    pgconn_close(reading->conn);
    catalogue_rules_free(reading->rules);
    free(reading);
}
