/*
 * Running a command; see command.h.
 *
 *     start -> output, line by line -> exit -> the rest of the output, for a moment -> ended
 *
 * Past its deadline the whole process group gets SIGTERM, and a second later SIGKILL. A command that has
 * ended in time may leave a daemon behind: that is left alone, but its output is not read for longer than a
 * moment. Handles are counted; the last one's close frees.
 */
#include "health/hook/command.h"

#include "conf/base/log.h"
#include "health/memory.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_MAX_BYTES 400
#define KILL_AFTER_MS 1000
#define TAIL_MS 300 /* for output behind the exit */

enum phase { PHASE_FAILED, PHASE_RUNNING, PHASE_TERMINATED, PHASE_TAIL, PHASE_OVER };

struct command_run {
    enum phase phase;
    struct command_spec spec;
    uv_process_t process;
    uv_pipe_t output;
    uv_timer_t timer;
    int handles;
    bool abandoned, late, output_open;
    struct command_end end;
    char line[LINE_MAX_BYTES];
    size_t line_len;
    uint32_t lines, dropped;
    char chunk[4096];
};

/* --- the end --- */

static void on_closed(uv_handle_t *handle)
{
    struct command_run *run = handle->data;
    if (--run->handles == 0)
        free(run);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void log_line(struct command_run *run)
{
    if (run->line_len == 0)
        return;
    if (run->lines++ < COMMAND_LINES_MAX)
        log_event(LOG_INFO, "hook_output", "cluster=%s hook=%s text=%.*s", run->spec.cluster, run->spec.name,
            (int)run->line_len, run->line);
    else
        run->dropped++;
    run->line_len = 0;
}

static void finish(struct command_run *run)
{
    if (run->phase == PHASE_OVER)
        return;
    run->phase = PHASE_OVER;
    if (!run->abandoned) {
        log_line(run);
        if (run->dropped > 0)
            log_event(LOG_WARNING, "hook_output_dropped", "cluster=%s hook=%s lines=%u", run->spec.cluster,
                run->spec.name, (unsigned)run->dropped);
    }
    close_handle((uv_handle_t *)&run->timer);
    close_handle((uv_handle_t *)&run->output);
    if (run->process.type == UV_PROCESS) /* it was started */
        close_handle((uv_handle_t *)&run->process);
    if (!run->abandoned)
        run->spec.ended(run->spec.context, &run->end);
}

static void signal_group(struct command_run *run, int signum)
{
    kill(-uv_process_get_pid(&run->process), signum);
}

static void on_timer(uv_timer_t *timer)
{
    struct command_run *run = timer->data;
    switch (run->phase) {
    case PHASE_RUNNING:
        run->late = true;
        run->phase = PHASE_TERMINATED;
        signal_group(run, SIGTERM);
        uv_timer_start(&run->timer, on_timer, KILL_AFTER_MS, 0);
        return;
    case PHASE_TERMINATED: signal_group(run, SIGKILL); return;
    case PHASE_FAILED:
    case PHASE_TAIL: finish(run); return;
    case PHASE_OVER: return;
    }
}

static void describe(struct command_run *run, int64_t status, int signum)
{
    struct command_end *end = &run->end;
    end->ok = status == 0 && signum == 0 && !run->late;
    if (run->late)
        snprintf(end->how, sizeof end->how, "killed after hook_timeout");
    else if (signum)
        snprintf(end->how, sizeof end->how, "signal %d", signum);
    else
        snprintf(end->how, sizeof end->how, "status %d", (int)status);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signum)
{
    struct command_run *run = process->data;
    describe(run, status, signum);
    if (run->late || run->abandoned)
        signal_group(run, SIGKILL); /* whatever is left of it */
    if (run->abandoned || !run->output_open) {
        finish(run);
        return;
    }
    run->phase = PHASE_TAIL;
    uv_timer_start(&run->timer, on_timer, TAIL_MS, 0);
}

/* --- output --- */

static void take(struct command_run *run, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != '\n')
            run->line[run->line_len++] = bytes[i];
        if (bytes[i] == '\n' || run->line_len == sizeof run->line)
            log_line(run);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct command_run *run = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(run->chunk, sizeof run->chunk);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct command_run *run = stream->data;
    if (n > 0 && !run->abandoned)
        take(run, buffer->base, (size_t)n);
    if (n >= 0)
        return;
    run->output_open = false;
    uv_read_stop(stream);
    if (run->phase == PHASE_TAIL)
        finish(run);
}

/* --- the start --- */

static void fail(struct command_run *run, const char *what, int code)
{
    run->phase = PHASE_FAILED;
    snprintf(run->end.how, sizeof run->end.how, "%s: %s", what, uv_strerror(code));
    uv_timer_start(&run->timer, on_timer, 0, 0);
}

static int spawn(struct command_run *run, int output)
{
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE}, {.flags = UV_INHERIT_FD, .data.fd = output},
        {.flags = UV_INHERIT_FD, .data.fd = output}};
    uv_process_options_t options = {.exit_cb = on_exit_of,
        .file = run->spec.argv[0],
        .args = (char **)run->spec.argv,
        .env = (char **)run->spec.environment,
        .flags = UV_PROCESS_DETACHED, /* a session of its own */
        .stdio = stdio,
        .stdio_count = 3};
    int code = uv_spawn(run->timer.loop, &run->process, &options);
    run->process.data = run;
    run->handles++; /* a handle that failed to start wants closing too */
    return code;
}

static void open_all(struct command_run *run)
{
    uv_file ends[2];
    int code = uv_pipe(ends, UV_NONBLOCK_PIPE, 0);
    if (code != 0) {
        fail(run, "no pipe", code);
        return;
    }
    code = spawn(run, ends[1]);
    close(ends[1]);
    if (code != 0) {
        close(ends[0]);
        fail(run, "cannot be started", code);
        return;
    }
    run->phase = PHASE_RUNNING;
    uv_pipe_open(&run->output, ends[0]);
    run->output_open = uv_read_start((uv_stream_t *)&run->output, on_alloc, on_read) == 0;
    uv_timer_start(&run->timer, on_timer, run->spec.timeout_ms, 0);
}

struct command_run *command_start(uv_loop_t *loop, const struct command_spec *spec)
{
    struct command_run *run = memory_new(1, sizeof *run);
    run->spec = *spec;
    uv_timer_init(loop, &run->timer);
    uv_pipe_init(loop, &run->output, 0);
    run->timer.data = run;
    run->output.data = run;
    run->handles = 2;
    open_all(run);
    run->spec.argv = run->spec.environment = NULL;
    return run;
}

void command_abandon(struct command_run *run)
{
    if (!run)
        return;
    assert(!run->abandoned && run->phase != PHASE_OVER);
    run->abandoned = true;
    if (run->phase == PHASE_RUNNING || run->phase == PHASE_TERMINATED)
        signal_group(run, SIGKILL); /* on_exit_of goes on */
    else
        finish(run);
}
