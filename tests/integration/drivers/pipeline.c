/*
 * libpq's pipeline mode, for test_drivers.py; program.py says how that talks to its programs.
 *
 * 20 threads with a connection each run a scenario at once. What a scenario answers is the text of the
 * results that it reads, in order. Where that cannot go on (the connection is lost, results do not end), it
 * says so as a failure and the program ends.
 */
#include <libpq-fe.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CROWD 20
#define MANY 400

struct me {
    PGconn *conn;
    char key[16]; /* of its rows: no other scenario has it */
    FILE *answer; /* writes to `text` */
    char *text;
    size_t len;
};

struct scenario {
    const char *name;
    void (*run)(struct me *me);
};

static const char INSERT[] = "insert into dr_rows values ($1, $2, 'x')";
static const char COUNT[] = "select count(*) from dr_rows where who = $1";
static const char DIVIDE[] = "select 12 / $1::int";
static const char FIXED[] = "select n, t from dr_fixed where n = $1";

/* As a string of JSON, which no result here makes hard. */
static void print_quoted(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        if (*text == '\n')
            fputs("\\n", stdout);
        else
            putchar(*text);
    }
    putchar('"');
}

static _Noreturn void fail(const char *what, const char *why)
{
    flockfile(stdout);
    char text[1024];
    snprintf(text, sizeof text, "%s: %s", what, why);
    fputs("{\"failed\": ", stdout);
    print_quoted(text);
    fputs("}\n", stdout);
    fflush(stdout);
    _Exit(1);
}

static void must(const struct me *me, bool good, const char *what)
{
    if (!good)
        fail(what, PQerrorMessage(me->conn));
}

static void send_values(struct me *me, const char *sql, int count, const char *const *values)
{
    must(me, PQsendQueryParams(me->conn, sql, count, NULL, values, NULL, NULL, 0), "PQsendQueryParams");
}

static void send_plain(struct me *me, const char *sql)
{
    send_values(me, sql, 0, NULL);
}

static void send_insert(struct me *me, int n)
{
    char number[16];
    snprintf(number, sizeof number, "%d", n);
    send_values(me, INSERT, 2, (const char *const[]){me->key, number});
}

static void send_count(struct me *me)
{
    send_values(me, COUNT, 1, (const char *const[]){me->key});
}

static void send_division(struct me *me, const char *by)
{
    send_values(me, DIVIDE, 1, &by);
}

static void sync_here(struct me *me)
{
    must(me, PQpipelineSync(me->conn), "PQpipelineSync");
}

/* One result as text: how it ended, and its error or first value. */
static void tell(struct me *me, const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    fprintf(me->answer, "%s", PQresStatus(status) + strlen("PGRES_"));
    if (status == PGRES_FATAL_ERROR)
        fprintf(me->answer, " %s", PQresultErrorField(result, PG_DIAG_SQLSTATE));
    else if (PQntuples(result) > 0)
        fprintf(me->answer, " %s x%d", PQgetvalue(result, 0, 0), PQntuples(result));
    else if (*PQcmdStatus((PGresult *)result))
        fprintf(me->answer, " %s", PQcmdStatus((PGresult *)result));
    fputc('\n', me->answer);
}

/* The results of the next query, up to the NULL behind them; false at a sync, which has none behind it. */
static bool hear(struct me *me)
{
    PGresult *result = PQgetResult(me->conn);
    if (!result)
        fail("hear", "there is no result");
    for (; result; result = PQgetResult(me->conn)) {
        ExecStatusType status = PQresultStatus(result);
        tell(me, result);
        PQclear(result);
        must(me, PQstatus(me->conn) == CONNECTION_OK, "the connection is lost");
        if (status == PGRES_PIPELINE_SYNC)
            return false;
    }
    return true;
}

static void hear_to_sync(struct me *me)
{
    while (hear(me)) {
    }
}

static void enter(struct me *me)
{
    must(me, PQenterPipelineMode(me->conn), "PQenterPipelineMode");
}

static void leave(struct me *me)
{
    must(me, PQexitPipelineMode(me->conn), "PQexitPipelineMode");
}

