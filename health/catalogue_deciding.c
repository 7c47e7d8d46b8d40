/*
 * Rules on their way to a catalogue; see catalogue_deciding.h. The configuration is kept by a reference,
 * since another may come meanwhile. Work that nobody wants any more goes to its end, and is thrown away.
 */
#include "health/catalogue_deciding.h"

#include "health/memory.h"

#include <assert.h>

struct catalogue_deciding {
    uv_work_t work;
    void *context;
    void (*decided)(void *context, struct catalogue *catalogue); /* NULL: nobody wants it any more */
    struct config *config;                                       /* one reference */
    const struct config_cluster *cluster;
    struct catalogue_rules *rules;
    struct catalogue *catalogue;
};

/* What the operator says counts for callers, and for names that the database does not have (yet). */
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
    struct catalogue_deciding *deciding = work->data;
    apply_lists(deciding->cluster, deciding->rules, NULL);
    catalogue_rules_decide(deciding->rules);
    catalogue_rules_fill(deciding->rules, deciding->catalogue);
    apply_lists(deciding->cluster, NULL, deciding->catalogue);
}

static void on_decided(uv_work_t *work, int status)
{
    struct catalogue_deciding *deciding = work->data;
    (void)status; /* nobody cancels it */
    catalogue_rules_free(deciding->rules);
    config_unref(deciding->config);
    if (deciding->decided)
        deciding->decided(deciding->context, deciding->catalogue);
    else
        catalogue_unref(deciding->catalogue);
    free(deciding);
}

struct catalogue_deciding *catalogue_deciding_begin(uv_loop_t *loop, const struct settings *settings,
    const char *database, struct catalogue_rules *rules, void *context,
    void (*decided)(void *context, struct catalogue *catalogue))
{
    struct catalogue_deciding *deciding = memory_new(1, sizeof *deciding);
    deciding->work.data = deciding;
    deciding->context = context;
    deciding->decided = decided;
    deciding->config = config_ref(settings->config);
    deciding->cluster = settings->cluster;
    deciding->rules = rules;
    deciding->catalogue = catalogue_new(settings->cluster->name, database);
    int failed = uv_queue_work(loop, &deciding->work, decide, on_decided);
    assert(failed == 0);
    (void)failed;
    return deciding;
}

void catalogue_deciding_drop(struct catalogue_deciding *deciding)
{
    if (deciding)
        deciding->decided = NULL;
}
