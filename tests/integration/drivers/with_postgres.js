'use strict';
/* `postgres` with its defaults: every tagged query is prepared under a name, queries are sent without waiting for each other. */

const { Readable } = require('stream');
const { pipeline } = require('stream/promises');
const postgres = require('postgres');
const { assert, code, pause, serve } = require('./program.js');

/* It is a pool; with one connection it is one connection. */
function open(options = {}) {
    return postgres({ max: 1, onnotice: () => {}, ...options });
}

async function connect() {
    const sql = open();
    await sql`select 1`;
    return sql;
}

const value = async (query) => Object.values((await query)[0])[0];
const plain = (rows) => rows.map((row) => ({ ...row }));
const count = (sql, me) => value(sql`select count(*)::int from dr_rows where who = ${me.key}`);
const insert = (sql, me, n, t = 'x') => sql`insert into dr_rows values (${me.key}, ${n}, ${t})`;

async function neighbour(sql, me) {
    assert.strictEqual(await value(sql`select ${me.number}::int`), me.number);
    const [row] = await sql`select current_user, current_setting('search_path') as path, to_regclass('dr_temporary') as temporary`;
    assert.deepStrictEqual({ ...row }, { current_user: 'app', path: '"$user", public', temporary: null });
}

const scenarios = {};

scenarios.usual_options = {
    some: 4,
    async run(sql, me) {
        const own = open({ connection: { application_name: `program ${me.number}`, search_path: 'dr_b', work_mem: '3MB' } });
        assert.strictEqual(await value(own`show application_name`), `program ${me.number}`);
        const answers = [await value(own`select name from dr_where`), await value(own`show work_mem`)];
        await own.end();
        const { application_name, ...reported } = sql.parameters;
        return [answers, application_name, Object.entries(reported).sort()];
    },
};

scenarios.types = {
    some: 8,
    async run(sql, me) {
        const date = new Date(Date.UTC(2024, 1, 29, 1, 2, 3, 4));
        const [row] = await sql`select ${true}::bool as bool, ${-7}::int2 as int2, ${123456} + 1 as int4, ${'1099511627776'}::int8 as int8, ${1.5}::float8 as float8,
            ${'12.340'}::numeric as numeric, ${"a 'b' \\ é ☃"} as text, ${''}::varchar as empty, ${null}::text as none, ${Buffer.from([0, 255, 39])}::bytea as bytea,
            ${date}::timestamptz as tz, ${'00000000-0000-0000-0000-00000000002a'}::uuid as uuid, ${sql.array([1, null, 3])}::int4[] as ints,
            ${sql.array(['a', 'b"c', ''])} as texts, ${sql.json({ a: [1, null, 'é'] })} as json, ${'busy'}::dr_mood as mood`;
        assert.deepStrictEqual(row.tz, date);
        assert.deepStrictEqual([...row.bytea], [0, 255, 39]);
        const several = await sql`select 1 as a; select 'x' as b`.simple();
        const dynamic = await sql`select ${sql(['n', 't'])} from ${sql('dr_fixed')} where n in ${sql([1, 2, me.number + 3])} order by n limit 2`;
        return [{ ...row, tz: null, bytea: null }, several.map(plain), plain(dynamic), plain(await sql.unsafe('select n from dr_fixed where n = $1', [5]))];
    },
};

scenarios.prepares_by_itself = {
    async run(sql, me) {
        for (let n = 0; n < 12; n++)
            assert.deepStrictEqual(plain(await sql`select count(*)::int, ${me.number}::int as me from dr_fixed where n <= ${n}`), [{ count: n, me: me.number }]);
        for (let n = 0; n < 10; n++) {
            assert.strictEqual((await insert(sql, me, n)).count, 1);
            assert.strictEqual(await count(sql, me), n + 1);
        }
        const described = await sql`select n, t from dr_fixed where n = ${1}::int`.describe();
        return [described.types, described.columns.map((column) => column.name)];
    },
};

scenarios.many_statements = {
    some: 6,
    async run(sql, me) {
        for (let turn = 0; turn < 2; turn++)
            for (let n = 0; n < 120; n++)
                assert.strictEqual(await value(sql`select ${me.number}::int + ${sql.unsafe(String(n))} from dr_fixed where n = 1`), me.number + n);
    },
};

class Undo extends Error {}

