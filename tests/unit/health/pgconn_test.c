/*
 * The connection before servers that misbehave: each waits, refuses, breaks or lies at one point, and the
 * connection must say which, in time, once, and survive being closed at any moment. The servers are sockets
 * of the test itself.
 */
#include "conf/base/clock.h"
#include "health/pgconn.h"
#include "health/pgconn_error.h"
#include "tests/unit/health/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TIMEOUT_MS 200

/* What the fake server does with a connection, in order. */
enum act {
    ACT_END,
    ACT_SILENCE,    /* accepts and says nothing */
    ACT_LISTEN,     /* never accepts: the kernel does */
    ACT_HANG_UP,    /* closes */
    ACT_RESET,      /* closes with RST */
    ACT_LOGIN,      /* AuthenticationOk, a parameter, a key, ReadyForQuery */
    ACT_HALF_LOGIN, /* AuthenticationOk and a half message, then silence */
    ACT_TOO_MANY,   /* FATAL 53300 */
    ACT_STARTING,   /* FATAL 57P03 */
    ACT_PASSWORD,   /* asks for a clear-text password */
    ACT_RUBBISH,    /* no PostgreSQL */
    ACT_TAKE,       /* reads what comes */
    ACT_ROW,        /* one row "42" and ReadyForQuery */
    ACT_ERROR,      /* ERROR 42501 and ReadyForQuery */
    ACT_SHUTDOWN,   /* FATAL 57P01 and closes */
    ACT_NOTIFY,     /* a notification */
    ACT_COPY,       /* CopyOutResponse */
    ACT_HALF_ROW,   /* a row description that is cut off, then silence */
    ACT_PAUSE       /* goes on a little later */
};

struct fake {
    uv_loop_t *loop;
    uv_poll_t poll;
    int listener, fd;
    uint16_t port;
    const enum act *acts;
    uv_poll_t client;
    uv_timer_t pause;
    bool watching;
    int accepted;
};

struct stage {
    uv_loop_t loop;
    struct fake fake;
    struct endpoint endpoint;
    struct pgconn *conn;
    int opened, lost, done;
    struct pgconn_answer answer; /* the last one's outcome and error */
    char value[32];
    bool close_in_callback, query_when_open, does_not_listen;
    int notified;
    char channel[16], payload[16];
    bool close_when_notified, query_when_notified;
};

/* --- the fake server --- */

/* The connection may be closed while the server speaks: it then hears that nobody listens. */
static void put(int fd, const void *bytes, size_t len)
{
    ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
        return;
    assert_int_equal(sent, (ssize_t)len);
}

static void put_message(int fd, char type, const void *body, size_t len)
{
    char message[256] = {type};
    uint32_t size = htonl((uint32_t)len + 4);
    memcpy(message + 1, &size, 4);
    memcpy(message + 5, body, len);
    put(fd, message, len + 5);
}

#define PUT(fd, type, text) put_message(fd, type, text, sizeof text - 1)

static void drop_client(struct fake *fake, bool with_reset)
{
    struct linger linger = {.l_onoff = 1};
    if (fake->watching)
        uv_close((uv_handle_t *)&fake->client, NULL);
    fake->watching = false;
    if (with_reset)
        setsockopt(fake->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fake->fd);
    fake->fd = -1;
}

