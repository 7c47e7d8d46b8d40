/*
 * The running program; see program.h.
 *
 * All well: configuration, listeners bound, privileges dropped, workers, control thread, accepting. SIGHUP
 * loads the file again: what is wrong changes nothing, what needs a restart is named. SIGTERM and SIGINT stop
 * accepting, let sessions end for shutdown_timeout, then end them; a second signal ends them at once. Failure
 * at the start: one line that says why, exit status 1.
 */
#include "proxy/front/program.h"

#include "conf/base/log.h"
#include "proxy/front/admin.h"
#include "proxy/front/chronicle.h"
#include "proxy/front/history.h"
#include "proxy/front/http.h"
#include "proxy/front/latency.h"
#include "proxy/front/notify.h"
#include "proxy/front/privilege.h"
#include "proxy/worker/listener.h"
#include "proxy/worker/worker.h"
#include "router/message.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WAIT_MAX_MS UINT64_C(86400000) /* for a service manager that wants a number */

struct program {
    uv_loop_t loop;
    const char *path;
    const struct control_door *door;
    void *control;
    struct config *config;
    struct runtime *runtime;
    struct worker *workers;
    uint32_t n_workers, n_ended;
    struct mailbox **subscribers; /* the workers' mailboxes, then ours */
    struct mailbox mailbox;
    struct listener **listeners;
    size_t n_listeners;
    uv_signal_t signals[3];
    uv_timer_t deadline;
    struct admin *admin;
    struct http *http;
    struct latency *latency;
    struct notify *notify;
    struct chronicle *chronicle;
    struct history *history;
    _Atomic uint32_t clients;
    bool stopping, forced;
};

/* ---- stopping ---- */

static void post_stop(struct program *program)
{
    for (uint32_t i = 0; i < program->n_workers; i++)
        mailbox_post(&program->workers[i].mailbox, &message_new(MESSAGE_STOP)->letter);
}

static void force(struct program *program)
{
    if (!program->forced)
        post_stop(program);
    program->forced = true;
}

static void on_deadline(uv_timer_t *timer)
{
    log_event(LOG_WARNING, "shutdown_timeout", "clients=%u", ((struct program *)timer->data)->clients);
    force(timer->data);
}

static void close_listeners(struct program *program)
{
    for (size_t i = 0; i < program->n_listeners; i++)
        listener_close(program->listeners[i]);
    program->n_listeners = 0;
}

static void begin_stop(struct program *program, int signum, enum admin_stop how)
{
    if (program->stopping) {
        force(program);
        return;
    }
    program->stopping = admin_view(program->admin)->stopping = true;
    log_event(LOG_INFO, "stopping", "signal=%d clients=%u", signum, program->clients);
    chronicle_note(program->chronicle, EVENT_STOPPING, "rolecall takes no more clients and ends",
        signum ? "a signal said so" : "a command said so");
    close_listeners(program);
    http_drain(program->http);
    post_stop(program);
    uint64_t wait = program->config->shutdown_timeout_ms;
    notify_stopping(program->notify, how == STOP_WAIT ? WAIT_MAX_MS : wait);
    if (how == STOP_NOW)
        force(program);
    else if (how == STOP_DRAIN)
        uv_timer_start(&program->deadline, on_deadline, wait ? wait : 1, 0);
}

/* ---- reload ---- */

/* What a reload changes, for its event. */
struct changes {
    char text[EVENT_TEXT_MAX];
    size_t len;
};

static void note_change(struct changes *changes, const char *section, const char *key, bool reloadable)
{
    size_t room = sizeof changes->text - changes->len;
    int len = snprintf(changes->text + changes->len, room, "%s[%s] %s%s",
        changes->len ? ", " : "changed: ", section, key, reloadable ? "" : " (needs a restart)");
    changes->len += len > 0 && (size_t)len < room ? (size_t)len : room - 1;
}

static void on_change(void *context, const char *section, const char *key, bool reloadable)
{
    note_change(context, section, key, reloadable);
    log_event(reloadable ? LOG_INFO : LOG_WARNING, reloadable ? "setting_changed" : "setting_needs_restart",
        "section=%s key=%s", section, key);
}

static void publish_runtime(struct program *program)
{
    for (uint32_t i = 0; i < program->n_workers; i++) {
        struct message *message = message_new(MESSAGE_RUNTIME);
        message->runtime.runtime = runtime_ref(program->runtime);
        message->runtime.drop = (void (*)(void *))runtime_unref;
        mailbox_post(&program->workers[i].mailbox, &message->letter);
    }
    struct message *message = message_new(MESSAGE_CONFIG);
    message->config = config_ref(program->config);
    mailbox_post(program->door->mailbox(program->control), &message->letter);
}

