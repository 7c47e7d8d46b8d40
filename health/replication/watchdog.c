/*
 * The demo's watchdog.
 *
 * When all is well the demo writes one fixed-size record per server that starts or ends, closes the line at
 * its end and waits; the watchdog then stops the command, rolecall and the nodes, in this order, each group
 * with a deadline and a harder signal after it, looks through /proc for what is left, and removes the
 * directory.
 *
 * When the demo is killed, the line ends as well and the same happens without anybody waiting. When the
 * watchdog is killed, the demo does the same work itself from its own copy of the table. A process is known
 * by pid and start time, so a pid that has been reused is never signalled.
 */
#include "health/replication/watchdog.h"

#include "conf/base/clock.h"
#include "health/replication/child.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static bool ward_alive(const struct ward *ward)
{
    return ward->start_time != 0 && child_start_time(ward->pid) == ward->start_time;
}

static size_t signal_wards(const struct watchdog *watchdog, enum ward_kind kind, int signal)
{
    size_t alive = 0;
    for (size_t i = 0; i < watchdog->n_wards; i++) {
        const struct ward *ward = &watchdog->wards[i];
        if (ward->kind != kind || !ward_alive(ward))
            continue;
        alive++;
        if (signal == 0)
            continue;
        kill(ward->pid, signal);
        kill(ward->pid, SIGCONT); /* it may have been frozen, to see what happens */
    }
    return alive;
}

/* Sends the signal to all of a kind and waits until they are gone; false when the deadline passed. */
static bool stop_wards(const struct watchdog *watchdog, enum ward_kind kind, int signal, uint64_t timeout_ms)
{
    uint64_t end_us = clock_now_us() + timeout_ms * 1000;
    size_t alive = signal_wards(watchdog, kind, signal);
    while (alive > 0 && clock_now_us() < end_us) {
        usleep(10000);
        alive = signal_wards(watchdog, kind, 0);
    }
    return alive == 0;
}

/* True when the NUL-separated block holds the entry. */
static bool block_holds(const char *block, size_t len, const char *entry)
{
    for (size_t at = 0; at < len; at += strnlen(block + at, len - at) + 1) {
        if (strncmp(block + at, entry, len - at) == 0)
            return true;
    }
    return false;
}

static bool has_marker(const char *proc, const char *marker)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%.20s/environ", proc);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t size = 256 * 1024,
           len = 0; /* a larger environment is cut: the marker would have to be in the rest */
    char *block = malloc(size + 1);
    if (block) {
        len = fread(block, 1, size, file);
        block[len] = '\0';
    }
    fclose(file);
    bool found = block && block_holds(block, len, marker);
    free(block);
    return found;
}

/* PostgreSQL overwrites its environment, but its processes live in their data directory:
 * DIRECTORY/nodeN/data. */
static bool is_node_process(const char *proc, const char *directory)
{
    char path[64], cwd[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%.20s/cwd", proc);
    ssize_t len = readlink(path, cwd, sizeof cwd - 1);
    if (len <= 0)
        return false;
    cwd[len] = '\0';
    size_t prefix = strlen(directory);
    if (strncmp(cwd, directory, prefix) != 0 || strncmp(cwd + prefix, "/node", 5) != 0)
        return false;

    char comm[32] = "";
    snprintf(path, sizeof path, "/proc/%.20s/comm", proc);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool is_postgres = fgets(comm, sizeof comm, file) && strcmp(comm, "postgres\n") == 0;
    fclose(file);
    return is_postgres;
}

/* What the command left running and what was started again by hand; returns how many. */
static size_t signal_stragglers(const struct watchdog *watchdog, int node_signal, int other_signal)
{
    size_t found = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc && (entry = readdir(proc));) {
        pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? (pid_t)atoi(entry->d_name) : 0;
        if (pid <= 1 || pid == getpid() || child_start_time(pid) == 0)
            continue;
        if (is_node_process(entry->d_name, watchdog->directory))
            kill(pid, node_signal);
        else if (has_marker(entry->d_name, watchdog->marker))
            kill(pid, other_signal);
        else
            continue;
        kill(pid, SIGCONT);
        found++;
    }
    if (proc)
        closedir(proc);
    return found;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *position)
{
    (void)status, (void)kind, (void)position;
    remove(path); /* what cannot be removed makes its directory stay: seen by the caller */
    return 0;
}

