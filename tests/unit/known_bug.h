/*
 * Marks a test that shows a bug which is not fixed yet: it is skipped, unless ROLECALL_KNOWN_BUGS is "all" or
 * the test's name. Take the mark away together with the bug.
 */
#ifndef ROLECALL_TESTS_KNOWN_BUG_H
#define ROLECALL_TESTS_KNOWN_BUG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline void known_bug(const char *test)
{
    const char *wanted = getenv("ROLECALL_KNOWN_BUGS");
    if (!wanted || (strcmp(wanted, "all") != 0 && strcmp(wanted, test) != 0))
        skip();
}

/* First in the test; `what` says where the bug is. */
#define KNOWN_BUG(what) known_bug(__func__)

#endif