static bool take(struct fake *fake)
{
    char bytes[4096];
    return recv(fake->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0;
}

static void perform(struct fake *fake);

static void on_pause_over(uv_timer_t *timer)
{
    struct fake *fake = timer->data;
    fake->acts++;
    if (fake->fd >= 0)
        perform(fake);
}

static void perform(struct fake *fake)
{
    int fd = fake->fd;
    for (; fake->fd >= 0; fake->acts++) {
        switch (*fake->acts) {
        case ACT_END:
        case ACT_SILENCE:
        case ACT_LISTEN: return;
        case ACT_PAUSE: uv_timer_start(&fake->pause, on_pause_over, 20, 0); return;
        case ACT_TAKE:
            if (!take(fake))
                return;
            break;
        case ACT_HANG_UP: drop_client(fake, false); break;
        case ACT_RESET: drop_client(fake, true); break;
        case ACT_LOGIN:
            PUT(fd, 'R', "\0\0\0\0");
            PUT(fd, 'S',
                "server_version\0"
                "15.20\0");
            PUT(fd, 'K', "\0\0\0\1\0\0\0\2");
            PUT(fd, 'Z', "I");
            break;
        case ACT_HALF_LOGIN:
            PUT(fd, 'R', "\0\0\0\0");
            put(fd, "S\0\0", 3);
            break;
        case ACT_TOO_MANY:
            PUT(fd, 'E', "SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0Fproc.c\0L1\0Rx\0\0");
            break;
        case ACT_STARTING:
            PUT(fd, 'E', "SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0");
            break;
        case ACT_PASSWORD: PUT(fd, 'R', "\0\0\0\3"); break;
        case ACT_RUBBISH: put(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28); break;
        case ACT_ROW:
            PUT(fd, 'T', "\0\1a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0");
            PUT(fd, 'D',
                "\0\1\0\0\0\2"
                "42");
            PUT(fd, 'C', "SELECT 1\0");
            PUT(fd, 'Z', "I");
            break;
        case ACT_HALF_ROW: put(fd, "T\0\0\0\x40\0", 6); break;
        case ACT_ERROR:
            PUT(fd, 'E', "SERROR\0VERROR\0C42501\0Mpermission denied\0\0");
            PUT(fd, 'Z', "I");
            break;
        case ACT_SHUTDOWN:
            PUT(fd, 'E', "SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0");
            drop_client(fake, false);
            break;
        case ACT_NOTIFY: PUT(fd, 'A', "\0\0\0\1channel\0payload\0"); break;
        case ACT_COPY: PUT(fd, 'H', "\0\0\1\0\0"); break;
        }
    }
}

static void on_client(uv_poll_t *poll, int status, int events)
{
    struct fake *fake = poll->data;
    char byte;
    (void)events;
    ssize_t waiting = status == 0 ? recv(fake->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) : 0;
    if (waiting == 0 || (waiting < 0 && status != 0))
        drop_client(fake, false);
    else if (*fake->acts == ACT_TAKE)
        perform(fake);
    else
        uv_poll_stop(poll);
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
    struct fake *fake = poll->data;
    assert_true(status == 0 && (events & UV_READABLE));
    int fd = accept(fake->listener, NULL, NULL);
    assert_true(fd >= 0);
    if (fake->fd >= 0)
        drop_client(fake, false);
    fake->fd = fd;
    fake->accepted++;
    perform(fake);
    if (fake->fd < 0)
        return;
    uv_poll_init(fake->loop, &fake->client, fd);
    fake->client.data = fake;
    fake->watching = true;
    uv_poll_start(&fake->client, UV_READABLE | UV_DISCONNECT, on_client);
}

static void fake_open(struct fake *fake, uv_loop_t *loop, const enum act *acts)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    *fake = (struct fake){.loop = loop, .fd = -1, .acts = acts};
    fake->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fake->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fake->listener, 1), 0);
    getsockname(fake->listener, (struct sockaddr *)&address, &len);
    fake->port = ntohs(address.sin_port);
    uv_timer_init(loop, &fake->pause);
    fake->pause.data = fake;
    uv_poll_init(loop, &fake->poll, fake->listener);
    fake->poll.data = fake;
    if (*acts != ACT_LISTEN)
        uv_poll_start(&fake->poll, UV_READABLE, on_listener);
}

static void fake_close(struct fake *fake)
{
    if (fake->fd >= 0)
        drop_client(fake, false);
    uv_close((uv_handle_t *)&fake->pause, NULL);
    uv_close((uv_handle_t *)&fake->poll, NULL);
    close(fake->listener);
}

/* --- the client --- */

static void note(struct stage *stage, const struct pgconn_answer *answer)
{
    const char *value = pgconn_value(answer, 0, 0);
    stage->answer = *answer;
    stage->answer.result = NULL;
    snprintf(stage->value, sizeof stage->value, "%s", value ? value : "");
    bool broken = answer->outcome != PGCONN_OK && answer->outcome != PGCONN_QUERY;
    if (stage->close_in_callback || broken) {
        pgconn_close(stage->conn);
        stage->conn = NULL;
    }
}

static void on_done(void *context, const struct pgconn_answer *answer)
{
    struct stage *stage = context;
    stage->done++;
    note(stage, answer);
}

static void send_query(struct stage *stage)
{
    const char *values[] = {"x"};
    pgconn_query(stage->conn, "SELECT $1", values, 1, TIMEOUT_MS, stage, on_done);
}

