/*
 * What is known of extensions; see catalogue_extension.h. Found by reading their sources. A volatile function
 * in C that is not listed counts as one that changes its session, which costs a question after each use.
 *
 * The first line that fits counts: exceptions stand before their extension.
 */
#include "health/catalogue_extension.h"

#include <string.h>

struct known {
    const char *extension;
    const char *prefix; /* of the function's name; NULL: all the others */
    enum name_kind kind;
};

static const struct known list[] = {
    /* Do change it. */
    {"dblink", "dblink_connect", NAME_OPAQUE}, /* a connection with a name, until it is closed */
    {"hypopg", NULL, NAME_OPAQUE},             /* hypothetical indexes, this session's alone */
    {"isn", "isn_weak", NAME_OPAQUE},          /* a switch of the session, and no setting */
    {"pg_trgm", "set_limit", NAME_SESSION},    /* the setting pg_trgm.similarity_threshold */
    {"pg_variables", NULL, NAME_OPAQUE},       /* variables of the session */
    {"tablefunc", "crosstab", NAME_SESSION},   /* runs the SQL that it is given, as do the next two */
    {"tablefunc", "connectby", NAME_SESSION},
    {"xml2", "xpath_table", NAME_SESSION},
    /* Compute, with nothing kept: types, operators, index and text search support. */
    {"address_standardizer", NULL, NAME_HARMLESS},
    {"bloom", NULL, NAME_HARMLESS},
    {"btree_gin", NULL, NAME_HARMLESS},
    {"btree_gist", NULL, NAME_HARMLESS},
    {"citext", NULL, NAME_HARMLESS},
    {"cube", NULL, NAME_HARMLESS},
    {"dict_int", NULL, NAME_HARMLESS},
    {"dict_xsyn", NULL, NAME_HARMLESS},
    {"earthdistance", NULL, NAME_HARMLESS},
    {"fuzzystrmatch", NULL, NAME_HARMLESS},
    {"hll", NULL, NAME_HARMLESS},
    {"hstore", NULL, NAME_HARMLESS},
    {"intagg", NULL, NAME_HARMLESS},
    {"intarray", NULL, NAME_HARMLESS},
    {"ip4r", NULL, NAME_HARMLESS},
    {"isn", NULL, NAME_HARMLESS},
    {"ltree", NULL, NAME_HARMLESS},
    {"pg_trgm", NULL, NAME_HARMLESS},
    {"pgcrypto", NULL, NAME_HARMLESS},
    {"postgis", NULL, NAME_HARMLESS},
    {"postgis_raster", NULL, NAME_HARMLESS},
    {"postgis_sfcgal", NULL, NAME_HARMLESS},
    {"rum", NULL, NAME_HARMLESS},
    {"seg", NULL, NAME_HARMLESS},
    {"tablefunc", NULL, NAME_HARMLESS},
    {"tsm_system_rows", NULL, NAME_HARMLESS},
    {"tsm_system_time", NULL, NAME_HARMLESS},
    {"unaccent", NULL, NAME_HARMLESS},
    {"uuid-ossp", NULL, NAME_HARMLESS},
    {"vector", NULL, NAME_HARMLESS},
    {"xml2", NULL, NAME_HARMLESS},
    /* Trigger functions: they look at rows, and send notifications (tcn). */
    {"autoinc", NULL, NAME_HARMLESS},
    {"insert_username", NULL, NAME_HARMLESS},
    {"lo", NULL, NAME_HARMLESS},
    {"moddatetime", NULL, NAME_HARMLESS},
    {"refint", NULL, NAME_HARMLESS},
    {"tcn", NULL, NAME_HARMLESS},
    /* Look at, or work on, files and shared memory. */
    {"amcheck", NULL, NAME_HARMLESS},
    {"old_snapshot", NULL, NAME_HARMLESS},
    {"pageinspect", NULL, NAME_HARMLESS},
    {"pg_buffercache", NULL, NAME_HARMLESS},
    {"pg_freespacemap", NULL, NAME_HARMLESS},
    {"pg_prewarm", NULL, NAME_HARMLESS},
    {"pg_stat_statements", NULL, NAME_HARMLESS},
    {"pg_surgery", NULL, NAME_HARMLESS},
    {"pg_visibility", NULL, NAME_HARMLESS},
    {"pg_walinspect", NULL, NAME_HARMLESS},
    {"pgrowlocks", NULL, NAME_HARMLESS},
    {"pgstattuple", NULL, NAME_HARMLESS},
    {"sslinfo", NULL, NAME_HARMLESS},
    /* Ask other servers: their connections are a cache, or belong to the call, or were made by a function
       that is listed above. */
    {"dblink", NULL, NAME_HARMLESS},
    {"file_fdw", NULL, NAME_HARMLESS},
    {"postgres_fdw", NULL, NAME_HARMLESS},
};

enum name_kind catalogue_extension(const char *extension, const char *function)
{
    if (!extension)
        return NAME_UNKNOWN;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        const struct known *known = &list[i];
        if (strcmp(known->extension, extension) == 0 &&
            (!known->prefix || strncmp(function, known->prefix, strlen(known->prefix)) == 0))
            return known->kind;
    }
    return NAME_UNKNOWN;
}
