/*
 * The hooks of a cluster; see queue.h. The command's words are looked up when its turn comes: a reload counts
 * for what waits.
 */
#include "health/hook/queue.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"
#include "health/memory.h"

struct waiting {
    struct waiting *next;
    enum hook hook;
    struct facts facts;
    void *context;
    void (*done)(void *context, const struct command_end *end);
};

struct hook_queue {
    uv_loop_t *loop;
    const struct settings *settings;
    const struct news *news;
    struct waiting *first, *last; /* the first is the one that runs, while `run` is set */
    size_t n;
    struct command_run *run;
    char *cluster; /* lives as long as the command */
    uint64_t began_us;
};

static void start_next(struct hook_queue *queue);

static void forget_first(struct hook_queue *queue)
{
    struct waiting *first = queue->first;
    queue->first = first->next;
    if (!queue->first)
        queue->last = NULL;
    queue->n--;
    facts_fini(&first->facts);
    free(first);
}

static void on_ended(void *context, const struct command_end *end)
{
    struct hook_queue *queue = context;
    struct waiting ended = *queue->first;
    uint64_t took_ms = (clock_now_us() - queue->began_us) / 1000;
    log_event(end->ok ? LOG_INFO : LOG_WARNING, end->ok ? "hook_done" : "hook_failed",
        "cluster=%s hook=%s how=%s took_ms=%llu", queue->cluster, hook_name(ended.hook), end->how,
        (unsigned long long)took_ms);
    if (queue->news)
        news_of_hook(queue->news, hook_name(ended.hook), end->ok, end->how, took_ms);
    queue->run = NULL;
    forget_first(queue);
    start_next(queue);
    if (ended.done)
        ended.done(ended.context, end); /* last: it may close the queue */
}

static void start(struct hook_queue *queue, const struct waiting *waiting, char *const *argv)
{
    char **environment = facts_environment(&waiting->facts);
    const struct command_spec spec = {.cluster = queue->cluster,
        .name = hook_name(waiting->hook),
        .argv = argv,
        .environment = environment,
        .timeout_ms = queue->settings->cluster->hook_timeout_ms,
        .context = queue,
        .ended = on_ended};
    log_event(LOG_INFO, "hook_started", "cluster=%s hook=%s command=%s", queue->cluster, spec.name, argv[0]);
    queue->began_us = clock_now_us();
    queue->run = command_start(queue->loop, &spec);
    free(environment);
}

/* A hook that was taken out of the configuration while it waited, as if it had ended well. */
static char *const *words_of(const struct hook_queue *queue, enum hook hook)
{
    static char none[] = "/bin/true", *words[] = {none, NULL};
    char **argv = queue->settings->cluster->hooks[hook];
    return argv ? argv : words;
}

static void start_next(struct hook_queue *queue)
{
    if (!queue->run && queue->first)
        start(queue, queue->first, words_of(queue, queue->first->hook));
}

struct hook_queue *hook_queue_open(uv_loop_t *loop, const struct settings *settings, const struct news *news)
{
    struct hook_queue *queue = memory_new(1, sizeof *queue);
    queue->loop = loop;
    queue->settings = settings;
    queue->news = news;
    queue->cluster = memory_copy(settings->cluster->name);
    return queue;
}

bool hook_queue_has(const struct hook_queue *queue, enum hook hook)
{
    return queue->settings->cluster->hooks[hook] != NULL;
}

bool hook_queue_run(struct hook_queue *queue, enum hook hook, struct facts *facts, void *context,
    void (*done)(void *context, const struct command_end *end))
{
    bool full = queue->n >= HOOK_QUEUE_MAX && !done;
    if (full)
        log_event(LOG_ERROR, "hook_dropped", "cluster=%s hook=%s error=%s", queue->cluster, hook_name(hook),
            "too many hooks wait");
    if (full || !hook_queue_has(queue, hook)) {
        facts_fini(facts);
        return full;
    }
    struct waiting *waiting = memory_new(1, sizeof *waiting);
    *waiting = (struct waiting){.hook = hook, .facts = *facts, .context = context, .done = done};
    *facts = (struct facts){0};
    if (queue->last)
        queue->last->next = waiting;
    else
        queue->first = waiting;
    queue->last = waiting;
    queue->n++;
    start_next(queue);
    return true;
}

void hook_queue_close(struct hook_queue *queue)
{
    if (!queue)
        return;
    command_abandon(queue->run);
    while (queue->first)
        forget_first(queue);
    free(queue->cluster);
    free(queue);
}