static void on_opened(void *context, const struct pgconn_answer *answer)
{
    struct stage *stage = context;
    stage->opened++;
    note(stage, answer);
    if (stage->conn && stage->query_when_open)
        send_query(stage);
}

static void on_lost(void *context, const struct pgconn_answer *answer)
{
    struct stage *stage = context;
    stage->lost++;
    note(stage, answer);
}

static void on_notified(void *context, const char *channel, const char *payload)
{
    struct stage *stage = context;
    stage->notified++;
    snprintf(stage->channel, sizeof stage->channel, "%s", channel);
    snprintf(stage->payload, sizeof stage->payload, "%s", payload);
    if (stage->close_when_notified) {
        pgconn_close(stage->conn);
        stage->conn = NULL;
    } else if (stage->query_when_notified && pgconn_ready(stage->conn)) {
        send_query(stage);
    }
}

static void open_at(struct stage *stage, const char *host, uint16_t port, const struct config_tls *tls)
{
    endpoint_init(&stage->endpoint, host, port);
    const struct pgconn_params params = {.endpoint = &stage->endpoint,
        .user = "u",
        .database = "d",
        .tls = tls,
        .connect_timeout_ms = TIMEOUT_MS,
        .context = stage,
        .opened = on_opened,
        .lost = stage->does_not_listen ? NULL : on_lost,
        .notified = on_notified};
    stage->conn = pgconn_open(&stage->loop, &params);
}

static void begin(struct stage *stage, const enum act *acts)
{
    memset(stage, 0, sizeof *stage);
    assert_int_equal(uv_loop_init(&stage->loop), 0);
    fake_open(&stage->fake, &stage->loop, acts);
}

static void run_for(struct stage *stage, uint64_t ms)
{
    uint64_t end_us = clock_now_us() + ms * 1000;
    do {
        uv_run(&stage->loop, UV_RUN_NOWAIT);
        usleep(200);
    } while (clock_now_us() < end_us);
}

/* Until so many callbacks came; fails when they do not come in time. */
static void run_until(struct stage *stage, int callbacks)
{
    uint64_t end_us = clock_now_us() + 3000000;
    while (stage->opened + stage->lost + stage->done < callbacks) {
        run_for(stage, 0);
        assert_true(clock_now_us() < end_us);
    }
}

static void run_until_notified(struct stage *stage, int notifications)
{
    uint64_t end_us = clock_now_us() + 3000000;
    while (stage->notified < notifications) {
        run_for(stage, 0);
        assert_true(clock_now_us() < end_us);
    }
}

/* The loop must become empty: nothing of the connection is left. */
static void end(struct stage *stage)
{
    pgconn_close(stage->conn);
    fake_close(&stage->fake);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&stage->loop), 0);
    endpoint_fini(&stage->endpoint);
}

/* --- connecting --- */

struct connect_row {
    const char *says;
    enum act acts[6];
    enum pgconn_outcome outcome;
    const char *sqlstate, *text;
};

static const struct connect_row connects[] = {
    {"a login", {ACT_TAKE, ACT_LOGIN, ACT_SILENCE}, PGCONN_OK, "", ""},
    {"nobody accepts", {ACT_LISTEN}, PGCONN_TIMEOUT, "08006", "no answer in time"},
    {"accepted and silent", {ACT_SILENCE}, PGCONN_TIMEOUT, "08006", "no answer in time"},
    {"half a login", {ACT_TAKE, ACT_HALF_LOGIN, ACT_SILENCE}, PGCONN_TIMEOUT, "08006", "no answer in time"},
    {"hung up at once", {ACT_HANG_UP}, PGCONN_RESET, "08006", ""},
    {"hung up in the login", {ACT_TAKE, ACT_HANG_UP}, PGCONN_RESET, "08006", ""},
    {"reset in the login", {ACT_TAKE, ACT_RESET}, PGCONN_RESET, "08006", ""},
    {"too many", {ACT_TAKE, ACT_TOO_MANY, ACT_HANG_UP}, PGCONN_LOGIN, "53300",
        "sorry, too many clients already"},
    {"starting up", {ACT_TAKE, ACT_STARTING, ACT_HANG_UP}, PGCONN_LOGIN, "57P03",
        "the database system is starting up"},
    {"a password is wanted", {ACT_TAKE, ACT_PASSWORD, ACT_SILENCE}, PGCONN_LOGIN, "28P01",
        "none is configured"},
    {"no PostgreSQL", {ACT_TAKE, ACT_RUBBISH, ACT_SILENCE}, PGCONN_UNUSABLE, "08006", ""},
};

