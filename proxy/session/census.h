/*
 * How many clients each database and each user has, in the whole process: for their max_clients. Counted at
 * login and at the end of a session, under a lock; never while a query is served. Any thread.
 */
#ifndef ROLECALL_SESSION_CENSUS_H
#define ROLECALL_SESSION_CENSUS_H

#include <stdbool.h>
#include <stdint.h>

enum census_kind { CENSUS_DATABASE, CENSUS_USER, CENSUS_LISTENER };

/* Counts one more, unless that would be above max (0 = no limit). */
bool census_enter(enum census_kind kind, const char *name, uint32_t max);
void census_leave(enum census_kind kind, const char *name);
uint32_t census_count(enum census_kind kind, const char *name);

#endif
