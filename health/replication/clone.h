/*
 * `rolecall clone`: a replica out of an empty data directory (pg_basebackup), or out of an old primary's
 * (pg_rewind). Blocking and single-threaded; called from main before any thread is started.
 */
#ifndef ROLECALL_HEALTH_REPLICATION_CLONE_H
#define ROLECALL_HEALTH_REPLICATION_CLONE_H

/* argv[0] is the word "clone". The exit status: 0, the failed program's own, 1 for anything else that went
   wrong, 2 for wrong arguments. */
int clone_main(int argc, char **argv);

#endif