/* Outside of pipeline mode. */
static void ask(struct me *me, const char *sql)
{
    PGresult *result = PQexec(me->conn, sql);
    tell(me, result);
    PQclear(result);
}

static void count_rows(struct me *me)
{
    PGresult *result = PQexecParams(me->conn, COUNT, 1, NULL, (const char *const[]){me->key}, NULL, NULL, 0);
    tell(me, result);
    PQclear(result);
}

/* What is between two syncs is one transaction. */
static void batches(struct me *me)
{
    enter(me);
    for (int n = 0; n < 30; n++)
        send_insert(me, n);
    send_count(me);
    sync_here(me);
    hear_to_sync(me);
    send_insert(me, 100);
    send_insert(me, 0); /* there already */
    send_insert(me, 101);
    sync_here(me);
    hear_to_sync(me);
    leave(me);
    count_rows(me);
}

/* Several syncs are under way at once, and an error ends its own part alone. */
static void errors(struct me *me)
{
    static const char *const by[] = {"1", "0", "2", "3", "0", "4"};
    enter(me);
    for (int part = 0; part < 6; part++) {
        send_division(me, "6");
        send_division(me, by[part]);
        send_values(me, FIXED, 1, (const char *const[]){"7"});
        send_insert(me, part);
        sync_here(me);
    }
    send_plain(me, "selec");
    send_plain(me, "select 1");
    sync_here(me);
    for (int part = 0; part < 7; part++)
        hear_to_sync(me);
    leave(me);
    count_rows(me);
    ask(me, "select 'still there'");
}

/* Reads and writes in turns, each with its sync, all sent before the first answer is read: each read sees
 * what was written. */
static void reads_and_writes(struct me *me)
{
    enter(me);
    for (int n = 0; n < 20; n++) {
        send_insert(me, n);
        sync_here(me);
        send_count(me);
        sync_here(me);
        send_values(me, FIXED, 1, (const char *const[]){"9"});
        sync_here(me);
    }
    for (int n = 0; n < 60; n++)
        hear_to_sync(me);
    leave(me);
}

static void prepared(struct me *me)
{
    const char *const values[] = {me->key, "1"};
    enter(me);
    must(me, PQsendPrepare(me->conn, "insert", INSERT, 0, NULL), "PQsendPrepare");
    must(me, PQsendPrepare(me->conn, "count", COUNT, 0, NULL), "PQsendPrepare");
    must(me, PQsendDescribePrepared(me->conn, "count"), "PQsendDescribePrepared");
    must(me, PQsendQueryPrepared(me->conn, "insert", 2, values, NULL, NULL, 0), "PQsendQueryPrepared");
    sync_here(me);
    for (int turn = 0; turn < 10; turn++) {
        must(me, PQsendQueryPrepared(me->conn, "count", 1, values, NULL, NULL, 0), "PQsendQueryPrepared");
        sync_here(me);
    }
    must(me, PQsendQueryPrepared(me->conn, "insert", 2, values, NULL, NULL, 0), "PQsendQueryPrepared");
    must(me, PQsendPrepare(me->conn, "never", "select 1", 0, NULL), "PQsendPrepare");
    sync_here(me);
    must(me, PQsendQueryPrepared(me->conn, "never", 0, NULL, NULL, NULL, 0), "PQsendQueryPrepared");
    sync_here(me);
    for (int part = 0; part < 13; part++)
        hear_to_sync(me);
    leave(me);
    ask(me, "deallocate insert");
    ask(me, "deallocate count");
    ask(me, "deallocate count");
}

static void transactions(struct me *me)
{
    enter(me);
    send_plain(me, "begin");
    send_insert(me, 1);
    sync_here(me); /* ends no transaction that was begun */
    send_insert(me, 2);
    send_count(me);
    send_plain(me, "commit");
    send_insert(me, 3);
    sync_here(me);
    send_plain(me, "begin");
    send_insert(me, 4);
    send_division(me, "0");
    sync_here(me);
    send_plain(me, "select 1");
    sync_here(me);
    send_plain(me, "rollback");
    send_plain(me, "begin isolation level repeatable read read only");
    send_count(me);
    send_insert(me, 5);
    sync_here(me);
    send_plain(me, "rollback");
    send_count(me);
    sync_here(me);
    for (int part = 0; part < 6; part++)
        hear_to_sync(me);
    leave(me);
}

