/*
 * Child processes that do not outlive their parent, and the signals of a program that only waits for them.
 *
 * For single-threaded programs (`rolecall demo`). While a child_signals is open, SIGCHLD, SIGINT, SIGTERM and
 * SIGHUP are blocked and come out of child_wait instead; children start with the mask from before.
 */
#ifndef ROLECALL_HEALTH_REPLICATION_CHILD_H
#define ROLECALL_HEALTH_REPLICATION_CHILD_H

#include "conf/base/error.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whom PostgreSQL runs as: it refuses to run as root. */
struct child_account {
    char name[64];
    uid_t uid;
    gid_t gid;
    char home[256];
    bool change; /* we are root and become this account; false: we are it */
};

struct child_signals {
    sigset_t waited, before;
};

struct child_spec {
    char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH unless it holds a '/' */
    int program_fd;    /* an open descriptor of the program for when its path is closed to the
                          account; -1 = none. Stays the caller's. */
    const struct child_account *account; /* NULL = as we are */
    const char *log_path;                /* stdout and stderr are appended there; NULL = ours */
    char *const *environment;            /* "NAME=value", NULL-terminated, on top of ours; NULL = nothing */
    int death_signal;                    /* what the kernel sends when we die */
    bool own_session;                    /* out of reach of the terminal's Ctrl-C */
};

/* What ended a wait. */
enum child_event { CHILD_ENDED, CHILD_DEADLINE, CHILD_SIGNAL };

struct child_news {
    enum child_event event;
    pid_t pid;       /* CHILD_ENDED: who, already reaped */
    int status;      /* CHILD_ENDED: as waitpid gives it */
    int signal;      /* CHILD_SIGNAL: SIGINT, SIGTERM or SIGHUP */
    bool by_process; /* CHILD_SIGNAL: sent with kill(2), so nobody else in our terminal's foreground got it */
};

void child_signals_open(struct child_signals *signals);
void child_signals_close(const struct child_signals *signals);

/* Starts a child; -1 with an error when it cannot be made. A program that cannot be executed ends with status
 * 127. */
pid_t child_start(const struct child_signals *signals, const struct child_spec *spec, struct error *error);

/* Waits for the first of: any child's end, a signal, timeout_ms (UINT64_MAX = for ever). */
void child_wait(const struct child_signals *signals, uint64_t timeout_ms, struct child_news *news);

/* Says how a child ended, as "status 1" or "signal 9", for messages; `out` needs 32 bytes. */
const char *child_ending(int status, char out[static 32]);

/* The time at which a process was started, in clock ticks since boot: with its pid it names it for good. 0
   when there is no such process or it is a zombie. */
uint64_t child_start_time(pid_t pid);

#endif