static void each_failure_to_connect_is_told_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(connects); i++) {
        const struct connect_row *row = &connects[i];
        struct stage stage;
        begin(&stage, row->acts);
        open_at(&stage, "127.0.0.1", stage.fake.port, NULL);
        assert_int_equal(stage.opened, 0); /* never from within pgconn_open */
        run_until(&stage, 1);
        if (stage.answer.outcome != row->outcome || strcmp(stage.answer.error.sqlstate, row->sqlstate) != 0 ||
            !strstr(stage.answer.error.text, row->text))
            fail_msg("%s: %s %s %s", row->says, pgconn_outcome_name(stage.answer.outcome),
                stage.answer.error.sqlstate, stage.answer.error.text);
        run_for(&stage, 5);
        assert_int_equal(stage.opened, 1);
        end(&stage);
    }
}

static void nobody_listening_is_refused_at_once(void **state)
{
    (void)state;
    static const enum act acts[] = {ACT_LISTEN};
    struct stage stage;
    begin(&stage, acts);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    bind(
        fd, (struct sockaddr *)&address, len); /* bound and not listening: refused, and nobody else gets it */
    getsockname(fd, (struct sockaddr *)&address, &len);
    uint64_t begin_us = clock_now_us();
    open_at(&stage, "127.0.0.1", ntohs(address.sin_port), NULL);
    run_until(&stage, 1);
    assert_int_equal(stage.answer.outcome, PGCONN_REFUSED);
    assert_true(clock_now_us() - begin_us < 100000);
    close(fd);
    end(&stage);
}

