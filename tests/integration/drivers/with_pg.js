'use strict';
/* `pg` with its defaults: what has a name is prepared once, what has values is parsed each time, the rest is a simple query. */

const { once } = require('events');
const { Readable, Writable } = require('stream');
const { pipeline } = require('stream/promises');
const copy = require('pg-copy-streams');
const Cursor = require('pg-cursor');
const pg = require('pg');
const { assert, code, pause, serve } = require('./program.js');

const COUNT = 'select count(*)::int as n from dr_rows where who = $1';
const INSERT = 'insert into dr_rows values ($1, $2, $3)';

async function connect(options = {}) {
    const c = new pg.Client(options);
    await c.connect();
    return c;
}

const rows = async (c, text, values) => (await c.query(text, values)).rows;
const value = async (c, text, values) => Object.values((await rows(c, text, values))[0])[0];
const named = (name, text, values) => ({ name, text, values });

async function neighbour(c, me) {
    assert.strictEqual(await value(c, named('neighbour', 'select $1::int', [me.number])), me.number);
    const [row] = await rows(c, "select current_user, current_setting('search_path') as path, to_regclass('dr_temporary') as temporary");
    assert.deepStrictEqual({ ...row }, { current_user: 'app', path: '"$user", public', temporary: null });
}

const scenarios = {};

scenarios.usual_options = {
    some: 4,
    async run(c, me) {
        const options = { application_name: `program ${me.number}`, options: '-c search_path=dr_a -c work_mem=3MB', statement_timeout: 60000 };
        const own = await connect(options);
        assert.strictEqual(await value(own, 'show application_name'), `program ${me.number}`);
        const answers = [await value(own, 'select name from dr_where'), await value(own, 'show work_mem'), await value(own, 'show statement_timeout')];
        await own.end();
        return answers;
    },
};

const VALUES = [
    [true, 'bool'], [-7, 'int2'], [123456, 'int4'], ['1099511627776', 'int8'], [1.5, 'float8'], [-Infinity, 'float8'], ['12.340', 'numeric'],
    ["a 'b' \\ é ☃", 'text'], ['', 'varchar'], [Buffer.from([0, 255, 39, 92]), 'bytea'], [null, 'text'],
    [new Date(Date.UTC(2024, 1, 29, 1, 2, 3, 4)), 'timestamptz'], ['00000000-0000-0000-0000-00000000002a', 'uuid'], [[1, null, 3], 'int4[]'],
    [['a', 'b"c', ''], 'text[]'], [[[1, 2], [3, 4]], 'int4[]'], [{ a: [1, null, 'é'] }, 'jsonb'], ['23:59:59.999999', 'time'], ['busy', 'dr_mood'],
]; // prettier-ignore

scenarios.types = {
    some: 8,
    async run(c, me) {
        const answers = [];
        for (const [given, type] of VALUES) {
            const got = await value(c, `select $1::${type}`, [given]);
            assert.deepStrictEqual(got, given, type);
            assert.deepStrictEqual(await value(c, named(`type ${type}`, `select $1::${type}`, [given])), given, type);
        }
        for (const [given, type] of [[true, 'bool'], [77, 'int4'], ["a 'b'", 'text']]) // it reads other binary values wrong
            assert.deepStrictEqual(await value(c, { text: `select $1::${type}`, values: [given], binary: true }), given, type);
        const several = await c.query("select 1 as a; select 'x' as b; select n from dr_fixed where n < 4 order by n");
        answers.push(several.map((one) => [one.command, one.rowCount, one.rows]));
        const array = await c.query({ text: 'select n, t, null from dr_fixed where n = $1', values: [me.number + 1], rowMode: 'array' });
        assert.deepStrictEqual(array.rows, [[me.number + 1, `row ${me.number + 1}`, null]]);
        return [answers, await value(c, "select now() - interval '1 day' < current_timestamp"), await rows(c, "select '3 days'::interval as i, date '2024-02-29' as d")];
    },
};

