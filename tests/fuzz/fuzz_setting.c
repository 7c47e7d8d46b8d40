/* Any bytes: names of settings are folded, never empty and never too long; what rolecall looks at itself, and
 * the texts of functions, are read inside the text. */
#include "router/own_statement.h"
#include "router/setting.h"
#include "router/sql/function_text.h"
#include "router/sql/set_clause.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_name(void *context, struct slice name)
{
    size_t *count = context;
    ++*count;
    if (name.len == 0 || name.len >= SETTING_NAME_MAX)
        abort();
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] >= 'A' && name.data[i] <= 'Z')
            abort();
    if (setting_is_custom(name) && setting_matters_when_parsing(name))
        abort();
}

static void on_set(void *context, const char *name, bool local)
{
    (void)local;
    if (name[0])
        on_name(context, slice_from(name));
}

static void on_dotted(void *context, const char *name)
{
    on_name(context, slice_from(name));
    if (!strchr(name, '.'))
        abort();
}

static void check(struct slice text, bool standard_strings)
{
    struct own_statement own;
    size_t count = 0;
    setting_names(text, standard_strings, &count, on_name);
    if (count > 3 * text.len)
        abort();
    if (own_statement(text, standard_strings, &own) &&
        (own.name_len >= sizeof own.name || own.value_len >= sizeof own.value))
        abort();
}

/* The bytes themselves, and behind the first words of what is looked for: random bytes seldom begin so. */
static void check_behind(const char *words, struct slice text)
{
    size_t len = strlen(words);
    char *whole = malloc(len + text.len);
    if (!whole)
        abort();
    memcpy(whole, words, len);
    if (text.len > 0)
        memcpy(whole + len, text.data, text.len);
    check(slice_of(whole, len + text.len), true);
    check(slice_of(whole, len + text.len), false);
    free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const words[] = {
        "", "set ", "set local ", "reset ", "select set_config(", "do ", "prepare a ", "set rolecall."};
    struct slice text = slice_of((const char *)data, size);
    size_t count = 0;
    const struct function_text_events events = {.context = &count, .set = on_set, .setting = on_dotted};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        check_behind(words[i], text);
    function_text_read(text, &events);
    return 0;
}
