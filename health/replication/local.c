/*
 * Making and starting the demo's nodes.
 *
 * initdb makes node 1, which is started and given its roles; pg_basebackup -R copies it, over a replication
 * slot, for every other node, and then those are started together. Whether a node takes connections is asked
 * with pg_isready.
 *
 * A step that fails names its program and the file that holds its output. A signal from the user ends the
 * current step; the caller then cleans up, since every process started here is known to the watchdog.
 */
#include "health/replication/local.h"

#include "conf/base/clock.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP_TIMEOUT_MS 120000

static bool has_programs(const char *bindir)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/initdb", bindir);
    if (access(path, X_OK) != 0)
        return false;
    snprintf(path, sizeof path, "%s/postgres", bindir);
    return access(path, X_OK) == 0;
}

static bool ask_pg_config(char *bindir, size_t size)
{
    FILE *pipe = popen("pg_config --bindir 2>/dev/null", "re");
    if (!pipe)
        return false;
    bool answered = fgets(bindir, (int)size, pipe) != NULL;
    pclose(pipe);
    bindir[strcspn(bindir, "\n")] = '\0';
    return answered && has_programs(bindir);
}

/* Debian's place, one directory per major version. */
static bool newest_of_debian(char *bindir, size_t size)
{
    static const char root[] = "/usr/lib/postgresql";
    long newest = 0;
    DIR *versions = opendir(root);
    for (struct dirent *entry; versions && (entry = readdir(versions));) {
        char path[PATH_MAX];
        long version = strtol(entry->d_name, NULL, 10);
        snprintf(path, sizeof path, "%s/%s/bin", root, entry->d_name);
        if (version <= newest || !has_programs(path))
            continue;
        newest = version;
        snprintf(bindir, size, "%s", path);
    }
    if (versions)
        closedir(versions);
    return newest > 0;
}

bool local_find_programs(struct local_cluster *cluster, struct error *error)
{
    const char *given = getenv("PG_BINDIR");
    if (given && *given) {
        snprintf(cluster->bindir, sizeof cluster->bindir, "%s", given);
        if (has_programs(cluster->bindir))
            return true;
        return error_set(
            error, SQLSTATE_CONFIG_FILE_ERROR, "PG_BINDIR=%s holds no initdb and postgres", given);
    }
    if (ask_pg_config(cluster->bindir, sizeof cluster->bindir) ||
        newest_of_debian(cluster->bindir, sizeof cluster->bindir))
        return true;
    return error_set(error, SQLSTATE_CONFIG_FILE_ERROR,
        "PostgreSQL's server programs were not found; install postgresql, or set PG_BINDIR to their "
        "directory");
}

bool local_find_account(struct local_cluster *cluster, struct error *error)
{
    struct child_account *account = &cluster->account;
    account->change = geteuid() == 0;
    struct passwd *entry = account->change ? getpwnam("postgres") : getpwuid(geteuid());
    if (!entry && account->change)
        entry = getpwnam("nobody");
    if (!entry && account->change)
        return error_set(error, SQLSTATE_CONFIG_FILE_ERROR,
            "PostgreSQL does not run as root, and there is neither an account \"postgres\" nor \"nobody\"");
    account->uid = entry ? entry->pw_uid : geteuid();
    account->gid = entry ? entry->pw_gid : getegid();
    snprintf(account->name, sizeof account->name, "%s", entry ? entry->pw_name : "");
    snprintf(account->home, sizeof account->home, "%s", entry ? entry->pw_dir : "/");
    return true;
}

