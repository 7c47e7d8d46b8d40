/*
 * Reading catalogues; see catalogue_reader.h.
 *
 *     request -> due -> connect to the primary -> begin -> fingerprint -> functions, relations, dependencies
 * -> decide
 *             -> publish to all
 *
 * A fingerprint that did not change ends the reading early. A request that says "changed" while a reading is
 * under way makes that reading void and starts another, since its snapshot may be older than the change;
 * after a few times it is published nevertheless. At most two connections at once, each closed after its
 * reading. What fails is tried again a second later; a database that is gone is forgotten.
 */
#include "health/catalogue_reader.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"
#include "health/catalogue_query.h"
#include "health/memory.h"
#include "health/pgconn.h"

#include <assert.h>
#include <stdio.h>

#define MAX_DATABASES 256
#define MAX_READINGS 2
#define MAX_RESTARTS 5
#define TICK_MS 100
#define REFRESH_US 30000000u
#define RETRY_US 1000000u
#define CHANGED_GAP_US 200000u
#define KEPT_FOR_US 3600000000u
#define CONNECT_TIMEOUT_MS 5000
#define QUERY_TIMEOUT_MS 20000
#define FINGERPRINT_MAX 512

/* Rules on their way to a catalogue, in another thread. */
struct deciding {
    uv_work_t work;
    struct database *database; /* NULL: nobody wants it any more */
    struct config *config;     /* one reference: its lists are applied */
    const struct config_cluster *cluster;
    struct catalogue_rules *rules;
    struct catalogue *catalogue;
};

struct database {
    struct catalogue_reader *reader;
    struct database *next;
    char name[MESSAGE_NAME_MAX];
    uint64_t asked_at_us, due_at_us, begun_at_us;
    bool wanted;       /* somebody waits for a publication */
    bool void_reading; /* the reading under way is older than a change */
    unsigned restarts;
    char fingerprint[FINGERPRINT_MAX]; /* of what was published last */
    struct catalogue *catalogue;       /* published last; one reference */
    char told[ERROR_TEXT_MAX];
    /* the reading under way */
    bool reading;
    struct deciding *deciding; /* its last step */
    struct pgconn *conn;
    struct endpoint *endpoint;
    enum catalogue_question question;
    int server_version;
    char new_fingerprint[FINGERPRINT_MAX];
    struct catalogue_rules *rules;
};

struct catalogue_reader {
    uv_loop_t *loop;
    const struct settings *settings;
    const struct subscribers *subscribers;
    struct secrets_nodes nodes;
    uv_timer_t timer;
    struct database *databases;
    size_t n_databases, n_readings;
};

static void proceed(struct catalogue_reader *reader);

/* --- one reading --- */

static void end_reading(struct database *database, uint64_t again_after_us)
{
    if (!database->reading)
        return;
    if (database->deciding)
        database->deciding->database = NULL;
    pgconn_close(database->conn);
    catalogue_rules_free(database->rules);
    database->reading = false;
    database->deciding = NULL;
    database->conn = NULL;
    database->endpoint = NULL;
    database->rules = NULL;
    database->reader->n_readings--;
    database->due_at_us = clock_now_us() + again_after_us;
}

static void forget_database(struct database *database)
{
    struct catalogue_reader *reader = database->reader;
    struct database **link = &reader->databases;
    end_reading(database, 0);
    while (*link != database)
        link = &(*link)->next;
    *link = database->next;
    reader->n_databases--;
    catalogue_unref(database->catalogue);
    free(database);
}

static void reading_failed(struct database *database, const struct error *error)
{
    struct catalogue_reader *reader = database->reader;
    bool gone = strcmp(error->sqlstate, SQLSTATE_INVALID_DATABASE) == 0;
    if (gone || strcmp(database->told, error->text) != 0)
        log_event(gone ? LOG_INFO : LOG_WARNING, "catalogue_not_read",
            "cluster=%s database=%s sqlstate=%s error=%s", reader->settings->cluster->name, database->name,
            error->sqlstate, error->text);
    snprintf(database->told, sizeof database->told, "%s", error->text);
    if (gone)
        forget_database(database);
    else
        end_reading(database, RETRY_US);
    proceed(reader);
}

