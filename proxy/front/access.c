/* Who may do what; see access.h. */
#include "proxy/front/access.h"

#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

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

enum access access_of_name(const struct config *config, const char *name)
{
    if (is_listed(config->admin_users, name))
        return ACCESS_ADMIN;
    return is_empty(config->stats_users) || is_listed(config->stats_users, name) ? ACCESS_READ : ACCESS_NONE;
}

enum access access_of_account(const struct config *config, uid_t uid)
{
    struct passwd room, *account = NULL;
    char text[4096];
    if (uid == 0 || uid == geteuid())
        return ACCESS_ADMIN;
    if (is_empty(config->admin_users) && is_empty(config->stats_users))
        return ACCESS_READ;
    if (getpwuid_r(uid, &room, text, sizeof text, &account) != 0)
        account = NULL;
    return access_of_name(config, account ? account->pw_name : NULL);
}
