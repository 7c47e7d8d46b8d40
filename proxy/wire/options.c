/*
 * The `options` startup parameter: command-line switches of a backend, of which only settings are understood.
 *
 * Words are divided as pg_split_opts does it: at blanks, where a backslash takes any character as it is. A
 * word is then
 * "-c" with the setting in the same or the next word, or "--name=value". Anything else ends the list with an
 * error: a switch that was skipped silently would change what the session means.
 */
#include "proxy/wire/startup.h"

#include <assert.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void startup_options_init(struct startup_options *options, struct slice text)
{
    options->at = 0;
    options->text = text;
}

/* Appends the next word at buffer + *used; false when there is none. The buffer is as large as a whole
 * packet. */
static bool next_word(struct startup_options *options, struct slice *word)
{
    struct slice text = options->text;
    while (options->at < text.len && is_blank(text.data[options->at]))
        options->at++;
    if (options->at == text.len)
        return false;
    size_t used = 0;
    bool escaped = false;
    for (; options->at < text.len; options->at++) {
        char c = text.data[options->at];
        if (is_blank(c) && !escaped)
            break;
        if (c == '\\' && !escaped) {
            escaped = true;
            continue;
        }
        escaped = false;
        assert(used < sizeof options->buffer - 1);
        options->buffer[used++] = c;
    }
    options->buffer[used] = '\0';
    *word = slice_of(options->buffer, used);
    return true;
}

/* Divides "name=value" in place. */
static bool split_setting(struct slice word, struct slice *name, struct slice *value)
{
    char *text = (char *)(uintptr_t)word.data;
    char *equals = memchr(text, '=', word.len);
    if (equals == NULL || equals == text)
        return false;
    *equals = '\0';
    *name = slice_of(text, (size_t)(equals - text));
    *value = slice_of(equals + 1, word.len - name->len - 1);
    for (char *c = text; c < equals; c++)
        if (*c == '-')
            *c = '_';
    return true;
}

enum startup_option startup_options_next(
    struct startup_options *options, struct slice *name, struct slice *value, struct error *error)
{
    struct slice word;
    if (options->text.len >= sizeof options->buffer) {
        error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "startup parameter \"options\" is too long");
        return OPTION_BAD;
    }
    if (!next_word(options, &word))
        return OPTION_END;
    bool dashes = word.len > 2 && memcmp(word.data, "--", 2) == 0;
    if (!dashes && (word.len < 2 || memcmp(word.data, "-c", 2) != 0)) {
        error_set(error, "42601",
            "startup parameter \"options\" holds \"%.64s\": only -c name=value and --name=value are "
            "supported",
            word.data);
        return OPTION_BAD;
    }
    struct slice setting = slice_of(word.data + 2, word.len - 2);
    if (!dashes && setting.len == 0 && !next_word(options, &setting))
        setting = slice_of("", 0);
    if (!split_setting(setting, name, value)) {
        error_set(error, "42601", "%s%.64s in startup parameter \"options\" requires a value",
            dashes ? "--" : "-c ", setting.data);
        return OPTION_BAD;
    }
    return OPTION_SETTING;
}