static void send_catalogue(struct database *database)
{
    database->wanted = false;
    subscribers_send_catalogue(database->reader->subscribers, database->catalogue);
}

static void apply_lists(
    const struct config_cluster *cluster, struct catalogue_rules *rules, struct catalogue *out)
{
    for (char **name = cluster->read_functions; name && *name; name++) {
        if (rules)
            catalogue_rules_override(rules, *name, NAME_HARMLESS);
        else
            catalogue_override_function(out, *name, NAME_HARMLESS);
    }
    for (char **name = cluster->write_functions; name && *name; name++) {
        if (rules)
            catalogue_rules_override(rules, *name, NAME_SPECIAL);
        else
            catalogue_override_function(out, *name, NAME_SPECIAL);
    }
}

static void decide(uv_work_t *work)
{
    struct deciding *deciding = work->data;
    apply_lists(deciding->cluster, deciding->rules, NULL);
    catalogue_rules_decide(deciding->rules);
    catalogue_rules_fill(deciding->rules, deciding->catalogue);
    apply_lists(deciding->cluster, NULL, deciding->catalogue);
}

static void reading_done(struct database *database, struct catalogue *catalogue);

static void on_decided(uv_work_t *work, int status)
{
    struct deciding *deciding = work->data;
    struct database *database = deciding->database;
    (void)status; /* nobody cancels it */
    catalogue_rules_free(deciding->rules);
    config_unref(deciding->config);
    if (database) {
        database->deciding = NULL;
        reading_done(database, deciding->catalogue);
    } else {
        catalogue_unref(deciding->catalogue);
    }
    free(deciding);
}

static void begin_deciding(struct database *database)
{
    const struct settings *settings = database->reader->settings;
    struct deciding *deciding = memory_new(1, sizeof *deciding);
    deciding->work.data = deciding;
    deciding->database = database;
    deciding->config = config_ref(settings->config);
    deciding->cluster = settings->cluster;
    deciding->rules = database->rules;
    deciding->catalogue = catalogue_new(settings->cluster->name, database->name);
    database->rules = NULL;
    database->deciding = deciding;
    pgconn_close(database->conn);
    database->conn = NULL;
    int failed = uv_queue_work(database->reader->loop, &deciding->work, decide, on_decided);
    assert(failed == 0);
    (void)failed;
}

static void keep(struct database *database, struct catalogue *catalogue)
{
    catalogue_unref(database->catalogue);
    database->catalogue = catalogue;
    memcpy(database->fingerprint, database->new_fingerprint, sizeof database->fingerprint);
    log_event(
        LOG_DEBUG, "catalogue_read", "cluster=%s database=%s", catalogue_cluster(catalogue), database->name);
}

/* catalogue: the new one, taken over; NULL: the old one is still right. */
static void reading_done(struct database *database, struct catalogue *catalogue)
{
    struct catalogue_reader *reader = database->reader;
    database->told[0] = '\0';
    if (database->void_reading && database->restarts < MAX_RESTARTS) {
        database->restarts++;
        catalogue_unref(catalogue);
        end_reading(database, CHANGED_GAP_US);
    } else {
        bool missed = database->void_reading;
        database->restarts = 0;
        if (catalogue)
            keep(database, catalogue);
        if (catalogue || database->wanted)
            send_catalogue(database);
        database->wanted = missed;
        end_reading(database, missed ? CHANGED_GAP_US : REFRESH_US);
    }
    database->void_reading = false;
    proceed(reader);
}

static void on_answer(void *context, const struct pgconn_answer *answer);

static void ask(struct database *database, enum catalogue_question question)
{
    database->question = question;
    pgconn_query(database->conn, catalogue_question_text(question, database->server_version), NULL, 0,
        QUERY_TIMEOUT_MS, database, on_answer);
}