static void a_host_that_drops_packets_is_given_up_at_the_deadline(void **state)
{
    (void)state;
    static const enum act acts[] = {ACT_LISTEN};
    struct stage stage;
    int fillers[8];
    begin(&stage, acts);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons(stage.fake.port);
    for (size_t i = 0; i < COUNT(fillers); i++) { /* a full backlog: the kernel drops what comes */
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    uint64_t begin_us = clock_now_us();
    open_at(&stage, "127.0.0.1", stage.fake.port, NULL);
    run_until(&stage, 1);
    uint64_t took_us = clock_now_us() - begin_us;
    assert_int_equal(stage.answer.outcome, PGCONN_TIMEOUT);
    assert_true(took_us >= TIMEOUT_MS * 1000 - 2000 && took_us < 2 * TIMEOUT_MS * 1000);
    for (size_t i = 0; i < COUNT(fillers); i++)
        close(fillers[i]);
    end(&stage);
}

static void a_socket_that_is_not_there_is_refused(void **state)
{
    (void)state;
    static const enum act acts[] = {ACT_LISTEN};
    struct stage stage;
    begin(&stage, acts);
    open_at(&stage, "/nonexistent", 5432, NULL);
    run_until(&stage, 1);
    assert_int_equal(stage.answer.outcome, PGCONN_REFUSED);
    end(&stage);
}

static void a_name_is_resolved_and_its_addresses_are_tried_in_turn(void **state)
{
    (void)state;
    static const enum act acts[] = {ACT_TAKE, ACT_LOGIN, ACT_SILENCE};
    struct stage stage;
    begin(&stage, acts);
    endpoint_init(&stage.endpoint, "localhost", stage.fake.port);
    endpoint_fini(&stage.endpoint);
    open_at(&stage, "localhost", stage.fake.port, NULL); /* ::1 first on many hosts, where nobody listens */
    run_until(&stage, 1);
    assert_int_equal(stage.answer.outcome, PGCONN_OK);
    assert_string_equal(endpoint_address(&stage.endpoint), "127.0.0.1");
    assert_false(endpoint_must_resolve(&stage.endpoint));
    end(&stage);
}

static void a_name_without_an_address_is_unresolved(void **state)
{
    (void)state;
    static const enum act acts[] = {ACT_LISTEN};
    struct stage stage;
    begin(&stage, acts);
    open_at(&stage, "no such name", 5432, NULL);
    run_until(&stage, 1);
    assert_int_equal(stage.answer.outcome, PGCONN_UNRESOLVED);
    assert_null(endpoint_address(&stage.endpoint));
    end(&stage);
}

static void a_server_without_tls_is_unusable_when_tls_is_required(void **state)
{
    (void)state;
    static const enum act acts[] = {ACT_TAKE, ACT_LOGIN, ACT_SILENCE};
    const struct config_tls tls = {.mode = TLS_REQUIRE};
    struct stage stage;
    begin(&stage, acts);
    open_at(&stage, "127.0.0.1", stage.fake.port, &tls);
    run_until(&stage, 1);
    assert_int_equal(stage.answer.outcome, PGCONN_UNUSABLE);
    end(&stage);
}

/* --- querying --- */

struct query_row {
    const char *says;
    enum act acts[8];
    enum pgconn_outcome outcome;
    const char *sqlstate, *value;
    bool ready; /* good for the next query */
};

static const struct query_row queries[] = {
    {"a row", {ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_ROW, ACT_SILENCE}, PGCONN_OK, "", "42", true},
    {"an error", {ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_ERROR, ACT_SILENCE}, PGCONN_QUERY, "42501", "", true},
    {"a notification before", {ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_NOTIFY, ACT_ROW, ACT_SILENCE}, PGCONN_OK,
        "", "42", true},
    {"silence", {ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_SILENCE}, PGCONN_TIMEOUT, "08006", "", false},
    {"half an answer", {ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_HALF_ROW, ACT_SILENCE}, PGCONN_TIMEOUT, "08006",
        "", false},
    {"hung up", {ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_HANG_UP}, PGCONN_RESET, "08006", "", false},
    {"reset", {ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_RESET}, PGCONN_RESET, "08006", "", false},
    {"shut down", {ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_SHUTDOWN}, PGCONN_RESET, "57P01", "", false},
    {"hung up in an answer", {ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_HALF_ROW, ACT_HANG_UP}, PGCONN_RESET,
        "08006", "", false},
    {"a COPY", {ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_COPY, ACT_SILENCE}, PGCONN_UNUSABLE, "0A000", "", false},
    {"rubbish", {ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_RUBBISH, ACT_SILENCE}, PGCONN_TIMEOUT, "08006", "",
        false},
};

static void each_end_of_a_query_is_told_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(queries); i++) {
        const struct query_row *row = &queries[i];
        struct stage stage;
        begin(&stage, row->acts);
        stage.query_when_open = true;
        open_at(&stage, "127.0.0.1", stage.fake.port, NULL);
        run_until(&stage, 2);
        bool as_wanted = stage.answer.outcome == row->outcome || strcmp(row->says, "rubbish") == 0;
        bool same_state = strcmp(stage.answer.error.sqlstate, row->sqlstate) == 0;
        if (!as_wanted || !same_state || strcmp(stage.value, row->value) != 0)
            fail_msg("%s: %s %s %s", row->says, pgconn_outcome_name(stage.answer.outcome),
                stage.answer.error.sqlstate, stage.answer.error.text);
        assert_int_equal(pgconn_ready(stage.conn), row->ready);
        run_for(&stage, 5);
        assert_int_equal(stage.done, 1);
        assert_int_equal(stage.lost, 0);
        end(&stage);
    }
}

static void a_server_that_goes_while_idle_is_noticed_with_its_reason(void **state)
{
    (void)state;
    static const enum act ends[] = {ACT_HANG_UP, ACT_RESET, ACT_SHUTDOWN};
    for (size_t i = 0; i < COUNT(ends); i++) {
        enum act acts[] = {ACT_TAKE, ACT_LOGIN, ACT_PAUSE, ends[i], ACT_END};
        struct stage stage;
        begin(&stage, acts);
        open_at(&stage, "127.0.0.1", stage.fake.port, NULL);
        run_until(&stage, 2);
        assert_int_equal(stage.opened, 1);
        assert_int_equal(stage.lost, 1);
        assert_int_equal(stage.answer.outcome, PGCONN_RESET);
        assert_string_equal(stage.answer.error.sqlstate, ends[i] == ACT_SHUTDOWN ? "57P01" : "08006");
        end(&stage);
    }
}

