/* What the tests of conf share: a configuration from a text, and a smallest good one. */
#ifndef ROLECALL_TESTS_CONF_TRY_H
#define ROLECALL_TESTS_CONF_TRY_H

#include "conf/parse.h"

#include <string.h>

#define PATH "/etc/rolecall.conf"

/* Three lines that a [listener] with an address completes. */
#define CLUSTER_LINES "[cluster c]\n[node n]\nhost = h\n"
#define GOOD CLUSTER_LINES "[listener l]\naddress = *:6432\n"

static inline struct config *try_text(const char *text, struct error *error)
{
    error->text[0] = '\0';
    return config_parse_text(PATH, text, strlen(text), error);
}

#endif
