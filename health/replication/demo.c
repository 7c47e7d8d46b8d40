/*
 * `rolecall demo`.
 *
 * It reads its options, makes a directory and a watchdog for it, holds ports, starts the nodes (local.c),
 * writes a configuration, starts this program again as `rolecall run` and waits until queries are answered.
 * Then it runs the command, or says how to connect and waits for Ctrl-C.
 *
 * Whatever fails or ends it, there is one way out: watchdog_close stops what was started and removes the
 * directory. A node that dies is reported and nothing more, since killing nodes is what the demo is for;
 * rolecall dying ends it.
 */
#include "health/replication/demo.h"

#include "conf/base/clock.h"
#include "health/replication/demo_files.h"
#include "health/replication/local.h"
#include "health/replication/ports.h"
#include "health/replication/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_TIMEOUT_MS 30000u
#define COMMAND_GRACE_MS 5000u

struct demo {
    size_t n_nodes;
    bool keep;
    uint16_t base_port;
    char **command; /* NULL = none */
    char self[PATH_MAX];
    int self_fd;
    struct child_signals signals;
    struct watchdog watchdog;
    struct ports ports; /* of the endpoints, then of the nodes */
    struct local_cluster cluster;
    pid_t proxy, worker; /* rolecall, the command; 0 = not running */
};

static const char usage[] =
    "usage: rolecall demo [--nodes N] [--keep] [--port BASE] [-- COMMAND...]\n"
    "\n"
    "Starts a PostgreSQL cluster of one primary and N-1 replicas in a temporary directory, and rolecall in "
    "front of it.\n"
    "Ctrl-C stops and removes everything. With a COMMAND: runs it against the split endpoint and exits with "
    "its status.\n"
    "\n"
    "  --nodes N     how many PostgreSQL nodes, 1 to 16 (default: 3)\n"
    "  --keep        keep the directory; the servers are stopped all the same\n"
    "  --port BASE   split endpoint on BASE, primary on BASE+1, replicas on BASE+2, nodes on BASE+3 and up\n"
    "                (default: free ports)\n"
    "\n"
    "COMMAND finds in its environment PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE (the split endpoint),\n"
    "ROLECALL_PRIMARY_PORT, ROLECALL_REPLICA_PORT, ROLECALL_ADMIN (the admin socket), ROLECALL_STATS (a URL, "
    "may be empty),\n"
    "ROLECALL_DEMO_DIR, ROLECALL_DEMO_NODES (\"node1:PORT node2:PORT ...\") and PGSERVICEFILE, with the "
    "services split,\n"
    "primary, replica and node1, node2 ... (each node itself, as superuser).\n"
    "PostgreSQL's programs are found by PG_BINDIR, pg_config, or in /usr/lib/postgresql.\n";

static bool parse_number(const char *text, unsigned long min, unsigned long max, unsigned long *out)
{
    char *end;
    errno = 0;
    *out = text ? strtoul(text, &end, 10) : 0;
    return text && *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *out >= min && *out <= max;
}

static int refuse(const char *what)
{
    fprintf(stderr, "rolecall demo: %s\n%s", what, usage);
    return 2;
}

/* -1: go on; else the exit status. */
static int parse_options(struct demo *demo, int argc, char **argv)
{
    unsigned long number;
    demo->n_nodes = 3;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        } else if (strcmp(argv[i], "--keep") == 0) {
            demo->keep = true;
        } else if (strcmp(argv[i], "--nodes") == 0) {
            if (!parse_number(value, 1, LOCAL_MAX_NODES, &number))
                return refuse("--nodes needs a number from 1 to 16");
            demo->n_nodes = number;
            i++;
        } else if (strcmp(argv[i], "--port") == 0) {
            if (!parse_number(value, 1024, 65000, &number))
                return refuse("--port needs a number from 1024 to 65000");
            demo->base_port = (uint16_t)number;
            i++;
        } else if (strcmp(argv[i], "--") == 0) {
            if (!value)
                return refuse("-- needs a command");
            demo->command = argv + i + 1;
            return -1;
        } else {
            fprintf(stderr, "rolecall demo: unknown argument \"%s\"\n%s", argv[i], usage);
            return 2;
        }
    }
    return -1;
}

/* The account that rolecall runs as may not be let into the directories above this program: keep it open. */
static bool find_self(struct demo *demo, const char *self, struct error *error)
{
    ssize_t len = readlink("/proc/self/exe", demo->self, sizeof demo->self - 1);
    if (len > 0)
        demo->self[len] = '\0';
    else
        snprintf(demo->self, sizeof demo->self, "%s", self);
    demo->self_fd = open(demo->self, O_RDONLY | O_CLOEXEC);
    if (demo->self_fd < 0)
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "cannot open %s: %s", demo->self, strerror(errno));
    return true;
}

