/*
 * Keeping catalogues; see catalogue_reader.h.
 *
 *     request -> due -> connect to the primary -> fingerprint -> all the rest -> decide -> publish to all
 *                            |  in use: every second a look, sometimes a fingerprint, seldom a reading
 *                            |  not in use: closed
 *
 * A fingerprint that did not change ends the reading early. A request that says "changed" while a reading is
 * under way makes that reading void and starts another, since its snapshot may be older than the change;
 * after a few times it is published nevertheless. At most two readings at once. A database that sessions use
 * (they ask every half a minute) keeps its connection, on which DDL that nobody told of is looked for: see
 * catalogue_pace.h. What fails is tried again a second later; a database that is gone is forgotten.
 */
#include "health/catalogue_reader.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"
#include "health/catalogue_deciding.h"
#include "health/catalogue_pace.h"
#include "health/catalogue_reading.h"
#include "health/memory.h"

#include <stdio.h>

#define MAX_DATABASES 256
#define MAX_READINGS 2
#define MAX_WATCHED                                                                                          \
    16 /* connections that are kept; databases beyond are read like those that nobody uses                   \
        */
#define MAX_RESTARTS 5
#define TICK_MS 100
#define RETRY_US 1000000u
#define CHANGED_GAP_US 200000u
#define IN_USE_US 40000000u /* sessions ask again after 30 s */
#define KEPT_FOR_US 3600000000u

enum step {
    STEP_CLOSED, /* no connection */
    STEP_OPENING,
    STEP_IDLE,
    STEP_LOOKING,
    STEP_COMPARING, /* a fingerprint outside of a reading */
    STEP_READING,
    STEP_DECIDING
};

struct database {
    struct catalogue_reader *reader;
    struct database *next;
    char name[MESSAGE_NAME_MAX];
    uint64_t asked_at_us, begun_at_us;
    uint64_t due_at_us; /* of the next reading */
    bool wanted;        /* somebody waits for a publication */
    bool asked_reading; /* the reading under way is for somebody who waits, or the first */
    bool void_reading;  /* it is older than a change */
    unsigned restarts;
    enum step step;
    struct catalogue_reading *reading; /* NULL when closed */
    struct endpoint *endpoint;         /* where it goes */
    struct catalogue_deciding *deciding;
    uint64_t fingerprint, new_fingerprint; /* of what was published last, of what is decided; 0 = none */
    struct catalogue *catalogue;           /* published last; one reference */
    struct catalogue_pace pace;
    uint64_t snapshot, written;         /* of the look before the last fingerprint */
    uint64_t new_snapshot, new_written; /* of the last look */
    char told[ERROR_TEXT_MAX];
};

struct catalogue_reader {
    uv_loop_t *loop;
    const struct settings *settings;
    const struct subscribers *subscribers;
    struct secrets_nodes nodes;
    uv_timer_t timer;
    struct database *databases;
    size_t n_databases;
};

static void proceed(struct catalogue_reader *reader);

/* --- the connection --- */

static void disconnect(struct database *database, uint64_t again_after_us)
{
    catalogue_deciding_drop(database->deciding);
    catalogue_reading_close(database->reading);
    database->deciding = NULL;
    database->reading = NULL;
    database->endpoint = NULL;
    database->step = STEP_CLOSED;
    database->due_at_us = clock_now_us() + again_after_us;
}

static void forget_database(struct database *database)
{
    struct catalogue_reader *reader = database->reader;
    struct database **link = &reader->databases;
    disconnect(database, 0);
    while (*link != database)
        link = &(*link)->next;
    *link = database->next;
    reader->n_databases--;
    catalogue_unref(database->catalogue);
    free(database);
}

static size_t count_connections(const struct catalogue_reader *reader)
{
    size_t n = 0;
    for (const struct database *database = reader->databases; database; database = database->next)
        n += database->reading != NULL;
    return n;
}

static bool is_in_use(const struct database *database, uint64_t now_us)
{
    return now_us - database->asked_at_us < IN_USE_US;
}

/* A reading has ended. */
static void settle(struct database *database, uint64_t again_after_us)
{
    uint64_t now_us = clock_now_us();
    database->step = STEP_IDLE;
    database->due_at_us = now_us + again_after_us;
    if (!database->reading || !is_in_use(database, now_us) ||
        count_connections(database->reader) > MAX_WATCHED)
        disconnect(database, again_after_us);
}

static void on_failed(void *context, const struct error *error, bool lost)
{
    struct database *database = context;
    struct catalogue_reader *reader = database->reader;
    bool gone = strcmp(error->sqlstate, SQLSTATE_INVALID_DATABASE) == 0;
    if (!lost && (gone || strcmp(database->told, error->text) != 0))
        log_event(gone ? LOG_INFO : LOG_WARNING, "catalogue_not_read",
            "cluster=%s database=%s sqlstate=%s error=%s", reader->settings->cluster->name, database->name,
            error->sqlstate, error->text);
    if (!lost)
        snprintf(database->told, sizeof database->told, "%s", error->text);
    if (gone)
        forget_database(database);
    else
        disconnect(database, RETRY_US);
    proceed(reader);
}

