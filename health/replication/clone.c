/*
 * Cloning and rejoining; see clone.h. PostgreSQL's own programs do the work and show their progress; this
 * checks first what they would find out late, and does afterwards what they leave to be done.
 *
 *     clone     pg_basebackup -R into a directory that is empty or not there
 *     rejoin    keep the configuration -> slot and CHECKPOINT of the source -> pg_rewind
 *               -> configuration back -> standby.signal
 *
 * pg_rewind copies every file that differs, the source's postgresql.conf as well: hence the keeping. As root
 * it becomes the owner of the data directory, or of the directory above it.
 */
#include "health/replication/clone.h"

#include "health/replication/kept_files.h"
#include "health/replication/local.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
    "rolecall clone --data DIR --from CONNINFO [options]      a replica in an empty directory\n"
    "rolecall clone --rejoin --data DIR --from CONNINFO ...   an old primary, stopped, becomes a replica\n\n"
    "  --from CONNINFO     the primary: \"host=H port=P user=U ...\". A clone needs a role with REPLICATION; "
    "a\n"
    "                      rejoin a superuser, or a role that may do what pg_rewind's manual lists\n"
    "  --follow CONNINFO   primary_conninfo of the rejoined replica; --from when not given\n"
    "  --name NAME         its application_name, as in synchronous_standby_names\n"
    "  --slot NAME         its replication slot; made if it is missing\n"
    "  --bin DIR           PostgreSQL's programs; else PG_BINDIR, pg_config, or /usr/lib/postgresql\n\n"
    "Passwords: better in a .pgpass file than in CONNINFO. The server is neither stopped nor started.\n";

struct clone {
    const char *data, *from, *follow, *name, *slot, *bin;
    bool rejoin;
    char bindir[PATH_MAX / 2];
};

__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("rolecall clone: ", stderr);
    vfprintf(stderr, format, args);
    fputs("\n", stderr);
    va_end(args);
    return EXIT_FAILURE;
}

/* --- arguments --- */

static const char **place_of(struct clone *clone, const char *option)
{
    struct {
        const char *name, **place;
    } const options[] = {{"--data", &clone->data}, {"--from", &clone->from}, {"--follow", &clone->follow},
        {"--name", &clone->name}, {"--slot", &clone->slot}, {"--bin", &clone->bin}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcmp(options[i].name, option) == 0)
            return options[i].place;
    return NULL;
}

/* -1: go on; else the exit status. */
static int parse_arguments(struct clone *clone, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char **place = place_of(clone, argv[i]);
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        }
        if (strcmp(argv[i], "--rejoin") == 0) {
            clone->rejoin = true;
        } else if (place && i + 1 < argc) {
            *place = argv[++i];
        } else {
            fprintf(stderr, "rolecall clone: %s \"%s\"\n%s", place ? "nothing behind" : "unknown argument",
                argv[i], usage);
            return 2;
        }
    }
    if (clone->slot && (strlen(clone->slot) > 63 ||
                           clone->slot[strspn(clone->slot, "abcdefghijklmnopqrstuvwxyz0123456789_")])) {
        fprintf(stderr,
            "rolecall clone: a slot's name has lower-case letters, digits and underscores, not \"%s\"\n",
            clone->slot);
        return 2;
    }
    if (clone->data && clone->from && (clone->rejoin || !clone->follow))
        return -1;
    fprintf(stderr, "rolecall clone: %s\n%s",
        clone->data && clone->from ? "--follow is for --rejoin" : "--data and --from are needed", usage);
    return 2;
}

/* --- who, and with which programs --- */

static bool become_owner(const struct clone *clone, struct error *error)
{
    char above[PATH_MAX];
    struct stat status;
    snprintf(above, sizeof above, "%s", clone->data);
    if (geteuid() != 0)
        return true;
    if (stat(clone->data, &status) != 0 && stat(dirname(above), &status) != 0)
        return error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "%s: %s", above, strerror(errno));
    if (status.st_uid == 0)
        return error_set(error, SQLSTATE_CONFIG_FILE_ERROR,
            "%s belongs to root, whom PostgreSQL does not run as: give it to its account first", clone->data);
    if (setgroups(0, NULL) != 0 || setgid(status.st_gid) != 0 || setuid(status.st_uid) != 0)
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "cannot become the owner: %s", strerror(errno));
    return true;
}

static bool find_programs(struct clone *clone, struct error *error)
{
    struct local_cluster found = {0};
    if (!clone->bin && !local_find_programs(&found, error))
        return false;
    snprintf(clone->bindir, sizeof clone->bindir, "%s", clone->bin ? clone->bin : found.bindir);
    return true;
}

/* Runs one of PostgreSQL's programs to its end, in our terminal; its exit status. argv[0] becomes its path,
   by which they find each other. */
static int run(const struct clone *clone, const char *program, char **argv)
{
    char path[PATH_MAX];
    int status;
    snprintf(path, sizeof path, "%s/%s", clone->bindir, program);
    argv[0] = path;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        execv(path, argv);
        fprintf(stderr, "rolecall clone: %s: %s\n", path, strerror(errno));
        _exit(127);
    }
    if (pid < 0)
        return fail("cannot fork: %s", strerror(errno));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- clone --- */

static bool is_empty(const char *path)
{
    DIR *directory = opendir(path);
    size_t n = 0;
    if (!directory)
        return errno == ENOENT;
    for (struct dirent *entry; (entry = readdir(directory));)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(directory);
    return n == 0;
}

/* With what the replica shall be called; libpq takes the last of equal keys. */
static char *named(const char *conninfo, const char *name)
{
    char *out;
    if (!name)
        return strdup(conninfo);
    return asprintf(&out, "%s application_name='%s'", conninfo, name) < 0 ? NULL : out;
}