static bool make_directory(struct demo *demo, struct error *error)
{
    const char *parent = getenv("TMPDIR");
    char marker[WATCHDOG_MARKER_MAX];
    char *directory = demo->cluster.directory;
    int len = snprintf(directory, sizeof demo->cluster.directory, "%s/rolecall-demo.XXXXXX",
        parent && *parent ? parent : "/tmp");
    /* "/sockets/.s.PGSQL.65535" has to fit into the 107 bytes of a Unix socket's path. */
    if (len + 24 > 107)
        return error_set(
            error, SQLSTATE_CONFIG_FILE_ERROR, "TMPDIR=%.100s... is too long for Unix sockets", parent);
    if (!mkdtemp(directory))
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "cannot make %s: %s", directory, strerror(errno));
    snprintf(marker, sizeof marker, "ROLECALL_DEMO_OWNER=%ld.%.6s", (long)getpid(), directory + len - 6);
    if (!watchdog_open(&demo->watchdog, directory, marker, demo->keep, error)) {
        rmdir(directory);
        return false;
    }
    const struct child_account *account = &demo->cluster.account;
    if (account->change && chown(directory, account->uid, account->gid) != 0)
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "cannot give %s to %s: %s", directory, account->name,
            strerror(errno));
    return true;
}

/* The endpoints come first in the row, then the nodes. */
static bool take_ports(struct demo *demo, struct error *error)
{
    if (!ports_open(&demo->ports, demo->base_port, DEMO_ENDPOINTS + demo->n_nodes, error))
        return false;
    demo->cluster.n_nodes = demo->n_nodes;
    for (size_t i = 0; i < demo->n_nodes; i++)
        demo->cluster.nodes[i].port = demo->ports.port[DEMO_ENDPOINTS + i];
    return true;
}

static bool start_proxy(struct demo *demo, struct error *error)
{
    char config[PATH_MAX], log[PATH_MAX];
    snprintf(config, sizeof config, "%s/rolecall.conf", demo->cluster.directory);
    snprintf(log, sizeof log, "%s/rolecall.log", demo->cluster.directory);
    char *const argv[] = {demo->self, "run", "-c", config, NULL};
    struct child_spec spec = {.argv = argv,
        .program_fd = demo->self_fd,
        .account = &demo->cluster.account,
        .log_path = log,
        .death_signal = SIGTERM,
        .own_session = true};
    demo->proxy = child_start(&demo->signals, &spec, error);
    if (demo->proxy < 0)
        return false;
    watchdog_add(&demo->watchdog, demo->proxy, WARD_PROXY);
    return true;
}

/* rolecall may be reaped while something else is waited for. */
static bool proxy_runs(const struct demo *demo)
{
    return child_start_time(demo->proxy) != 0;
}

static bool wait_for_endpoint(struct demo *demo, enum demo_endpoint endpoint, struct error *error)
{
    char port[8], secret[LOCAL_PASSWORD_MAX + 16];
    snprintf(port, sizeof port, "%u", demo->ports.port[endpoint]);
    snprintf(secret, sizeof secret, "PGPASSWORD=%s", demo->cluster.password);
    char *const environment[] = {secret, "PGCONNECT_TIMEOUT=5", NULL};
    char *const argv[] = {"psql", "-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p", port, "-U", "demo", "-d",
        "demo", "-c", "select 1", NULL};
    uint64_t end_us = clock_now_us() + READY_TIMEOUT_MS * 1000;
    struct error refused; /* by now: it is tried again */
    while (proxy_runs(demo) && clock_now_us() < end_us) {
        if (local_run(&demo->cluster, argv, environment, READY_TIMEOUT_MS, &refused))
            return true;
        if (demo->cluster.interrupted)
            break;
        usleep(50000);
    }
    return error_set(error, SQLSTATE_INTERNAL_ERROR, "rolecall %s on port %s",
        proxy_runs(demo) ? "does not answer queries" : "has ended", port);
}

