/* A row of the monitor's table, its fields divided by NUL, and the name of that table: whatever stands there,
 * a node that is taken over can be used, and the name is quoted to the end. */
#include "health/manager/monitor_table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An odd number of quotes would leave one open. */
static void check_query(const char *relation)
{
    char query[MONITOR_QUERY_MAX];
    size_t quotes = 0;
    monitor_table_query(relation, query);
    for (const char *c = query; *c; c++)
        quotes += *c == '"';
    if (quotes % 2 != 0 || !strstr(query, "\" WHERE formationid = $1"))
        abort();
}

static void check_node(const struct monitor_node *node)
{
    struct manager_word word;
    for (uint64_t silent_us = 0; silent_us < 6; silent_us++) {
        const struct monitor_rules rules = {2, silent_us >= 3};
        monitor_table_word(node, 5, silent_us % 3, &rules, &word);
        if (!memchr(word.why, '\0', sizeof word.why) || word.why[0] == '\0')
            abort();
    }
    if (!memchr(node->member.name, '\0', sizeof node->member.name) || node->member.name[0] == '\0' ||
        node->member.host[0] == '\0' || node->member.port == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[4096];
    const char *fields[MONITOR_COLUMNS] = {NULL};
    struct monitor_node node;
    if (size >= sizeof text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    size_t at = 0;
    for (size_t i = 0; i < MONITOR_COLUMNS && at <= size; i++) {
        fields[i] = text + at;
        at += strlen(text + at) + 1;
    }
    check_query(text);
    if (monitor_node_read(fields, &node))
        check_node(&node);
    return 0;
}
