/*
 * Starting children and waiting for them.
 *
 * A child gets the parent-death signal, the account and the descriptors that its spec asks for between fork
 * and exec; since the parent is single-threaded, that window may use the whole C library. Credentials are
 * changed before the death signal is asked for (changing them clears it), and a parent that died meanwhile is
 * noticed by getppid.
 *
 * What goes wrong before exec is told on the child's stderr, which may be its log file, and ends it with
 * status 127.
 */
#include "health/replication/child.h"

#include "conf/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void child_signals_open(struct child_signals *signals)
{
    sigemptyset(&signals->waited);
    sigaddset(&signals->waited, SIGCHLD);
    sigaddset(&signals->waited, SIGINT);
    sigaddset(&signals->waited, SIGTERM);
    sigaddset(&signals->waited, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals->waited, &signals->before);
}

void child_signals_close(const struct child_signals *signals)
{
    sigprocmask(SIG_SETMASK, &signals->before, NULL);
}

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "rolecall demo: %s: %s\n", what, strerror(errno));
    fflush(stderr);
    _exit(127);
}

static void become(const struct child_account *account)
{
    if (!account || !account->change)
        return;
    if (initgroups(account->name, account->gid) != 0 || setgid(account->gid) != 0 ||
        setuid(account->uid) != 0)
        give_up(account->name);
    setenv("HOME", account->home, 1); /* libpq looks for certificates there */
}

static void redirect(const char *log_path)
{
    int null = open("/dev/null", O_RDWR);
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (log < 0 || null < 0)
        give_up(log_path);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close(null);
    close(log);
}

static _Noreturn void child_body(
    const struct child_signals *signals, const struct child_spec *spec, pid_t parent)
{
    if (spec->own_session)
        setsid();
    become(spec->account);
    if (prctl(PR_SET_PDEATHSIG, spec->death_signal) != 0)
        give_up("prctl");
    if (getppid() != parent)
        _exit(127);
    if (spec->log_path)
        redirect(spec->log_path);
    for (char *const *entry = spec->environment; entry && *entry; entry++)
        putenv(*entry);
    sigprocmask(SIG_SETMASK, &signals->before, NULL);
    execvp(spec->argv[0], spec->argv);
    if (errno == EACCES && spec->program_fd >= 0)
        fexecve(spec->program_fd, spec->argv, environ);
    give_up(spec->argv[0]);
}

pid_t child_start(const struct child_signals *signals, const struct child_spec *spec, struct error *error)
{
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        child_body(signals, spec, parent);
    if (pid < 0)
        error_set(error, SQLSTATE_INTERNAL_ERROR, "cannot fork: %s", strerror(errno));
    return pid;
}

/* A SIGCHLD stands for one or more children: reap before waiting, so that none is missed. */
static bool reap(struct child_news *news)
{
    news->pid = waitpid(-1, &news->status, WNOHANG);
    news->event = CHILD_ENDED;
    return news->pid > 0;
}

void child_wait(const struct child_signals *signals, uint64_t timeout_ms, struct child_news *news)
{
    uint64_t end_us = timeout_ms == UINT64_MAX ? UINT64_MAX : clock_now_us() + timeout_ms * 1000;
    memset(news, 0, sizeof *news);
    while (!reap(news)) {
        uint64_t now_us = clock_now_us();
        uint64_t left_us = end_us == UINT64_MAX ? 3600000000u : now_us < end_us ? end_us - now_us : 0;
        struct timespec left = {(time_t)(left_us / 1000000), (long)(left_us % 1000000 * 1000)};
        siginfo_t info;
        int signal = sigtimedwait(&signals->waited, &info, &left);
        if (signal > 0 && signal != SIGCHLD) {
            news->event = CHILD_SIGNAL;
            news->signal = signal;
            news->by_process =
                info.si_code == SI_USER || info.si_code == SI_QUEUE || info.si_code == SI_TKILL;
            return;
        }
        if (signal < 0 && errno == EAGAIN && clock_now_us() >= end_us) {
            news->event = CHILD_DEADLINE;
            return;
        }
    }
}

const char *child_ending(int status, char out[static 32])
{
    if (WIFSIGNALED(status))
        snprintf(out, 32, "signal %d", WTERMSIG(status));
    else
        snprintf(out, 32, "status %d", WEXITSTATUS(status));
    return out;
}

uint64_t child_start_time(pid_t pid)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t len = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[len] = '\0';

    /* proc(5): "pid (comm) state ...", start time is field 22; comm may hold blanks and parentheses. */
    char *rest = strrchr(line, ')');
    char state;
    uint64_t start = 0;
    if (!rest ||
        sscanf(rest, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
            &state, &start) != 2)
        return 0;
    return state == 'Z' || state == 'X' ? 0 : start;
}