static void clean(const struct watchdog *watchdog)
{
    if (!stop_wards(watchdog, WARD_COMMAND, SIGTERM, 5000))
        stop_wards(watchdog, WARD_COMMAND, SIGKILL, 1000);
    if (!stop_wards(watchdog, WARD_PROXY, SIGTERM, 2000))
        stop_wards(watchdog, WARD_PROXY, SIGKILL, 1000);

    /* PostgreSQL: SIGINT is a fast shutdown, SIGQUIT an immediate one, good enough for data that nobody
     * keeps. */
    bool stopped = watchdog->keep && stop_wards(watchdog, WARD_NODE, SIGINT, 30000);
    if (!stopped && !stop_wards(watchdog, WARD_NODE, SIGQUIT, 5000))
        stop_wards(watchdog, WARD_NODE, SIGKILL, 1000);

    for (int round = 0;
         round < 200 && signal_stragglers(watchdog, round < 150 ? SIGQUIT : SIGKILL, SIGKILL) > 0; round++)
        usleep(10000);

    if (watchdog->keep)
        return;
    nftw(watchdog->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (access(watchdog->directory, F_OK) == 0)
        fprintf(stderr, "rolecall demo: %s could not be removed wholly\n", watchdog->directory);
}

static void table_add(struct watchdog *watchdog, const struct ward *ward)
{
    assert(watchdog->n_wards < WATCHDOG_MAX_WARDS);
    watchdog->wards[watchdog->n_wards++] = *ward;
}

static void table_remove(struct watchdog *watchdog, pid_t pid)
{
    for (size_t i = 0; i < watchdog->n_wards; i++) {
        if (watchdog->wards[i].pid == pid) {
            watchdog->wards[i] = watchdog->wards[--watchdog->n_wards];
            return;
        }
    }
}

/* A record without a start time means: this one is gone. */
static _Noreturn void watchdog_body(struct watchdog *watchdog, int input)
{
    setsid();
    signal(SIGQUIT, SIG_IGN);
    if (chdir("/") != 0)
        fprintf(stderr, "rolecall demo: chdir /: %s\n", strerror(errno));
    struct ward record;
    for (;;) {
        ssize_t got = read(input, &record, sizeof record);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != (ssize_t)sizeof record)
            break;
        if (record.start_time)
            table_add(watchdog, &record);
        else
            table_remove(watchdog, record.pid);
    }
    clean(watchdog);
    _exit(0);
}

bool watchdog_open(
    struct watchdog *watchdog, const char *directory, const char *marker, bool keep, struct error *error)
{
    memset(watchdog, 0, sizeof *watchdog);
    watchdog->keep = keep;
    snprintf(watchdog->directory, sizeof watchdog->directory, "%s", directory);
    snprintf(watchdog->marker, sizeof watchdog->marker, "%s", marker);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "cannot make a socket pair: %s", strerror(errno));
    fflush(NULL);
    watchdog->pid = fork();
    if (watchdog->pid == 0) {
        close(ends[1]);
        watchdog_body(watchdog, ends[0]);
    }
    close(ends[0]);
    watchdog->line = ends[1];
    if (watchdog->pid < 0) {
        close(ends[1]);
        watchdog->pid = 0;
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "cannot fork: %s", strerror(errno));
    }
    return true;
}

static void tell(const struct watchdog *watchdog, const struct ward *record)
{
    if (send(watchdog->line, record, sizeof *record, MSG_NOSIGNAL) != (ssize_t)sizeof *record)
        fprintf(stderr, "rolecall demo: the watchdog does not listen: %s\n", strerror(errno));
}

void watchdog_add(struct watchdog *watchdog, pid_t pid, enum ward_kind kind)
{
    struct ward ward = {pid, child_start_time(pid), kind};
    if (ward.start_time == 0)
        return; /* it has ended already */
    table_add(watchdog, &ward);
    tell(watchdog, &ward);
}

void watchdog_remove(struct watchdog *watchdog, pid_t pid)
{
    struct ward gone = {.pid = pid};
    table_remove(watchdog, pid);
    tell(watchdog, &gone);
}

void watchdog_close(struct watchdog *watchdog)
{
    if (watchdog->pid == 0)
        return;
    close(watchdog->line);
    int status = -1;
    pid_t ended;
    do
        ended = waitpid(watchdog->pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    if (ended != watchdog->pid || status != 0)
        clean(watchdog); /* it was killed */
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    watchdog->pid = 0;
}