scenarios.prepares_by_itself = {
    async run(c, me) {
        for (let n = 0; n < 12; n++) {
            const [row] = await rows(c, named('fixed', 'select count(*)::int, $1::int as me from dr_fixed where n <= $2', [me.number, n]));
            assert.deepStrictEqual({ ...row }, { count: n, me: me.number });
        }
        for (let n = 0; n < 10; n++) {
            assert.strictEqual((await c.query(named('insert', INSERT, [me.key, n, 'x']))).rowCount, 1);
            assert.strictEqual(await value(c, named('count', COUNT, [me.key])), n + 1);
        }
        const another = named('count', 'select 1 as n', []);
        return c.query(another).then(() => 'taken', (error) => error.message);
    },
};

scenarios.many_statements = {
    some: 6,
    async run(c, me) {
        for (let turn = 0; turn < 2; turn++)
            for (let n = 0; n < 120; n++)
                assert.strictEqual(await value(c, named(`statement ${n}`, `select $1::int + ${n} from dr_fixed where n = 1`, [me.number])), me.number + n);
    },
};

scenarios.transactions = {
    async run(c, me) {
        await c.query('BEGIN');
        await c.query(INSERT, [me.key, 1, 'kept']);
        assert.strictEqual(await value(c, COUNT, [me.key]), 1);
        await c.query('COMMIT');
        await c.query('BEGIN ISOLATION LEVEL SERIALIZABLE');
        const level = await value(c, 'show transaction_isolation');
        await c.query(named('insert', INSERT, [me.key, 2, 'undone']));
        assert.strictEqual(await value(c, named('count', COUNT, [me.key])), 2);
        await c.query('ROLLBACK');
        return [level, await value(c, COUNT, [me.key]), await value(c, named('count', COUNT, [me.key]))];
    },
};

scenarios.savepoints = {
    async run(c, me) {
        await c.query('begin');
        await c.query(INSERT, [me.key, 1, 'x']);
        await c.query('savepoint a');
        const failed = [await code(c.query(INSERT, [me.key, 1, 'twice'])), await code(c.query('select 1'))];
        await c.query('rollback to savepoint a');
        await c.query(named('insert', INSERT, [me.key, 2, 'x']));
        await c.query('release savepoint a');
        await c.query(`savepoint b; delete from dr_rows where who = ${me.key}; rollback to b`);
        await c.query('commit');
        return [failed, await value(c, COUNT, [me.key])];
    },
};

scenarios.read_only = {
    async run(c, me) {
        await c.query('begin read only');
        const answers = [await value(c, 'select count(*) from dr_fixed'), await value(c, 'show transaction_read_only')];
        for (let n = 1; n < 8; n++) answers.push(await value(c, named('sum', 'select sum(n) from dr_fixed where n <= $1', [n])));
        answers.push(await code(c.query(INSERT, [me.key, 1, 'x'])), await code(c.query('select 1')));
        await c.query('commit');
        await c.query('start transaction read write');
        await c.query(INSERT, [me.key, 1, 'x']);
        await c.query('commit');
        return [answers, await value(c, COUNT, [me.key])];
    },
};

scenarios.cursors = {
    async run(c, me) {
        const answers = [];
        for (const inside of [false, true]) {
            if (inside) await c.query('begin');
            const cursor = c.query(new Cursor('select n from dr_fixed where n <= $1 order by n', [250]));
            let total = 0, part;
            while ((part = await cursor.read(100)).length) part.forEach((row) => (total += row.n));
            await cursor.close();
            const left = c.query(new Cursor('select n from dr_fixed order by n'));
            answers.push(total, (await left.read(3)).map((row) => row.n));
            await left.close();
            const wrong = c.query(new Cursor('select 10 / (3 - n) as q from dr_fixed order by n'));
            answers.push(await code(wrong.read(2)), await code(wrong.read(2)));
            await wrong.close();
            if (inside) {
                answers.push(await code(c.query('select 1')));
                await c.query('rollback');
            }
            answers.push(await value(c, 'select 1'));
        }
        const paged = await c.query({ text: 'select n from dr_fixed order by n', rows: 300 });
        answers.push(paged.rows.length);
        await c.query('begin; declare c cursor for select n from dr_fixed order by n');
        answers.push(await rows(c, 'fetch 2 from c'), await rows(c, named('fetch', 'fetch 2 from c', [])));
        await c.query('close c; commit');
        return answers;
    },
};

async function copyIn(c, source) {
    await pipeline(source, c.query(copy.from('copy dr_rows from stdin')));
}

async function copyOut(c, query) {
    const parts = [];
    const sink = new Writable({ write(part, _, done) { parts.push(part); done(); } }); // prettier-ignore
    await pipeline(c.query(copy.to(query)), sink);
    return Buffer.concat(parts).toString();
}

