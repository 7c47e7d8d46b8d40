/*
 * `rolecall demo`: a throw-away cluster with rolecall in front of it, for looking and for tests.
 *
 * Blocking; called from main before any thread is started, since it forks, changes the signal mask and waits
 * for children. Everything it starts ends with it, also when it is killed.
 */
#ifndef ROLECALL_HEALTH_REPLICATION_DEMO_H
#define ROLECALL_HEALTH_REPLICATION_DEMO_H

/*
 * `argv[0]` is the word "demo", the rest its arguments; `self` is the path of this executable, which is
 * started again as `self run -c FILE`. Returns the exit status of the process: COMMAND's own (128 + signal
 * when it was killed), 0 after Ctrl-C, 1 when something could not be started, 2 for wrong arguments.
 */
int demo_main(int argc, char **argv, const char *self);

#endif
