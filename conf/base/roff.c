/* Manual pages; see roff.h. */
#include "conf/base/roff.h"

static void put(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '\\': fputs("\\e", out); break;
        case '-': fputs("\\-", out); break;
        case '"': fputs("\\(dq", out); break;
        case '\'': fputs("\\(aq", out); break;
        default: fputc(*text, out);
        }
}

void roff_text(FILE *out, const char *text)
{
    fputs(*text == '.' ? "\\&" : "", out);
    put(out, text);
    fputc('\n', out);
}

void roff_argument(FILE *out, const char *text)
{
    fputc('"', out);
    put(out, text);
    fputc('"', out);
}
