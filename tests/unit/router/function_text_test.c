/* What the text of a function says: each event as a word. Calls and names in general are tested where they
 * are used, in tests/unit/health/catalogue_rules_test.c. */
#include "router/sql/function_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct heard {
    char words[1024];
};

static void add(void *context, const char *mark, const char *word)
{
    struct heard *heard = context;
    size_t len = strlen(heard->words);
    snprintf(heard->words + len, sizeof heard->words - len, "%s%s%s", len ? " " : "", mark, word);
}

static void on_session(void *context)
{
    add(context, "session", "");
}

static void on_unreadable(void *context)
{
    add(context, "unreadable", "");
}

static void on_opaque(void *context)
{
    add(context, "opaque", "");
}

static void on_set(void *context, const char *name, bool local)
{
    add(context, local ? "local:" : "set:", name);
}

static void on_setting(void *context, const char *name)
{
    add(context, "dotted:", name);
}

static void on_operator(void *context, const char *symbol)
{
    add(context, "", symbol);
}

static const struct function_text_events changes = {.session = on_session,
    .unreadable = on_unreadable,
    .opaque = on_opaque,
    .set = on_set,
    .setting = on_setting};

static void check(const char *text, const struct function_text_events *which, const char *expected)
{
    struct heard heard = {""};
    struct function_text_events events = *which;
    char *copy = strndup(text, strlen(text));
    events.context = &heard;
    function_text_read(slice_of(copy, strlen(text)), &events);
    if (strcmp(heard.words, expected) != 0)
        fail_msg("%s\n  gives \"%s\", not \"%s\"", text, heard.words, expected);
    free(copy);
}

static const char *const rows[][2] = {
    {"begin set work_mem = 1; end", "set:work_mem session"},
    {"begin set local search_path = a; end", "local:search_path"},
    {"begin set local.x = 1; end", "set:local.x session dotted:local.x"},
    {"begin set session App.Tenant = 1; reset app.b; end",
        "set:app.tenant session dotted:app.tenant set:app.b session dotted:app.b"},
    {"begin set local app.tenant = 1; end", "local:app.tenant"},
    {"begin reset all; end", "session"},
    {"begin set transaction read only; set constraints all deferred; end", ""},
    {"begin set transaction_read_only = on; end", ""},
    {"begin set seed = 0.5; end", "set:seed opaque session"},
    {"begin set local seed = 0.5; end", "local:seed opaque"},
    {"begin update t set a = 1; end", ""},
    {"begin set := 1; reset = 1; end", ""},
    {"select set_config('work_mem', $1, false)", "set:work_mem session"},
    {"select set_config('App.X', $1, true)", "local:app.x"},
    {"select set_config('App.X', $1, $2)", "set:app.x session dotted:app.x"},
    {"select set_config(name, $1, false)", "set: opaque session"},
    {"select set_config('a' || b, $1, false)", "set: opaque session"},
    {"select set_config('a'::text, $1, false)", "set:a session"},
    {"select set_config('a'::Text || b, $1, false)", "set: opaque session"},
    {"select set_config('a'::varchar, $1, false)", "set: opaque session"},
    {"select set_config(name, $1, true)", "local:"},
    {"select set_config('a', set_config(b, 'c', true), true)", "set: opaque session local:a"},
    {"select set_config('seed', '1', true)", "local:seed opaque"},
    {"select set_config('a', 'b'", "set:a session"},
    {"select own.set_config(name, 'b', false)", ""},
    {"begin load 'x'; end", "session opaque"},
    {"begin load = 1; end", ""},
    {"listen x", "session"},
    {"begin execute 'select 1'; end", "unreadable"},
    {"begin execute 'set app.a = 1; set local app.b = 2'; end", "unreadable dotted:app.a dotted:app.b"},
    {"begin q := 'SET Session App.A TO 1'; execute q; end", "unreadable dotted:app.a"},
    {"begin q := $x$select set_config('app.c', 'd', false)$x$; execute q; end", "unreadable dotted:app.c"},
    {"begin execute 'select set_config(''app.c'', ''d'', false)'; end", "unreadable dotted:app.c"},
    {"begin n := 'app.d'; execute 'set ' || n; end", "unreadable dotted:app.d"},
    {"begin execute 'select s.t from s.t where 1.5 > a.b'; end", "unreadable"},
    {"begin execute 'load ''x'''; end", "unreadable opaque"},
    {"begin execute 'select 1; LOAD ''x'''; end", "unreadable opaque"},
    {"begin execute 'select load from t'; end", "unreadable"},
    {"begin execute 'select setseed(0.5)'; end", "unreadable opaque"},
    {"begin n := 'app.d'; do 'begin end'; end", "session dotted:app.d"},
    {"begin n := 'app.d'; end", ""},
    {"select 'never ends", "unreadable"},
};

static void what_changes_the_session_is_told_with_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check(rows[i][0], &changes, rows[i][1]);
}

static void operators_are_told_by_their_symbols(void **state)
{
    (void)state;
    const struct function_text_events events = {.operate = on_operator};
    check("select a + b, c <> d, e != f, g operator(s.@@) h, -- i * j\n 'k / l'", &events, "+ <> <> @@");
    check("x := y(1, a => 2)::int[1]", &events, "");
}

static void no_event_need_be_listened_to(void **state)
{
    (void)state;
    const struct function_text_events events = {.context = NULL};
    for (size_t i = 0; i < COUNT(rows); i++)
        function_text_read(slice_from(rows[i][0]), &events);
    function_text_read(slice_from("select a.b(c) + 1, pg_temp.x"), &events);
}

static void any_cut_of_a_text_is_read_to_its_end(void **state)
{
    (void)state;
    static const char text[] =
        "begin set local a.\"b\" = 1; execute 'set a.b = 1' || $x$app.c$x$; perform set_config(E'a\\'', "
        "set_config('b', 'c', true), d != e); load 'x'; set session characteristics as transaction read "
        "only; "
        "end";
    for (size_t len = 0; len < sizeof text; len++) {
        char *cut = malloc(len ? len : 1); /* on the heap: the sanitizer sees a byte too far */
        struct heard heard = {""};
        struct function_text_events events = changes;
        events.context = &heard;
        memcpy(cut, text, len);
        function_text_read(slice_of(cut, len), &events);
        free(cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_changes_the_session_is_told_with_its_name),
        cmocka_unit_test(operators_are_told_by_their_symbols),
        cmocka_unit_test(no_event_need_be_listened_to),
        cmocka_unit_test(any_cut_of_a_text_is_read_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