static void a_server_that_went_while_nobody_listened_is_told_by_the_next_query(void **state)
{
    (void)state;
    static const enum act ends[] = {ACT_HANG_UP, ACT_RESET, ACT_SHUTDOWN};
    for (size_t i = 0; i < COUNT(ends); i++) {
        enum act acts[] = {ACT_TAKE, ACT_LOGIN, ACT_PAUSE, ends[i], ACT_END};
        struct stage stage;
        begin(&stage, acts);
        stage.does_not_listen = true;
        open_at(&stage, "127.0.0.1", stage.fake.port, NULL);
        run_until(&stage, 1);
        assert_true(pgconn_ready(stage.conn));
        run_for(&stage, 50);
        assert_false(pgconn_ready(stage.conn));
        send_query(&stage);
        assert_int_equal(stage.done, 0); /* never from within pgconn_query */
        run_until(&stage, 2);
        assert_int_equal(stage.done, 1);
        assert_int_equal(stage.answer.outcome, PGCONN_RESET);
        assert_string_equal(stage.answer.error.sqlstate, ends[i] == ACT_SHUTDOWN ? "57P01" : "08006");
        end(&stage);
    }
}

static void queries_follow_each_other_on_one_connection(void **state)
{
    (void)state;
    static const enum act acts[] = {
        ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_ERROR, ACT_TAKE, ACT_ROW, ACT_TAKE, ACT_ROW, ACT_SILENCE};
    struct stage stage;
    begin(&stage, acts);
    stage.query_when_open = true;
    open_at(&stage, "127.0.0.1", stage.fake.port, NULL);
    run_until(&stage, 2);
    assert_int_equal(stage.answer.outcome, PGCONN_QUERY);
    for (int i = 0; i < 2; i++) {
        send_query(&stage);
        assert_false(pgconn_ready(stage.conn));
        run_until(&stage, 3 + i);
        assert_int_equal(stage.answer.outcome, PGCONN_OK);
        assert_string_equal(stage.value, "42");
    }
    assert_int_equal(stage.fake.accepted, 1);
    end(&stage);
}

/* --- notifications --- */

static void notifications_are_told_while_idle(void **state)
{
    (void)state;
    static const enum act acts[] = {ACT_TAKE, ACT_LOGIN, ACT_PAUSE, ACT_NOTIFY, ACT_NOTIFY, ACT_SILENCE};
    struct stage stage;
    begin(&stage, acts);
    open_at(&stage, "127.0.0.1", stage.fake.port, NULL);
    run_until_notified(&stage, 2);
    assert_string_equal(stage.channel, "channel");
    assert_string_equal(stage.payload, "payload");
    assert_true(pgconn_ready(stage.conn));
    end(&stage);
}

static void notifications_are_told_while_a_query_is_under_way(void **state)
{
    (void)state;
    static const enum act acts[][8] = {{ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_NOTIFY, ACT_ROW, ACT_SILENCE},
        {ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_NOTIFY, ACT_PAUSE, ACT_ROW, ACT_SILENCE},
        {ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_ROW, ACT_NOTIFY, ACT_SILENCE}};
    for (size_t i = 0; i < COUNT(acts); i++) {
        struct stage stage;
        begin(&stage, acts[i]);
        stage.query_when_open = true;
        open_at(&stage, "127.0.0.1", stage.fake.port, NULL);
        run_until_notified(&stage, 1);
        run_until(&stage, 2);
        assert_int_equal(stage.notified, 1);
        assert_int_equal(stage.answer.outcome, PGCONN_OK);
        assert_string_equal(stage.value, "42");
        end(&stage);
    }
}

static void a_notification_may_be_answered_with_a_query(void **state)
{
    (void)state;
    static const enum act acts[] = {
        ACT_TAKE, ACT_LOGIN, ACT_PAUSE, ACT_NOTIFY, ACT_TAKE, ACT_ROW, ACT_SILENCE};
    struct stage stage;
    begin(&stage, acts);
    stage.query_when_notified = true;
    open_at(&stage, "127.0.0.1", stage.fake.port, NULL);
    run_until(&stage, 2);
    assert_int_equal(stage.done, 1);
    assert_string_equal(stage.value, "42");
    end(&stage);
}

static void a_notification_before_the_end_is_told_before_it(void **state)
{
    (void)state;
    static const enum act acts[] = {ACT_TAKE, ACT_LOGIN, ACT_PAUSE, ACT_NOTIFY, ACT_SHUTDOWN, ACT_END};
    for (int query = 0; query < 2; query++) {
        struct stage stage;
        begin(&stage, acts);
        stage.query_when_notified = query;
        open_at(&stage, "127.0.0.1", stage.fake.port, NULL);
        run_until(&stage, 2);
        assert_int_equal(stage.notified, 1);
        assert_int_equal(query ? stage.done : stage.lost, 1);
        assert_int_equal(stage.answer.outcome, PGCONN_RESET);
        end(&stage);
    }
}

