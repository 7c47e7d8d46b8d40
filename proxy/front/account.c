/* What an account may do; see account.h. */
#include "proxy/front/account.h"

#include <pwd.h>
#include <stddef.h>
#include <unistd.h>

static bool names_nobody(char **list)
{
    return !list || !*list;
}

enum access access_of_account(const struct config *config, uid_t uid)
{
    struct passwd room, *account = NULL;
    char text[4096];
    if (uid == 0 || uid == geteuid())
        return ACCESS_ADMIN;
    if (names_nobody(config->admin_users) && names_nobody(config->stats_users))
        return ACCESS_READ;
    if (getpwuid_r(uid, &room, text, sizeof text, &account) != 0)
        account = NULL;
    return access_of_name(config, account ? account->pw_name : NULL);
}
