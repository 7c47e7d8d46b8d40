/* A configuration made usable; see runtime.h. */
#include "proxy/pool/runtime.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads a whole file; the caller wipes and frees. */
static char *read_file(const char *path, size_t max, size_t *len, struct error *error)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    if (!file || !(text = malloc(max + 1))) {
        error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "%s: %s", path, strerror(errno));
        goto fail;
    }
    *len = fread(text, 1, max + 1, file);
    if (ferror(file) || *len > max) {
        error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "%s: cannot be read, or too large", path);
        goto fail;
    }
    fclose(file);
    return text;
fail:
    if (file)
        fclose(file);
    free(text);
    return NULL;
}

static struct userlist *load_users(const char *path, struct error *error)
{
    size_t len;
    char *text = read_file(path, USERLIST_TEXT_MAX, &len, error);
    if (!text)
        return NULL;
    struct userlist *users = userlist_parse(slice_of(text, len), path, error);
    explicit_bzero(text, len);
    free(text);
    return users;
}

static struct hba *load_hba(const char *path, struct error *error)
{
    size_t len;
    char *text = read_file(path, HBA_TEXT_MAX, &len, error);
    if (!text)
        return NULL;
    struct hba *hba = hba_parse(slice_of(text, len), path, error);
    free(text);
    return hba;
}

static bool load_listener(const struct config *config, const struct config_listener *listener,
    struct runtime_listener *out, struct error *error)
{
    const char *auth_file = listener->auth_file ? listener->auth_file : config->auth_file;
    if (listener->tls.mode != TLS_DISABLE && !(out->tls = tls_context_accept(&listener->tls, error)))
        return false;
    if (auth_file && !(out->users = load_users(auth_file, error)))
        return false;
    return !listener->hba_file || (out->hba = load_hba(listener->hba_file, error)) != NULL;
}

static bool load(struct runtime *runtime, struct error *error)
{
    const struct config *config = runtime->config;
    for (size_t i = 0; i < config->n_listeners; i++)
        if (!load_listener(config, &config->listeners[i], &runtime->listeners[i], error))
            return false;
    for (size_t i = 0; i < config->n_clusters; i++) {
        const struct config_tls *tls = &config->clusters[i].tls;
        if (tls->mode != TLS_DISABLE && !(runtime->cluster_tls[i] = tls_context_connect(tls, error)))
            return false;
    }
    return true;
}

struct runtime *runtime_new(struct config *config, const struct runtime *before, struct error *error)
{
    struct runtime *runtime = calloc(1, sizeof *runtime);
    if (!runtime) {
        error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    runtime->refs = 1;
    runtime->config = config_ref(config);
    runtime->listeners = calloc(config->n_listeners + 1, sizeof *runtime->listeners);
    runtime->cluster_tls = calloc(config->n_clusters + 1, sizeof *runtime->cluster_tls);
    if (before) {
        runtime->issuer = before->issuer;
        memcpy(runtime->mock_key, before->mock_key, sizeof runtime->mock_key);
    } else if (!cancel_issuer_init(&runtime->issuer) ||
               !cancel_random(runtime->mock_key, sizeof runtime->mock_key)) {
        error_set(error, SQLSTATE_INTERNAL_ERROR, "the kernel gives no random bytes");
        goto fail;
    }
    if (!runtime->listeners || !runtime->cluster_tls) {
        error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
        goto fail;
    }
    if (!load(runtime, error))
        goto fail;
    return runtime;
fail:
    runtime_unref(runtime);
    return NULL;
}

struct runtime *runtime_ref(struct runtime *runtime)
{
    runtime->refs++;
    return runtime;
}

void runtime_unref(struct runtime *runtime)
{
    if (!runtime || --runtime->refs > 0)
        return;
    for (size_t i = 0; runtime->listeners && i < runtime->config->n_listeners; i++) {
        tls_context_unref(runtime->listeners[i].tls);
        userlist_unref(runtime->listeners[i].users);
        hba_unref(runtime->listeners[i].hba);
    }
    for (size_t i = 0; runtime->cluster_tls && i < runtime->config->n_clusters; i++)
        tls_context_unref(runtime->cluster_tls[i]);
    config_unref(runtime->config);
    free(runtime->listeners);
    free(runtime->cluster_tls);
    explicit_bzero(runtime, sizeof *runtime);
    free(runtime);
}

int runtime_cluster(const struct runtime *runtime, const char *name)
{
    for (size_t i = 0; i < runtime->config->n_clusters; i++)
        if (strcmp(runtime->config->clusters[i].name, name) == 0)
            return (int)i;
    return -1;
}

int runtime_listener(const struct runtime *runtime, const char *name)
{
    for (size_t i = 0; i < runtime->config->n_listeners; i++)
        if (strcmp(runtime->config->listeners[i].name, name) == 0)
            return (int)i;
    return -1;
}
