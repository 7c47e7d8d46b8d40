/*
 * What stands behind a value: environment variables, files with secrets, paths. Reads the environment and
 * files.
 *
 * All return memory that the caller frees (and wipes: any value may hold a secret), or NULL with the reason
 * in `why` (EXPAND_WHY_MAX bytes).
 */
#ifndef ROLECALL_CONF_EXPAND_H
#define ROLECALL_CONF_EXPAND_H

#define EXPAND_WHY_MAX 256
#define EXPAND_VALUE_MAX 65536 /* bytes of an expanded value */
#define EXPAND_SECRET_MAX 4096 /* bytes of a file that holds a secret */

/* ${NAME} becomes the environment variable, $$ becomes $, any other $ stays (SQL has $1). */
char *expand_variables(const char *text, char *why);

/* The content of a regular file without the line end at its end; warns in the log when others may read it.
 * Blocking. */
char *expand_secret_file(const char *path, char *why);

/* A path that does not begin with / is taken from the folder that `config_path` lies in. */
char *expand_path(const char *config_path, const char *path, char *why);

/* Wipes and frees; NULL is allowed. */
void expand_free(char *text);

#endif