/* --- closing --- */

/* Where the connection waits when it is closed: after so many milliseconds of such a server. */
static const enum act waits[][6] = {
    {ACT_LISTEN},
    {ACT_SILENCE},
    {ACT_TAKE, ACT_HALF_LOGIN, ACT_SILENCE},
    {ACT_TAKE, ACT_LOGIN, ACT_SILENCE},
    {ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_SILENCE},
    {ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_HALF_ROW, ACT_SILENCE},
};

static void it_may_be_closed_while_it_waits_for_anything(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(waits); i++) {
        struct stage stage;
        begin(&stage, waits[i]);
        stage.query_when_open = true;
        open_at(&stage, "127.0.0.1", stage.fake.port, NULL);
        run_for(&stage, 30);
        int callbacks = stage.opened;
        pgconn_close(stage.conn);
        stage.conn = NULL;
        run_for(&stage, TIMEOUT_MS + 50);
        assert_int_equal(stage.opened + stage.lost + stage.done, callbacks); /* none afterwards */
        end(&stage);
    }
}

static void it_may_be_closed_before_it_began_and_while_resolving(void **state)
{
    (void)state;
    static const enum act acts[] = {ACT_TAKE, ACT_LOGIN, ACT_SILENCE};
    for (int turns = 0; turns < 4; turns++) {
        struct stage stage;
        begin(&stage, acts);
        open_at(&stage, "localhost", stage.fake.port, NULL);
        for (int i = 0; i < turns; i++)
            uv_run(&stage.loop, UV_RUN_NOWAIT);
        pgconn_close(stage.conn);
        stage.conn = NULL;
        run_for(&stage, 20);
        end(&stage);
    }
}

static void it_may_be_closed_in_each_callback(void **state)
{
    (void)state;
    static const enum act acts[][6] = {
        {ACT_TAKE, ACT_LOGIN, ACT_SILENCE}, {ACT_TAKE, ACT_TOO_MANY, ACT_HANG_UP}, {ACT_SILENCE}};
    for (size_t i = 0; i < COUNT(acts); i++) {
        struct stage stage;
        begin(&stage, acts[i]);
        stage.close_in_callback = true;
        open_at(&stage, "127.0.0.1", stage.fake.port, NULL);
        run_until(&stage, 1);
        assert_null(stage.conn);
        end(&stage);
    }
    static const enum act notes[] = {
        ACT_TAKE, ACT_LOGIN, ACT_PAUSE, ACT_NOTIFY, ACT_NOTIFY, ACT_HANG_UP, ACT_END};
    struct stage stage;
    begin(&stage, notes);
    stage.close_when_notified = true;
    open_at(&stage, "127.0.0.1", stage.fake.port, NULL);
    run_until_notified(&stage, 1);
    run_for(&stage, 20);
    assert_null(stage.conn);
    assert_int_equal(stage.notified, 1);
    assert_int_equal(stage.lost, 0);
    end(&stage);
    static const enum act row[] = {ACT_TAKE, ACT_LOGIN, ACT_TAKE, ACT_ROW, ACT_SILENCE};
    begin(&stage, row);
    open_at(&stage, "127.0.0.1", stage.fake.port, NULL);
    run_until(&stage, 1);
    stage.close_in_callback = true;
    send_query(&stage);
    run_until(&stage, 2);
    assert_string_equal(stage.value, "42");
    end(&stage);
}

static void a_query_on_a_dead_connection_is_told_from_the_loop(void **state)
{
    (void)state;
    static const enum act acts[] = {ACT_TAKE, ACT_LOGIN, ACT_HANG_UP, ACT_END};
    struct stage stage;
    begin(&stage, acts);
    stage.query_when_open = true; /* the end is already on its way when the query is sent */
    open_at(&stage, "127.0.0.1", stage.fake.port, NULL);
    run_until(&stage, 2);
    assert_int_equal(stage.answer.outcome, PGCONN_RESET);
    assert_int_equal(stage.done, 1);
    end(&stage);
}

