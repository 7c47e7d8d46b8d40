/* The memory on disk: written whole or not at all, read back, and damage is told. */
#include "health/state_file.h"
#include "tests/unit/health/unit.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

struct stage {
    uv_loop_t loop;
    char folder[64];
};

static void begin(struct stage *stage)
{
    uv_loop_init(&stage->loop);
    snprintf(stage->folder, sizeof stage->folder, "/tmp/rolecall-state-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
}

static void end(struct stage *stage)
{
    char command[128];
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&stage->loop), 0);
    snprintf(command, sizeof command, "rm -rf '%s'", stage->folder);
    assert_int_equal(system(command), 0);
}

static int files_in(const struct stage *stage)
{
    int count = 0;
    DIR *folder = opendir(stage->folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static bool read_back(struct stage *stage, const char *cluster, struct judge_memory *memory)
{
    struct error error;
    struct state_file *file = state_file_open(&stage->loop, stage->folder, cluster);
    bool good = state_file_read(file, memory, &error);
    state_file_close(file);
    return good;
}

static void what_was_saved_is_read_back(void **state)
{
    (void)state;
    struct stage stage;
    struct judge_memory memory = {UINT64_C(7311223344556677889), 3};
    begin(&stage);
    struct state_file *file = state_file_open(&stage.loop, stage.folder, "main");
    state_file_save(file, &memory);
    state_file_close(file); /* the write under way ends nevertheless */
    uv_run(&stage.loop, UV_RUN_DEFAULT);
    memory = (struct judge_memory){0};
    assert_true(read_back(&stage, "main", &memory));
    assert_int_equal(memory.system_identifier, UINT64_C(7311223344556677889));
    assert_int_equal(memory.timeline, 3);
    assert_int_equal(files_in(&stage), 1); /* nothing temporary is left */
    end(&stage);
}

static void the_newest_of_many_saves_is_what_stays(void **state)
{
    (void)state;
    struct stage stage;
    struct judge_memory memory = {7, 0};
    begin(&stage);
    struct state_file *file = state_file_open(&stage.loop, stage.folder, "main");
    for (memory.timeline = 1; memory.timeline < 50; memory.timeline++) {
        state_file_save(file, &memory);
        uv_run(&stage.loop, UV_RUN_NOWAIT);
    }
    state_file_close(file);
    uv_run(&stage.loop, UV_RUN_DEFAULT);
    assert_true(read_back(&stage, "main", &memory));
    assert_int_equal(memory.timeline, 49);
    end(&stage);
}

static void clusters_with_odd_names_have_files_of_their_own_in_the_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"a/../b", "a b", "A", "a", "..", "\xc3\xa4"};
    struct stage stage;
    begin(&stage);
    for (uint32_t i = 0; i < COUNT(names); i++) {
        const struct judge_memory memory = {i + 1, i + 1};
        struct state_file *file = state_file_open(&stage.loop, stage.folder, names[i]);
        state_file_save(file, &memory);
        state_file_close(file);
        uv_run(&stage.loop, UV_RUN_DEFAULT);
    }
    assert_int_equal(files_in(&stage), COUNT(names));
    for (uint32_t i = 0; i < COUNT(names); i++) {
        struct judge_memory memory;
        assert_true(read_back(&stage, names[i], &memory));
        assert_int_equal(memory.timeline, i + 1);
    }
    end(&stage);
}

static void a_damaged_file_is_told_and_gives_nothing(void **state)
{
    (void)state;
    static const char *const contents[] = {"", "system_identifier=7\n",
        "system_identifier=7\ntimeline=2\nmore\n", "timeline=2\nsystem_identifier=7\n",
        "system_identifier=x\ntimeline=2\n", "\n\n\n"};
    struct stage stage;
    begin(&stage);
    for (size_t i = 0; i < COUNT(contents); i++) {
        char path[128];
        struct judge_memory memory = {1, 1};
        snprintf(path, sizeof path, "%s/main.state", stage.folder);
        FILE *out = fopen(path, "w");
        fputs(contents[i], out);
        fclose(out);
        assert_false(read_back(&stage, "main", &memory));
        assert_int_equal(memory.timeline, 0);
    }
    end(&stage);
}

static void without_a_folder_nothing_is_kept_and_nothing_fails(void **state)
{
    (void)state;
    struct stage stage;
    struct judge_memory memory = {7, 7};
    struct error error;
    begin(&stage);
    struct state_file *file = state_file_open(&stage.loop, NULL, "main");
    state_file_save(file, &memory);
    assert_true(state_file_read(file, &memory, &error));
    assert_int_equal(memory.timeline, 0);
    state_file_close(file);
    file = state_file_open(&stage.loop, "/nonexistent/folder", "main");
    memory.timeline = 2;
    state_file_save(file, &memory); /* logged, and that is all */
    state_file_close(file);
    state_file_close(NULL);
    end(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_is_read_back),
        cmocka_unit_test(the_newest_of_many_saves_is_what_stays),
        cmocka_unit_test(clusters_with_odd_names_have_files_of_their_own_in_the_folder),
        cmocka_unit_test(a_damaged_file_is_told_and_gives_nothing),
        cmocka_unit_test(without_a_folder_nothing_is_kept_and_nothing_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
