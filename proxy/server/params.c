/* Name/value pairs in one block; see params.h. */
#include "proxy/server/params.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void params_init(struct params *params)
{
    *params = (struct params){0};
}

void params_fini(struct params *params)
{
    free(params->block);
    params_init(params);
}

void params_clear(struct params *params)
{
    params->len = 0;
}

bool params_next(const struct params *params, uint32_t *at, const char **name, const char **value)
{
    if (*at >= params->len)
        return false;
    *name = params->block + *at;
    *value = *name + strlen(*name) + 1;
    *at = (uint32_t)(*value + strlen(*value) + 1 - params->block);
    return true;
}

static bool find(const struct params *params, struct slice wanted, uint32_t *start, uint32_t *end)
{
    const char *name, *value;
    uint32_t at = 0;
    for (*start = 0; params_next(params, &at, &name, &value); *start = at) {
        if (strlen(name) == wanted.len && strncasecmp(name, wanted.data, wanted.len) == 0) {
            *end = at;
            return true;
        }
    }
    return false;
}

void params_remove(struct params *params, struct slice name)
{
    uint32_t start, end;
    if (!find(params, name, &start, &end))
        return;
    memmove(params->block + start, params->block + end, params->len - end);
    params->len -= end - start;
}

bool params_set(struct params *params, struct slice name, struct slice value)
{
    if (memchr(name.data, 0, name.len) || (value.len && memchr(value.data, 0, value.len)))
        return false;
    params_remove(params, name);
    size_t need = params->len + name.len + value.len + 2;
    if (need > PARAMS_BYTES_MAX)
        return false;
    if (need > params->cap) {
        size_t cap = params->cap + params->cap / 2u; /* most sets are small and stay as they are */
        cap = cap < need ? need : cap;
        char *block = realloc(params->block, cap);
        if (!block)
            return false;
        params->block = block;
        params->cap = (uint32_t)cap;
    }
    char *at = params->block + params->len;
    memcpy(at, name.data, name.len);
    at[name.len] = 0;
    if (value.len)
        memcpy(at + name.len + 1, value.data, value.len);
    at[name.len + 1 + value.len] = 0;
    params->len = (uint32_t)need;
    return true;
}

const char *params_get(const struct params *params, const char *name)
{
    uint32_t start, end;
    if (!find(params, slice_from(name), &start, &end))
        return NULL;
    return params->block + start + strlen(params->block + start) + 1;
}

bool params_copy(struct params *to, const struct params *from)
{
    if (from->len > to->cap) {
        char *block = realloc(to->block, from->len);
        if (!block)
            return false;
        to->block = block;
        to->cap = from->len;
    }
    if (from->len)
        memcpy(to->block, from->block, from->len);
    to->len = from->len;
    return true;
}

bool params_equal(const struct params *a, const struct params *b)
{
    if (a->len != b->len)
        return false;
    if (a->len == 0 || memcmp(a->block, b->block, a->len) == 0)
        return true;
    const char *name, *value;
    for (uint32_t at = 0; params_next(a, &at, &name, &value);) {
        const char *other = params_get(b, name);
        if (!other || strcmp(other, value) != 0)
            return false;
    }
    return true;
}

static uint64_t hash_text(uint64_t hash, const char *text, bool fold)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (fold && byte >= 'A' && byte <= 'Z')
            byte += 32;
        hash = (hash ^ byte) * 0x100000001b3u;
    }
    return (hash ^ 0xff) * 0x100000001b3u;
}

uint64_t params_hash(const struct params *params)
{
    const char *name, *value;
    uint64_t sum = 0;
    for (uint32_t at = 0; params_next(params, &at, &name, &value);)
        sum += hash_text(hash_text(0xcbf29ce484222325u, name, true), value, false);
    return sum;
}
