/*
 * Looks names up in the generated tables: a binary search, some twelve comparisons. No failure.
 */
#include "router/sql/builtins.h"

/* memcmp order, the shorter first: the order in which the generator sorts. */
static int compare(struct slice name, const char *entry)
{
    size_t len = strlen(entry);
    int order = memcmp(name.data, entry, name.len < len ? name.len : len);
    if (order != 0)
        return order;
    return name.len < len ? -1 : name.len > len;
}

const struct builtin *builtin_find(struct slice name)
{
    size_t low = 0, high = builtin_functions_count;
    while (name.len > 0 && low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(name, builtin_functions[middle].name);
        if (order == 0)
            return &builtin_functions[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

enum name_kind builtin_function(struct slice name)
{
    const struct builtin *found = builtin_find(name);
    if (!found)
        return NAME_UNKNOWN;
    return found->kind == BUILTIN_HARMLESS ? NAME_HARMLESS : NAME_SPECIAL;
}

enum name_kind builtin_relation(struct slice name)
{
    size_t low = 0, high = builtin_relations_count;
    if (name.len < 3 || memcmp(name.data, "pg_", 3) != 0) /* as all of them are called; the test checks it */
        return NAME_UNKNOWN;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(name, builtin_relations[middle]);
        if (order == 0)
            return NAME_SPECIAL;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NAME_UNKNOWN;
}