/* Answers are asked for before the sync, by Flush. */
static void flushes(struct me *me)
{
    enter(me);
    for (int n = 0; n < 5; n++) {
        send_values(me, FIXED, 1, (const char *const[]){"11"});
        must(me, PQsendFlushRequest(me->conn), "PQsendFlushRequest");
        hear(me);
        send_insert(me, n);
        must(me, PQsendFlushRequest(me->conn), "PQsendFlushRequest");
        hear(me);
    }
    send_count(me);
    sync_here(me);
    hear_to_sync(me);
    send_insert(me, 100);
    must(me, PQsendFlushRequest(me->conn), "PQsendFlushRequest");
    hear(me);
    send_insert(me, 0); /* and the whole part is undone */
    sync_here(me);
    hear_to_sync(me);
    leave(me);
    count_rows(me);
}

static void send_long(struct me *me, int n)
{
    char number[16], text[8192];
    snprintf(number, sizeof number, "%d", n % 1000 + 1);
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    send_values(me, "select n, $2::text from dr_fixed where n = $1", 2, (const char *const[]){number, text});
}

/* The answers that are there; returns how many there have been by now. */
static int take(struct me *me, int heard)
{
    for (int ends = 0; ends < 2 && heard < MANY && !PQisBusy(me->conn);) {
        PGresult *result = PQgetResult(me->conn);
        ends = result ? 0 : ends + 1; /* one NULL is behind each query, two when there is none under way */
        if (PQresultStatus(result) == PGRES_TUPLES_OK)
            must(me, atoi(PQgetvalue(result, 0, 0)) == heard++ % 1000 + 1, "the answers' order");
        else
            must(me, !result || PQresultStatus(result) == PGRES_PIPELINE_SYNC, "another result");
        PQclear(result);
    }
    return heard;
}

/* Reads only when no more can be written, until all is sent. */
static int exchange(struct me *me, int *sent, int heard)
{
    int unsent = PQflush(me->conn);
    must(me, unsent >= 0, "PQflush");
    if (!unsent && *sent < MANY) {
        send_long(me, (*sent)++);
        if (*sent % 50 == 0)
            sync_here(me);
        return heard;
    }
    struct pollfd socket = {PQsocket(me->conn), (short)(unsent ? POLLIN | POLLOUT : POLLIN), 0};
    must(me, poll(&socket, 1, 30000) == 1, "nothing comes for 30 s");
    must(me, !(socket.revents & POLLIN) || PQconsumeInput(me->conn), "PQconsumeInput");
    return take(me, heard);
}

static void more_than_buffers_hold(struct me *me)
{
    int sent = 0, heard = 0;
    must(me, PQsetnonblocking(me->conn, 1) == 0, "PQsetnonblocking");
    enter(me);
    while (heard < MANY)
        heard = exchange(me, &sent, heard);
    must(me, PQsetnonblocking(me->conn, 0) == 0, "PQsetnonblocking");
    while (PQpipelineStatus(me->conn) == PQ_PIPELINE_ON && !PQexitPipelineMode(me->conn))
        PQclear(PQgetResult(me->conn));
    fprintf(me->answer, "%d\n", heard);
    count_rows(me);
}

static void row_by_row(struct me *me)
{
    enter(me);
    send_plain(me, "select n from dr_fixed order by n");
    send_plain(me, "select 100 / (5 - n) from dr_fixed order by n");
    send_plain(me, "select 1");
    sync_here(me);
    for (int query = 0; query < 2; query++) {
        int rows = 0;
        must(me, PQsetSingleRowMode(me->conn), "PQsetSingleRowMode");
        PGresult *result;
        while ((result = PQgetResult(me->conn))) {
            if (PQresultStatus(result) == PGRES_SINGLE_TUPLE)
                rows++;
            else
                tell(me, result);
            PQclear(result);
        }
        fprintf(me->answer, "%d rows\n", rows);
    }
    hear_to_sync(me);
    leave(me);
}

