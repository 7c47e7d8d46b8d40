/*
 * The SQL with which a database's system catalogues are read, for PostgreSQL 12 and later; private to
 * catalogue_query.c. Each text is explained where it is made.
 */
#ifndef ROLECALL_HEALTH_CATALOGUE_SQL_H
#define ROLECALL_HEALTH_CATALOGUE_SQL_H

/* PostgreSQL's own functions that pin or free: those of router/sql/builtins.h; a test compares them. */
#define CATALOGUE_PINNING_FUNCTIONS                                                                          \
    "'currval', 'lastval', 'set_config', 'setseed', 'pg_replication_origin_session_setup',"                  \
    " 'pg_advisory_lock', 'pg_advisory_lock_shared', 'pg_try_advisory_lock', 'pg_try_advisory_lock_shared'," \
    " 'pg_advisory_unlock', 'pg_advisory_unlock_shared', 'pg_advisory_unlock_all'"

extern const char catalogue_sql_prepare[];
extern const char catalogue_sql_functions[], catalogue_sql_functions_12[]; /* _12: before PostgreSQL 14 */
extern const char catalogue_sql_relations[];
extern const char catalogue_sql_dependencies[];
extern const char catalogue_sql_types[];
extern const char catalogue_sql_calls[];

#endif
