/*
 * Reading the monitor's table; see monitor_table.h.
 *
 * Everything that comes from there is bounded and checked before it is taken over, and one row that cannot be
 * used spoils the whole answer: half a formation is worse than an older one. An empty answer is none either:
 * it is what a wrong formation's name gives.
 */
#include "health/manager/monitor_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keepers report each second. */
#define KEEPER_SILENT_MS 10000

#define IDENTIFIER_MAX 63
#define QUOTED_MAX (2 * IDENTIFIER_MAX + 2)

/* As PostgreSQL wants an identifier, whatever is in it; it has no longer ones. Returns how many bytes that
 * is: QUOTED_MAX at most, and no NUL. */
static size_t quote(char *out, const char *name, size_t len)
{
    size_t at = 0;
    out[at++] = '"';
    for (size_t i = 0; i < len && i < IDENTIFIER_MAX; i++) {
        if (name[i] == '"')
            out[at++] = '"';
        out[at++] = name[i];
    }
    out[at++] = '"';
    return at;
}

void monitor_table_query(const char *relation, char out[MONITOR_QUERY_MAX])
{
    char quoted[2 * QUOTED_MAX + 2];
    const char *dot = strchr(relation, '.');
    size_t at = 0;
    if (dot) {
        at = quote(quoted, relation, (size_t)(dot - relation));
        quoted[at++] = '.';
        relation = dot + 1;
    }
    at += quote(quoted + at, relation, strlen(relation));
    quoted[at] = '\0';
    snprintf(out, MONITOR_QUERY_MAX,
        "SELECT nodename, nodehost, nodeport, goalstate, reportedstate,"
        " floor(1000 * extract(epoch FROM now() - reporttime))::bigint"
        " FROM %s WHERE formationid = $1 AND groupid = $2::int ORDER BY nodeid",
        quoted);
}

static bool copy_text(char *out, size_t size, const char *text)
{
    if (!text || text[0] == '\0' || strlen(text) >= size)
        return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool read_port(const char *text, uint16_t *port)
{
    char *end;
    long number = text ? strtol(text, &end, 10) : 0;
    if (number < 1 || number > 65535 || *end != '\0')
        return false;
    *port = (uint16_t)number;
    return true;
}

bool monitor_node_read(const char *const fields[MONITOR_COLUMNS], struct monitor_node *node)
{
    const char *age = fields[5];
    *node = (struct monitor_node){.goal = monitor_state_parse(fields[3]),
        .reported = monitor_state_parse(fields[4]),
        .keeper_silent = age && strtoll(age, NULL, 10) > KEEPER_SILENT_MS};
    return copy_text(node->member.name, sizeof node->member.name, fields[0]) &&
           copy_text(node->member.host, sizeof node->member.host, fields[1]) &&
           read_port(fields[2], &node->member.port);
}

static bool read_row(const struct pgconn_answer *answer, int row, struct monitor_node *node)
{
    const char *fields[MONITOR_COLUMNS];
    for (int column = 0; column < MONITOR_COLUMNS; column++)
        fields[column] = pgconn_value(answer, row, column);
    return monitor_node_read(fields, node);
}

/* Since when it has been leaving: as before when it was then already. */
static void count_leaving(struct monitor_node *node, const struct monitor_table *before, uint64_t now_us)
{
    const struct monitor_node *was = monitor_table_find(before, node->member.host, node->member.port);
    bool leaves = !monitor_state_writes(node->goal) && monitor_state_writes(node->reported);
    if (leaves)
        node->leaving_since_us = was && was->leaving_since_us ? was->leaving_since_us : now_us;
}

bool monitor_table_read(
    struct monitor_table *table, const struct pgconn_answer *answer, uint64_t now_us, struct error *error)
{
    struct monitor_table read = {0};
    for (int row = 0; row < answer->rows; row++) {
        struct monitor_node *node = &read.nodes[read.n];
        if (read.n == TOPOLOGY_MAX_NODES) {
            error_set(error, SQLSTATE_INTERNAL_ERROR, "more than %d nodes", TOPOLOGY_MAX_NODES);
            return false;
        }
        if (!read_row(answer, row, node)) {
            error_set(
                error, SQLSTATE_INTERNAL_ERROR, "row %d has no name, host or port that can be used", row + 1);
            return false;
        }
        count_leaving(node, table, now_us);
        read.n += node->goal != MONITOR_DROPPED;
    }
    if (read.n == 0) {
        error_set(error, SQLSTATE_INTERNAL_ERROR,
            "the formation's group has no nodes: is monitor_formation right?");
        return false;
    }
    *table = read;
    return true;
}

bool monitor_table_differs(const struct monitor_table *a, const struct monitor_table *b)
{
    if (a->n != b->n)
        return true;
    for (size_t i = 0; i < a->n; i++) {
        const struct monitor_node *one = &a->nodes[i], *other = &b->nodes[i];
        if (strcmp(one->member.name, other->member.name) != 0 ||
            strcmp(one->member.host, other->member.host) != 0 || one->member.port != other->member.port ||
            one->goal != other->goal || one->reported != other->reported ||
            one->keeper_silent != other->keeper_silent)
            return true;
    }
    return false;
}

const struct monitor_node *monitor_table_find(
    const struct monitor_table *table, const char *host, uint16_t port)
{
    for (size_t i = 0; i < table->n; i++) {
        if (table->nodes[i].member.port == port && strcmp(table->nodes[i].member.host, host) == 0)
            return &table->nodes[i];
    }
    return NULL;
}

/* A deposed primary whose PostgreSQL goes on (its keeper is dead, say) does not leave for ever. */
static void count_out(const struct monitor_node *node, uint64_t now_us, const struct monitor_rules *rules,
    struct manager_word *word)
{
    uint64_t leaving_us = now_us > node->leaving_since_us ? now_us - node->leaving_since_us : 0;
    if (word->role != MANAGER_LEAVING)
        return;
    bool over = leaving_us >= rules->grace_us;
    word->age_ms = over ? 0 : leaving_us / 1000;
    if (over)
        word->role = MANAGER_NONE;
    else if (rules->serve_draining && node->goal == MONITOR_DRAINING && !node->keeper_silent)
        word->role = MANAGER_PRIMARY;
}

static void tell_keeper(struct manager_word *word)
{
    size_t len = strlen(word->why);
    snprintf(word->why + len, sizeof word->why - len, ", its pg_autoctl is silent");
}

/* The monitor's word has no age: it stands until it is another, see monitor_state.c. */
void monitor_table_word(const struct monitor_node *node, uint64_t now_us, uint64_t silent_us,
    const struct monitor_rules *rules, struct manager_word *word)
{
    bool silent = silent_us >= rules->grace_us;
    *word = (struct manager_word){.heard = node || silent};
    if (!node && silent)
        monitor_state_word_unheard(MONITOR_SECONDARY, MONITOR_SECONDARY, word);
    if (!node)
        return;
    if (silent) {
        monitor_state_word_unheard(node->goal, node->reported, word);
        return;
    }
    monitor_state_word(node->goal, node->reported, word);
    count_out(node, now_us, rules, word);
    if (node->keeper_silent)
        tell_keeper(word);
}