static bool load_again(struct program *program, struct error *error)
{
    struct changes changes = {.len = 0};
    struct config *config = config_load(program->path, error);
    struct runtime *runtime = config ? runtime_new(config, program->runtime, error) : NULL;
    if (!runtime) {
        log_event(LOG_ERROR, "reload_failed", "error=%s", error->text);
        chronicle_note(
            program->chronicle, EVENT_RELOAD_FAILED, "the configuration stays as it was", error->text);
        config_unref(config);
        return false;
    }
    config_diff(program->config, config, &changes, on_change);
    log_set_level(config->log_level);
    log_set_format(config->log_format);
    config_unref(program->config);
    runtime_unref(program->runtime);
    program->config = config;
    program->runtime = runtime;
    publish_runtime(program);
    admin_set_config(program->admin, config);
    http_reload(program->http);
    for (size_t i = 0; i < program->n_listeners; i++)
        listener_set_config(program->listeners[i], config);
    log_event(LOG_INFO, "reloaded", "file=%s", program->path);
    chronicle_note(program->chronicle, EVENT_RELOADED, "the configuration was read again",
        changes.len ? changes.text : "nothing has changed");
    return true;
}

static bool reload(struct program *program, struct error *error)
{
    notify_reloading(program->notify);
    bool done = load_again(program, error);
    notify_ready(program->notify, done ? "Serving" : "Serving; the last reload failed, the log says why");
    return done;
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct program *program = handle->data;
    struct error error = {0};
    if (signum == SIGHUP)
        reload(program, &error);
    else
        begin_stop(program, signum, STOP_DRAIN);
}

/* ---- what the admin socket may ask for ---- */

static bool on_reload_asked(void *context, struct error *error)
{
    return reload(context, error);
}

static void on_stop_asked(void *context, enum admin_stop how)
{
    begin_stop(context, 0, how);
}

static void on_catalogue_asked(void *context, const char *cluster, const char *database)
{
    struct program *program = context;
    struct message *message = message_new(MESSAGE_CATALOGUE_REQUEST);
    snprintf(message->catalogue_request.cluster, sizeof message->catalogue_request.cluster, "%s", cluster);
    snprintf(message->catalogue_request.database, sizeof message->catalogue_request.database, "%s", database);
    mailbox_post(program->door->mailbox(program->control), &message->letter);
}

static void on_node_ordered(void *context, struct message *order)
{
    struct program *program = context;
    order->node_order.reply_to = &program->mailbox;
    mailbox_post(program->door->mailbox(program->control), &order->letter);
}

static const struct admin_actions admin_actions = {.reload = on_reload_asked,
    .stop = on_stop_asked,
    .ask_catalogue = on_catalogue_asked,
    .order_node = on_node_ordered};

/* ---- the main thread's mailbox ---- */

static void close_handles(struct program *program)
{
    mailbox_close(&program->mailbox);
    notify_close(program->notify);
    http_close(program->http);
    latency_close(program->latency);
    chronicle_close(program->chronicle);
    history_close(program->history);
    admin_close(program->admin);
    for (size_t i = 0; i < sizeof program->signals / sizeof *program->signals; i++)
        uv_close((uv_handle_t *)&program->signals[i], NULL);
    uv_close((uv_handle_t *)&program->deadline, NULL);
}

static void receive(void *owner, struct letter *letter)
{
    struct program *program = owner;
    struct message *message = (struct message *)letter;
    if (message->kind == MESSAGE_STOP && ++program->n_ended == program->n_workers)
        close_handles(program);
    chronicle_on_message(program->chronicle, message);
    admin_on_message(program->admin, message);
    message_free(message);
}

/* ---- starting ---- */

static uint32_t worker_count(const struct config *config)
{
    uint32_t n = config->workers ? config->workers : (uint32_t)uv_available_parallelism();
    return n < CANCEL_WORKER_MAX ? n : CANCEL_WORKER_MAX;
}

static bool open_listeners(struct program *program, struct error *error)
{
    size_t n = program->config->n_listeners;
    program->listeners = calloc(n, sizeof *program->listeners);
    if (!program->listeners)
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct listener *listener =
            listener_open(&program->loop, program->config, i, program->workers, program->n_workers, error);
        if (!listener)
            return false;
        program->listeners[program->n_listeners++] = listener;
    }
    return true;
}

