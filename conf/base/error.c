/* Fills a struct error; see error.h. */
#include "conf/base/error.h"

#include <stdarg.h>
#include <stdio.h>

bool error_set(struct error *error, const char *sqlstate, const char *format, ...)
{
    if (!error)
        return false;
    snprintf(error->sqlstate, sizeof error->sqlstate, "%s", sqlstate);
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return false;
}