/* --- deciding and publishing --- */

static void send_catalogue(struct database *database)
{
    database->wanted = false;
    subscribers_send_catalogue(database->reader->subscribers, database->catalogue);
}

static void keep(struct database *database, struct catalogue *catalogue)
{
    catalogue_unref(database->catalogue);
    database->catalogue = catalogue;
    database->fingerprint = database->new_fingerprint;
    log_event(
        LOG_DEBUG, "catalogue_read", "cluster=%s database=%s", catalogue_cluster(catalogue), database->name);
}

/* catalogue: the new one, taken over; NULL: the old one is still right. */
static void reading_done(struct database *database, struct catalogue *catalogue)
{
    struct catalogue_reader *reader = database->reader;
    bool missed = database->void_reading;
    database->told[0] = '\0';
    database->void_reading = false;
    if (missed && database->restarts < MAX_RESTARTS) {
        database->restarts++;
        catalogue_unref(catalogue);
        settle(database, CHANGED_GAP_US);
    } else {
        database->restarts = 0;
        if (catalogue)
            keep(database, catalogue);
        if (catalogue || database->wanted)
            send_catalogue(database);
        database->wanted = missed;
        settle(database, missed ? CHANGED_GAP_US : CATALOGUE_NOTICE_WITHIN_US);
    }
    proceed(reader);
}

static void on_decided(void *context, struct catalogue *catalogue)
{
    struct database *database = context;
    database->deciding = NULL;
    reading_done(database, catalogue);
}

static void on_read(void *context, struct catalogue_rules *rules, uint64_t fingerprint, uint64_t cost_us)
{
    struct database *database = context;
    catalogue_pace_read(&database->pace, clock_now_us(), cost_us, database->asked_reading || !rules);
    database->new_fingerprint = fingerprint;
    if (!rules) {
        reading_done(database, NULL);
        return;
    }
    database->step = STEP_DECIDING;
    database->deciding = catalogue_deciding_begin(
        database->reader->loop, database->reader->settings, database->name, rules, database, on_decided);
}

/* --- looking for what nobody told of --- */

static void on_looked(void *context, const struct catalogue_look *look)
{
    struct database *database = context;
    uint64_t now_us = clock_now_us();
    catalogue_pace_looked(&database->pace, now_us);
    database->new_snapshot = catalogue_reading_hash(look->snapshot);
    database->new_written = catalogue_reading_hash(look->written);
    bool written = database->new_written != database->written;
    if (database->new_snapshot != database->snapshot &&
        catalogue_pace_may_fingerprint(&database->pace, now_us, written)) {
        database->step = STEP_COMPARING;
        catalogue_reading_fingerprint(database->reading);
        return;
    }
    database->step = STEP_IDLE;
    proceed(database->reader);
}

static void on_fingerprinted(void *context, const struct catalogue_fingerprint *fingerprint)
{
    struct database *database = context;
    uint64_t now_us = clock_now_us();
    catalogue_pace_fingerprinted(&database->pace, now_us, fingerprint->cost_us);
    database->snapshot = database->new_snapshot;
    database->written = database->new_written;
    database->step = STEP_IDLE;
    if (catalogue_reading_hash(fingerprint->text) != database->fingerprint) {
        uint64_t due_us = catalogue_pace_read_at(&database->pace, now_us);
        if (due_us < database->due_at_us)
            database->due_at_us = due_us;
    }
    proceed(database->reader);
}

static void on_opened(void *context)
{
    struct database *database = context;
    database->step = STEP_READING;
    catalogue_reading_read(database->reading, database->fingerprint);
}

static void begin_reading(struct database *database, struct endpoint *primary)
{
    struct catalogue_reader *reader = database->reader;
    const struct catalogue_reading_events events = {.context = database,
        .opened = on_opened,
        .looked = on_looked,
        .fingerprinted = on_fingerprinted,
        .read = on_read,
        .failed = on_failed};
    if (database->endpoint != primary)
        disconnect(database, 0);
    database->begun_at_us = clock_now_us();
    database->asked_reading = database->wanted || !database->catalogue;
    database->void_reading = false;
    if (database->reading) {
        on_opened(database);
        return;
    }
    database->step = STEP_OPENING;
    database->endpoint = primary;
    database->reading =
        catalogue_reading_open(reader->loop, reader->settings, primary, database->name, &events);
}

/* --- which database next --- */

static bool is_reading(const struct database *database)
{
    switch (database->step) {
    case STEP_OPENING:
    case STEP_READING:
    case STEP_DECIDING: return true;
    case STEP_CLOSED:
    case STEP_IDLE:
    case STEP_LOOKING:
    case STEP_COMPARING: break;
    }
    return false;
}