static int back_up(const struct clone *clone, char *from, bool make_slot)
{
    char *argv[20] = {(char *)"pg_basebackup", (char *)"-D", (char *)clone->data, (char *)"-d", from,
        (char *)"-R", (char *)"-X", (char *)"stream", (char *)"-c", (char *)"fast", (char *)"-P"};
    size_t n = 11;
    if (clone->slot) {
        argv[n++] = (char *)"-S";
        argv[n++] = (char *)clone->slot;
    }
    if (make_slot)
        argv[n++] = (char *)"-C";
    return run(clone, "pg_basebackup", argv);
}

static int make_clone(const struct clone *clone)
{
    char *from = named(clone->from, clone->name);
    if (!from)
        return fail("out of memory");
    if (!is_empty(clone->data))
        return fail(
            "%s is not empty: a clone needs an empty directory (an old primary: --rejoin)", clone->data);
    int status = back_up(clone, from, false);
    if (status != 0 && clone->slot && is_empty(clone->data)) {
        fprintf(stderr, "rolecall clone: once more, making the slot %s\n", clone->slot);
        status = back_up(clone, from, true);
    }
    free(from);
    if (status == 0)
        printf("cloned: start PostgreSQL on %s, and it follows\n", clone->data);
    return status;
}

/* --- rejoin --- */

/* The postmaster of the directory, if it lives. */
static pid_t running(const char *data)
{
    char path[PATH_MAX];
    long pid = 0;
    snprintf(path, sizeof path, "%s/postmaster.pid", data);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    if (fscanf(file, "%ld", &pid) != 1)
        pid = 0;
    fclose(file);
    return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM) ? (pid_t)pid : 0;
}

static int tell_source(const struct clone *clone, const char *sql)
{
    char *argv[] = {(char *)"psql", (char *)"-X", (char *)"-q", (char *)"-t", (char *)"-v",
        (char *)"ON_ERROR_STOP=1", (char *)"-o", (char *)"/dev/null", (char *)"-d", (char *)clone->from,
        (char *)"-c", (char *)sql, NULL};
    return run(clone, "psql", argv);
}

/* Without it the node could not start while the source goes on writing: it gets the end of what it was
   rewound to by the slot alone. One of the time when the source was a primary before may be of no use any
   more. */
static int make_source_slot(const struct clone *clone)
{
    static const char drop[] =
        "SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots"
        " WHERE slot_name = '%s' AND NOT active AND wal_status = 'lost'";
    static const char make[] =
        "SELECT pg_catalog.pg_create_physical_replication_slot('%s', true) WHERE NOT EXISTS"
        " (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = '%s')";
    char sql[512];
    if (!clone->slot)
        return 0;
    snprintf(sql, sizeof sql, drop, clone->slot);
    int status = tell_source(clone, sql);
    snprintf(sql, sizeof sql, make, clone->slot, clone->slot);
    return status == 0 ? tell_source(clone, sql) : status;
}

/* A replica that crashed must be recovered first, which pg_rewind does with `postgres --single`; that refuses
   to while the directory calls itself a standby. True when it did. */
static bool call_no_standby(const struct clone *clone, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/standby.signal", clone->data);
    return unlink(path) == 0;
}

static void call_standby(const char *path)
{
    FILE *file = fopen(path, "we");
    if (file)
        fclose(file);
}

/* pg_rewind believes the source's control file, which names the new timeline only after a checkpoint: without
   one it would find nothing to rewind for minutes after a promotion. */
static int rewind_data(const struct clone *clone)
{
    char *argv[] = {(char *)"pg_rewind", (char *)"-D", (char *)clone->data, (char *)"--source-server",
        (char *)clone->from, (char *)"--progress", NULL};
    char path[PATH_MAX];
    int status = make_source_slot(clone);
    if (status == 0)
        status = tell_source(clone, "CHECKPOINT");
    if (status != 0)
        return status;
    bool was_standby = call_no_standby(clone, path);
    status = run(clone, "pg_rewind", argv);
    if (status != 0 && was_standby)
        call_standby(path); /* as it was */
    return status;
}

static int rejoin(const struct clone *clone)
{
    struct kept_files kept = {0};
    struct error error;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/PG_VERSION", clone->data);
    if (access(path, R_OK) != 0)
        return fail("%s is no data directory: %s", clone->data, strerror(errno));
    pid_t pid = running(clone->data);
    if (pid)
        return fail("PostgreSQL runs there, as process %d: stop it first", (int)pid);
    if (!kept_files_read(&kept, clone->data, &error))
        return fail("%s", error.text);
    int status = rewind_data(clone);
    bool written = kept_files_write(&kept, clone->data, &error); /* also when it failed half-way */
    kept_files_fini(&kept);
    if (!written)
        return fail("%s", error.text);
    if (status != 0)
        return status;
    char *follow = named(clone->follow ? clone->follow : clone->from, clone->name);
    bool set = follow && kept_files_follow(clone->data, follow, clone->slot ? clone->slot : "", &error);
    free(follow);
    if (!set)
        return fail("%s", follow ? error.text : "out of memory");
    printf("rejoined: start PostgreSQL on %s, and it follows\n", clone->data);
    return EXIT_SUCCESS;
}

int clone_main(int argc, char **argv)
{
    struct clone clone = {0};
    struct error error;
    int status = parse_arguments(&clone, argc, argv);
    if (status >= 0)
        return status;
    if (!find_programs(&clone, &error) || !become_owner(&clone, &error))
        return fail("%s", error.text);
    if (chdir("/") != 0)
        return fail("/: %s", strerror(errno));
    return clone.rejoin ? rejoin(&clone) : make_clone(&clone);
}
