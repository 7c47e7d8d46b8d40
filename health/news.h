/*
 * What a cluster's watch tells the world: lines in the log, and events for operators (router/event.h), each
 * with its reason and the evidence that led to it. Only what has changed is told. Embedded in its owner,
 * which outlives it; control thread only.
 */
#ifndef ROLECALL_HEALTH_NEWS_H
#define ROLECALL_HEALTH_NEWS_H

#include "health/judge.h"
#include "health/publish.h"
#include "router/event.h"

#include <stdbool.h>
#include <stdint.h>

struct news {
    const struct subscribers *subscribers;
    char cluster[EVENT_NAME_MAX];
    char last_primary[EVENT_NAME_MAX]; /* "" = there was none yet */
    uint64_t told_us;                  /* when the log was told last why there is no primary, and what */
    char told[JUDGE_REASON_MAX];
};

void news_init(struct news *news, const char *cluster, const struct subscribers *subscribers);

/* An event about this cluster, to be filled with its texts and sent; node "" = about none. */
struct event news_event(const struct news *news, enum event_kind kind, const char *node);
void news_send(const struct news *news, const struct event *event);

/* What differs between two verdicts about the same nodes; without_since_us: there has been no primary since
   (clock_now_us; 0 = there was one). */
void news_of_verdict(struct news *news, const struct verdict *before, const struct verdict *now,
    const struct evidence *evidence, uint64_t without_since_us);
/* A reload has brought a node, or taken it away. */
void news_of_member(const struct news *news, const char *node, bool added);
/* A hook has ended: `how` in words. */
void news_of_hook(const struct news *news, const char *hook, bool ok, const char *how, uint64_t took_ms);
/* The operator's word (`what`: "node_accepted", "node_forgotten"), and what is remembered from now on. */
void news_of_decision(
    const struct news *news, const char *what, const char *node, const struct judge_memory *memory);

#endif
