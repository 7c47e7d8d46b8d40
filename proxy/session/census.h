/*
 * How many clients each database and each user has, in the whole process: for their max_clients. Counted at
 * login and at the end of a session, under a lock; never while a query is served. Any thread.
 */
#ifndef ROLECALL_SESSION_CENSUS_H
#define ROLECALL_SESSION_CENSUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum census_kind { CENSUS_DATABASE, CENSUS_USER, CENSUS_LISTENER };

/* Counts one more, unless that would be above max (0 = no limit). */
bool census_enter(enum census_kind kind, const char *name, uint32_t max);
void census_leave(enum census_kind kind, const char *name);

struct census_row {
    char name[64]; /* longer ones are refused at login */
    uint32_t count;
};
/* Everybody who has clients now, sorted by name, from malloc (the caller's); 0 also when memory is out. */
size_t census_list(enum census_kind kind, struct census_row **rows);
uint32_t census_count(enum census_kind kind, const char *name);

#endif