scenarios.copies = {
    async run(c, me) {
        const lines = Array.from({ length: 500 }, (_, n) => `${me.key}\t${n}\trow ${n} \\\\ é\n`);
        await copyIn(c, Readable.from(lines));
        assert.strictEqual(await copyOut(c, `copy (select * from dr_rows where who = ${me.key} order by n) to stdout`), lines.join(''));
        const answers = [await copyOut(c, 'copy (select n, t from dr_fixed where n < 4 order by n) to stdout (format csv, header)')];
        answers.push(await code(copyIn(c, Readable.from([`${me.key}\t0\ttwice\n`]))), await code(copyIn(c, Readable.from(['nonsense\n']))));
        answers.push(await code(c.query('copy dr_rows from stdin'))); // it has no source, and says so
        return [answers, await value(c, COUNT, [me.key])];
    },
};

scenarios.notifications = {
    some: 2,
    async run(c, me) {
        const channel = `channel_${me.key}`;
        const heard = [];
        const next = async (count) => {
            while (heard.length < count) await once(c, 'notification');
        };
        const listener = (message) => heard.push(message.payload);
        c.on('notification', listener);
        await c.query(`listen ${channel}`);
        await c.query(`notify ${channel}, 'own'`);
        await next(1);
        await c.query('begin');
        await c.query(`notify ${channel}, 'in a transaction'`);
        await c.query('select 1');
        assert.strictEqual(heard.length, 1);
        await c.query('commit');
        await next(2);
        const other = await connect();
        await other.query('select pg_notify($1, $2)', [channel, 'of another']);
        await next(3);
        await c.query('unlisten *');
        await other.query('select pg_notify($1, $2)', [channel, 'not heard']);
        await other.end();
        await c.query('select 1');
        c.removeListener('notification', listener);
        return heard;
    },
};

scenarios.temporary_tables = {
    some: 2,
    async run(c, me) {
        await c.query('create temporary table dr_temporary (n int, who int)');
        for (let n = 0; n < 8; n++) await c.query(named(`temporary ${me.run}`, 'insert into dr_temporary values ($1, $2)', [n, me.key]));
        await c.query('begin');
        await c.query('create temporary table dr_short on commit drop as select n from dr_temporary');
        const short = await value(c, 'select count(*) from dr_short');
        await c.query('commit');
        const kept = await value(c, 'select count(*) from dr_temporary where who = $1', [me.key]);
        const gone = await code(c.query('select * from dr_short'));
        await c.query('drop table dr_temporary');
        return [short, kept, gone, await code(c.query('select * from dr_temporary'))];
    },
};

scenarios.advisory_locks = {
    some: 2,
    async run(c, me) {
        await c.query('select pg_advisory_lock($1)', [me.key]);
        const other = await connect();
        assert.strictEqual(await value(other, 'select pg_try_advisory_lock($1)', [me.key]), false);
        assert.strictEqual(await value(c, 'select pg_advisory_unlock($1)', [me.key]), true);
        const taken = await value(other, 'select pg_try_advisory_lock($1)', [me.key]);
        await other.end();
        return [taken, await value(c, 'select pg_advisory_unlock($1)', [me.key])];
    },
};

scenarios.settings = {
    /* Every connection has settings of its own, all at the same time: they stay with it, and are not another's. */
    async run(c, me) {
        const schema = ['dr_a', 'dr_b'][me.number % 2], zone = (me.number % 12) + 1, user = me.number % 3 === 0 ? 'dr_reader' : 'app';
        const hours = String(zone).padStart(2, '0');
        await c.query(`set search_path = ${schema}, public; set role ${user}`);
        await c.query("select set_config('TimeZone', $1, false), set_config('app.tenant', $2, false)", [`Etc/GMT-${zone}`, me.number]);
        await me.meet();
        const name = () => value(c, named('name', 'select name from dr_where', []));
        for (let n = 0; n < 8; n++) {
            assert.strictEqual(await name(), schema.slice(-1));
            assert.strictEqual(await value(c, named('zone', "select '2024-01-01 00:00+00'::timestamptz::text", [])), `2024-01-01 ${hours}:00:00+${hours}`);
            assert.strictEqual(await value(c, "select current_user || current_setting('app.tenant')"), user + me.number);
        }
        await c.query('begin; set local search_path = dr_b');
        assert.strictEqual(await name(), 'b');
        await c.query('commit');
        await c.query('begin');
        await c.query("set search_path = dr_b; set timezone = 'UTC'");
        assert.strictEqual(await name(), 'b');
        await c.query('rollback');
        assert.strictEqual(await name(), schema.slice(-1));
        assert.strictEqual(await value(c, 'show timezone'), `Etc/GMT-${zone}`);
        await c.query('reset role');
        await c.query('reset all');
        const answers = [];
        for (const one of ['search_path', 'timezone', 'role', 'app.tenant']) answers.push(await value(c, `show ${one}`));
        return answers;
    },
};

