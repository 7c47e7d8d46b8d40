/* What hba_lines.c, hba_parse.c and hba.c share: the words of a line, and the rules made of them. */
#ifndef ROLECALL_AUTH_HBA_PRIVATE_H
#define ROLECALL_AUTH_HBA_PRIVATE_H

#include "proxy/auth/hba.h"

#include <stdatomic.h>
#include <stdint.h>

/* A line holds no more words than this; lists of names count each name. */
#define HBA_LINE_WORDS 1024

struct hba_word {
    const char *text;  /* NUL-terminated, in the hba's copy of the file */
    bool quoted;       /* began with a quote: not a keyword */
    bool list_goes_on; /* a comma follows: the next word belongs to the same field */
};

struct hba_line {
    unsigned number; /* of its first line, when continued by backslashes */
    size_t n;
    struct hba_word words[HBA_LINE_WORDS];
};

struct hba_lexer {
    char *at, *end; /* what is left of the text, which is rewritten in place */
    unsigned number;
    const char *name; /* of the file */
};

enum hba_line_result { HBA_LINE, HBA_LINES_END, HBA_LINE_BAD };
/* The next line that holds anything. */
enum hba_line_result hba_next_line(struct hba_lexer *lexer, struct hba_line *line, struct error *error);

enum hba_type { HBA_LOCAL, HBA_HOST, HBA_HOSTSSL, HBA_HOSTNOSSL };
enum hba_name_kind { HBA_NAME, HBA_ALL, HBA_SAMEUSER, HBA_REPLICATION };

struct hba_name {
    enum hba_name_kind kind;
    const char *text;
};

struct hba_rule {
    unsigned line;
    enum hba_type type;
    size_t first_name; /* databases, then users, in hba.names */
    size_t n_databases, n_users;
    int family; /* AF_UNSPEC: any address */
    unsigned char address[16], mask[16];
    enum hba_method method;
    enum hba_client_cert client_cert;
};

struct hba {
    _Atomic uint32_t refs;
    char *text;
    struct hba_rule *rules;
    size_t n_rules, cap_rules;
    struct hba_name *names;
    size_t n_names, cap_names;
};

/* Appends the rule that a line says. */
bool hba_add_line(struct hba *hba, const struct hba_line *line, const char *name, struct error *error);

#endif
