/* Any bytes on the admin socket: dividing and unquoting stay inside the text, and every command is found or
 * refused with words. */
#include "proxy/front/command_handlers.h"
#include "proxy/front/completion.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Completion behind any words, and any word as a session's id. */
static void complete(const struct words *words)
{
    static FILE *nowhere;
    char *list[WORDS_MAX];
    uint32_t worker;
    uint64_t serial;
    if (!nowhere && !(nowhere = fopen("/dev/null", "w")))
        abort();
    for (size_t i = 0; i < words->n; i++) {
        list[i] = words->list[i].text;
        if (session_id_parse(list[i], &worker, &serial) && strspn(list[i], "0123456789.") != strlen(list[i]))
            abort();
    }
    if (words->n > 0)
        completion_offer(nowhere, (int)words->n - 1, list, list[words->n - 1]);
}

static void check(struct slice command)
{
    struct words words;
    struct error error = {0};
    size_t used;
    if (!words_parse(command, &words, &error)) {
        if (!error.text[0])
            abort();
        return;
    }
    size_t total = 0;
    for (size_t i = 0; i < words.n; i++)
        total += words.list[i].len;
    if (total > command.len)
        abort();
    complete(&words);
    const struct command *found = command_find(&words, true, &used, &error);
    if (found ? used == 0 || used > words.n : !error.text[0])
        abort();
    words_fini(&words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice script = slice_of((const char *)data, size), command;
    const char *end = script.data;
    while (words_next_command(&script, &command)) {
        if (command.len == 0 || command.data < end || command.data + command.len > (const char *)data + size)
            abort();
        end = command.data + command.len;
        check(command);
    }
    if (script.len > 0)
        abort();
    return 0;
}
