/*
 * What the demo writes.
 *
 * The files belong to the account that the servers run as and can be read by nobody else: they hold the
 * passwords of a cluster that lives for minutes. A file that cannot be written ends the demo with its name
 * and the reason.
 */
#include "health/replication/demo_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static const char *const endpoint_names[DEMO_ENDPOINTS] = {
    [DEMO_SPLIT] = "split", [DEMO_PRIMARY] = "primary", [DEMO_REPLICA] = "replica"};

static FILE *create(const struct local_cluster *cluster, const char *name, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", cluster->directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const struct child_account *account = &cluster->account;
    FILE *file = NULL;
    if (fd >= 0 && (!account->change || fchown(fd, account->uid, account->gid) == 0))
        file = fdopen(fd, "w");
    if (!file) {
        error_set(error, SQLSTATE_INTERNAL_ERROR, "cannot write %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    return file;
}

static bool finish(FILE *file, const char *name, struct error *error)
{
    bool written = !ferror(file);
    if (fclose(file) == 0 && written)
        return true;
    return error_set(error, SQLSTATE_INTERNAL_ERROR, "cannot write %s: %s", name, strerror(errno));
}

static bool write_config(const struct local_cluster *cluster, const uint16_t *ports, struct error *error)
{
    FILE *file = create(cluster, "rolecall.conf", error);
    if (!file)
        return false;
    fprintf(file,
        "# Written by rolecall demo.\n\n[rolecall]\nadmin_socket = %s/admin.sock\nstate_dir = %s\n\n",
        cluster->directory, cluster->directory);
    fprintf(file,
        "[cluster demo]\nprobe_user = postgres\nprobe_password = %s\nprobe_database = postgres\n"
        "hold_timeout = 30s\n\n",
        cluster->superuser_password);
    for (size_t i = 0; i < cluster->n_nodes; i++)
        fprintf(file, "[node %s]\ncluster = demo\nhost = 127.0.0.1\nport = %u\n\n", cluster->nodes[i].name,
            cluster->nodes[i].port);
    for (int i = 0; i < DEMO_ENDPOINTS; i++)
        fprintf(file,
            "[listener %s]\ncluster = demo\naddress = 127.0.0.1:%u\nroute = %s\npool = transaction\n"
            "auth = scram-sha-256\n\n",
            endpoint_names[i], ports[i], endpoint_names[i]);
    return finish(file, "rolecall.conf", error);
}

static bool write_services(const struct local_cluster *cluster, const uint16_t *ports, struct error *error)
{
    FILE *file = create(cluster, "pg_service.conf", error);
    if (!file)
        return false;
    for (int i = 0; i < DEMO_ENDPOINTS; i++)
        fprintf(file, "[%s]\nhost=127.0.0.1\nport=%u\nuser=demo\npassword=%s\ndbname=demo\n\n",
            endpoint_names[i], ports[i], cluster->password);
    for (size_t i = 0; i < cluster->n_nodes; i++)
        fprintf(file, "[%s]\nhost=127.0.0.1\nport=%u\nuser=postgres\npassword=%s\ndbname=demo\n\n",
            cluster->nodes[i].name, cluster->nodes[i].port, cluster->superuser_password);
    return finish(file, "pg_service.conf", error);
}

static bool write_nodes(const struct local_cluster *cluster, struct error *error)
{
    FILE *file = create(cluster, "nodes", error);
    if (!file)
        return false;
    for (size_t i = 0; i < cluster->n_nodes; i++)
        fprintf(file, "%s %u %s/%s/data\n", cluster->nodes[i].name, cluster->nodes[i].port,
            cluster->directory, cluster->nodes[i].name);
    return finish(file, "nodes", error);
}

bool demo_files_write(const struct local_cluster *cluster, const uint16_t *ports, struct error *error)
{
    return write_config(cluster, ports, error) && write_services(cluster, ports, error) &&
           write_nodes(cluster, error);
}

static void add(struct demo_environment *environment, size_t *n, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add(struct demo_environment *environment, size_t *n, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(environment->text[*n], sizeof environment->text[*n], format, args);
    va_end(args);
    environment->entries[*n] = environment->text[*n];
    (*n)++;
}

void demo_environment_fill(struct demo_environment *environment, const struct local_cluster *cluster,
    const uint16_t *ports, const char *marker)
{
    size_t n = 0;
    char nodes[LOCAL_MAX_NODES * 24] = "";
    for (size_t i = 0, len = 0; i < cluster->n_nodes; i++)
        len += (size_t)snprintf(nodes + len, sizeof nodes - len, "%s%s:%u", i ? " " : "",
            cluster->nodes[i].name, cluster->nodes[i].port);
    add(environment, &n, "PGHOST=127.0.0.1");
    add(environment, &n, "PGPORT=%u", ports[DEMO_SPLIT]);
    add(environment, &n, "PGUSER=demo");
    add(environment, &n, "PGPASSWORD=%s", cluster->password);
    add(environment, &n, "PGDATABASE=demo");
    add(environment, &n, "PGSERVICEFILE=%s/pg_service.conf", cluster->directory);
    add(environment, &n, "ROLECALL_PRIMARY_PORT=%u", ports[DEMO_PRIMARY]);
    add(environment, &n, "ROLECALL_REPLICA_PORT=%u", ports[DEMO_REPLICA]);
    add(environment, &n, "ROLECALL_ADMIN=%s/admin.sock", cluster->directory);
    add(environment, &n, "ROLECALL_STATS=");
    add(environment, &n, "ROLECALL_DEMO_DIR=%s", cluster->directory);
    add(environment, &n, "ROLECALL_DEMO_NODES=%s", nodes);
    add(environment, &n, "%s", marker);
    environment->entries[n] = NULL;
}

static void greet_endpoints(FILE *out, const struct local_cluster *cluster)
{
    static const char *const words[DEMO_ENDPOINTS] = {
        [DEMO_SPLIT] = "writes to the primary, reads to replicas",
        [DEMO_PRIMARY] = "everything to the primary",
        [DEMO_REPLICA] = "everything to a replica"};
    for (int i = 0; i < DEMO_ENDPOINTS; i++)
        fprintf(out, "    psql service=%-9s %s\n", endpoint_names[i], words[i]);
    for (size_t i = 0; i < cluster->n_nodes; i++)
        fprintf(out, "    psql service=%-9s that node itself (%s), as superuser\n", cluster->nodes[i].name,
            i == 0 ? "the primary" : "a replica");
}

void demo_greet(FILE *out, const struct local_cluster *cluster, const uint16_t *ports)
{
    const char *directory = cluster->directory;
    fprintf(out,
        "\nA PostgreSQL cluster is up (nodes: %zu), with rolecall in front of it:\n\n"
        "    psql postgresql://demo:%s@127.0.0.1:%u/demo\n\n"
        "or, after   export PGSERVICEFILE=%s/pg_service.conf\n\n",
        cluster->n_nodes, cluster->password, ports[DEMO_SPLIT], directory);
    greet_endpoints(out, cluster);
    fprintf(out,
        "\nTo try:\n\n"
        "  a load, and how much of it each node saw\n"
        "    pgbench -i service=split; pgbench -c 8 -T 10 service=split; pgbench -S -M prepared -c 8 -T 10 "
        "service=split\n"
        "    psql service=node1 -c \"select xact_commit from pg_stat_database where datname = 'demo'\"\n");
    if (cluster->n_nodes > 1)
        fprintf(out,
            "  the primary dies: reads go on, this write waits\n"
            "    kill -9 $(head -1 %s/node1/data/postmaster.pid)\n"
            "    psql service=split -c 'create table t (a int)'\n"
            "  promote a replica by hand: the write goes through\n"
            "    psql service=node2 -c 'select pg_promote()'\n",
            directory);
    fprintf(out,
        "\nThe log is %s/rolecall.log, the admin socket %s/admin.sock.\n"
        "fsync is off: the data live as long as the demo. Ctrl-C stops and removes everything.\n\n",
        directory, directory);
    fflush(out);
}

static void show_tail(FILE *out, const char *directory, const char *name)
{
    char path[PATH_MAX], text[2048];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    if (fseek(file, -(long)(sizeof text - 1), SEEK_END) != 0)
        rewind(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    if (len > 0)
        fprintf(out, "--- the end of %s\n%s", path, text);
}

void demo_show_logs(FILE *out, const struct local_cluster *cluster)
{
    if (!cluster->directory[0])
        return;
    for (size_t i = 0; i < cluster->n_nodes; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s/log", cluster->nodes[i].name);
        show_tail(out, cluster->directory, name);
    }
    show_tail(out, cluster->directory, "log");
    show_tail(out, cluster->directory, "rolecall.log");
}