static bool make_password(char out[static LOCAL_PASSWORD_MAX], struct error *error)
{
    unsigned char bytes[12];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "no random numbers: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

bool local_make_passwords(struct local_cluster *cluster, struct error *error)
{
    return make_password(cluster->superuser_password, error) && make_password(cluster->password, error);
}

struct local_node *local_reaped(struct local_cluster *cluster, pid_t pid)
{
    watchdog_remove(cluster->watchdog, pid);
    for (size_t i = 0; i < cluster->n_nodes; i++) {
        if (cluster->nodes[i].pid != pid)
            continue;
        cluster->nodes[i].pid = 0;
        return &cluster->nodes[i];
    }
    return NULL;
}

/* A node that ends while we wait for something else makes that step fail by itself; here it is only noted. */
static bool wait_for(
    struct local_cluster *cluster, pid_t pid, const char *program, uint64_t timeout_ms, struct error *error)
{
    uint64_t end_us = clock_now_us() + timeout_ms * 1000;
    for (;;) {
        uint64_t now_us = clock_now_us();
        struct child_news news;
        char ending[32];
        child_wait(cluster->signals, now_us < end_us ? (end_us - now_us) / 1000 + 1 : 0, &news);
        switch (news.event) {
        case CHILD_SIGNAL:
            cluster->interrupted = news.signal;
            return error_set(error, SQLSTATE_QUERY_CANCELED, "interrupted");
        case CHILD_DEADLINE:
            return error_set(error, SQLSTATE_INTERNAL_ERROR, "%s has not ended after %llu s", program,
                (unsigned long long)timeout_ms / 1000);
        case CHILD_ENDED:
            local_reaped(cluster, news.pid);
            if (news.pid != pid)
                break;
            if (news.status == 0)
                return true;
            return error_set(error, SQLSTATE_INTERNAL_ERROR, "%s ended with %s; see %s/log", program,
                child_ending(news.status, ending), cluster->directory);
        }
    }
}

bool local_run(struct local_cluster *cluster, char *const *argv, char *const *environment,
    uint64_t timeout_ms, struct error *error)
{
    char program[PATH_MAX], log[PATH_MAX];
    char *copy[32] = {program};
    for (size_t i = 1; argv[i]; i++) {
        assert(i + 1 < sizeof copy / sizeof *copy);
        copy[i] = argv[i];
    }
    if (strchr(argv[0], '/'))
        snprintf(program, sizeof program, "%s", argv[0]);
    else
        snprintf(program, sizeof program, "%s/%s", cluster->bindir, argv[0]);
    snprintf(log, sizeof log, "%s/log", cluster->directory);
    struct child_spec spec = {.argv = copy,
        .program_fd = -1,
        .account = &cluster->account,
        .log_path = log,
        .environment = environment,
        .death_signal = SIGKILL,
        .own_session = true};
    pid_t pid = child_start(cluster->signals, &spec, error);
    if (pid < 0)
        return false;
    watchdog_add(cluster->watchdog, pid, WARD_COMMAND);
    return wait_for(cluster, pid, argv[0], timeout_ms, error);
}

static bool start_node(struct local_cluster *cluster, struct local_node *node, struct error *error)
{
    char program[PATH_MAX], data[PATH_MAX], log[PATH_MAX];
    snprintf(program, sizeof program, "%s/postgres", cluster->bindir);
    snprintf(data, sizeof data, "%s/%s/data", cluster->directory, node->name);
    snprintf(log, sizeof log, "%s/%s/log", cluster->directory, node->name);
    char *const argv[] = {program, "-D", data, NULL};
    struct child_spec spec = {.argv = argv,
        .program_fd = -1,
        .account = &cluster->account,
        .log_path = log,
        .death_signal = cluster->watchdog->keep ? SIGINT : SIGQUIT,
        .own_session = true};
    node->pid = child_start(cluster->signals, &spec, error);
    if (node->pid < 0) {
        node->pid = 0;
        return false;
    }
    watchdog_add(cluster->watchdog, node->pid, WARD_NODE);
    return true;
}

static bool wait_ready(struct local_cluster *cluster, struct local_node *node, struct error *error)
{
    char port[8];
    snprintf(port, sizeof port, "%u", node->port);
    char *const argv[] = {"pg_isready", "-q", "-h", "127.0.0.1", "-p", port, "-t", "5", NULL};
    uint64_t end_us = clock_now_us() + (uint64_t)STEP_TIMEOUT_MS * 1000;
    while (clock_now_us() < end_us) {
        if (node->pid == 0)
            return error_set(error, SQLSTATE_INTERNAL_ERROR, "%s did not start; see %s/%s/log", node->name,
                cluster->directory, node->name);
        if (local_run(cluster, argv, NULL, STEP_TIMEOUT_MS, NULL))
            return true;
        if (cluster->interrupted)
            return error_set(error, SQLSTATE_QUERY_CANCELED, "interrupted");
        usleep(50000);
    }
    return error_set(error, SQLSTATE_INTERNAL_ERROR, "%s takes no connections; see %s/%s/log", node->name,
        cluster->directory, node->name);
}

/* Writes a file that belongs to the account. `mode` is fopen's. */
static bool write_file(struct local_cluster *cluster, const char *path, const char *mode, struct error *error,
    const char *format, ...) __attribute__((format(printf, 5, 6)));

static bool write_file(struct local_cluster *cluster, const char *path, const char *mode, struct error *error,
    const char *format, ...)
{
    mode_t before = umask(0077);
    FILE *file = fopen(path, mode);
    umask(before);
    if (!file)
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "cannot write %s: %s", path, strerror(errno));
    va_list args;
    va_start(args, format);
    bool written = vfprintf(file, format, args) >= 0;
    va_end(args);
    if (cluster->account.change && fchown(fileno(file), cluster->account.uid, cluster->account.gid) != 0)
        written = false;
    if (fclose(file) != 0 || !written)
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "cannot write %s: %s", path, strerror(errno));
    return true;
}

static bool make_directory(struct local_cluster *cluster, const char *name, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", cluster->directory, name);
    if (mkdir(path, 0700) != 0 ||
        (cluster->account.change && chown(path, cluster->account.uid, cluster->account.gid) != 0))
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "cannot make %s: %s", path, strerror(errno));
    return true;
}

