/* What the process may do; see privilege.h. */
#include "proxy/front/privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

void privilege_prepare(void)
{
    struct rlimit none = {0, 0}, files;
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

bool privilege_drop(const char *user, struct error *error)
{
    if (!user || geteuid() != 0)
        return true;
    errno = 0;
    struct passwd *account = getpwnam(user);
    if (!account)
        return error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "[rolecall] user: no account \"%s\"", user);
    if (initgroups(user, account->pw_gid) != 0 ||
        setresgid(account->pw_gid, account->pw_gid, account->pw_gid) != 0 ||
        setresuid(account->pw_uid, account->pw_uid, account->pw_uid) != 0)
        return error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "[rolecall] user: %s", strerror(errno));
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return true;
}