scenarios.errors = {
    async run(c, me) {
        await c.query(INSERT, [me.key, 1, 'x']);
        const statements = ['selec 1', 'select 1/0', 'select * from dr_nowhere', "select 'x'::int", 'select nothing()', 'select 1; select 1/0',
            `insert into dr_rows values (${me.key}, 1, 'twice')`, 'insert into dr_rows values (1, null)', 'commit']; // prettier-ignore
        const answers = [];
        for (const statement of statements) {
            answers.push(await code(c.query(statement)), await code(c.query({ text: statement, queryMode: 'extended' })));
            answers.push(await code(c.query(named(`error ${statement}`, statement, []))));
            assert.strictEqual(await value(c, 'select $1::int', [me.number]), me.number);
        }
        for (const statement of statements.slice(0, -1)) {
            await c.query('begin');
            answers.push(await code(c.query(statement)), await code(c.query('select 1')));
            answers.push((await c.query('commit')).command);
        }
        for (const n of [1, 2, 0, 3]) answers.push(await code(c.query(named('quotient', 'select 1 / $1::int', [n]))));
        return [answers, await value(c, COUNT, [me.key])];
    },
};

/* A cancel request that is under way when the query has ended would hit the next one: each is waited for. */
async function cancelled(c) {
    const query = new pg.Query('select pg_sleep(50)');
    let ended = null;
    query.callback = (error) => (ended = error ? error.code : 'slept');
    c.query(query);
    for (await pause(150); ended === null && c.activeQuery === query; await pause(150)) {
        const canceller = new pg.Client();
        canceller.connection.on('error', () => {}); // the server just closes it
        const gone = new Promise((resolve) => canceller.connection.once('end', resolve));
        canceller.cancel(c, query);
        await gone;
    }
    while (ended === null) await pause(5);
    return ended;
}

scenarios.cancels = {
    some: 8,
    async run(c, me) {
        const answers = [await cancelled(c)];
        await c.query('begin');
        await c.query(INSERT, [me.key, 1, 'x']);
        answers.push(await cancelled(c), (await c.query('commit')).command);
        return [answers, await value(c, COUNT, [me.key])];
    },
};

/** What it sees each time: with a name it always fails after the change, directly; it may be healed elsewhere, but always so. */
async function readsTenTimes(c, query, row, error) {
    const seen = [];
    for (let n = 0; n < 10; n++) seen.push(await rows(c, query).then((all) => ({ ...all[0] }), (failed) => failed.code));
    const always = [row, error].filter((one) => one).map((one) => JSON.stringify(Array(10).fill(one)));
    assert.ok(always.includes(JSON.stringify(seen)), JSON.stringify(seen));
}

scenarios.schema_changes = {
    async run(c, me) {
        const own = `dr_alter_${me.key}`, common = `dr_alter_${me.run}`;
        const reads = async (table, row, error) => {
            await readsTenTimes(c, { text: `select * from ${table} where $1 > 0`, values: [1] }, row, error === '0A000' ? undefined : error);
            await readsTenTimes(c, named(table, `select * from ${table} where $1 > 0`, [1]), row, error);
        };
        await c.query(`create table ${own} as select 1 as a`);
        await reads(own, { a: 1 });
        await c.query(`alter table ${own} add column b int default 2`);
        await reads(own, { a: 1, b: 2 }, '0A000');
        await c.query(`alter table ${own} alter column a type text`);
        await reads(own, { a: '1', b: 2 }, '0A000');
        await c.query(`drop table ${own}`);
        await reads(own, undefined, '42P01');
        if (me.first) await c.query(`create table ${common} as select 1 as a`);
        await me.meet();
        await reads(common, { a: 1 });
        await me.meet();
        if (me.first) await c.query(`alter table ${common} add column b int default 2`);
        await me.meet();
        await c.query(INSERT, [me.key, 1, 'so that it sees the change']);
        await reads(common, { a: 1, b: 2 }, '0A000');
        await me.meet();
        if (me.first) await c.query(`drop table ${common}`);
    },
};