scenarios.transactions = {
    async run(sql, me) {
        await sql.begin(async (t) => {
            await insert(t, me, 1, 'kept');
            assert.strictEqual(await count(t, me), 1);
        });
        await sql.begin('isolation level serializable', async (t) => {
            assert.strictEqual(await value(t`show transaction_isolation`), 'serializable');
            await insert(t, me, 2, 'undone');
            throw new Undo();
        }).catch((error) => assert.ok(error instanceof Undo, error));
        const batch = await sql.begin((t) => [insert(t, me, 3), count(t, me), t`select 1 as one`]);
        return [batch[0].count, batch[1], plain(batch[2]), await count(sql, me)];
    },
};

scenarios.savepoints = {
    async run(sql, me) {
        let failed;
        await sql.begin(async (t) => {
            await insert(t, me, 1);
            await t.savepoint(async (s) => {
                await insert(s, me, 2);
                failed = await code(s.savepoint('inner', (inner) => insert(inner, me, 2, 'twice')));
                assert.strictEqual(await count(s, me), 2);
            });
            await t.savepoint(async (s) => {
                await s`delete from dr_rows where who = ${me.key}`;
                throw new Undo();
            }).catch((error) => assert.ok(error instanceof Undo, error));
            assert.strictEqual(await count(t, me), 2);
        });
        return [failed, await count(sql, me)];
    },
};

scenarios.read_only = {
    async run(sql, me) {
        const answers = await sql.begin('read only', async (t) => {
            const seen = [await value(t`select count(*) from dr_fixed`), await value(t`show transaction_read_only`)];
            for (let n = 1; n < 8; n++) seen.push(await value(t`select sum(n) from dr_fixed where n <= ${n}`));
            return seen;
        });
        answers.push(await code(sql.begin('read only', (t) => insert(t, me, 1))));
        await sql.begin('read write', (t) => insert(t, me, 1));
        return [answers, await count(sql, me)];
    },
};

scenarios.cursors = {
    async run(sql, me) {
        const answers = [];
        for (const start of [(work) => work(sql), (work) => sql.begin(work)])
            await start(async (t) => {
                let total = 0;
                await t`select n from dr_fixed where n <= ${250} order by n`.cursor(100, (part) => part.forEach((row) => (total += row.n)));
                let first = 0;
                for await (const [row] of t`select n from dr_fixed order by n`.cursor()) {
                    first += row.n;
                    if (row.n === 3) break;
                }
                const seen = [];
                await t`select n from dr_fixed where n < ${5} order by n`.forEach((row) => seen.push(row.n));
                answers.push(total, first, seen, await value(t`select 1`));
            });
        answers.push(await code(sql`select 10 / (3 - n) as q from dr_fixed order by n`.cursor(2, () => {})));
        return [answers, await value(sql`select ${me.number}::int`) === me.number];
    },
};

scenarios.copies = {
    async run(sql, me) {
        const lines = Array.from({ length: 500 }, (_, n) => `${me.key}\t${n}\trow ${n} \\\\ é\n`);
        await pipeline(Readable.from(lines), await sql`copy dr_rows from stdin`.writable());
        const parts = [];
        for await (const part of await sql`copy (select * from dr_rows where who = ${sql.unsafe(String(me.key))} order by n) to stdout`.readable()) parts.push(part);
        assert.strictEqual(Buffer.concat(parts).toString(), lines.join(''));
        return count(sql, me);
    },
};

scenarios.notifications = {
    /* It listens on a connection of its own, which it makes itself. */
    some: 2,
    async run(sql, me) {
        const channel = `channel_${me.key}`;
        const heard = [];
        const own = open();
        const { unlisten } = await own.listen(channel, (payload) => heard.push(payload));
        const until = async (number) => {
            while (heard.length < number) await pause(5);
        };
        await own.notify(channel, 'own');
        await until(1);
        await sql.begin(async (t) => {
            await t`select pg_notify(${channel}, 'in a transaction')`;
            await t`select 1`;
        });
        await until(2);
        await sql.notify(channel, 'of another');
        await until(3);
        await unlisten();
        await sql.notify(channel, 'not heard');
        await own`select 1`;
        await own.end();
        return heard;
    },
};

