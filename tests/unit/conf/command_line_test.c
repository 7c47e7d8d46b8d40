/* Commands of the configuration: words, quotes, what is refused, and back. */
#include "conf/command_line.h"
#include "conf/value.h"
#include "try.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void is_split_into(const char *text, const char *const *wanted)
{
    char **argv;
    const char *why;
    assert_true(command_line_split(text, &argv, &why));
    size_t n = 0;
    for (; wanted[n]; n++)
        assert_string_equal(argv[n], wanted[n]);
    assert_null(argv[n]);
    char *joined = command_line_join(argv), **again;
    assert_true(command_line_split(joined, &again, &why));
    for (size_t i = 0; i < n; i++)
        assert_string_equal(again[i], wanted[i]);
    assert_null(again[n]);
    value_list_free(argv);
    value_list_free(again);
    free(joined);
}

static void blanks_divide_and_quotes_keep_them(void **context)
{
    (void)context;
    is_split_into("/bin/a", (const char *const[]){"/bin/a", NULL});
    is_split_into("  /bin/a \t b  ", (const char *const[]){"/bin/a", "b", NULL});
    is_split_into("/a 'b c' \"d 'e\"", (const char *const[]){"/a", "b c", "d 'e", NULL});
    is_split_into("/a x'y z'\"w\"", (const char *const[]){"/a", "xy zw", NULL});
    is_split_into("/a '' \"\"", (const char *const[]){"/a", "", "", NULL});
}

static void a_backslash_takes_the_next_character_as_it_is(void **context)
{
    (void)context;
    is_split_into("/a b\\ c \\' \"\\\"\\\\\"", (const char *const[]){"/a", "b c", "'", "\"\\", NULL});
    is_split_into("/a 'b\\c'", (const char *const[]){"/a", "b\\c", NULL});
}

static void nothing_of_a_shell_means_anything(void **context)
{
    (void)context;
    is_split_into("/a $HOME; `b` | c > d & * ~ $(e)",
        (const char *const[]){"/a", "$HOME;", "`b`", "|", "c", ">", "d", "&", "*", "~", "$(e)", NULL});
}

static void is_refused(const char *text, const char *wanted)
{
    char **argv;
    const char *why;
    assert_false(command_line_split(text, &argv, &why));
    assert_null(argv);
    assert_string_equal(why, wanted);
}

static void what_is_no_command_is_refused_with_the_reason(void **context)
{
    (void)context;
    char many[512] = "/a";
    is_refused("a b", "expected a command that begins with an absolute path");
    is_refused("'' /b", "expected a command that begins with an absolute path");
    is_refused("/a 'b", "a quote is not closed");
    is_refused("/a \"b\\\"", "a quote is not closed");
    is_refused("/a \\", "ends with a backslash");
    for (int i = 0; i < COMMAND_LINE_WORDS_MAX; i++)
        strcat(many, " b");
    is_refused(many, "has more than 64 words");
}

static void a_text_of_blanks_is_no_command(void **context)
{
    (void)context;
    char **argv;
    const char *why;
    assert_true(command_line_split(" \t", &argv, &why));
    assert_null(argv);
}

static void a_cluster_has_hooks(void **context)
{
    (void)context;
    struct error error;
    struct config *config = try_text("[cluster c]\nbefore_promote = /bin/sh -c 'exit 1'\n[node n]\nhost = h\n"
                                     "[listener l]\naddress = *:6432\n",
        &error);
    assert_non_null(config);
    char **argv = config->clusters[0].hooks[HOOK_BEFORE_PROMOTE];
    assert_string_equal(argv[0], "/bin/sh");
    assert_string_equal(argv[2], "exit 1");
    assert_null(argv[3]);
    assert_null(config->clusters[0].hooks[HOOK_DEMOTE]);
    config_unref(config);
    assert_null(try_text(
        "[cluster c]\ndemote = /nowhere/x\n[node n]\nhost = h\n[listener l]\naddress = *:6432\n", &error));
    assert_non_null(strstr(error.text, "/etc/rolecall.conf:2"));
    assert_non_null(strstr(error.text, "cannot execute /nowhere/x"));
}

/* The names are the keys, in the order of their numbers. */
static void every_hook_is_a_key(void **context)
{
    (void)context;
    for (int hook = 0; hook < HOOK_KINDS; hook++) {
        bool is_file;
        const struct schema_key *key = schema_find(SECTION_CLUSTER, hook_name((enum hook)hook), &is_file);
        struct config_cluster cluster;
        assert_non_null(key);
        assert_ptr_equal(schema_place(key, SECTION_CLUSTER, &cluster), &cluster.hooks[hook]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_divide_and_quotes_keep_them),
        cmocka_unit_test(a_backslash_takes_the_next_character_as_it_is),
        cmocka_unit_test(nothing_of_a_shell_means_anything),
        cmocka_unit_test(what_is_no_command_is_refused_with_the_reason),
        cmocka_unit_test(a_text_of_blanks_is_no_command),
        cmocka_unit_test(a_cluster_has_hooks),
        cmocka_unit_test(every_hook_is_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
