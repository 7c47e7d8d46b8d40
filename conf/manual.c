/* rolecall.conf(5), made from the schema; see config_write_manual in config.h. */
#include "conf/base/roff.h"
#include "conf/config.h"
#include "conf/schema.h"
#include "conf/value.h"

#include <stdio.h>

static const char head[] =
    ".TH ROLECALL.CONF 5 \"\" \"rolecall " ROLECALL_VERSION "\" \"rolecall\"\n"
    ".SH NAME\n"
    "rolecall.conf \\- configuration of rolecall\n"
    ".SH SYNOPSIS\n"
    ".I /etc/rolecall/rolecall.conf\n"
    ".SH DESCRIPTION\n"
    "Sections in brackets, with a name where there may be several of a kind, and in them\n"
    ".IR key \" = \" value ,\n"
    "one on a line. Comments stand on lines of their own and begin with a #. Durations need a unit: us ms s "
    "min\n"
    "h d. Sizes take B kB MB GB and are bytes without one. Lists are divided by commas. An empty value "
    "means: "
    "not\n"
    "set. ${NAME} is replaced by the environment variable NAME, $$ by a single $. Relative paths begin at "
    "the\n"
    "folder of the file. A secret KEY may be given as KEY_file = path instead.\n"
    ".PP\n"
    ".B rolecall check \\-c FILE\n"
    "checks a file;\n"
    ".B rolecall check \\-\\-defaults\n"
    "prints one with every key and its default. A reload (SIGHUP) brings changes into force, but for the "
    "keys\n"
    "that are marked here with \\(lqrestart\\(rq; a file with a mistake changes nothing.\n";

static const char tail[] = ".SH EXAMPLES\n"
                           ".nf\n"
                           "[cluster main]\n"
                           "probe_user = rolecall\n"
                           "probe_password_file = /etc/rolecall/probe.password\n"
                           ".sp\n"
                           "[node db1]\n"
                           "host = 10.0.0.11\n"
                           "[node db2]\n"
                           "host = 10.0.0.12\n"
                           ".sp\n"
                           "[listener split]\n"
                           "address = *:6432\n"
                           "route = split\n"
                           "pool = transaction\n"
                           ".fi\n"
                           ".SH SEE ALSO\n"
                           ".BR rolecall (1)\n";

static void write_key(FILE *out, const struct schema_key *key, enum section_kind kind)
{
    char allowed[VALUE_WHY_MAX];
    value_allowed(key, allowed, sizeof allowed);
    fputs(".TP\n.B ", out);
    roff_argument(out, key->key);
    fputs("\n", out);
    roff_text(out, key->help);
    if (*allowed) {
        fputs("Allowed:\n", out);
        roff_text(out, allowed);
        fputs(".br\n", out);
    }
    if (key->required)
        fputs("Required.\n", out);
    else if (key->part == PART_LIMITS && kind != SECTION_ROLECALL && schema_has(key, SECTION_ROLECALL))
        fputs("As in [rolecall] when not set.\n", out);
    else if (key->value && *key->value) {
        fputs("Default:\n", out);
        roff_text(out, key->value);
    }
    if (key->needs_restart)
        fputs("(restart)\n", out);
}

static void write_section(FILE *out, enum section_kind kind)
{
    size_t n;
    const struct schema_key *keys = schema_keys(&n);
    fputs(".SH ", out);
    fprintf(out, "\"[%s%s]\"\n", section_kind_name(kind), section_kind_is_single(kind) ? "" : " NAME");
    roff_text(out, section_kind_help(kind));
    for (size_t i = 0; i < n; i++)
        if (schema_has(&keys[i], kind))
            write_key(out, &keys[i], kind);
}

void config_write_manual(FILE *out)
{
    fputs(head, out);
    for (int kind = 0; kind < SECTION_KINDS; kind++)
        write_section(out, (enum section_kind)kind);
    fputs(tail, out);
}