scenarios.temporary_tables = {
    some: 2,
    async run(sql, me) {
        await sql`create temporary table dr_temporary (n int, who int)`;
        for (let n = 0; n < 8; n++) await sql`insert into dr_temporary values (${n}, ${me.key})`;
        const short = await sql.begin(async (t) => {
            await t`create temporary table dr_short on commit drop as select n from dr_temporary`;
            return value(t`select count(*) from dr_short`);
        });
        const kept = await value(sql`select count(*) from dr_temporary where who = ${me.key}`);
        const gone = await code(sql`select * from dr_short`);
        await sql`drop table dr_temporary`;
        return [short, kept, gone, await code(sql`select * from dr_temporary`)];
    },
};

scenarios.advisory_locks = {
    some: 2,
    async run(sql, me) {
        await sql`select pg_advisory_lock(${me.key})`;
        const other = await connect();
        assert.strictEqual(await value(other`select pg_try_advisory_lock(${me.key})`), false);
        assert.strictEqual(await value(sql`select pg_advisory_unlock(${me.key})`), true);
        const taken = await value(other`select pg_try_advisory_lock(${me.key})`);
        await other.end();
        return [taken, await value(sql`select pg_advisory_unlock(${me.key})`)];
    },
};

scenarios.settings = {
    /* Every connection has settings of its own, all at the same time: they stay with it, and are not another's. */
    async run(sql, me) {
        const schema = ['dr_a', 'dr_b'][me.number % 2], zone = (me.number % 12) + 1, user = me.number % 3 === 0 ? 'dr_reader' : 'app';
        const hours = String(zone).padStart(2, '0');
        await sql`set search_path = ${sql(schema)}, public`;
        await sql`select set_config('TimeZone', ${`Etc/GMT-${zone}`}, false), set_config('app.tenant', ${String(me.number)}, false)`;
        await sql`set role ${sql(user)}`;
        await me.meet();
        const name = (on) => value(on`select name from dr_where`);
        for (let n = 0; n < 8; n++) {
            assert.strictEqual(await name(sql), schema.slice(-1));
            assert.strictEqual(await value(sql`select '2024-01-01 00:00+00'::timestamptz::text`), `2024-01-01 ${hours}:00:00+${hours}`);
            assert.strictEqual(await value(sql`select current_user || current_setting('app.tenant')`), user + me.number);
            assert.strictEqual(sql.parameters.TimeZone, `Etc/GMT-${zone}`);
        }
        await sql.begin(async (t) => {
            await t`set local search_path = dr_b`;
            assert.strictEqual(await name(t), 'b');
        });
        await sql.begin(async (t) => {
            await t`set search_path = dr_b; set timezone = 'UTC'`.simple();
            assert.strictEqual(await name(t), 'b');
            throw new Undo();
        }).catch((error) => assert.ok(error instanceof Undo, error));
        assert.strictEqual(await name(sql), schema.slice(-1));
        assert.strictEqual(await value(sql`show timezone`), `Etc/GMT-${zone}`);
        await sql`reset role`;
        await sql`reset all`;
        return Promise.all(['search_path', 'timezone', 'role', 'app.tenant'].map((one) => value(sql`show ${sql.unsafe(one)}`)));
    },
};

scenarios.errors = {
    async run(sql, me) {
        await insert(sql, me, 1);
        const statements = ['selec 1', 'select 1/0', 'select * from dr_nowhere', "select 'x'::int", 'select nothing()',
            `insert into dr_rows values (${me.key}, 1, 'twice')`, 'insert into dr_rows values (1, null)', 'commit']; // prettier-ignore
        const answers = [];
        for (const statement of statements) {
            answers.push(await code(sql.unsafe(statement)), await code(sql.unsafe(statement, [], { prepare: true, simple: false })));
            assert.strictEqual(await value(sql`select ${me.number}::int`), me.number);
        }
        for (const statement of statements.slice(0, -1)) answers.push(await code(sql.begin((t) => t.unsafe(statement))));
        for (const n of [1, 2, 0, 3]) answers.push(await code(sql`select 1 / ${n}::int`));
        return [answers, await count(sql, me)];
    },
};

async function cancelled(sql) {
    const query = sql`select pg_sleep(50)`.execute();
    let ended = null;
    query.catch((error) => (ended = error.code || String(error)));
    while (ended === null) {
        await pause(150);
        if (ended === null) await query.cancel();
    }
    return ended;
}