/* Of several lines for one setting the last counts, so a replica's own follow those it was copied with. */
static bool configure_node(struct local_cluster *cluster, struct local_node *node, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s/data/postgresql.conf", cluster->directory, node->name);
    return write_file(cluster, path, "ae", error,
        "\n# rolecall demo: %s\n"
        "cluster_name = '%s'\nport = %u\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = "
        "'%s/sockets'\n"
        "max_connections = 200\nshared_buffers = 64MB\nwal_level = replica\nwal_keep_size = 128MB\n"
        "max_wal_senders = 20\nmax_replication_slots = 20\nhot_standby = on\nwal_log_hints = on\n"
        "fsync = off # the data live as long as the demo\n",
        node->name, node->name, node->port, cluster->directory);
}

static bool make_primary(struct local_cluster *cluster, struct error *error)
{
    struct local_node *node = &cluster->nodes[0];
    char data[PATH_MAX], secret[PATH_MAX], hba[PATH_MAX];
    snprintf(data, sizeof data, "%s/%s/data", cluster->directory, node->name);
    snprintf(hba, sizeof hba, "%s/%s/data/pg_hba.conf", cluster->directory, node->name);
    snprintf(secret, sizeof secret, "%s/password", cluster->directory);
    if (!write_file(cluster, secret, "we", error, "%s\n", cluster->superuser_password))
        return false;
    char *const argv[] = {"initdb", "--no-sync", "-D", data, "-U", "postgres", "--pwfile", secret, "-E",
        "UTF8", "--locale=C.UTF-8", "-A", "scram-sha-256", NULL};
    bool made = local_run(cluster, argv, NULL, STEP_TIMEOUT_MS, error);
    unlink(secret);
    return made &&
           write_file(cluster, hba, "we", error,
               "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"
               "local replication postgres scram-sha-256\nhost replication postgres 127.0.0.1/32 "
               "scram-sha-256\n") &&
           configure_node(cluster, node, error) && start_node(cluster, node, error) &&
           wait_ready(cluster, node, error);
}

/* Passwords go by file and environment: a command line is for everybody to read. */
static bool make_roles(struct local_cluster *cluster, struct error *error)
{
    char secret[LOCAL_PASSWORD_MAX + 16], port[8], script[PATH_MAX];
    snprintf(secret, sizeof secret, "PGPASSWORD=%s", cluster->superuser_password);
    snprintf(port, sizeof port, "%u", cluster->nodes[0].port);
    snprintf(script, sizeof script, "%s/roles.sql", cluster->directory);
    if (!write_file(cluster, script, "we", error,
            "create role demo login password '%s';\ncreate database demo owner demo;\n", cluster->password))
        return false;
    char *const environment[] = {secret, NULL};
    char *const argv[] = {"psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", port, "-U",
        "postgres", "-d", "postgres", "-f", script, NULL};
    bool made = local_run(cluster, argv, environment, STEP_TIMEOUT_MS, error);
    unlink(script);
    return made;
}

/* -R writes how the copy was connected into the replica's primary_conninfo, the password included. */
static bool make_replica(struct local_cluster *cluster, struct local_node *node, struct error *error)
{
    char data[PATH_MAX], from[128], secret[LOCAL_PASSWORD_MAX + 16];
    snprintf(data, sizeof data, "%s/%s/data", cluster->directory, node->name);
    snprintf(from, sizeof from, "host=127.0.0.1 port=%u user=postgres application_name=%s",
        cluster->nodes[0].port, node->name);
    snprintf(secret, sizeof secret, "PGPASSWORD=%s", cluster->superuser_password);
    char *const environment[] = {secret, NULL};
    char *const argv[] = {"pg_basebackup", "--no-sync", "-D", data, "-d", from, "-R", "-C", "-S", node->name,
        "-c", "fast", "-X", "stream", NULL};
    return local_run(cluster, argv, environment, STEP_TIMEOUT_MS, error) &&
           configure_node(cluster, node, error) && start_node(cluster, node, error);
}

bool local_start(struct local_cluster *cluster, struct error *error)
{
    assert(cluster->n_nodes >= 1 && cluster->n_nodes <= LOCAL_MAX_NODES);
    if (!make_directory(cluster, "sockets", error))
        return false;
    for (size_t i = 0; i < cluster->n_nodes; i++) {
        snprintf(cluster->nodes[i].name, sizeof cluster->nodes[i].name, "node%zu", i + 1);
        if (!make_directory(cluster, cluster->nodes[i].name, error))
            return false;
    }
    if (!make_primary(cluster, error) || !make_roles(cluster, error))
        return false;
    for (size_t i = 1; i < cluster->n_nodes; i++) {
        if (!make_replica(cluster, &cluster->nodes[i], error))
            return false;
    }
    for (size_t i = 1; i < cluster->n_nodes; i++) {
        if (!wait_ready(cluster, &cluster->nodes[i], error))
            return false;
    }
    return true;
}
