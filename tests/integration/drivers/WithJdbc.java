import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Types;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.sql.PooledConnection;
import org.postgresql.PGNotification;
import org.postgresql.copy.CopyIn;
import org.postgresql.ds.PGConnectionPoolDataSource;
import org.postgresql.jdbc.PgConnection;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;
import org.postgresql.util.PGInterval;
import org.postgresql.util.PGobject;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

/**
 * JDBC with its defaults: everything goes by the extended protocol, BEGIN ahead of a transaction's first statement in
 * one batch with it, and what a program has prepared is prepared on the server at its fifth run.
 *
 * program.py says how test_drivers.py talks to it and what a scenario is.
 */
final class WithJdbc {
    static final int CROWD = 20;
    static final String COUNT = "select count(*)::int from dr_rows where who = ?";
    static final String INSERT = "insert into dr_rows values (?, ?, ?)";
    static final Pattern REQUEST = Pattern.compile("\"scenario\": *\"(\\w+)\".*\"run\": *(\\d+)");

    private WithJdbc() {}

    interface Scenario {
        Object run(PgConnection c, Me me) throws Exception;
    }

    interface Call {
        void run() throws Exception;
    }

    record Part(int some, Scenario scenario) {}

    /** What a scenario knows of itself: its number in the crowd, and a key that no other scenario has, for its rows. */
    record Me(int number, int run, Phaser meeting) {
        int key() {
            return run * 100 + number;
        }

        boolean first() {
            return number == 0;
        }

        /** Waits until all have come; one that fails lets the others fail. */
        void meet() throws BrokenBarrierException {
            if (meeting.arriveAndAwaitAdvance() < 0) throw new BrokenBarrierException("another one has failed");
        }
    }

    /* ---- connections and queries ---- */

    /** With pairs of a property's name and its value. */
    static Properties properties(String... more) {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        for (int i = 0; i < more.length; i += 2) properties.setProperty(more[i], more[i + 1]);
        return properties;
    }

    static String url() {
        String address = System.getenv("PGHOST") + ":" + System.getenv("PGPORT");
        return "jdbc:postgresql://" + address + "/" + System.getenv("PGDATABASE");
    }

    static PgConnection connect(String... more) throws SQLException {
        return DriverManager.getConnection(url(), properties(more)).unwrap(PgConnection.class);
    }

    static PreparedStatement bound(Connection c, String sql, Object... values) throws SQLException {
        PreparedStatement statement = c.prepareStatement(sql);
        for (int i = 0; i < values.length; i++) statement.setObject(i + 1, values[i]);
        return statement;
    }

    static List<Object> row(ResultSet results) throws SQLException {
        List<Object> row = new ArrayList<>();
        for (int i = 1; i <= results.getMetaData().getColumnCount(); i++) row.add(results.getObject(i));
        return row;
    }

    static List<List<Object>> all(ResultSet results) throws SQLException {
        List<List<Object>> rows = new ArrayList<>();
        while (results.next()) rows.add(row(results));
        return rows;
    }