static bool open_admin(struct program *program, struct error *error)
{
    const struct admin_host host = {.loop = &program->loop,
        .mailbox = &program->mailbox,
        .config = program->config,
        .workers = program->workers,
        .n_workers = program->n_workers,
        .actions = &admin_actions,
        .context = program};
    program->admin = admin_open(&host, error);
    if (!program->admin)
        return false;
    program->latency = latency_open(&program->loop);
    program->chronicle = chronicle_open(&program->loop, admin_view(program->admin));
    admin_view(program->admin)->latency = program->latency;
    program->history = history_open(&program->loop, admin_view(program->admin));
    if (!program->latency || !program->chronicle || !program->history)
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    return true;
}

static bool open_http(struct program *program, struct error *error)
{
    const struct http_host host = {
        .loop = &program->loop, .view = admin_view(program->admin), .surveys = admin_surveys(program->admin)};
    program->http = http_open(&host, error);
    return program->http != NULL;
}

static bool make_workers(struct program *program, struct error *error)
{
    program->n_workers = worker_count(program->config);
    program->workers = calloc(program->n_workers, sizeof *program->workers);
    program->subscribers = calloc(program->n_workers + 1, sizeof *program->subscribers);
    if (!program->workers || !program->subscribers)
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    for (uint32_t i = 0; i < program->n_workers; i++) {
        if (!worker_init(&program->workers[i], i, program->runtime, &program->clients, error))
            return false;
        program->subscribers[i] = &program->workers[i].mailbox;
    }
    program->subscribers[program->n_workers] = &program->mailbox;
    return true;
}

static bool start_threads(struct program *program, struct error *error)
{
    program->control =
        program->door->start(program->config, program->subscribers, program->n_workers + 1, error);
    if (!program->control)
        return false;
    struct mailbox *control = program->door->mailbox(program->control);
    for (uint32_t i = 0; i < program->n_workers; i++)
        if (!worker_start(&program->workers[i], program->subscribers, program->n_workers, control,
                &program->mailbox, error))
            return false;
    return true;
}

static void watch_signals(struct program *program)
{
    static const int numbers[] = {SIGHUP, SIGTERM, SIGINT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        uv_signal_init(&program->loop, &program->signals[i]);
        program->signals[i].data = program;
        uv_signal_start(&program->signals[i], on_signal, numbers[i]);
    }
    uv_timer_init(&program->loop, &program->deadline);
    program->deadline.data = program;
}

static bool start(struct program *program, struct error *error)
{
    program->config = config_load(program->path, error);
    if (!program->config)
        return false;
    log_set_level(program->config->log_level);
    log_set_format(program->config->log_format);
    if (!(program->runtime = runtime_new(program->config, NULL, error)))
        return false;
    if (uv_loop_init(&program->loop) != 0 ||
        !mailbox_open(&program->mailbox, &program->loop, program, receive, message_drop))
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    program->notify = notify_open(&program->loop);
    watch_signals(program);
    privilege_prepare();
    if (!program->config->user && geteuid() == 0)
        log_event(LOG_WARNING, "running_as_root", "advice=%s", "set user in [rolecall]");
    return make_workers(program, error) && open_listeners(program, error) && open_admin(program, error) &&
           open_http(program, error) && privilege_drop(program->config->user, error) &&
           start_threads(program, error);
}

static void finish(struct program *program)
{
    for (uint32_t i = 0; i < program->n_workers; i++)
        worker_join(&program->workers[i]);
    program->door->stop(program->control);
    for (uint32_t i = 0; i < program->n_workers; i++)
        worker_fini(&program->workers[i]);
    mailbox_fini(&program->mailbox);
    http_free(program->http);
    notify_free(program->notify);
    latency_free(program->latency);
    chronicle_free(program->chronicle);
    history_free(program->history);
    admin_free(program->admin);
    int left = uv_loop_close(&program->loop);
    assert(left == 0);
    free(program->workers);
    free(program->subscribers);
    free(program->listeners);
    runtime_unref(program->runtime);
    config_unref(program->config);
    log_event(LOG_INFO, "stopped", "clients=%u", program->clients);
}

int program_run(const char *config_path, const struct control_door *door)
{
    struct program program = {.path = config_path, .door = door};
    struct error error = {0};
    if (!start(&program, &error)) {
        fprintf(stderr, "rolecall: %s\n", error.text);
        exit(EXIT_FAILURE); /* threads that were started end with the process */
    }
    for (size_t i = 0; i < program.n_listeners; i++)
        listener_start(program.listeners[i]);
    chronicle_note(
        program.chronicle, EVENT_STARTED, "rolecall " ROLECALL_VERSION " has started", config_path);
    log_event(LOG_INFO, "started", "version=%s workers=%u listeners=%zu file=%s", ROLECALL_VERSION,
        program.n_workers, program.n_listeners, config_path);
    notify_ready(program.notify, "Serving");
    uv_run(&program.loop, UV_RUN_DEFAULT);
    finish(&program);
    return EXIT_SUCCESS;
}
