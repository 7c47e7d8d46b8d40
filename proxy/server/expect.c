/* The queue of what a server still owes: a ring that grows; see expect.h. */
#include "proxy/server/expect.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 16

void expect_init(struct expect_queue *queue)
{
    *queue = (struct expect_queue){0};
}

void expect_fini(struct expect_queue *queue)
{
    free(queue->entries);
    expect_init(queue);
}

static bool grow(struct expect_queue *queue)
{
    uint32_t cap = queue->cap ? queue->cap * 2 : FIRST_CAP;
    struct expect *entries = malloc(cap * sizeof *entries);
    if (!entries)
        return false;
    for (uint32_t i = 0; i < queue->count; i++)
        entries[i] = queue->entries[(queue->head + i) & (queue->cap - 1)];
    free(queue->entries);
    queue->entries = entries;
    queue->head = 0;
    queue->cap = cap;
    return true;
}

static void count(struct expect_queue *queue, const struct expect *entry)
{
    bool stands_for_one = entry->about != 0 && entry->about != EXPECT_ABOUT_NOTHING;
    queue->parses += entry->kind == EXPECT_PARSE && (!entry->hidden || stands_for_one);
    queue->binds += entry->kind == EXPECT_BIND && !entry->hidden;
}

bool expect_push(struct expect_queue *queue, struct expect entry)
{
    if (queue->count == queue->cap && !grow(queue))
        return false;
    count(queue, &entry);
    queue->entries[(queue->head + queue->count++) & (queue->cap - 1)] = entry;
    return true;
}

void expect_pop(struct expect_queue *queue)
{
    assert(queue->count > 0);
    queue->head = (queue->head + 1) & (queue->cap - 1);
    queue->count--;
}

void expect_skip_to_sync(
    struct expect_queue *queue, void *context, void (*dropped)(void *context, const struct expect *entry))
{
    uint32_t n = 0;
    for (; n < queue->count; n++) {
        uint8_t kind = queue->entries[(queue->head + n) & (queue->cap - 1)].kind;
        if (kind == EXPECT_SYNC || kind == EXPECT_QUERY)
            break;
    }
    for (uint32_t i = n; dropped && i-- > 0;)
        dropped(context, &queue->entries[(queue->head + i) & (queue->cap - 1)]);
    while (n-- > 0)
        expect_pop(queue);
}

bool expect_copy_in(struct expect_queue *queue)
{
    uint32_t kept = 0;
    bool ended = false;
    for (uint32_t i = 0; i < queue->count; i++) {
        struct expect entry = queue->entries[(queue->head + i) & (queue->cap - 1)];
        bool end = entry.kind == EXPECT_COPY_END && !ended;
        if (!end && (entry.kind != EXPECT_SYNC || ended))
            queue->entries[(queue->head + kept++) & (queue->cap - 1)] = entry;
        ended |= end;
    }
    queue->count = kept;
    return ended;
}

bool expect_has(const struct expect_queue *queue, enum expect_kind kind, uint64_t about)
{
    for (uint32_t i = 0; i < queue->count; i++) {
        const struct expect *entry = &queue->entries[(queue->head + i) & (queue->cap - 1)];
        if (entry->kind == kind && entry->about == about)
            return true;
    }
    return false;
}

bool expect_next_is(const struct expect_queue *queue, enum expect_kind kind)
{
    for (uint32_t i = 0; i < queue->count; i++) {
        const struct expect *entry = &queue->entries[(queue->head + i) & (queue->cap - 1)];
        if (!entry->hidden)
            return entry->kind == kind;
    }
    return false;
}

void expect_mark_ahead(struct expect_queue *queue, uint32_t from)
{
    for (uint32_t i = from; i < queue->count; i++)
        queue->entries[(queue->head + i) & (queue->cap - 1)].ahead = true;
}

void expect_mark_within(struct expect_queue *queue, uint32_t from)
{
    for (uint32_t i = from; i < queue->count; i++)
        queue->entries[(queue->head + i) & (queue->cap - 1)].within = true;
}

void expect_clear(struct expect_queue *queue)
{
    queue->head = queue->count = 0;
}