    static List<List<Object>> rows(Connection c, String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = bound(c, sql, values)) {
            return all(statement.executeQuery());
        }
    }

    static Object value(Connection c, String sql, Object... values) throws SQLException {
        return rows(c, sql, values).get(0).get(0);
    }

    static int update(Connection c, String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = bound(c, sql, values)) {
            return statement.executeUpdate();
        }
    }

    /** A plain statement, whatever it returns: it is never prepared on the server. */
    static void execute(Connection c, String sql) throws SQLException {
        try (Statement statement = c.createStatement()) {
            statement.execute(sql);
        }
    }

    /** All that several statements in one string return. */
    static List<Object> several(Connection c, String sql) throws SQLException {
        List<Object> answers = new ArrayList<>();
        try (Statement statement = c.createStatement()) {
            boolean rows = statement.execute(sql);
            while (rows || statement.getUpdateCount() >= 0) {
                answers.add(rows ? all(statement.getResultSet()) : statement.getUpdateCount());
                rows = statement.getMoreResults();
            }
        }
        return answers;
    }

    /** The SQLSTATE that a call ends with. */
    static String code(Call call) throws Exception {
        try {
            call.run();
            return null;
        } catch (SQLException error) {
            return error.getSQLState();
        }
    }

    static void same(Object want, Object got) {
        if (!Objects.equals(want, got)) throw new AssertionError("wanted " + want + ", got " + got);
    }

    static List<Object> list(Object... values) {
        return new ArrayList<>(Arrays.asList(values));
    }

    static void neighbour(PgConnection c, Me me) throws SQLException {
        same(me.number, value(c, "select ?::int", me.number));
        String small = "select current_user::text, current_setting('search_path'), to_regclass('dr_temporary')::text";
        same(list(list("app", "\"$user\", public", null)), rows(c, small));
    }

    /* ---- scenarios ---- */

    static Object usualOptions(PgConnection c, Me me) throws Exception {
        String[] options = {"ApplicationName", "program " + me.number, "options", "-c search_path=dr_a -c work_mem=3MB"};
        try (PgConnection own = connect(options)) {
            same("program " + me.number, value(own, "show application_name"));
            List<Object> answers = list(value(own, "select name from dr_where"), value(own, "show work_mem"));
            answers.add(own.getMetaData().getDatabaseProductVersion());
            for (String name : List.of("server_encoding", "client_encoding", "DateStyle", "TimeZone", "in_hot_standby"))
                answers.add(own.getParameterStatus(name));
            return answers;
        }
    }

    static PGobject object(String type, String value) throws SQLException {
        PGobject object = new PGobject();
        object.setType(type);
        object.setValue(value);
        return object;
    }

    static Map<String, Object> valuesOfTypes(Connection c) throws SQLException {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("bool", true);
        values.put("int2", (short) -7);
        values.put("int4", 123456);
        values.put("int8", 1L << 40);
        values.put("float4", 1.5f);
        values.put("float8", Double.NEGATIVE_INFINITY);
        values.put("numeric", new BigDecimal("12.340"));
        values.put("text", "a 'b' \\ é ☃ ?");
        values.put("varchar", "");
        values.put("bytea", new byte[] {0, -1, 39, 92});
        values.put("date", LocalDate.of(2024, 2, 29));
        values.put("time", LocalTime.of(23, 59, 59, 999999000));
        values.put("timestamp", LocalDateTime.of(2024, 2, 29, 1, 2, 3, 4000));
        values.put("timestamptz", OffsetDateTime.parse("2024-02-29T01:02:03Z"));
        values.put("interval", new PGInterval(0, 0, 3, 0, 0, 4.5));
        values.put("uuid", new UUID(0, 42));
        values.put("jsonb", object("jsonb", "{\"a\": [1, null, \"é\"]}"));
        values.put("int4[]", c.createArrayOf("int4", new Object[] {1, null, 3}));
        values.put("text[]", c.createArrayOf("text", new Object[] {"a", "b\"c", ""}));
        values.put("int8[]", c.createArrayOf("int8", new Object[][] {{1L, 2L}, {3L, 4L}}));
        values.put("dr_mood", object("dr_mood", "busy"));
        values.put("dr_mood[]", c.createArrayOf("dr_mood", new Object[] {"calm", "busy"}));
        values.put("dr_pair", object("dr_pair", "(1,calm)"));
        return values;
    }

    /** A value as text and, on the server by then, as binary: what differs of that is seen. */
    static Set<String> seenOf(Connection c, String type, Object given) throws SQLException {
        Set<String> seen = new LinkedHashSet<>();
        try (PreparedStatement statement = bound(c, "select ?::" + type, given)) {
            for (int n = 0; n < 7; n++) {
                List<List<Object>> rows = all(statement.executeQuery());
                seen.add(json(rows.get(0)));
            }
        }
        return seen;
    }

    static List<Object> columns(Connection c, String sql) throws SQLException {
        List<Object> columns = new ArrayList<>();
        try (PreparedStatement statement = c.prepareStatement(sql)) {
            columns.add(statement.getParameterMetaData().getParameterCount());
            ResultSetMetaData of = statement.getMetaData();
            for (int i = 1; i <= of.getColumnCount(); i++)
                columns.add(list(of.getColumnName(i), of.getColumnTypeName(i), of.isAutoIncrement(i), of.isNullable(i)));
        }
        return columns;
    }

    static Object types(PgConnection c, Me me) throws Exception {
        List<Object> answers = new ArrayList<>();
        for (Map.Entry<String, Object> one : valuesOfTypes(c).entrySet()) {
            answers.add(list(one.getKey(), seenOf(c, one.getKey(), one.getValue())));
            answers.add(seenOf(c, one.getKey(), null));
        }
        answers.add(several(c, "select 1 as a; select 'x' as b; select n, null from dr_fixed where n < 4 order by n"));
        answers.add(columns(c, "select r.*, f.t as ft from dr_rows r, dr_fixed f where f.n = ?"));
        answers.add(all(c.getMetaData().getPrimaryKeys(null, "public", "dr_rows")));
        try (ResultSet of = c.getMetaData().getColumns(null, "public", "dr_rows", null)) {
            while (of.next()) answers.add(list(of.getString("COLUMN_NAME"), of.getString("TYPE_NAME")));
        }
        return answers;
    }

    static Object preparesByItself(PgConnection c, Me me) throws Exception {
        for (int n = 0; n < 12; n++)
            same(list(list(n, me.number)), rows(c, "select count(*)::int, ?::int from dr_fixed where n <= ?", me.number, n));
        try (PreparedStatement insert = c.prepareStatement(INSERT); PreparedStatement count = bound(c, COUNT, me.key())) {
            for (int n = 0; n < 10; n++) {
                insert.setInt(1, me.key());
                insert.setInt(2, n);
                insert.setString(3, "x");
                same(1, insert.executeUpdate());
                same(list(list(n + 1)), all(count.executeQuery()));
            }
            execute(c, "deallocate all");
            for (int n = 0; n < 10; n++) same(list(list(10)), all(count.executeQuery()));
            count.setNull(1, Types.INTEGER); // another type: it is prepared anew
            same(list(list(0)), all(count.executeQuery()));
        }
        return value(c, COUNT, me.key());
    }

    /** More than the driver keeps: it closes some, and prepares them again. */
    static Object manyStatements(PgConnection c, Me me) throws Exception {
        try (PgConnection own = connect("prepareThreshold", "1", "preparedStatementCacheQueries", "70")) {
            for (int turn = 0; turn < 2; turn++)
                for (int n = 0; n < 120; n++)
                    same(me.number + n, value(own, "select ?::int + " + n + " from dr_fixed where n = 1", me.number));
        }
        return null;
    }

    /** Others do the same at the same time: a serializable one may have to give way. */
    static void mark(Connection c, Me me) throws SQLException {
        for (int attempt = 0; attempt < 20; attempt++) {
            try {
                update(c, "update dr_rows set t = t || '!' where who = ?", me.key());
                c.commit();
                return;
            } catch (SQLException error) {
                if (!error.getSQLState().equals("40001")) throw error;
                c.rollback();
            }
        }
        throw new AssertionError("no update in 20 attempts");
    }

    static Object transactions(PgConnection c, Me me) throws Exception {
        c.setAutoCommit(false);
        update(c, INSERT, me.key(), 1, "kept");
        same(1, value(c, COUNT, me.key()));
        List<Object> answers = list(c.getTransactionState());
        c.commit();
        update(c, INSERT, me.key(), 2, "undone");
        same(2, value(c, COUNT, me.key()));
        c.rollback();
        same(1, value(c, COUNT, me.key()));
        c.commit();
        int[] levels = {Connection.TRANSACTION_READ_UNCOMMITTED, Connection.TRANSACTION_READ_COMMITTED,
            Connection.TRANSACTION_REPEATABLE_READ, Connection.TRANSACTION_SERIALIZABLE};
        for (int level : levels) {
            c.setTransactionIsolation(level);
            answers.add(list(value(c, "show transaction_isolation"), c.getTransactionIsolation() == level));
            answers.add(code(() -> c.setTransactionIsolation(level)));
            c.rollback();
            mark(c, me);
        }
        c.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        for (int n = 0; n < 8; n++) { // BEGIN and COMMIT have names by then
            update(c, INSERT, me.key(), 10 + n, "x");
            c.commit();
        }
        c.setAutoCommit(true);
        answers.add(c.getTransactionState());
        return list(answers, rows(c, "select n, t from dr_rows where who = ? order by n", me.key()));
    }

    static List<Object> saved(PgConnection c, Me me, int from) throws Exception {
        List<Object> answers = new ArrayList<>();
        c.setAutoCommit(false);
        for (int n = 0; n < 8; n++) {
            int number = from + n;
            update(c, INSERT, me.key(), number, "x");
            answers.add(code(() -> update(c, INSERT, me.key(), number, "twice")));
            answers.add(code(() -> value(c, "select 1")));
            answers.add(code(c::commit));
        }
        c.rollback();
        c.setAutoCommit(true);
        return answers;
    }

    static Object savepoints(PgConnection c, Me me) throws Exception {
        c.setAutoCommit(false);
        update(c, INSERT, me.key(), 1, "x");
        Savepoint a = c.setSavepoint("a b");
        List<Object> answers = list(code(() -> update(c, INSERT, me.key(), 1, "twice")), code(() -> value(c, "select 1")));
        answers.add(code(() -> c.setSavepoint()));
        c.rollback(a);
        update(c, INSERT, me.key(), 2, "x");
        c.releaseSavepoint(a);
        answers.add(code(() -> c.rollback(a)));
        Savepoint unnamed = c.setSavepoint();
        update(c, "delete from dr_rows where who = ?", me.key());
        c.rollback(unnamed);
        c.commit();
        answers.add(value(c, COUNT, me.key()));
        c.setAutoCommit(true);
        if (me.number < 4)
            for (String autosave : List.of("always", "conservative"))
                try (PgConnection own = connect("autosave", autosave)) {
                    answers.add(list(autosave, saved(own, me, answers.size() * 100)));
                }
        answers.add(value(c, COUNT, me.key()));
        return answers;
    }

    static List<List<Object>> someOf(Connection c, String sql, int max) throws SQLException {
        try (Statement statement = c.createStatement()) {
            statement.setMaxRows(max);
            return all(statement.executeQuery(sql));
        }
    }

    static List<Object> readOnlyAlways(Me me) throws Exception {
        try (PgConnection c = connect("readOnlyMode", "always")) {
            List<Object> answers = new ArrayList<>();
            for (boolean readOnly : new boolean[] {true, false, true}) {
                c.setReadOnly(readOnly);
                answers.add(list(value(c, "show transaction_read_only"), value(c, "select count(*) from dr_fixed")));
                answers.add(code(() -> update(c, "update dr_rows set t = 'y' where who = ?", me.key())));
                c.setAutoCommit(false);
                answers.add(list(value(c, "select count(*) from dr_fixed"), value(c, "show transaction_read_only")));
                answers.add(code(() -> update(c, "update dr_rows set t = 'y' where who = ?", me.key())));
                answers.add(code(c::commit));
                c.setAutoCommit(true);
            }
            return answers;
        }
    }

    static Object readOnly(PgConnection c, Me me) throws Exception {
        List<Object> answers = new ArrayList<>();
        c.setReadOnly(true);
        answers.add(list(update(c, INSERT, me.key(), 0, "in autocommit nothing is done about it"), c.isReadOnly()));
        c.setAutoCommit(false);
        answers.add(list(value(c, "select count(*) from dr_fixed"), value(c, "show transaction_read_only")));
        for (int n = 1; n < 8; n++) answers.add(value(c, "select sum(n) from dr_fixed where n <= ?", n));
        answers.add(list(code(() -> c.setReadOnly(false)), c.getTransactionState()));
        c.commit();
        answers.add(someOf(c, "select n from dr_fixed order by n", 3));
        answers.add(someOf(c, "select t from dr_fixed order by n", 2));
        answers.add(list(value(c, "select pg_try_advisory_xact_lock(?)", me.key()), value(c, "show transaction_read_only")));
        c.commit();
        answers.add(value(c, "select 1"));
        answers.add(list(code(() -> update(c, INSERT, me.key(), 1, "x")), code(() -> value(c, "select 1"))));
        answers.add(code(c::commit));
        answers.add(list(code(() -> update(c, INSERT, me.key(), 1, "first")), code(() -> value(c, "select 1"))));
        c.rollback();
        c.setReadOnly(false);
        update(c, INSERT, me.key(), 1, "x");
        answers.add(list(c.getTransactionState(), value(c, "show transaction_read_only")));
        c.commit();
        c.setAutoCommit(true);
        answers.add(me.number < 4 ? readOnlyAlways(me) : null);
        return list(answers, value(c, COUNT, me.key()));
    }

    static List<Object> fetched(Connection c) throws Exception {
        List<Object> answers = new ArrayList<>();
        try (PreparedStatement first = bound(c, "select n from dr_fixed where n <= ? order by n", 250);
             Statement second = c.createStatement()) {
            first.setFetchSize(100);
            second.setFetchSize(3);
            ResultSet other = second.executeQuery("select n from dr_fixed order by n desc");
            int total = 0;
            for (int turn = 0; turn < 3; turn++)
                try (ResultSet results = first.executeQuery()) {
                    while (results.next()) {
                        total += results.getInt(1);
                        if (results.getInt(1) % 50 == 0 && other.next()) answers.add(other.getInt(1));
                    }
                }
            answers.add(total);
            second.setMaxRows(5);
            answers.add(all(second.executeQuery("select n from dr_fixed order by n")));
            second.setFetchSize(0);
            answers.add(all(second.executeQuery("select n from dr_fixed order by n")));
            answers.add(value(c, "select 1"));
        }
        return answers;
    }

    static List<Object> failsLater(Connection c) throws Exception {
        List<Object> answers = new ArrayList<>();
        try (Statement statement = c.createStatement()) {
            statement.setFetchSize(2);
            answers.add(code(() -> {
                ResultSet results = statement.executeQuery("select 10 / (3 - n) from dr_fixed order by n");
                while (results.next()) answers.add(results.getInt(1));
            }));
        }
        answers.add(code(() -> value(c, "select 1")));
        return answers;
    }

    static List<Object> updatedRows(Connection c, Me me) throws SQLException {
        for (int n = 1; n < 4; n++) update(c, INSERT, me.key(), n, "row " + n);
        String sql = "select who, n, t from dr_rows where who = ? order by n";
        try (PreparedStatement statement =
                c.prepareStatement(sql, ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
            statement.setInt(1, me.key());
            ResultSet results = statement.executeQuery();
            results.absolute(2);
            results.updateString("t", "changed");
            results.updateRow();
            results.refreshRow();
            results.last();
            results.deleteRow();
            results.moveToInsertRow();
            results.updateInt("who", me.key());
            results.updateInt("n", 9);
            results.insertRow();
        }
        return list(rows(c, "select n, t from dr_rows where who = ? order by n", me.key()));
    }

    static Object cursors(PgConnection c, Me me) throws Exception {
        List<Object> answers = list(fetched(c));
        for (boolean readOnly : new boolean[] {false, true}) {
            c.setReadOnly(readOnly);
            c.setAutoCommit(false);
            answers.add(fetched(c));
            c.commit();
            answers.add(fetched(c));
            answers.add(failsLater(c));
            c.rollback();
            c.setAutoCommit(true);
        }
        c.setReadOnly(false);
        answers.add(updatedRows(c, me));
        return answers;
    }

    static void copyIn(PgConnection c, String text) throws Exception {
        c.getCopyAPI().copyIn("copy dr_rows from stdin", new StringReader(text));
    }

    static String copyOut(PgConnection c, String sql) throws Exception {
        StringWriter written = new StringWriter();
        c.getCopyAPI().copyOut(sql, written);
        return written.toString();
    }

    static Object copies(PgConnection c, Me me) throws Exception {
        String lines = IntStream.range(0, 500).mapToObj(n -> me.key() + "\t" + n + "\trow " + n + " \\\\ é\n")
            .collect(Collectors.joining());
        copyIn(c, lines);
        same(lines, copyOut(c, "copy (select * from dr_rows where who = " + me.key() + " order by n) to stdout"));
        String csv = "copy (select n, t from dr_fixed where n < 4 order by n) to stdout (format csv, header)";
        List<Object> answers = list(copyOut(c, csv));
        answers.add(code(() -> copyIn(c, me.key() + "\t0\ttwice\n")));
        answers.add(code(() -> copyIn(c, "nonsense\n")));
        answers.add(code(() -> copyOut(c, "copy (select 10 / (3 - n) from dr_fixed order by n) to stdout")));
        answers.add(code(() -> c.getCopyAPI().copyIn("select 1")));
        CopyIn left = c.getCopyAPI().copyIn("copy dr_rows from stdin");
        byte[] line = (me.key() + "\t900\tleft\n").getBytes(StandardCharsets.UTF_8);
        left.writeToCopy(line, 0, line.length);
        left.cancelCopy();
        c.setAutoCommit(false);
        copyIn(c, me.key() + "\t901\tundone\n");
        answers.add(value(c, COUNT, me.key()));
        c.rollback();
        c.setAutoCommit(true);
        return list(answers, value(c, COUNT, me.key()));
    }

    /** The payloads of the next notifications. */
    static List<String> heard(PgConnection c, int count) throws SQLException {
        List<String> heard = new ArrayList<>();
        for (int attempt = 0; heard.size() < count && attempt < 30; attempt++) {
            PGNotification[] come = c.getNotifications(1000);
            if (come != null) for (PGNotification one : come) heard.add(one.getParameter());
        }
        return heard;
    }

    static boolean hearsNothing(PgConnection c) throws SQLException {
        PGNotification[] come = c.getNotifications();
        return come == null || come.length == 0;
    }

    static Object notifications(PgConnection c, Me me) throws Exception {
        String channel = "channel_" + me.key();
        execute(c, "listen " + channel + "; notify " + channel + ", 'own'");
        List<Object> answers = list(heard(c, 1));
        c.setAutoCommit(false);
        execute(c, "notify " + channel + ", 'in a transaction'");
        value(c, "select 1");
        answers.add(hearsNothing(c));
        c.commit();
        c.setAutoCommit(true);
        answers.add(heard(c, 1));
        try (PgConnection other = connect()) {
            value(other, "select pg_notify(?, ?)", channel, "of another");
            answers.add(heard(c, 1));
            execute(c, "unlisten *");
            value(other, "select pg_notify(?, ?)", channel, "not heard");
        }
        value(c, "select 1");
        answers.add(hearsNothing(c));
        return answers;
    }

    static Object temporaryTables(PgConnection c, Me me) throws Exception {
        execute(c, "create temporary table dr_temporary (n int, who int)");
        for (int n = 0; n < 8; n++) update(c, "insert into dr_temporary values (?, ?)", n, me.key());
        c.setAutoCommit(false);
        execute(c, "create temporary table dr_short on commit drop as select n from dr_temporary");
        List<Object> answers = list(value(c, "select count(*) from dr_short"));
        c.commit();
        c.setAutoCommit(true);
        answers.add(value(c, "select count(*) from dr_temporary where who = ?", me.key()));
        answers.add(code(() -> rows(c, "select * from dr_short")));
        execute(c, "drop table dr_temporary");
        answers.add(code(() -> rows(c, "select * from dr_temporary")));
        return answers;
    }

    static Object advisoryLocks(PgConnection c, Me me) throws Exception {
        value(c, "select pg_advisory_lock(?)", me.key());
        try (PgConnection other = connect()) {
            same(false, value(other, "select pg_try_advisory_lock(?)", me.key()));
            same(true, value(c, "select pg_advisory_unlock(?)", me.key()));
            List<Object> answers = list(value(other, "select pg_try_advisory_lock(?)", me.key()));
            answers.add(value(c, "select pg_advisory_unlock(?)", me.key()));
            return answers;
        }
    }

    static String zoned(int zone) {
        return String.format("2024-01-01 %02d:00:00+%02d", zone, zone);
    }

    /** Every connection has settings of its own, all at the same time: they stay with it, and are not another's. */
    static Object settings(PgConnection c, Me me) throws Exception {
        String name = "select name from dr_where", schema = List.of("dr_a", "dr_b").get(me.number % 2);
        String letter = schema.substring(3), user = me.number % 3 == 0 ? "dr_reader" : "app";
        int zone = me.number % 12 + 1;
        c.setSchema(schema);
        c.setClientInfo("ApplicationName", "program " + me.number);
        execute(c, "set time zone 'Etc/GMT-" + zone + "'");
        value(c, "select set_config('app.tenant', ?, false)", "tenant " + me.number);
        execute(c, "set role " + user);
        me.meet();
        for (int n = 0; n < 8; n++) {
            same(letter, value(c, name));
            same(zoned(zone), value(c, "select '2024-01-01 00:00+00'::timestamptz::text"));
            same(user + " tenant " + me.number, value(c, "select current_user || ' ' || current_setting('app.tenant')"));
            same(schema, c.getSchema());
            same("Etc/GMT-" + zone, c.getParameterStatus("TimeZone"));
            same("program " + me.number, value(c, "show application_name"));
        }
        c.setAutoCommit(false);
        execute(c, "set local search_path = dr_b");
        same("b", value(c, name));
        c.commit();
        c.setSchema("dr_b");
        execute(c, "set timezone = 'UTC'");
        same("b", value(c, name));
        c.rollback();
        c.setAutoCommit(true);
        same(letter, value(c, name));
        same("Etc/GMT-" + zone, value(c, "show timezone"));
        List<Object> answers = list(code(() -> execute(c, "set nothing = 1")));
        execute(c, "reset role");
        execute(c, "reset all");
        for (String one : List.of("search_path", "timezone", "role", "app.tenant", "application_name", "extra_float_digits"))
            answers.add(value(c, "show " + one));
        return answers;
    }

    static List<Object> told(Connection c, Me me) throws SQLException {
        List<Object> answers = new ArrayList<>();
        try {
            update(c, INSERT, me.key(), 1, "twice");
        } catch (PSQLException error) {
            ServerErrorMessage message = error.getServerErrorMessage();
            answers.addAll(list(message.getSQLState(), message.getSchema(), message.getTable(), message.getConstraint()));
        }
        try (Statement statement = c.createStatement()) {
            statement.execute("do $$ begin raise warning 'a warning'; raise notice 'a notice'; end $$");
            for (SQLWarning w = statement.getWarnings(); w != null; w = w.getNextWarning())
                answers.add(list(w.getSQLState(), w.getMessage()));
        }
        return answers;
    }

    static Object errors(PgConnection c, Me me) throws Exception {
        update(c, INSERT, me.key(), 1, "x");
        String[] statements = {"selec 1", "select 1/0", "select * from dr_nowhere", "select 'x'::int", "select nothing()",
            "select 1; select 1/0; select 2", "insert into dr_rows values (" + me.key() + ", 1, 'twice')",
            "insert into dr_rows values (1, null)", "commit"};
        List<Object> answers = new ArrayList<>();
        for (String statement : statements) {
            answers.add(list(code(() -> execute(c, statement)), code(() -> bound(c, statement).execute())));
            same(me.number, value(c, "select ?::int", me.number));
        }
        c.setAutoCommit(false);
        for (String statement : statements) {
            answers.add(list(code(() -> execute(c, statement)), code(() -> value(c, "select 1")), c.getTransactionState()));
            answers.add(code(c::commit));
        }
        c.setAutoCommit(true);
        for (int n : new int[] {1, 2, 0, 3, 4, 5, 0, 6, 0}) answers.add(code(() -> value(c, "select 1 / ?::int", n)));
        answers.add(code(() -> value(c, "select ?::int", "x")));
        answers.add(told(c, me));
        return list(answers, value(c, COUNT, me.key()));
    }

    /** A cancel request can come while the query waits for a server: it is sent again, until it has ended the query. */
    static String cancelled(PgConnection c) throws Exception {
        CountDownLatch ended = new CountDownLatch(1);
        Thread canceller = new Thread(() -> {
            try {
                while (!ended.await(150, TimeUnit.MILLISECONDS)) c.cancelQuery();
            } catch (InterruptedException | SQLException error) {
                error.printStackTrace();
            }
        });
        canceller.start();
        String answer = code(() -> value(c, "select pg_sleep(50)"));
        ended.countDown();
        canceller.join();
        return answer;
    }

    static String timedOut(PgConnection c) throws Exception {
        try (Statement statement = c.createStatement()) {
            statement.setQueryTimeout(1);
            return code(() -> statement.executeQuery("select pg_sleep(50)"));
        }
    }

    static Object cancels(PgConnection c, Me me) throws Exception {
        List<Object> answers = list(cancelled(c), timedOut(c));
        c.setAutoCommit(false);
        update(c, INSERT, me.key(), 1, "x");
        answers.addAll(list(cancelled(c), c.getTransactionState()));
        c.rollback();
        c.setReadOnly(true);
        answers.addAll(list(value(c, "select count(*) from dr_fixed"), cancelled(c), c.getTransactionState()));
        c.rollback();
        c.setReadOnly(false);
        c.setAutoCommit(true);
        c.cancelQuery(); // of nothing
        return list(answers, value(c, COUNT, me.key()));
    }

    /** What it sees each time, which must always be the same. */
    static void readsTenTimes(PgConnection c, String sql, List<List<Object>> rows, String error) throws Exception {
        List<Object> seen = new ArrayList<>(), wanted = new ArrayList<>();
        for (int n = 0; n < 10; n++) {
            String failed = code(() -> seen.add(rows(c, sql, 1)));
            if (failed != null) seen.add(failed);
            wanted.add(error == null ? rows : error);
        }
        same(wanted, seen);
    }

    /** The driver prepares anew what PostgreSQL refuses after a change, where there is no transaction. */
    static void reads(PgConnection c, String table, List<List<Object>> rows, String error) throws Exception {
        readsTenTimes(c, "select * from " + table + " where ? > 0", rows, error);
        if (error != null) return;
        try (Statement statement = c.createStatement()) {
            for (int n = 0; n < 3; n++) same(rows, all(statement.executeQuery("select * from " + table)));
        }
    }

    /** In a transaction it may be refused; then it always is. */
    static void readsInTransaction(PgConnection c, String table, List<List<Object>> rows) throws Exception {
        c.setAutoCommit(false);
        String failed = code(() -> same(rows, rows(c, "select * from " + table + " where ? > 0", 1)));
        if (failed != null) same("0A000", failed);
        c.rollback();
        c.setAutoCommit(true);
    }

    static List<List<Object>> oneRow(Object... row) {
        return new ArrayList<>(List.of(list(row)));
    }

    static Object schemaChanges(PgConnection c, Me me) throws Exception {
        String own = "dr_alter_" + me.key(), common = "dr_alter_" + me.run;
        execute(c, "create table " + own + " as select 1 as a");
        reads(c, own, oneRow(1), null);
        execute(c, "alter table " + own + " add column b int default 2");
        reads(c, own, oneRow(1, 2), null);
        execute(c, "alter table " + own + " alter column a type text");
        readsInTransaction(c, own, oneRow("1", 2));
        reads(c, own, oneRow("1", 2), null);
        execute(c, "drop table " + own);
        reads(c, own, null, "42P01");
        if (me.first()) execute(c, "create table " + common + " as select 1 as a");
        me.meet();
        reads(c, common, oneRow(1), null);
        me.meet();
        if (me.first()) execute(c, "alter table " + common + " add column b int default 2");
        me.meet();
        update(c, INSERT, me.key(), 1, "so that it sees the change");
        reads(c, common, oneRow(1, 2), null);
        me.meet();
        if (me.first()) execute(c, "drop table " + common);
        return null;
    }

    /** The counts of a batch of rows with these numbers; with an error, its SQLSTATE and the counts it has. */
    static Object batch(Connection c, Me me, int... numbers) throws SQLException {
        try (PreparedStatement statement = c.prepareStatement(INSERT)) {
            for (int n : numbers) {
                statement.setInt(1, me.key());
                statement.setInt(2, n);
                statement.setString(3, "row " + n);
                statement.addBatch();
            }
            return ended(statement);
        }
    }

    static Object ended(Statement statement) throws SQLException {
        try {
            return statement.executeBatch();
        } catch (BatchUpdateException error) {
            return list(error.getSQLState(), error.getUpdateCounts());
        }
    }

    static Object mixedBatch(Connection c, Me me, String... more) throws SQLException {
        try (Statement statement = c.createStatement()) {
            statement.addBatch("insert into dr_rows values (" + me.key() + ", 5000, '')");
            statement.addBatch("update dr_rows set t = 'y' where who = " + me.key());
            for (String one : more) statement.addBatch(one);
            statement.addBatch("delete from dr_rows where n = 5000 and who = " + me.key());
            return ended(statement);
        }
    }

    static Object generatedKeys(Connection c, Me me) throws SQLException {
        try (PreparedStatement statement = c.prepareStatement(INSERT, new String[] {"n", "t"})) {
            for (int n = 6000; n < 6010; n++) {
                statement.setInt(1, me.key());
                statement.setInt(2, n);
                statement.setString(3, "key " + n);
                statement.addBatch();
            }
            return list(statement.executeBatch(), all(statement.getGeneratedKeys()));
        }
    }

    static int[] range(int from, int to) {
        return IntStream.range(from, to).toArray();
    }

    static List<Object> someBatches(Connection c, Me me, int from) throws SQLException {
        List<Object> answers = list(batch(c, me, range(from, from + 30)), batch(c, me, range(from + 100, from + 700)));
        answers.add(value(c, COUNT, me.key()));
        int[] twice = range(from + 700, from + 1300);
        twice[400] = from;
        answers.addAll(list(batch(c, me, from + 50, from + 51, from, from + 52), value(c, COUNT, me.key())));
        answers.addAll(list(batch(c, me, twice), value(c, COUNT, me.key())));
        return answers;
    }

    static Object batches(PgConnection c, Me me) throws Exception {
        List<Object> answers = list(someBatches(c, me, 0));
        answers.addAll(list(mixedBatch(c, me), mixedBatch(c, me, "select 1/0"), mixedBatch(c, me, "select 1")));
        answers.addAll(list(value(c, COUNT, me.key()), generatedKeys(c, me)));
        c.setAutoCommit(false);
        answers.add(batch(c, me, range(1500, 1900)));
        c.commit();
        answers.addAll(list(batch(c, me, 1900, 1901, 0, 1902), c.getTransactionState()));
        c.rollback();
        c.setAutoCommit(true);
        if (me.number < 4)
            try (PgConnection own = connect("reWriteBatchedInserts", "true")) {
                answers.add(someBatches(own, me, 2000));
            }
        answers.add(value(c, COUNT, me.key()));
        return answers;
    }

    static Object largeResults(PgConnection c, Me me) throws Exception {
        List<List<Object>> got = rows(c, "select n, repeat('x', 1000) from dr_fixed order by n");
        same(1000, got.size());
        for (List<Object> row : got) same(1000, ((String) row.get(1)).length());
        String text = "é".repeat(700000); // more than a request's buffer
        same(true, text.equals(value(c, "select ?::text", text)));
        update(c, INSERT, me.key(), 1, text);
        return rows(c, "select length(t), md5(t) from dr_rows where who = ?", me.key());
    }

    /** By function calls of the protocol. */
    static Object largeObjects(PgConnection c, Me me) throws Exception {
        byte[] written = "é and more ".repeat(10000).getBytes(StandardCharsets.UTF_8);
        c.setAutoCommit(false);
        LargeObjectManager objects = c.getLargeObjectAPI();
        long oid = objects.createLO();
        try (LargeObject object = objects.open(oid)) {
            object.write(written);
            object.seek(0);
            same(true, Arrays.equals(written, object.read(written.length + 1)));
        }
        c.commit();
        List<Object> answers = new ArrayList<>();
        c.setReadOnly(true);
        answers.add(value(c, "select count(*) from dr_fixed"));
        try (LargeObject object = objects.open(oid, LargeObjectManager.READ)) {
            object.seek(3);
            answers.addAll(list(object.read(20), object.tell(), object.size(), value(c, "show transaction_read_only")));
        }
        c.commit();
        c.setReadOnly(false);
        objects.delete(oid);
        answers.add(code(() -> objects.delete(oid)));
        c.rollback();
        objects.delete(oid);
        c.commit();
        answers.add(code(() -> objects.open(oid)));
        c.rollback();
        c.setAutoCommit(true);
        return answers;
    }

    /** A connection without the extended protocol: values are put into the string. */
    static Object simpleQueries(PgConnection unused, Me me) throws Exception {
        try (PgConnection c = connect("preferQueryMode", "simple")) {
            List<Object> answers = list(rows(c, "select ?, ?::int, ?::text", me.number, 7, "a 'b' \\ é"));
            answers.addAll(list(batch(c, me, range(0, 30)), batch(c, me, 50, 51, 0, 52), mixedBatch(c, me, "select 1/0")));
            answers.add(several(c, "select 1; select 'x'; update dr_rows set t = 'z' where who = " + me.key()));
            answers.add(code(() -> execute(c, "select 1; select 1/0")));
            answers.add(someOf(c, "select n from dr_fixed where n < 9 order by n", 3));
            answers.add(saved(c, me, 200));
            c.setReadOnly(true);
            c.setAutoCommit(false);
            for (int n = 1; n < 5; n++) {
                answers.add(value(c, "select sum(n) from dr_fixed where n <= ?", n));
                answers.add(value(c, "show transaction_read_only"));
                answers.addAll(list(code(() -> update(c, INSERT, me.key(), 1000, "x")), code(c::commit)));
            }
            c.setReadOnly(false);
            update(c, INSERT, me.key(), 1000, "x");
            c.commit();
            c.setAutoCommit(true);
            answers.add(value(c, COUNT, me.key()));
            return answers;
        }
    }

    static PGConnectionPoolDataSource source() {
        PGConnectionPoolDataSource source = new PGConnectionPoolDataSource();
        source.setURL(url());
        source.setUser(System.getenv("PGUSER"));
        source.setPassword(System.getenv("PGPASSWORD"));
        source.setDefaultAutoCommit(false);
        return source;
    }

    /** As an application server's: what is taken from the pool and given back with an open transaction is rolled back. */
    static Object borrowed(BlockingQueue<PooledConnection> pool, Me me, int n) throws Exception {
        PooledConnection own = pool.take();
        try (Connection c = own.getConnection()) {
            update(c, INSERT, me.key(), n, "x");
            if (n % 10 == 0) return code(() -> value(c, "select 1/?::int", 0));
            Object read = value(c, "select ?::int from dr_fixed limit 1", n);
            if (n % 10 != 1) c.commit();
            return read;
        } finally {
            pool.add(own);
        }
    }

    static Object itsPool(PgConnection c, Me me) throws Exception {
        BlockingQueue<PooledConnection> pool = new ArrayBlockingQueue<>(8);
        for (int i = 0; i < 8; i++) pool.add(source().getPooledConnection());
        List<Callable<Object>> tasks = new ArrayList<>();
        for (int i = 0; i < 80; i++) {
            int n = i;
            tasks.add(() -> borrowed(pool, me, n));
        }
        List<Object> answers = new ArrayList<>();
        for (Future<Object> one : THREADS.invokeAll(tasks)) answers.add(one.get());
        for (PooledConnection one : pool) one.close();
        answers.add(value(c, COUNT, me.key()));
        return answers;
    }

    /** Not for comparison: the ports of the nodes that answer its reads. */
    static Object where(PgConnection c, Me me) throws Exception {
        Set<Object> ports = new TreeSet<>();
        for (int n = 1; n < 31; n++) ports.add(value(c, "select whereami() from dr_fixed where n = ?", n));
        return ports;
    }

    /** ... and its transactions that only read. */
    static Object whereReadOnly(PgConnection c, Me me) throws Exception {
        Set<Object> ports = new TreeSet<>();
        c.setReadOnly(true);
        c.setAutoCommit(false);
        for (int n = 1; n < 31; n++) {
            ports.add(value(c, "select whereami() from dr_fixed where n = ?", n));
            c.commit();
        }
        c.setAutoCommit(true);
        c.setReadOnly(false);
        return ports;
    }

    static final Map<String, Part> SCENARIOS = new LinkedHashMap<>();

    static void add(String name, int some, Scenario scenario) {
        SCENARIOS.put(name, new Part(some, scenario));
    }

    static {
        add("usual_options", 4, WithJdbc::usualOptions);
        add("types", 8, WithJdbc::types);
        add("prepares_by_itself", CROWD, WithJdbc::preparesByItself);
        add("many_statements", 6, WithJdbc::manyStatements);
        add("transactions", CROWD, WithJdbc::transactions);
        add("savepoints", CROWD, WithJdbc::savepoints);
        add("read_only", CROWD, WithJdbc::readOnly);
        add("cursors", CROWD, WithJdbc::cursors);
        add("copies", CROWD, WithJdbc::copies);
        add("notifications", 2, WithJdbc::notifications);
        add("temporary_tables", 2, WithJdbc::temporaryTables);
        add("advisory_locks", 2, WithJdbc::advisoryLocks);
        add("settings", CROWD, WithJdbc::settings);
        add("errors", CROWD, WithJdbc::errors);
        add("cancels", 8, WithJdbc::cancels);
        add("schema_changes", CROWD, WithJdbc::schemaChanges);
        add("batches", CROWD, WithJdbc::batches);
        add("large_results", 4, WithJdbc::largeResults);
        add("large_objects", CROWD, WithJdbc::largeObjects);
        add("simple_queries", 8, WithJdbc::simpleQueries);
        add("its_pool", 1, WithJdbc::itsPool);
        add("where", CROWD, WithJdbc::where);
        add("where_read_only", CROWD, WithJdbc::whereReadOnly);
    }

    /* ---- JSON ---- */

    static String json(Object value) {
        boolean number = value instanceof Integer || value instanceof Long;
        if (value == null || value instanceof Boolean || number) return String.valueOf(value);
        if (value instanceof int[] numbers) return Arrays.toString(numbers);
        if (value instanceof byte[] bytes) return quoted(HexFormat.of().formatHex(bytes));
        if (value instanceof Map<?, ?> map)
            return map.entrySet().stream().map(one -> quoted(String.valueOf(one.getKey())) + ": " + json(one.getValue()))
                .collect(Collectors.joining(", ", "{", "}"));
        if (value instanceof Iterable<?> values) {
            List<String> parts = new ArrayList<>();
            for (Object one : values) parts.add(json(one));
            return "[" + String.join(", ", parts) + "]";
        }
        return quoted(String.valueOf(value));
    }

    static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char one : text.toCharArray()) {
            boolean plain = one >= ' ' && one <= '~' && one != '"' && one != '\\';
            quoted.append(plain ? String.valueOf(one) : String.format("\\u%04x", (int) one));
        }
        return quoted.append('"').toString();
    }

    /* ---- the crowd ---- */

    static final ExecutorService THREADS = Executors.newCachedThreadPool(run -> {
        Thread thread = new Thread(run);
        thread.setDaemon(true);
        return thread;
    });

    /** What each of them returned, in threads; or throws the first failure, of one that did not merely wait in vain. */
    static <T> List<T> atOnce(List<Callable<T>> calls) throws Exception {
        List<T> results = new ArrayList<>();
        Exception failed = null;
        for (Future<T> one : THREADS.invokeAll(calls)) {
            try {
                results.add(one.get());
            } catch (ExecutionException error) {
                boolean first = failed == null || failed.getCause() instanceof BrokenBarrierException;
                if (first) failed = new Exception("connection " + results.size(), error.getCause());
                results.add(null);
            }
        }
        if (failed != null) throw failed;
        return results;
    }

    static Object takePart(Scenario scenario, PgConnection c, Me me, CountDownLatch left) throws Exception {
        try {
            return scenario.run(c, me);
        } catch (Throwable error) {
            me.meeting.forceTermination();
            throw error;
        } finally {
            left.countDown();
        }
    }

    static Object standBy(PgConnection c, Me me, CountDownLatch left) throws Exception {
        do neighbour(c, me);
        while (!left.await(5, TimeUnit.MILLISECONDS));
        return null;
    }

    static List<Object> run(Part part, List<PgConnection> crowd, int run) throws Exception {
        Phaser meeting = new Phaser(part.some);
        CountDownLatch left = new CountDownLatch(part.some);
        List<Callable<Object>> calls = new ArrayList<>();
        for (int i = 0; i < CROWD; i++) {
            PgConnection c = crowd.get(i);
            Me me = new Me(i, run, meeting);
            calls.add(i < part.some ? () -> takePart(part.scenario, c, me, left) : () -> standBy(c, me, left));
        }
        return atOnce(calls).subList(0, part.some);
    }

    static List<PgConnection> crowd() throws Exception {
        List<Callable<PgConnection>> calls = new ArrayList<>();
        for (int i = 0; i < CROWD; i++) calls.add(() -> connect());
        return atOnce(calls);
    }

    static String trace(Throwable error) {
        StringWriter text = new StringWriter();
        error.printStackTrace(new PrintWriter(text));
        return text.toString();
    }

    public static void main(String[] args) throws Exception {
        List<PgConnection> crowd = null;
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null;) {
            Matcher request = REQUEST.matcher(line);
            if (!request.find()) throw new IllegalArgumentException(line);
            try {
                if (crowd == null) crowd = crowd();
                Part part = Objects.requireNonNull(SCENARIOS.get(request.group(1)), "no such scenario");
                List<Object> answers = run(part, crowd, Integer.parseInt(request.group(2)));
                System.out.println("{\"answers\": " + json(answers) + "}");
            } catch (Exception error) {
                System.out.println("{\"failed\": " + json(trace(error)) + "}");
                return;
            }
        }
        if (crowd != null) for (PgConnection c : crowd) c.close();
    }
}
