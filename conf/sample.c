/*
 * The documented sample configuration, made from the schema; see config_write_sample in config.h. A required
 * key is written with an example, every other one commented out with its default, so that the sample is a
 * working configuration and taking away a # changes nothing.
 */
#include "conf/config.h"
#include "conf/schema.h"
#include "conf/value.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 100

static const char *const introduction[] = {
    "Configuration of rolecall. Every key is listed with its default; a # directly before a key makes it a "
    "comment.",
    "",
    "key = value, one on a line; comments stand on lines of their own. Durations need a unit: us ms s min h "
    "d. "
    "Sizes take B kB MB GB and are bytes without one. Lists are divided by commas. An empty value means: not "
    "set. "
    "${NAME} is replaced by the environment variable NAME, $$ by a single $. Relative paths begin at this "
    "file's "
    "folder. A secret KEY may be given as KEY_file = path instead. Keys marked * take effect after a "
    "restart, all "
    "others at a reload.",
};

/* A comment, broken between words. */
static void write_comment(FILE *out, const char *text)
{
    size_t column = 0;
    fputs("#", out);
    while (*text) {
        size_t len = strcspn(text, " ");
        if (column > 0 && column + len + 1 > WIDTH) {
            fputs("\n#", out);
            column = 0;
        }
        fprintf(out, " %.*s", (int)len, text);
        column += len + 1;
        text += len;
        text += *text == ' ';
    }
    fputs("\n", out);
}

/* Limits that a section does not set come from the section before it. */
static const char *inherited_from(const struct schema_key *key, enum section_kind kind)
{
    if (key->part != PART_LIMITS || kind == SECTION_ROLECALL || !schema_has(key, SECTION_ROLECALL))
        return "";
    return kind == SECTION_USER ? " As for the [database] when not set." : " As in [rolecall] when not set.";
}

static void write_key(FILE *out, const struct schema_key *key, enum section_kind kind)
{
    char allowed[VALUE_WHY_MAX], line[2 * VALUE_WHY_MAX];
    value_allowed(key, allowed, sizeof allowed);
    fputs("\n", out);
    snprintf(line, sizeof line, "%s%s", key->needs_restart ? "* " : "", key->help);
    write_comment(out, line);
    snprintf(line, sizeof line, "Allowed: %s.%s", allowed, inherited_from(key, kind));
    if (*allowed)
        write_comment(out, line);
    const char *value = key->required || !key->value ? key->sample : key->value;
    fprintf(out, "%s%s =%s%s\n", key->required ? "" : "#", key->key, value && *value ? " " : "",
        value ? value : "");
}

static const char *example_name(enum section_kind kind)
{
    switch (kind) {
    case SECTION_ROLECALL: return NULL;
    case SECTION_CLUSTER: return "main";
    case SECTION_NODE: return "node1";
    case SECTION_LISTENER: return "main";
    case SECTION_DATABASE: return "*";
    case SECTION_USER: return "app";
    case SECTION_HTTP: return NULL;
    }
    return NULL;
}

static void write_section(FILE *out, enum section_kind kind)
{
    size_t n;
    const struct schema_key *keys = schema_keys(&n);
    const char *name = example_name(kind);
    bool optional = kind == SECTION_DATABASE || kind == SECTION_USER;
    fputs("\n\n", out);
    write_comment(out, section_kind_help(kind));
    fprintf(
        out, "%s[%s%s%s]\n", optional ? "#" : "", section_kind_name(kind), name ? " " : "", name ? name : "");
    for (size_t i = 0; i < n; i++) {
        if (schema_has(&keys[i], kind))
            write_key(out, &keys[i], kind);
    }
}

void config_write_sample(FILE *out)
{
    for (size_t i = 0; i < sizeof introduction / sizeof introduction[0]; i++)
        write_comment(out, introduction[i]);
    for (int kind = 0; kind < SECTION_KINDS; kind++)
        write_section(out, (enum section_kind)kind);
}
