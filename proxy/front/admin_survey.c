/*
 * Surveys; see admin_survey.h.
 *
 * A survey has one part for each worker. A part is on its way between MESSAGE_STATUS_REQUEST and
 * MESSAGE_STATUS_REPLY and then belongs to the worker; in between it belongs to the main thread, which makes
 * room in it, so that the worker's share is copying. A worker that never answers (it has ended) keeps its
 * part, which is freed with all surveys; a survey that nobody wants any more leaves parts that are freed when
 * they come home.
 */
#include "proxy/front/admin_survey.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"
#include "router/message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REPORTS_A_TURN 128 /* some tens of microseconds */
#define PATIENCE_US 2000000

struct survey_part {
    struct survey_part *next; /* of all parts */
    struct surveys *all;
    struct survey *survey; /* main's; NULL when it is not wanted any more */
    uint32_t worker;
    enum survey_kind kind;
    struct errand errand; /* its text is the part's own */
    /* the worker's while it is on its way */
    uint32_t cursor;
    char *reports;
    size_t n, cap;
    uint32_t turns,
        longest_us; /* how often it was asked, and the time that this took from its clients at most */
    bool failed;
    bool on_its_way; /* main's */
};

static size_t report_size(enum survey_kind kind)
{
    switch (kind) {
    case SURVEY_SESSIONS: return sizeof(struct session_report);
    case SURVEY_SERVERS: return sizeof(struct server_report);
    case SURVEY_POOLS: return sizeof(struct pool_report);
    case SURVEY_PREPARED: return sizeof(struct prepared_report);
    case SURVEY_ERRAND: return sizeof(struct errand_report);
    case SURVEY_ROUTE: return sizeof(struct explanation);
    case SURVEY_NONE: break;
    }
    assert(false);
    return 0;
}

void surveys_init(
    struct surveys *surveys, struct worker *workers, uint32_t n_workers, struct mailbox *mailbox)
{
    *surveys = (struct surveys){.workers = workers, .n_workers = n_workers, .mailbox = mailbox};
}

static void part_free(struct survey_part *part)
{
    struct survey_part **at = &part->all->first;
    while (*at != part)
        at = &(*at)->next;
    *at = part->next;
    free((char *)part->errand.text.data);
    free(part->reports);
    free(part);
}

void surveys_fini(struct surveys *surveys)
{
    while (surveys->first)
        part_free(surveys->first);
}

/* ---- the worker's thread ---- */

/* Everything at once, behind what is there. */
static void take_all(struct survey_part *part, void *reports, size_t n)
{
    size_t size = report_size(part->kind);
    if (n > part->cap - part->n) {
        char *room = realloc(part->reports, (part->n + n) * size);
        if (!room) {
            part->failed = true;
            free(reports);
            return;
        }
        part->reports = room;
        part->cap = part->n + n;
    }
    if (n > 0)
        memcpy(part->reports + part->n * size, reports, n * size);
    part->n += n;
    free(reports);
}

static void explain(struct sessions *sessions, const struct errand *errand, struct explanation *out)
{
    if (errand->worker == sessions->pools.worker)
        explain_session(sessions, errand->serial, errand->text, out);
    else
        *out = (struct explanation){.found = false};
}

/* As much as one turn of the loop may take. */
static void fill(struct survey_part *part, struct sessions *sessions)
{
    struct server_report *servers;
    struct pool_report *pools;
    struct prepared_report *prepared;
    size_t left = part->cap - part->n, room = left < REPORTS_A_TURN ? left : REPORTS_A_TURN;
    void *end = part->reports + part->n * report_size(part->kind);
    switch (part->kind) {
    case SURVEY_SESSIONS: part->n += report_sessions(sessions, &part->cursor, end, room); break;
    case SURVEY_SERVERS:
        part->n += report_relays(sessions, &part->cursor, end, room);
        if (part->cursor == UINT32_MAX) {
            size_t n = report_servers(sessions, &servers);
            take_all(part, servers, n);
        }
        break;
    case SURVEY_POOLS: {
        size_t n = report_pools(sessions, &pools);
        take_all(part, pools, n);
        part->cursor = UINT32_MAX;
        break;
    }
    case SURVEY_PREPARED: {
        size_t n = report_prepared(sessions, &prepared);
        take_all(part, prepared, n);
        part->cursor = UINT32_MAX;
        break;
    }
    case SURVEY_ERRAND:
        errand_run(sessions, &part->errand, end);
        part->n++;
        part->cursor = UINT32_MAX;
        break;
    case SURVEY_ROUTE:
        explain(sessions, &part->errand, end);
        part->n++;
        part->cursor = UINT32_MAX;
        break;
    case SURVEY_NONE: break;
    }
}

/* Of this thread, whatever others do. */
static uint64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void answer(void *request, void *context, uint32_t worker)
{
    struct survey_part *part = request;
    uint64_t began_us = cpu_us();
    (void)worker;
    fill(part, context);
    uint64_t took_us = cpu_us() - began_us;
    part->turns++;
    if (took_us > part->longest_us)
        part->longest_us = (uint32_t)took_us;
    struct message *reply = message_new(MESSAGE_STATUS_REPLY);
    reply->status.request = part;
    mailbox_post(part->all->mailbox, &reply->letter);
}

