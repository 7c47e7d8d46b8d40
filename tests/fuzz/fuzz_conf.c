/*
 * A configuration of any bytes is accepted or refused with an error, never a crash or a leak. Random bytes
 * seldom make a section, so the input is also tried behind good beginnings, where it reaches the values.
 */
#include "conf/parse.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const beginnings[] = {
    "",
    "[cluster c]\n[node n]\nhost = h\n[listener l]\naddress = ",
    "[cluster c]\n[node n]\nhost = h\n[listener l]\naddress = *:1\n",
    "[cluster c]\n[node n]\nhost = h\n[listener l]\naddress = *:1\n[rolecall]\nquery_timeout = ",
    "[cluster c]\n[node n]\nhost = h\n[listener l]\naddress = *:1\n[database d]\nconnect_query = ${",
    "[cluster c]\n[node n]\nhost = h\n[listener l]\naddress = *:1\n[rolecall]\nignore_startup_parameters = ",
};

static void nothing(void *context, const char *section, const char *key, bool reloadable)
{
    (void)context;
    (void)reloadable;
    assert(strlen(section) < 96 && strlen(key) > 0);
}

static void try(const char *beginning, const uint8_t *data, size_t size)
{
    struct error error = {0};
    size_t used = strlen(beginning);
    char *text = malloc(used + size + 1);
    if (!text)
        return;
    memcpy(text, beginning, used);
    if (size > 0)
        memcpy(text + used, data, size);
    struct config *config = config_parse_text("fuzz.conf", text, used + size, &error);
    free(text);
    if (!config) {
        assert(strncmp(error.text, "fuzz.conf:", 10) == 0);
        return;
    }
    struct limits limits;
    config_limits(config, &config->listeners[0], "d", "u", &limits);
    config_diff(config, config, NULL, nothing);
    config_unref(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        try(beginnings[i], data, size);
    return 0;
}
