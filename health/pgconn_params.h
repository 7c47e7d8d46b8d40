/* The keywords that libpq gets. Private to pgconn.c; the strings live as long as the struct. */
#ifndef ROLECALL_HEALTH_PGCONN_PARAMS_H
#define ROLECALL_HEALTH_PGCONN_PARAMS_H

#include "health/pgconn.h"

#define PGCONN_MAX_KEYWORDS 32

struct pgconn_keywords {
    const char *names[PGCONN_MAX_KEYWORDS + 1],
        *values[PGCONN_MAX_KEYWORDS + 1]; /* NULL-terminated, for libpq */
    char *owned[PGCONN_MAX_KEYWORDS];
    size_t n, hostaddr; /* hostaddr: index of its value */
};

/* Everything but hostaddr, which changes with each address that is tried. */
void pgconn_keywords_init(struct pgconn_keywords *keywords, const struct pgconn_params *params);
/* The address to connect to; NULL for sockets. Borrowed. */
void pgconn_keywords_set_address(struct pgconn_keywords *keywords, const char *address);
/* Wipes and frees; more than once is allowed. */
void pgconn_keywords_fini(struct pgconn_keywords *keywords);

#endif