static bool set_up(struct demo *demo, const char *self, struct error *error)
{
    struct local_cluster *cluster = &demo->cluster;
    if (!find_self(demo, self, error) || !local_find_programs(cluster, error) ||
        !local_find_account(cluster, error) || !local_make_passwords(cluster, error) ||
        !make_directory(demo, error) || !take_ports(demo, error))
        return false;
    fprintf(stderr, "rolecall demo: starting PostgreSQL, nodes: %zu, in %s\n", cluster->n_nodes,
        cluster->directory);
    if (!local_start(cluster, error) || !demo_files_write(cluster, demo->ports.port, error) ||
        !start_proxy(demo, error))
        return false;
    for (int i = 0; i < (demo->n_nodes > 1 ? DEMO_ENDPOINTS : DEMO_REPLICA); i++) {
        if (!wait_for_endpoint(demo, (enum demo_endpoint)i, error))
            return false;
    }
    return true;
}

static bool start_command(struct demo *demo, struct error *error)
{
    struct demo_environment environment;
    demo_environment_fill(&environment, &demo->cluster, demo->ports.port, demo->watchdog.marker);
    struct child_spec spec = {
        .argv = demo->command, .program_fd = -1, .environment = environment.entries, .death_signal = SIGTERM};
    demo->worker = child_start(&demo->signals, &spec, error);
    if (demo->worker < 0)
        return false;
    watchdog_add(&demo->watchdog, demo->worker, WARD_COMMAND);
    return true;
}

/* Ctrl-C reaches the command by itself, and what it makes of it is its own business (psql cancels a query); a
   signal sent to us alone means that both should end. */
static void pass_on(struct demo *demo, const struct child_news *news, uint64_t *end_us)
{
    if (news->signal == SIGINT && !news->by_process)
        return;
    kill(demo->worker, news->signal);
    if (*end_us == UINT64_MAX)
        *end_us = clock_now_us() + COMMAND_GRACE_MS * 1000;
}

/* Until the command has ended, or without one until a signal comes. Returns the exit status. */
static int attend(struct demo *demo, struct error *error)
{
    uint64_t end_us = UINT64_MAX; /* when the command is killed */
    for (;;) {
        struct child_news news;
        char ending[32];
        uint64_t now_us = clock_now_us();
        child_wait(&demo->signals,
            end_us == UINT64_MAX ? UINT64_MAX
            : now_us < end_us    ? (end_us - now_us) / 1000 + 1
                                 : 0,
            &news);
        if (news.event == CHILD_SIGNAL && !demo->worker)
            return 0;
        if (news.event == CHILD_SIGNAL) {
            pass_on(demo, &news, &end_us);
        } else if (news.event == CHILD_DEADLINE) {
            kill(demo->worker, SIGKILL);
            end_us = UINT64_MAX;
        } else if (news.pid == demo->worker) {
            local_reaped(&demo->cluster, news.pid);
            return WIFSIGNALED(news.status) ? 128 + WTERMSIG(news.status) : WEXITSTATUS(news.status);
        } else if (news.pid == demo->proxy || news.pid == demo->watchdog.pid) {
            error_set(error, SQLSTATE_INTERNAL_ERROR, "%s ended with %s",
                news.pid == demo->proxy ? "rolecall" : "the watchdog", child_ending(news.status, ending));
            return 1;
        } else {
            struct local_node *node = local_reaped(&demo->cluster, news.pid);
            if (node)
                fprintf(stderr, "rolecall demo: %s has ended with %s\n", node->name,
                    child_ending(news.status, ending));
        }
    }
}

static int run(struct demo *demo, const char *self, struct error *error)
{
    if (!set_up(demo, self, error)) {
        if (demo->cluster.interrupted)
            return 128 + demo->cluster.interrupted;
        return 1;
    }
    if (demo->command && !start_command(demo, error))
        return 1;
    if (!demo->command)
        demo_greet(stdout, &demo->cluster, demo->ports.port);
    return attend(demo, error);
}

int demo_main(int argc, char **argv, const char *self)
{
    struct error error = {0};
    struct demo *demo = calloc(1, sizeof *demo);
    if (!demo)
        return 1;
    demo->self_fd = -1;
    demo->cluster.signals = &demo->signals;
    demo->cluster.watchdog = &demo->watchdog;
    int status = parse_options(demo, argc, argv);
    if (status < 0) {
        child_signals_open(&demo->signals);
        status = run(demo, self, &error);
        if (error.text[0] && !demo->cluster.interrupted) {
            fprintf(stderr, "rolecall demo: %s\n", error.text);
            demo_show_logs(stderr, &demo->cluster);
        }
        watchdog_close(&demo->watchdog);
        if (demo->keep && demo->cluster.directory[0])
            fprintf(stderr, "rolecall demo: kept %s\n", demo->cluster.directory);
        ports_close(&demo->ports);
        if (demo->self_fd >= 0)
            close(demo->self_fd);
        child_signals_close(&demo->signals);
    }
    free(demo);
    return status;
}
