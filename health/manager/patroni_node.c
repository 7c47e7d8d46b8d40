/*
 * One member's own word; see patroni_node.h.
 *
 *     due -> GET /primary -> status and state -> word -> (changed) -> the next pause
 *
 * An answer counts from the moment of its question. No answer changes no word: it grows old, and the judge
 * says when it is too old. The log is told when a member falls silent and when it speaks again.
 */
#include "health/manager/patroni_node.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"
#include "health/memory.h"
#include "health/scheduler.h"

#include <assert.h>
#include <stdio.h>

/* Without a primary the lock is about to change hands; each question costs the node a query. */
#define SEEKING_INTERVAL_MS 100
/* Between two questions that are asked because somebody needs to know. */
#define ASK_GAP_MS 20

struct patroni_node {
    struct rest *rest;
    const struct settings *settings;
    struct patroni_node_owner owner;
    struct patroni_member at;
    struct schedule schedule;
    struct rest_call *call; /* NULL: none under way */
    uint64_t asked_at_us;
    bool seeking, silent; /* the log knows that it does not answer */
    bool closed;
    struct manager_word word;
    uint64_t heard_at_us;
};

void patroni_manners(const struct settings *settings, uint64_t deadline_ms, struct rest_manners *out)
{
    const struct config_cluster *cluster = settings->cluster;
    const struct config_patroni *patroni = &cluster->patroni;
    *out = (struct rest_manners){.ca_file = patroni->ca_file,
        .cert_file = patroni->cert_file,
        .key_file = patroni->key_file,
        .user = patroni->user,
        .password = patroni->password,
        .deadline_ms = deadline_ms};
    switch (patroni->tls) {
    case PATRONI_TLS_REQUIRE: out->verify = REST_VERIFY_NONE; break;
    case PATRONI_TLS_VERIFY_CA: out->verify = REST_VERIFY_CA; break;
    case PATRONI_TLS_VERIFY_FULL: out->verify = REST_VERIFY_FULL; break;
    }
}

static const char *cluster_name(const struct patroni_node *node)
{
    return node->settings->cluster->name;
}

static uint64_t age_ms(const struct patroni_node *node, uint64_t now_us)
{
    return now_us > node->heard_at_us ? (now_us - node->heard_at_us) / 1000 : 0;
}

static bool was_fresh(const struct patroni_node *node, uint64_t now_us)
{
    return node->word.heard && age_ms(node, now_us) < node->settings->cluster->manager_grace_ms;
}

static bool same_word(const struct manager_word *a, const struct manager_word *b)
{
    return a->role == b->role && a->no_reads == b->no_reads && strcmp(a->why, b->why) == 0;
}

static void tell_silence(struct patroni_node *node, const char *error)
{
    if (!node->silent)
        log_event(LOG_WARNING, "patroni_silent", "cluster=%s member=%s url=%s error=%s", cluster_name(node),
            node->at.member.name, node->at.url, error);
    node->silent = true;
}

/* True when the word is another one, or the first that is fresh again. */
static bool take(struct patroni_node *node, const struct patroni_status *status, bool holds_lock)
{
    struct manager_word word;
    patroni_word(status, holds_lock, &word);
    bool changed = !was_fresh(node, clock_now_us()) || !same_word(&node->word, &word);
    if (!node->word.heard || !same_word(&node->word, &word))
        log_event(LOG_INFO, "patroni_says", "cluster=%s member=%s role=%s state=%s lock=%s word=%s",
            cluster_name(node), node->at.member.name, status->role, status->state, holds_lock ? "yes" : "no",
            word.why);
    if (node->silent)
        log_event(
            LOG_INFO, "patroni_answers", "cluster=%s member=%s", cluster_name(node), node->at.member.name);
    node->silent = false;
    node->word = word;
    node->word.heard = true;
    node->heard_at_us = node->asked_at_us;
    return changed;
}

static void on_answer(void *context, const struct rest_answer *answer)
{
    struct patroni_node *node = context;
    struct patroni_status status;
    const char *why = answer->error;
    const struct pace pace = {
        .interval_ms = node->seeking ? SEEKING_INTERVAL_MS : node->settings->cluster->probe_interval_ms};
    bool usable = answer->came && (answer->status == 200 || answer->status == 503);
    if (answer->came && !usable)
        why = "neither status 200 nor 503 came";
    node->call = NULL;
    schedule_next(&node->schedule, &pace);
    if (!usable || !patroni_read_status(answer->body, answer->len, &status, &why))
        tell_silence(node, why);
    else if (take(node, &status, answer->status == 200))
        node->owner.changed(node->owner.context);
}

static void on_due(void *context)
{
    struct patroni_node *node = context;
    struct rest_manners manners;
    char url[REST_URL_MAX + 16];
    assert(!node->call);
    snprintf(url, sizeof url, "%s/primary", node->at.url);
    patroni_manners(node->settings, node->settings->cluster->probe_timeout_ms, &manners);
    node->asked_at_us = clock_now_us();
    node->call = rest_get(node->rest, url, &manners, node, on_answer);
}

struct patroni_node *patroni_node_open(uv_loop_t *loop, struct rest *rest, const struct settings *settings,
    const struct patroni_member *member, const struct patroni_node_owner *owner)
{
    struct patroni_node *node = memory_new(1, sizeof *node);
    node->rest = rest;
    node->settings = settings;
    node->owner = *owner;
    node->at = *member;
    schedule_open(&node->schedule, loop, node, on_due);
    return node;
}

const struct patroni_member *patroni_node_member(const struct patroni_node *node)
{
    return &node->at;
}

void patroni_node_move(struct patroni_node *node, const struct patroni_member *member)
{
    bool elsewhere =
        node->at.member.port != member->member.port || strcmp(node->at.member.host, member->member.host) != 0;
    node->at = *member;
    if (elsewhere)
        node->word = (struct manager_word){.role = MANAGER_NONE};
}

void patroni_node_word(const struct patroni_node *node, uint64_t now_us, struct manager_word *out)
{
    *out = node->word;
    out->age_ms = age_ms(node, now_us);
}

void patroni_node_ask(struct patroni_node *node)
{
    schedule_hint(&node->schedule, ASK_GAP_MS);
}

void patroni_node_seek(struct patroni_node *node, bool seeking)
{
    node->seeking = seeking;
    if (seeking)
        schedule_hint(&node->schedule, SEEKING_INTERVAL_MS);
}

static void on_closed(void *context)
{
    free(context);
}

void patroni_node_close(struct patroni_node *node)
{
    assert(!node->closed);
    node->closed = true;
    rest_drop(node->call);
    node->call = NULL;
    schedule_close(&node->schedule, on_closed);
}