/* True when nothing changed since the last publication. */
static bool take_fingerprint(struct database *database, const struct pgconn_answer *answer)
{
    const char *version = pgconn_value(answer, 0, 0), *text = pgconn_value(answer, 0, 1);
    database->server_version = version ? atoi(version) : 0;
    snprintf(database->new_fingerprint, sizeof database->new_fingerprint, "%s", text ? text : "");
    return database->catalogue && database->new_fingerprint[0] &&
           strcmp(database->new_fingerprint, database->fingerprint) == 0;
}

static void on_answer(void *context, const struct pgconn_answer *answer)
{
    struct database *database = context;
    struct error too_many;
    if (answer->outcome != PGCONN_OK) {
        reading_failed(database, &answer->error);
        return;
    }
    if (database->question == CATALOGUE_FINGERPRINT && take_fingerprint(database, answer)) {
        reading_done(database, NULL);
        return;
    }
    if (database->question >= CATALOGUE_FUNCTIONS &&
        !catalogue_answer_read(database->question, answer, database->rules)) {
        error_set(&too_many, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
            "more than %d objects: all statements go to the primary", CATALOGUE_MAX_ROWS);
        reading_failed(database, &too_many);
        return;
    }
    if (database->question + 1 == CATALOGUE_QUESTIONS)
        begin_deciding(database);
    else
        ask(database, database->question + 1);
}

static void on_opened(void *context, const struct pgconn_answer *answer)
{
    struct database *database = context;
    if (answer->outcome == PGCONN_OK)
        ask(database, CATALOGUE_BEGIN);
    else
        reading_failed(database, &answer->error);
}

static void begin_reading(struct database *database, struct endpoint *endpoint)
{
    struct catalogue_reader *reader = database->reader;
    const struct config *config = reader->settings->config;
    const struct config_cluster *cluster = reader->settings->cluster;
    struct pgconn_params params = {.endpoint = endpoint,
        .user = cluster->probe_user,
        .password = cluster->probe_password,
        .database = database->name,
        .options = "-c search_path= -c lock_timeout=2s -c statement_timeout=20s",
        .tls = &cluster->tls,
        .tcp_user_timeout_ms = config->tcp_user_timeout_ms,
        .tcp_keepalive_ms = config->tcp_keepalive_ms,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .context = database,
        .opened = on_opened};
    database->begun_at_us = clock_now_us();
    database->endpoint = endpoint;
    database->rules = catalogue_rules_new();
    database->void_reading = false;
    database->reading = true;
    database->conn = pgconn_open(reader->loop, &params);
    reader->n_readings++;
}

/* --- which database next --- */

static void proceed(struct catalogue_reader *reader)
{
    struct endpoint *primary = reader->nodes.nth(reader->nodes.context, 0, true);
    uint64_t now_us = clock_now_us();
    struct database *next;
    for (struct database *database = reader->databases; database; database = next) {
        next = database->next;
        if (database->reading)
            continue;
        if (now_us - database->asked_at_us > KEPT_FOR_US)
            forget_database(database);
        else if (primary && now_us >= database->due_at_us && reader->n_readings < MAX_READINGS)
            begin_reading(database, primary);
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
        return;
    }
    database->wanted = true;
    if (changed && database->reading)
        database->void_reading = true;
    if (!database->reading)
        bring_forward(database, now_us);
    proceed(reader);
}

void catalogue_reader_nodes_changed(struct catalogue_reader *reader)
{
    proceed(reader);
}

void catalogue_reader_settings_changed(struct catalogue_reader *reader)
{
    for (struct database *database = reader->databases; database; database = database->next) {
        end_reading(database, 0);
        database->fingerprint[0] = '\0';
        database->due_at_us = 0;
    }
    proceed(reader);
}

void catalogue_reader_forget_endpoint(struct catalogue_reader *reader, const struct endpoint *endpoint)
{
    for (struct database *database = reader->databases; database; database = database->next) {
        if (database->endpoint == endpoint)
            end_reading(database, RETRY_US);
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