/* ---- the main thread ---- */

/* Room for another turn, its pages touched here and not in the worker. */
static bool make_room(struct survey_part *part)
{
    size_t size = report_size(part->kind);
    if (part->cap - part->n >= REPORTS_A_TURN)
        return true;
    size_t cap = part->cap ? part->cap * 2 : REPORTS_A_TURN;
    char *reports = realloc(part->reports, cap * size);
    if (!reports)
        return false;
    memset(reports + part->n * size, 0, (cap - part->n) * size);
    part->reports = reports;
    part->cap = cap;
    return true;
}

static bool dispatch(struct survey_part *part)
{
    if (!make_room(part))
        return false;
    struct message *message = message_new(MESSAGE_STATUS_REQUEST);
    message->status.request = part;
    message->status.answer = answer;
    part->on_its_way = true;
    mailbox_post(&part->all->workers[part->worker].mailbox, &message->letter);
    return true;
}

static struct survey_part *part_new(struct survey *survey, uint32_t worker)
{
    struct survey_part *part = calloc(1, sizeof *part);
    if (!part)
        return NULL;
    *part = (struct survey_part){.next = survey->all->first,
        .all = survey->all,
        .survey = survey,
        .worker = worker,
        .kind = survey->kind};
    survey->all->first = part;
    return part;
}

static bool give_errand(struct survey_part *part, const struct errand *errand)
{
    if (!errand)
        return true;
    part->errand = *errand;
    part->errand.text = slice_of(NULL, 0);
    if (!errand->text.data)
        return true;
    char *text = malloc(errand->text.len + 1);
    if (!text)
        return false;
    memcpy(text, errand->text.data, errand->text.len);
    part->errand.text = slice_of(text, errand->text.len);
    return true;
}

struct survey *survey_start(struct surveys *surveys, enum survey_kind kind, const struct errand *errand,
    void (*done)(void *, struct survey *), void *user)
{
    struct survey *survey = calloc(1, sizeof *survey);
    if (!survey)
        return NULL;
    *survey = (struct survey){
        .kind = kind, .all = surveys, .progress_us = clock_now_us(), .done = done, .user = user};
    for (uint32_t i = 0; i < surveys->n_workers; i++) {
        struct survey_part *part = part_new(survey, i);
        if (!part || !give_errand(part, errand) || !dispatch(part)) {
            survey_free(survey);
            return NULL;
        }
        survey->missing++;
    }
    return survey;
}

/* This survey's part of a worker. */
static struct survey_part *part_of(const struct survey *survey, uint32_t worker)
{
    for (struct survey_part *part = survey->all->first; part; part = part->next)
        if (part->survey == survey && part->worker == worker)
            return part;
    return NULL;
}

/* Puts the parts that are there together and tells. */
static void finish(struct survey *survey)
{
    size_t total = 0, size = report_size(survey->kind);
    uint32_t turns = 0, longest_us = 0;
    for (struct survey_part *part = survey->all->first; part; part = part->next)
        if (part->survey == survey && !part->on_its_way)
            total += part->n;
    char *reports = malloc(total * size + 1);
    survey->incomplete = !reports;
    for (uint32_t worker = 0; worker < survey->all->n_workers; worker++) {
        struct survey_part *part = part_of(survey, worker);
        if (part->on_its_way) {
            survey->silent++;
            continue;
        }
        survey->incomplete = survey->incomplete || part->failed;
        turns += part->turns;
        longest_us = part->longest_us > longest_us ? part->longest_us : longest_us;
        if (reports && part->n > 0)
            memcpy(reports + survey->n * size, part->reports, part->n * size);
        survey->n += reports ? part->n : 0;
    }
    survey->reports = reports;
    survey->missing = 0;
    log_event(LOG_DEBUG, "survey", "kind=%d reports=%zu turns=%u longest_us=%u", (int)survey->kind, survey->n,
        turns, longest_us);
    survey->done(survey->user, survey);
}

void surveys_on_reply(struct surveys *surveys, void *request)
{
    struct survey_part *part = request;
    struct survey *survey = part->survey;
    assert(part->all == surveys && part->on_its_way);
    part->on_its_way = false;
    if (!survey) {
        part_free(part);
        return;
    }
    if (survey->missing == 0)
        return; /* too late: it has been told without */
    survey->progress_us = clock_now_us();
    if (part->cursor != UINT32_MAX && !part->failed) {
        if (dispatch(part))
            return;
        part->failed = true;
    }
    if (--survey->missing == 0)
        finish(survey);
}

void survey_check(struct survey *survey)
{
    if (survey->missing > 0 && clock_now_us() - survey->progress_us > PATIENCE_US)
        finish(survey);
}

void survey_free(struct survey *survey)
{
    if (!survey)
        return;
    for (struct survey_part *part = survey->all->first, *next; part; part = next) {
        next = part->next;
        if (part->survey != survey)
            continue;
        part->survey = NULL;
        if (!part->on_its_way)
            part_free(part);
    }
    free(survey->reports);
    free(survey);
}