static size_t count_readings(const struct catalogue_reader *reader)
{
    size_t n = 0;
    for (const struct database *database = reader->databases; database; database = database->next)
        n += is_reading(database);
    return n;
}

/* An open connection with nothing to read. */
static void proceed_idle(struct database *database, const struct endpoint *primary, uint64_t now_us)
{
    if (database->endpoint != primary) {
        disconnect(database, 0);
    } else if (!is_in_use(database, now_us)) {
        disconnect(database, CATALOGUE_NOTICE_WITHIN_US);
    } else if (now_us >= database->pace.look_at_us) {
        database->step = STEP_LOOKING;
        catalogue_reading_look(database->reading);
    }
}

static void proceed(struct catalogue_reader *reader)
{
    struct endpoint *primary = reader->nodes.nth(reader->nodes.context, 0, true);
    uint64_t now_us = clock_now_us();
    struct database *next;
    for (struct database *database = reader->databases; database; database = next) {
        next = database->next;
        if (database->step != STEP_CLOSED && database->step != STEP_IDLE)
            continue;
        if (now_us - database->asked_at_us > KEPT_FOR_US)
            forget_database(database);
        else if (primary && now_us >= database->due_at_us && count_readings(reader) < MAX_READINGS)
            begin_reading(database, primary);
        else if (database->step == STEP_IDLE)
            proceed_idle(database, primary, now_us);
    }
}

static void on_tick(uv_timer_t *timer)
{
    proceed(timer->data);
}

static struct database *find(struct catalogue_reader *reader, const char *name)
{
    struct database *database = reader->databases;
    while (database && strcmp(database->name, name) != 0)
        database = database->next;
    return database;
}

static struct database *add(struct catalogue_reader *reader, const char *name)
{
    if (reader->n_databases >= MAX_DATABASES) {
        log_event(LOG_WARNING, "catalogue_not_read", "cluster=%s database=%s error=%s",
            reader->settings->cluster->name, name, "too many databases are used with split routing");
        return NULL;
    }
    struct database *database = memory_new(1, sizeof *database);
    database->reader = reader;
    database->wanted = true;
    snprintf(database->name, sizeof database->name, "%s", name);
    catalogue_pace_init(&database->pace, clock_now_us());
    database->next = reader->databases;
    reader->databases = database;
    reader->n_databases++;
    return database;
}

static void bring_forward(struct database *database, uint64_t now_us)
{
    uint64_t earliest_us = database->begun_at_us + CHANGED_GAP_US;
    uint64_t due_us = earliest_us > now_us ? earliest_us : now_us;
    if (database->due_at_us > due_us)
        database->due_at_us = due_us;
}

void catalogue_reader_request(struct catalogue_reader *reader, const char *name, bool changed)
{
    uint64_t now_us = clock_now_us();
    struct database *database = find(reader, name);
    if (!database && name[0])
        database = add(reader, name);
    if (!database)
        return;
    database->asked_at_us = now_us;
    if (!changed && database->catalogue && !database->wanted) {
        send_catalogue(database);
        if (database->step == STEP_CLOSED) /* nobody used it, and nothing was looked for */
            bring_forward(database, now_us);
    } else {
        database->wanted = true;
        if (!is_reading(database))
            bring_forward(database, now_us);
        else if (changed)
            database->void_reading = true;
    }
    proceed(reader);
}

void catalogue_reader_nodes_changed(struct catalogue_reader *reader)
{
    proceed(reader);
}

void catalogue_reader_settings_changed(struct catalogue_reader *reader)
{
    for (struct database *database = reader->databases; database; database = database->next) {
        disconnect(database, 0);
        database->fingerprint = 0;
    }
    proceed(reader);
}

void catalogue_reader_forget_endpoint(struct catalogue_reader *reader, const struct endpoint *endpoint)
{
    for (struct database *database = reader->databases; database; database = database->next) {
        if (database->endpoint == endpoint)
            disconnect(database, RETRY_US);
    }
}

/* --- life --- */

struct catalogue_reader *catalogue_reader_open(uv_loop_t *loop, const struct settings *settings,
    const struct subscribers *subscribers, const struct secrets_nodes *nodes)
{
    struct catalogue_reader *reader = memory_new(1, sizeof *reader);
    reader->loop = loop;
    reader->settings = settings;
    reader->subscribers = subscribers;
    reader->nodes = *nodes;
    uv_timer_init(loop, &reader->timer);
    reader->timer.data = reader;
    uv_timer_start(&reader->timer, on_tick, TICK_MS, TICK_MS);
    return reader;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void catalogue_reader_close(struct catalogue_reader *reader)
{
    if (!reader)
        return;
    while (reader->databases)
        forget_database(reader->databases);
    uv_close((uv_handle_t *)&reader->timer, on_closed);
}