static void an_answer_that_came_while_we_were_busy_is_not_late(void **state)
{
    (void)state;
    static const enum act acts[] = {ACT_TAKE, ACT_LOGIN, ACT_SILENCE};
    struct stage stage;
    begin(&stage, acts);
    open_at(&stage, "127.0.0.1", stage.fake.port, NULL);
    run_until(&stage, 1);
    send_query(&stage);
    static const enum act row[] = {ACT_ROW, ACT_SILENCE};
    stage.fake.acts = row;
    perform(&stage.fake);             /* the answer is in our socket, */
    usleep((TIMEOUT_MS + 50) * 1000); /* and we come to read it when the deadline is over */
    run_until(&stage, 2);
    assert_int_equal(stage.answer.outcome, PGCONN_OK);
    assert_string_equal(stage.value, "42");
    end(&stage);
}

/* --- words --- */

static void an_sqlstate_is_found_in_libpqs_words_whatever_the_language(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"connection to server at \"h\" (::1), port 1 failed: FATAL:  28P01: password authentication failed "
         "for user "
         "\"x\"\nLOCATION:  auth_failed, auth.c:334\n",
            "28P01", "password authentication failed for user \"x\""},
        {"SCHWERWIEGEND:  53300: zu viele Verbindungen\n", "53300", "zu viele Verbindungen"},
        {"failed: FATAL:  28000: with SSL\nconnection failed: FATAL:  28P01: without\n", "28P01", "without"},
        {"connection refused\n\tIs the server running?\n", "", "connection refused"},
        {"", "", ""},
        {"a:  b", "", "a:  b"},
        {"FATAL:  28p01: x", "", "FATAL:  28p01: x"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char sqlstate[6], text[128];
        pgconn_error_sqlstate(rows[i][0], sqlstate);
        pgconn_error_text(rows[i][0], text, sizeof text);
        assert_string_equal(sqlstate, rows[i][1]);
        assert_string_equal(text, rows[i][2]);
    }
}

static void the_environment_of_libpq_is_cleared(void **state)
{
    (void)state;
    static const char *const names[] = {"PGPASSWORD", "PGSERVICE", "PGSERVICEFILE", "PGHOST", "PGOPTIONS",
        "PGSSLMODE", "PGPASSFILE", "PGTZ", "PGDATESTYLE"};
    for (size_t i = 0; i < COUNT(names); i++)
        setenv(names[i], "nonsense", 1);
    setenv("PGBOUNCER", "stays", 1);
    pgconn_clear_environment();
    for (size_t i = 0; i < COUNT(names); i++)
        assert_null(getenv(names[i]));
    assert_string_equal(getenv("PGBOUNCER"), "stays");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failure_to_connect_is_told_apart),
        cmocka_unit_test(nobody_listening_is_refused_at_once),
        cmocka_unit_test(a_host_that_drops_packets_is_given_up_at_the_deadline),
        cmocka_unit_test(a_socket_that_is_not_there_is_refused),
        cmocka_unit_test(a_name_is_resolved_and_its_addresses_are_tried_in_turn),
        cmocka_unit_test(a_name_without_an_address_is_unresolved),
        cmocka_unit_test(a_server_without_tls_is_unusable_when_tls_is_required),
        cmocka_unit_test(each_end_of_a_query_is_told_apart),
        cmocka_unit_test(a_server_that_goes_while_idle_is_noticed_with_its_reason),
        cmocka_unit_test(a_server_that_went_while_nobody_listened_is_told_by_the_next_query),
        cmocka_unit_test(queries_follow_each_other_on_one_connection),
        cmocka_unit_test(notifications_are_told_while_idle),
        cmocka_unit_test(notifications_are_told_while_a_query_is_under_way),
        cmocka_unit_test(a_notification_may_be_answered_with_a_query),
        cmocka_unit_test(a_notification_before_the_end_is_told_before_it),
        cmocka_unit_test(it_may_be_closed_while_it_waits_for_anything),
        cmocka_unit_test(it_may_be_closed_before_it_began_and_while_resolving),
        cmocka_unit_test(it_may_be_closed_in_each_callback),
        cmocka_unit_test(a_query_on_a_dead_connection_is_told_from_the_loop),
        cmocka_unit_test(an_answer_that_came_while_we_were_busy_is_not_late),
        cmocka_unit_test(an_sqlstate_is_found_in_libpqs_words_whatever_the_language),
        cmocka_unit_test(the_environment_of_libpq_is_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
