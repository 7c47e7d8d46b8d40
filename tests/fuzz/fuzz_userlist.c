/*
 * userlist files: as they come, put together from their own words, and right ones, of which every user must
 * be found with the kind of secret that was written.
 */
#include "proxy/auth/userlist.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
    "\"a\" ", "\"b\" ", "\"c\" ", "\"d\" ", "\"e\" ", "\"f\" ", "\"g\" ", "\"h\" "};
static const char *const secrets[] = {"\"x\"\n", "\"\"\n", "\"y\"\"\"\n",
    "\"md5d504967f44e0c6062c7e5c2a8d42aac1\" z\n", "; x\n", "\n", " ", "\"z\"\r\n"};
static const enum secret_kind kinds[] = {SECRET_PLAIN, SECRET_NONE, SECRET_PLAIN, SECRET_MD5};

static struct userlist *load(struct slice text)
{
    struct error error = {"", ""};
    struct userlist *list = userlist_parse(text, "file", &error);
    if (list == NULL)
        assert(strcmp(error.sqlstate, "F0000") == 0 && strncmp(error.text, "file", 4) == 0);
    return list;
}

static size_t append(char *text, const char *word)
{
    memcpy(text, word, strlen(word));
    return strlen(word);
}

static void check_words(const uint8_t *data, size_t size)
{
    char *text = malloc(size * 48 + 1);
    size_t len = 0;
    for (size_t i = 0; i < size; i++) {
        bool name = data[i] & 64 ? data[i] & 32 : i % 2 == 0;
        len += append(text + len, name ? names[data[i] & 7] : secrets[data[i] & 7]);
    }
    userlist_unref(load(slice_of(text, len)));
    free(text);
}

static void check_right_file(const uint8_t *data, size_t n)
{
    char text[8 * 64];
    size_t len = 0;
    for (size_t i = n; i-- > 0;) {
        len += append(text + len, names[i]);
        len += append(text + len, secrets[data[i] & 3]);
    }
    struct userlist *list = load(slice_of(text, len));
    assert(list != NULL && userlist_count(list) == n);
    for (size_t i = 0; i < n; i++) {
        struct secret secret;
        assert(userlist_find(list, slice_of(names[i] + 1, 1), &secret));
        assert(secret.kind == kinds[data[i] & 3]);
    }
    userlist_unref(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    userlist_unref(load(slice_of((const char *)data, size)));
    check_words(data, size);
    check_right_file(data, size < 8 ? size : 8);
    return 0;
}
