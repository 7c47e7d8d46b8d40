/* What the tests of this room share: cmocka with its includes, and slices from literals with NULs inside. */
#ifndef ROLECALL_TESTS_WIRE_TEST_H
#define ROLECALL_TESTS_WIRE_TEST_H

#include "conf/base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* All bytes of a literal but the NUL that C adds. */
#define LITERAL(text) slice_of((text), sizeof(text) - 1)

#define assert_slice(slice, text) assert_slice_bytes((slice), (text), sizeof(text) - 1)

static inline void assert_slice_bytes(struct slice slice, const char *text, size_t len)
{
    assert_int_equal(slice.len, len);
    if (len > 0)
        assert_memory_equal(slice.data, text, len);
}

/* A copy at the end of its own block, so that a sanitizer sees the first byte read past it. */
static inline char *exact_copy(const char *data, size_t len)
{
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

#endif