struct canceller {
    PGconn *conn;
    atomic_bool ended;
};

static void *cancel_again_and_again(void *data)
{
    struct canceller *canceller = data;
    char why[256] = "";
    PGcancel *cancel = PQgetCancel(canceller->conn);
    do {
        nanosleep(&(struct timespec){.tv_nsec = 150000000}, NULL);
        if (!cancel || (!canceller->ended && !PQcancel(cancel, why, sizeof why)))
            fail("PQcancel", why);
    } while (!canceller->ended);
    PQfreeCancel(cancel);
    return NULL;
}

/* The part that it hits is undone, the next one is not touched. */
static void cancels(struct me *me)
{
    pthread_t thread;
    struct canceller canceller = {.conn = me->conn};
    enter(me);
    send_insert(me, 1);
    must(me, PQsendFlushRequest(me->conn), "PQsendFlushRequest");
    hear(me);
    send_plain(me, "select pg_sleep(50)");
    send_insert(me, 2);
    sync_here(me);
    if (pthread_create(&thread, NULL, cancel_again_and_again, &canceller))
        fail("cancels", "no thread");
    hear_to_sync(me);
    canceller.ended = true;
    pthread_join(thread, NULL);
    send_division(me, "4");
    sync_here(me);
    hear_to_sync(me);
    leave(me);
    count_rows(me);
}

static const struct scenario SCENARIOS[] = {
    {"batches", batches},
    {"cancels", cancels},
    {"errors", errors},
    {"flushes", flushes},
    {"more_than_buffers_hold", more_than_buffers_hold},
    {"prepared", prepared},
    {"reads_and_writes", reads_and_writes},
    {"row_by_row", row_by_row},
    {"transactions", transactions},
};

struct part {
    struct me me;
    const struct scenario *scenario;
};

static void *take_part(void *data)
{
    struct part *part = data;
    struct me *me = &part->me;
    if (!me->conn)
        me->conn = PQconnectdb("");
    must(me, PQstatus(me->conn) == CONNECTION_OK, "connect");
    me->answer = open_memstream(&me->text, &me->len);
    if (!me->answer)
        fail("take_part", "out of memory");
    part->scenario->run(me);
    fclose(me->answer);
    return NULL;
}

static void run(struct part *parts, const struct scenario *scenario, int number)
{
    pthread_t threads[CROWD];
    for (int i = 0; i < CROWD; i++) {
        parts[i].scenario = scenario;
        snprintf(parts[i].me.key, sizeof parts[i].me.key, "%d", number * 100 + i);
        if (pthread_create(&threads[i], NULL, take_part, &parts[i]))
            fail("run", "no thread");
    }
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    fputs("{\"answers\": [", stdout);
    for (int i = 0; i < CROWD; i++) {
        fputs(i ? ", " : "", stdout);
        print_quoted(parts[i].me.text);
        free(parts[i].me.text);
    }
    fputs("]}\n", stdout);
}

static void name_all(size_t count)
{
    fputs("{\"scenarios\": [", stdout);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? ", " : "", stdout);
        print_quoted(SCENARIOS[i].name);
    }
    fputs("]}\n", stdout);
}

int main(void)
{
    static struct part parts[CROWD];
    const size_t count = sizeof SCENARIOS / sizeof *SCENARIOS;
    char line[256], name[64];
    int number;

    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "{\"scenario\": \"%63[a-z_]\", \"run\": %d}", name, &number) != 2)
            fail("main", "this is no request");
        size_t i = 0;
        while (i < count && strcmp(SCENARIOS[i].name, name) != 0)
            i++;
        if (i < count)
            run(parts, &SCENARIOS[i], number);
        else
            name_all(count);
        fflush(stdout);
    }
    for (int i = 0; i < CROWD; i++)
        PQfinish(parts[i].me.conn);
    return 0;
}
