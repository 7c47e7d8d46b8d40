/* The sample works as it is, and taking away its # changes nothing. */
#include "try.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char *write_sample(void)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    config_write_sample(out);
    fclose(out);
    return text;
}

static struct config *load(const char *text)
{
    struct error error;
    struct config *config = try_text(text, &error);
    if (!config)
        fail_msg("%s", error.text);
    return config;
}

struct changes {
    size_t n;
    char text[1024];
};

static void note(void *context, const char *section, const char *key, bool reloadable)
{
    struct changes *changes = context;
    (void)reloadable;
    changes->n++;
    size_t used = strlen(changes->text);
    snprintf(changes->text + used, sizeof changes->text - used, "%s %s\n", section, key);
}

/* Takes away the # directly before keys and sections. */
static void uncomment(char *text)
{
    char *to = text;
    for (char *at = text; *at; at++) {
        bool line_begins = at == text || at[-1] == '\n';
        if (line_begins && *at == '#' && at[1] != ' ' && at[1] != '\n')
            continue;
        *to++ = *at;
    }
    *to = '\0';
}

static void the_sample_is_a_configuration_with_nothing_but_defaults(void **context)
{
    (void)context;
    char *text = write_sample();
    struct config *sample = load(text);
    struct config *plain =
        load("[cluster main]\n[node node1]\nhost = 127.0.0.1\n[listener main]\naddress = 127.0.0.1:6432\n"
             "[http]\n");
    struct changes changes = {0};
    config_diff(plain, sample, &changes, note);
    assert_string_equal(changes.text, "");
    config_unref(sample);
    config_unref(plain);
    free(text);
}

static void taking_away_its_comment_signs_adds_only_the_optional_sections(void **context)
{
    (void)context;
    char *text = write_sample();
    struct config *sample = load(text);
    uncomment(text);
    struct config *explicit = load(text);
    struct changes changes = {0};
    config_diff(sample, explicit, &changes, note);
    assert_string_equal(changes.text, "database * (added)\nuser app (added)\n");
    assert_memory_equal(
        &explicit->databases[0].limits.pool_size, &explicit->limits.pool_size, sizeof(uint32_t));
    config_unref(sample);
    config_unref(explicit);
    free(text);
}

static void its_lines_are_short_and_every_key_is_explained(void **context)
{
    (void)context;
    char *text = write_sample(), *rest = text;
    bool explained = false;
    for (char *line; (line = strsep(&rest, "\n"));) {
        bool is_comment = line[0] == '#' && (line[1] == ' ' || line[1] == '\0');
        if (is_comment)
            assert_true(strlen(line) <= 104);
        else if (*line)
            assert_true(explained);
        explained = is_comment;
    }
    assert_null(rest);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_is_a_configuration_with_nothing_but_defaults),
        cmocka_unit_test(taking_away_its_comment_signs_adds_only_the_optional_sections),
        cmocka_unit_test(its_lines_are_short_and_every_key_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
