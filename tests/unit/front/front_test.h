/* What the tests of the front room share: a view of one cluster, and commands run on it. */
#ifndef ROLECALL_TESTS_FRONT_TEST_H
#define ROLECALL_TESTS_FRONT_TEST_H

#include "conf/parse.h"
#include "proxy/front/command.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FRONT_CONFIG                                                                                         \
    "[cluster main]\nprobe_password = hush\n[node a]\nhost = ha\nport = 1\n[node b]\nhost = hb\nport = 2\n"  \
    "[listener rw]\naddress = *:1001\nroute = primary\n[listener split]\naddress = *:1002\nroute = split\n"  \
    "[database alias]\ndbname = shop\npassword = hush\nuser = u\n[user u]\npool_size = 3\n"

struct front {
    struct admin_view view;
    struct admin_actions actions;
    int reloads, stops, asked;
    enum admin_stop stop;
    char asked_for[64];
    char error[ERROR_TEXT_MAX], sqlstate[6];
};

static inline bool front_reload(void *context, struct error *error)
{
    struct front *front = context;
    front->reloads++;
    return front->reloads == 1 || error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "a bad file");
}

static inline void front_stop(void *context, enum admin_stop how)
{
    ((struct front *)context)->stops++;
    ((struct front *)context)->stop = how;
}

static inline void front_ask(void *context, const char *cluster, const char *database)
{
    struct front *front = context;
    front->asked++;
    strcat(strcat(strcpy(front->asked_for, cluster), "/"), database);
}

static inline struct front *front_new(void)
{
    struct error error = {0};
    struct front *front = calloc(1, sizeof *front);
    struct config *config =
        config_parse_text("/etc/rolecall.conf", FRONT_CONFIG, strlen(FRONT_CONFIG), &error);
    assert_string_equal(error.text, "");
    assert_non_null(config);
    assert_true(admin_view_init(&front->view, config, NULL, 0));
    config_unref(config);
    front->actions =
        (struct admin_actions){.reload = front_reload, .stop = front_stop, .ask_catalogue = front_ask};
    front->view.actions = &front->actions;
    front->view.context = front;
    return front;
}

static inline void front_free(struct front *front)
{
    admin_view_fini(&front->view);
    free(front);
}

/* A snapshot of nodes a and b; `primary` -1 = none. */
static inline void front_set_topology(struct front *front, int primary)
{
    static const char *const names[] = {"a", "b"};
    struct topology *topology = topology_new("main", 2);
    for (int i = 0; i < 2; i++) {
        struct topology_node *node = &topology->nodes[i];
        node->name = strdup(names[i]);
        node->host = strdup(i ? "hb" : "ha");
        node->port = (uint16_t)(i + 1);
        node->weight = 100;
        node->role = i == primary ? ROLE_PRIMARY : ROLE_REPLICA;
        node->reason = strdup("as told");
        node->live = node_live_new(names[i]);
        atomic_store(&node->live->lag_ms, 0);
        atomic_store(&node->live->lag_bytes, (uint64_t)i * 512);
    }
    topology->primary = primary;
    topology->no_primary_reason = primary < 0 ? strdup("nobody came") : NULL;
    topology->version = 7;
    topology->live = cluster_live_new();
    admin_view_set_topology(&front->view, topology);
}

/* Reads a command's arguments, and runs it when it needs no survey; NULL: it failed, see front->error. The
 * caller ends the result. */
static inline struct result *front_run(
    struct front *front, const char *text, bool is_admin, struct result *out)
{
    struct words words;
    struct error error = {0};
    size_t used;
    struct command_call call = {.view = &front->view};
    bool ok = words_parse(slice_from(text), &words, &error);
    if (ok && (ok = (call.command = command_find(&words, is_admin, &used, &error)) != NULL)) {
        call.arguments = words.list + used;
        call.n_arguments = words.n - used;
        call.asks = call.command->survey;
        result_init(&call.result, call.command->shape);
        ok = (!call.command->prepare || call.command->prepare(&call, &error)) &&
             (call.asks != SURVEY_NONE || command_run(&call, &error));
        *out = call.result;
        if (!ok)
            result_fini(out);
    }
    words_fini(&words);
    strcpy(front->error, error.text);
    strcpy(front->sqlstate, error.sqlstate);
    return ok ? out : NULL;
}

/* The text of a cell by the name of its column; "NULL" for NULL. Valid until the next call. */
static inline const char *front_cell(const struct result *result, size_t row, const char *column)
{
    static char text[512];
    for (uint32_t i = 0; i < result->shape->n; i++) {
        if (strcmp(result->shape->columns[i].name, column) != 0)
            continue;
        struct slice cell = result_cell(result, row, i);
        size_t len = cell.len < sizeof text - 1 ? cell.len : sizeof text - 1;
        memcpy(text, cell.data ? cell.data : "NULL", cell.data ? len : 5);
        text[cell.data ? len : 4] = 0;
        return text;
    }
    fail_msg("no column %s", column);
    return NULL;
}

#endif