scenarios.cancels = {
    some: 8,
    async run(sql, me) {
        const answers = [await cancelled(sql)];
        answers.push(await code(sql.begin(async (t) => {
            await insert(t, me, 1);
            answers.push(await cancelled(t));
            await t`select 1`;
        }))); // prettier-ignore
        return [answers, await count(sql, me)];
    },
};

scenarios.schema_changes = {
    /* It prepares anew by itself after "cached plan must not change result type", which it knows by the error's routine. */
    async run(sql, me) {
        const own = `dr_alter_${me.key}`, common = `dr_alter_${me.run}`;
        const reads = async (table) => {
            const seen = [];
            for (let n = 0; n < 10; n++) seen.push(await sql`select * from ${sql(table)} where ${1}::int > 0`.then(plain, (error) => error.code));
            return seen;
        };
        await sql`create table ${sql(own)} as select 1 as a`;
        const answers = [await reads(own)];
        await sql`alter table ${sql(own)} add column b int default 2`;
        answers.push(await reads(own));
        await sql`alter table ${sql(own)} alter column a type text`;
        answers.push(await reads(own));
        await sql`drop table ${sql(own)}`;
        answers.push(await reads(own));
        if (me.first) await sql`create table ${sql(common)} as select 1 as a`;
        await me.meet();
        answers.push(await reads(common));
        await me.meet();
        if (me.first) await sql`alter table ${sql(common)} add column b int default 2`;
        await me.meet();
        await insert(sql, me, 1, 'so that it sees the change');
        answers.push(await reads(common));
        await me.meet();
        if (me.first) await sql`drop table ${sql(common)}`;
        return answers;
    },
};

scenarios.batches = {
    /* Sent without waiting, each with a Sync of its own: an error is that of one query alone. */
    async run(sql, me) {
        for (let turn = 0; turn < 2; turn++) {
            const written = await Promise.all(Array.from({ length: 20 }, (_, n) => insert(sql, me, turn * 100 + n)));
            assert.ok(written.every((one) => one.count === 1));
        }
        const reads = await Promise.all(Array.from({ length: 20 }, (_, n) => value(sql`select n from dr_fixed where n = ${n + 1}`)));
        const mixed = await Promise.all([
            code(insert(sql, me, 300)), code(sql`select 1/0`), code(insert(sql, me, 301)), code(insert(sql, me, 0, 'twice')),
            code(sql`select 1 / ${0}::int`), code(count(sql, me)),
        ]); // prettier-ignore
        const many = [400, 401, 402].map((n) => ({ who: me.key, n, t: 'many' }));
        await sql`insert into dr_rows ${sql(many)}`;
        return [reads, mixed, await code(sql`insert into dr_rows ${sql(many)}`), await count(sql, me)];
    },
};

scenarios.large_results = {
    some: 4,
    async run(sql, me) {
        const got = await sql`select n, repeat('x', 1000) as t from dr_fixed order by n`;
        assert.ok(got.length === 1000 && got.every((row) => row.t.length === 1000));
        const text = 'é'.repeat(700000); // more than a request's buffer
        assert.strictEqual(await value(sql`select ${text}::text`), text);
        await insert(sql, me, 1, text);
        return plain(await sql`select length(t), md5(t) from dr_rows where who = ${me.key}`);
    },
};

scenarios.its_pool = {
    some: 1,
    async run(_, me) {
        const sql = open({ max: 8 });
        const task = async (n) => {
            if (n % 10 === 0) return code(sql`select 1/${0}::int`);
            if (n % 10 === 1) {
                const own = await sql.reserve();
                await insert(own, me, n);
                assert.strictEqual(await value(own`select count(*)::int from dr_rows where who = ${me.key} and n = ${n}`), 1);
                own.release();
                return 'reserved';
            }
            return sql.begin(async (t) => {
                await insert(t, me, n);
                return value(t`select ${n}::int from dr_fixed limit 1`);
            });
        };
        const answers = await Promise.all(Array.from({ length: 80 }, (_unused, n) => task(n)));
        answers.push(await sql.begin((t) => count(t, me)));
        await sql.end();
        return answers;
    },
};

scenarios.where = {
    /* Not for comparison: the ports of the nodes that answer its reads. */
    async run(sql) {
        const ports = new Set();
        for (let n = 1; n < 30; n++) ports.add(await value(sql`select whereami() from dr_fixed where n = ${n}`));
        return [...ports].sort();
    },
};

serve({ connect, close: (sql) => sql.end(), neighbour, scenarios });
