/* Who may say what, by name; see access.h. */
#include "conf/access.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static bool is_listed(char **list, const char *name)
{
    for (; list && *list; list++)
        if (name && strcmp(*list, name) == 0)
            return true;
    return false;
}

static bool is_empty(char **list)
{
    return !list || !*list;
}

enum access access_of_user(const struct config *config, const char *name)
{
    if (is_listed(config->admin_users, name))
        return ACCESS_ADMIN;
    return is_listed(config->stats_users, name) ? ACCESS_READ : ACCESS_NONE;
}

enum access access_of_name(const struct config *config, const char *name)
{
    enum access access = access_of_user(config, name);
    return access == ACCESS_NONE && is_empty(config->stats_users) ? ACCESS_READ : access;
}
