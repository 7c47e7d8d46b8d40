/* UTF-8 as PostgreSQL takes it: no overlong forms, no surrogates, nothing above U+10FFFF. Pure; any thread.
 */
#ifndef ROLECALL_BASE_UTF8_H
#define ROLECALL_BASE_UTF8_H

#include "conf/base/slice.h"

#include <stdbool.h>

bool utf8_is_valid(struct slice text);

#endif
