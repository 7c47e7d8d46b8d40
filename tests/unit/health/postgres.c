/* Starting and stopping servers; see postgres.h. Everything is synchronous, and everything that fails fails
 * the test. */
#include "tests/unit/health/postgres.h"

#include "tests/unit/health/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool find_programs(char *folder, size_t size)
{
    glob_t found;
    bool any = glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0 && found.gl_pathc > 0;
    if (any)
        snprintf(folder, size, "%.*s", (int)(strlen(found.gl_pathv[found.gl_pathc - 1]) - strlen("/initdb")),
            found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    return any;
}

bool postgres_available(void)
{
    char folder[256];
    return find_programs(folder, sizeof folder) && (geteuid() != 0 || getpwnam("postgres"));
}

/* PostgreSQL refuses to run as root. */
static void become_postgres(void)
{
    const struct passwd *account = getpwnam("postgres");
    if (geteuid() != 0)
        return;
    if (!account || initgroups("postgres", account->pw_gid) != 0 || setgid(account->pw_gid) != 0 ||
        setuid(account->pw_uid) != 0)
        _exit(126);
}

/* Runs a program of PostgreSQL's with its output in `log`; the last argument is NULL. */
static pid_t spawn(
    const struct postgres *postgres, const char *log, const char *program, const char *const *arguments)
{
    char path[512], out[128];
    const char *argv[32] = {path};
    find_programs(path, 256);
    strcat(strcat(path, "/"), program);
    for (int i = 0; arguments[i]; i++)
        argv[i + 1] = arguments[i];
    snprintf(out, sizeof out, "%s/%s.log", postgres->folder, log);
    pid_t pid = fork();
    if (pid == 0) {
        become_postgres();
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = open(out, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        if (chdir(postgres->folder) == 0)
            execv(path, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_true(pid > 0);
    return pid;
}

static void run_to_end(const struct postgres *postgres, const char *program, const char *const *arguments)
{
    int status;
    pid_t pid = spawn(postgres, program, program, arguments);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s failed, see %s", program, postgres->folder);
}

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

void postgres_append(struct postgres *postgres, int server, const char *file, const char *line)
{
    char path[128];
    snprintf(path, sizeof path, "%s/n%d/%s", postgres->folder, server, file);
    FILE *out = fopen(path, "a");
    assert_non_null(out);
    fprintf(out, "%s\n", line);
    fclose(out);
}

static PGconn *connect_to(const struct postgres *postgres, int server, const char *database)
{
    char info[256];
    snprintf(info, sizeof info, "host=%s port=%d user=postgres dbname=%s connect_timeout=10",
        postgres->folder, postgres->servers[server].port, database);
    return PQconnectdb(info);
}

const char *postgres_sql(struct postgres *postgres, int server, const char *database, const char *sql)
{
    static char value[1024];
    PGconn *conn = connect_to(postgres, server, database);
    if (PQstatus(conn) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(conn));
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %.200s", PQerrorMessage(conn), sql);
    snprintf(value, sizeof value, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(conn);
    return value;
}

static bool answers(const struct postgres *postgres, int server)
{
    PGconn *conn = connect_to(postgres, server, "postgres");
    bool good = PQstatus(conn) == CONNECTION_OK;
    PQfinish(conn);
    return good;
}

void postgres_run(struct postgres *postgres, int server)
{
    char data[128], log[16];
    snprintf(data, sizeof data, "%s/n%d", postgres->folder, server);
    snprintf(log, sizeof log, "n%d", server);
    const char *const arguments[] = {"-D", data, NULL};
    postgres->servers[server].pid = spawn(postgres, log, "postgres", arguments);
    for (int i = 0; i < 3000 && !answers(postgres, server); i++)
        usleep(10000);
    assert_true(answers(postgres, server));
}

static void configure(struct postgres *postgres, int server)
{
    char line[512];
    snprintf(line, sizeof line,
        "listen_addresses = '127.0.0.1'\nport = %d\nunix_socket_directories = '%s'\nfsync = "
        "off\nmax_connections = 30\n"
        "max_wal_senders = 10\nshared_buffers = 16MB\nwal_keep_size = 64MB\nhot_standby = on\nautovacuum = "
        "off\n"
        "wal_receiver_status_interval = 1\nwal_retrieve_retry_interval = 200ms\nmax_prepared_transactions = "
        "0",
        postgres->servers[server].port, postgres->folder);
    postgres_append(postgres, server, "postgresql.conf", line);
}

static void make_primary(struct postgres *postgres)
{
    char data[128];
    snprintf(data, sizeof data, "%s/n0", postgres->folder);
    const char *const arguments[] = {
        "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C", NULL};
    run_to_end(postgres, "initdb", arguments);
    configure(postgres, 0);
    postgres_run(postgres, 0);
}

static void make_replica(struct postgres *postgres, int server)
{
    char data[128], port[16];
    snprintf(data, sizeof data, "%s/n%d", postgres->folder, server);
    snprintf(port, sizeof port, "%d", postgres->servers[0].port);
    const char *const arguments[] = {
        "-D", data, "-h", postgres->folder, "-p", port, "-U", "postgres", "-R", "-N", "-c", "fast", NULL};
    run_to_end(postgres, "pg_basebackup", arguments);
    configure(postgres, server);
    postgres_run(postgres, server);
}

void postgres_start(struct postgres *postgres, int n)
{
    *postgres = (struct postgres){.n = n};
    snprintf(postgres->folder, sizeof postgres->folder, "/tmp/rolecall-health-XXXXXX");
    assert_non_null(mkdtemp(postgres->folder));
    const struct passwd *account = getpwnam("postgres");
    if (geteuid() == 0 && account)
        assert_int_equal(chown(postgres->folder, account->pw_uid, account->pw_gid), 0);
    for (int i = 0; i < n; i++)
        postgres->servers[i].port = free_port();
    make_primary(postgres);
    for (int i = 1; i < n; i++)
        make_replica(postgres, i);
}

static void end_with(struct postgres *postgres, int server, int number)
{
    pid_t pid = postgres->servers[server].pid;
    if (pid == 0)
        return;
    kill(pid, number);
    waitpid(pid, NULL, 0);
    postgres->servers[server].pid = 0;
}

void postgres_kill(struct postgres *postgres, int server)
{
    end_with(postgres, server, SIGKILL);
}

void postgres_stop(struct postgres *postgres, int server)
{
    end_with(postgres, server, SIGINT);
}

static pid_t parent_of(pid_t pid)
{
    char path[64];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *in = fopen(path, "r");
    if (!in || fscanf(in, "%*d (%*[^)]) %*c %d", &parent) != 1)
        parent = 0;
    if (in)
        fclose(in);
    return parent;
}

void postgres_freeze(struct postgres *postgres, int server, bool frozen)
{
    pid_t postmaster = postgres->servers[server].pid;
    DIR *processes = opendir("/proc");
    assert_non_null(processes);
    kill(postmaster, frozen ? SIGSTOP : SIGCONT);
    for (struct dirent *entry; (entry = readdir(processes)) != NULL;) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid > 1 && parent_of(pid) == postmaster)
            kill(pid, frozen ? SIGSTOP : SIGCONT);
    }
    closedir(processes);
}

void postgres_end(struct postgres *postgres)
{
    char command[160];
    for (int i = 0; i < postgres->n; i++) {
        if (postgres->servers[i].pid != 0) {
            postgres_freeze(postgres, i, false);
            end_with(postgres, i, SIGQUIT);
        }
    }
    snprintf(command, sizeof command, "rm -rf '%s'", postgres->folder);
    assert_int_equal(system(command), 0);
}