scenarios.batches = {
    async run(c, me) {
        /* Queries that are queued in the driver: each is sent when the one before it is done. */
        const queued = await Promise.all(Array.from({ length: 30 }, (_, n) => c.query(INSERT, [me.key, n, 'x'])));
        const mixed = await Promise.all([
            code(c.query(INSERT, [me.key, 100, 'x'])), code(c.query('select 1/0')), code(c.query(INSERT, [me.key, 101, 'x'])),
            code(c.query(INSERT, [me.key, 0, 'twice'])), code(c.query(named('count', COUNT, [me.key]))),
        ]); // prettier-ignore
        const string = `insert into dr_rows values (${me.key}, 200, ''); insert into dr_rows values (${me.key}, 0, 'twice')`;
        return [queued.length, mixed, await code(c.query(string)), await value(c, COUNT, [me.key])];
    },
};

scenarios.pipelines = {
    /* A connection that sends queries without waiting for the answers: each has a Sync of its own. */
    async run(_, me) {
        const c = await connect({ pipeline: true });
        const answers = [];
        const written = Array.from({ length: 20 }, (_unused, n) => c.query(named('insert', INSERT, [me.key, n, 'x'])));
        const counted = value(c, named('count', COUNT, [me.key]));
        const reads = Array.from({ length: 20 }, (_unused, n) => value(c, 'select n from dr_fixed where n = $1', [n + 1]));
        answers.push((await Promise.all(written)).length, await counted, await Promise.all(reads));
        const mixed = [c.query(INSERT, [me.key, 100, 'x']), c.query('select 1/0'), c.query(INSERT, [me.key, 0, 'twice']), c.query(INSERT, [me.key, 101, 'x'])];
        answers.push(await Promise.all(mixed.map(code)));
        const inside = ['begin', `insert into dr_rows values (${me.key}, 200, '')`, 'select 1/0', 'select 1', 'rollback', 'select 2 as two'];
        answers.push(await Promise.all(inside.map((text) => code(c.query(text)))), await value(c, COUNT, [me.key]));
        await c.end();
        return answers;
    },
};

scenarios.large_results = {
    some: 4,
    async run(c, me) {
        const got = await rows(c, "select n, repeat('x', 1000) as t from dr_fixed order by n");
        assert.ok(got.length === 1000 && got.every((row) => row.t.length === 1000));
        const text = 'é'.repeat(700000); // more than a request's buffer
        assert.strictEqual(await value(c, 'select $1::text', [text]), text);
        await c.query(INSERT, [me.key, 1, text]);
        return rows(c, 'select length(t), md5(t) from dr_rows where who = $1', [me.key]);
    },
};

scenarios.its_pool = {
    some: 1,
    async run(_, me) {
        const pool = new pg.Pool({ max: 8 });
        const task = async (n) => {
            if (n % 10 === 0) return code(pool.query('select 1/$1::int', [0]));
            const own = await pool.connect();
            await own.query('begin');
            await own.query(named('insert', INSERT, [me.key, n, 'x']));
            const read = await value(own, named('read', 'select $1::int from dr_fixed limit 1', [n]));
            await own.query('commit');
            own.release();
            return read;
        };
        const answers = await Promise.all(Array.from({ length: 80 }, (_unused, n) => task(n)));
        const own = await pool.connect();
        await own.query('begin');
        answers.push(await value(own, COUNT, [me.key]));
        await own.query('commit');
        own.release();
        await pool.end();
        return answers;
    },
};

scenarios.where = {
    /* Not for comparison: the ports of the nodes that answer its reads. */
    async run(c) {
        const ports = new Set();
        for (let n = 1; n < 30; n++) ports.add(await value(c, named('where', 'select whereami() from dr_fixed where n = $1', [n])));
        return [...ports].sort();
    },
};

serve({ connect, close: (c) => c.end(), neighbour, scenarios });
