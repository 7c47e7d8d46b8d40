"""
The world in which the statements run: two databases of one cluster with the same names inside, made by SQL.

"direct" is for the connections that go to the primary, "pooled" for those through rolecall; with "direct_seq" and
"pooled_seq" the same once more, where functions read sequences (which alone makes every session of a database pin after
a write). The schema `lib` has what all pairs use; each pair has two schemas of its own, p07a and p07b, with the same
names and other contents. `evil` is the neighbours': the same names again, so that a search_path that leaks is seen.
"""

from lib.cluster import PASSWORD, USER

DATABASES = {"main": ("direct", "pooled"), "seq": ("direct_seq", "pooled_seq")}
BOSS, BOSS_PASSWORD = "boss", "boss-secret"  # a superuser
CLERK, CLERK_PASSWORD = "clerk", "clerk-secret"
PASSWORDS = {USER: PASSWORD, BOSS: BOSS_PASSWORD, CLERK: CLERK_PASSWORD}

CLUSTER_SETTINGS = """
max_connections = 300
autovacuum = off
log_connections = off
log_disconnections = off
log_min_messages = fatal
log_min_error_statement = panic
full_page_writes = off
max_locks_per_transaction = 128
"""

ROLES = f"""
create role {BOSS} login superuser password '{BOSS_PASSWORD}';
create role {CLERK} login password '{CLERK_PASSWORD}';
create role reader;
create role writer;
create role stranger;
grant reader, writer to {USER};
grant reader to {CLERK};
"""

# Functions that change the session where a text does not show it, and some that tell what it is like.
LIBRARY = """
create schema lib;
grant usage on schema lib to public;

create function lib.add(a int, b int) returns int immutable language sql as 'select a + b';
create function lib.double(a int) returns int stable language plpgsql as $$ begin return 2 * a; end $$;
create function lib.setting(name text) returns text stable language sql as 'select nullif(current_setting(name, true), '''')';
create function lib.tell() returns text stable language plpgsql as
  $$ begin return coalesce(current_setting('app.tenant', true), '') || '/' || coalesce(current_setting('app.last', true), ''); end $$;
create function lib.who() returns text stable language sql as 'select current_user::text || ''/'' || session_user::text';
create function lib.path() returns text stable language sql as 'select array_to_string(current_schemas(false), '','')';

create function lib.set_session(name text, value text) returns text language sql as 'select set_config(name, value, false)';
create function lib.set_local(name text, value text) returns text language sql as 'select set_config(name, value, true)';
create function lib.set_inside() returns text language plpgsql as
  $$ begin set work_mem = '7MB'; set app.last = 'inside'; return current_setting('work_mem'); end $$;
create function lib.set_local_inside() returns text language plpgsql as
  $$ begin set local work_mem = '9MB'; set local app.last to 'local inside'; return current_setting('app.last'); end $$;
create function lib.set_dynamic(statement text) returns text language plpgsql as
  $$ begin execute 'set ' || statement; return 'set ' || statement; end $$;
create function lib.run(statement text) returns int language plpgsql as
  $$ declare n int; begin execute statement; get diagnostics n = row_count; return n; end $$;
create function lib.set_deep(n int, value text) returns text language plpgsql as
  $$ begin if n > 0 then return lib.set_deep(n - 1, value); end if; perform lib.set_session('app.deep', value); return value; end $$;
create function lib.clause() returns text language plpgsql set work_mem = '5MB' set app.tenant = 'clause' set search_path = lib as
  $$ begin perform set_config('app.last', 'from clause', false); return current_setting('app.tenant') || current_setting('work_mem'); end $$;
create function lib.swallow(value text, fail bool) returns text language plpgsql as
  $$ begin
       begin
         perform set_config('app.last', value, false);
         if fail then raise division_by_zero; end if;
       exception when division_by_zero then raise notice 'swallowed %', value;
       end;
       return nullif(current_setting('app.last', true), '');
     end $$;
create function lib.as_owner() returns text security definer language plpgsql as
  $$ begin perform set_config('app.owner', current_user, false); return current_user; end $$;
create function lib.as_role(role text) returns text language plpgsql as
  $$ begin execute format('set role %I', role); return current_user; end $$;

create function lib.fail(state text, message text) returns int language plpgsql as
  $$ begin raise exception '%', message using errcode = state, detail = 'a detail', hint = 'a hint', column = 'c', table = 't'; end $$;
create function lib.say(level text, message text) returns int language plpgsql as
  $$ begin
       case level when 'notice' then raise notice '%', message; when 'warning' then raise warning '%', message;
         when 'info' then raise info '%', message; when 'log' then raise log '%', message;
         else raise notice using message = message, errcode = '01ABC'; end case;
       return 1;
     end $$;

create function lib.lock_session(k bigint) returns int language plpgsql as $$ begin perform pg_advisory_lock(k); return 1; end $$;
create function lib.lock_transaction(k bigint) returns int language plpgsql as $$ begin perform pg_advisory_xact_lock(k); return 1; end $$;
create function lib.lock_by_name(f text, k bigint) returns int language plpgsql as
  $$ begin execute format('select pg_catalog.%I($1)', f) using k; return 1; end $$;
create function lib.make_temp(name text) returns text language plpgsql as
  $$ begin execute format('create temp table %I as select 1 as id, ''made inside'' as v', name); return name; end $$;
create function lib.make_temp_static() returns text language plpgsql as
  $$ begin create temp table if not exists inside (id int, v text) on commit drop; insert into inside values (1, 'x'); return 'inside'; end $$;
create function lib.listen(channel text) returns text language plpgsql as $$ begin execute format('listen %I', channel); return channel; end $$;
create function lib.notify(channel text, payload text) returns void language sql as 'select pg_notify(channel, payload)';
create function lib.prepare_inside(name text) returns text language plpgsql as
  $$ begin execute format('prepare %I as select 4711 as prepared_inside', name); return name; end $$;
create function lib.open_cursor(name refcursor) returns refcursor language plpgsql as
  $$ begin open name for select i from generate_series(1, 9) i order by i; return name; end $$;

create procedure lib.proc(value text, inout got text) language plpgsql as
  $$ begin perform set_config('app.last', value, false); got := current_setting('app.last'); end $$;
create procedure lib.proc_commit(value text, fail bool) language plpgsql as
  $$ begin
       perform set_config('app.last', value || ' committed', false);
       perform set_config('app.local', value, true);
       commit;
       perform set_config('app.last', value || ' lost', false);
       if fail then raise exception 'after commit'; end if;
       rollback;
     end $$;

create function lib.remember() returns trigger language plpgsql as
  $$ begin perform set_config('app.last', new.v, false); raise notice 'remembered %', new.v; return new; end $$;
create function lib.stamp() returns text language plpgsql as
  $$ begin perform set_config('app.stamp', coalesce(nullif(current_setting('app.stamp', true), ''), '0')::int + 1 || '', false);
       return current_setting('app.stamp'); end $$;
create function lib.loud_equal(a int, b int) returns bool language plpgsql as
  $$ begin perform set_config('app.compared', a || '=' || b, false); return a = b; end $$;
create operator lib.=== (leftarg = int, rightarg = int, function = lib.loud_equal);
create function lib.small(a int) returns bool language plpgsql as
  $$ begin perform set_config('app.checked', a || '', false); return a < 100; end $$;
create domain lib.small_int as int check (lib.small(value));
create view lib.session as select nullif(current_setting('app.tenant', true), '') as tenant, nullif(current_setting('app.last', true), '') as last,
  current_user::text as who, current_setting('work_mem') as work_mem;
create view lib.setter as select set_config('app.view', 'seen', false) as v;
grant select on lib.session, lib.setter to public;

create schema evil;
grant usage on schema evil to public;
create table evil.t (id int primary key, v text, d date, ts timestamptz, i interval, n numeric, f float8, b bytea);
insert into evil.t select i, 'EVIL' from generate_series(1, 12) i;
create table evil.u (id int primary key, v text, t_id int);
insert into evil.u select i, 'EVIL', i from generate_series(1, 12) i;
create function evil.f() returns text stable language sql as $$ select 'EVIL' $$;
grant all on all tables in schema evil to public;
"""

# Where these are, a database "reads sequences".
SEQUENCES = """
create function lib.last() returns bigint language sql as 'select lastval()';
create function lib.current(name text) returns bigint language plpgsql as $$ begin return currval(name); end $$;
"""

# A new or changed schema makes every process of a database parse its prepared statements anew, when it has the time: the answers
# to those with a literal that depends on a setting would be accidental. So the schemas are made once, those for temporary
# tables of all processes too, and a pair's are only emptied.
TEMPORARY = """
set allow_system_table_mods = on;
do $$ begin for i in 1..320 loop execute format('create schema pg_temp_%s; create schema pg_toast_temp_%s', i, i); end loop; end $$;
"""
SCHEMA = """
create schema {s} authorization {owner};
grant usage on schema {s} to reader, writer, {everybody};
"""
EMPTY = """
do $$ declare o text; begin
  for o in select format('drop %s if exists %s cascade', case relkind when 'r' then 'table' when 'v' then 'view' else 'sequence' end, oid::regclass)
    from pg_class where relnamespace = '{s}'::regnamespace and relkind in ('r', 'v', 'S') loop execute o; end loop;
  for o in select format('drop function %s cascade', oid::regprocedure) from pg_proc where pronamespace = '{s}'::regnamespace loop execute o; end loop;
end $$;
"""
CONTENTS = """
set local role {owner};
create table {s}.t (id int primary key, v text, d date, ts timestamptz, i interval, n numeric, f float8, b bytea);
insert into {s}.t select i, '{s} ' || i, date '2020-01-01' + 31 * i, timestamptz '2020-01-31 12:00:00+00' + i * interval '1 month 7 hours',
  i * interval '1 mon 25 hours 3.25 sec', i * 1.50, i / 3.0, decode(repeat(to_hex(160 + i), 3), 'hex') from generate_series(1, 12) i;
create table {s}.u (id int primary key, v text not null check (v <> 'bad'), t_id int references {s}.t (id));
insert into {s}.u select i, '{s} u' || i, i from generate_series(1, 5) i;
create table {s}.scratch (id int, v text);
create sequence {s}.s;
create table {s}.remembered (id int, v text);
create trigger remember before insert on {s}.remembered for each row execute function lib.remember();
create table {s}.stamped (id int default nextval('{s}.s'), v text default lib.stamp());
create view {s}.v as select id, v, ts, d from {s}.t where id <= 3;
create function {s}.f() returns text stable language sql as $$ select '{s}' $$;
create function {s}.grow(k int) returns int language sql as 'update {s}.t set n = n + 1 where id = k returning n::int';
create function {s}.reads(k int) returns text stable language plpgsql as $$ begin return (select v from {s}.t where id = k); end $$;
create function {s}.reads_path(k int) returns text stable language plpgsql as $$ begin return (select v from t where id = k); end $$;
grant select on {s}.t, {s}.v to reader, {everybody};
grant select, insert, update on {s}.t to writer;
reset role;
"""


def schemas(pair):
    return f"p{pair:02}a", f"p{pair:02}b"


def make(cluster, pairs):
    """Roles, databases, the library and the pairs' schemas, directly on the primary."""
    with cluster.primary.connect(dbname="postgres") as connection:
        connection.execute(ROLES)
        for names in DATABASES.values():
            for name in names:
                connection.execute(f"create database {name}")
                connection.execute(f"grant connect, create, temporary on database {name} to public")
    for kind, names in DATABASES.items():
        for name in names:
            with cluster.primary.connect(dbname=name) as connection:
                connection.execute(TEMPORARY + LIBRARY + (SEQUENCES if kind == "seq" else ""))
                for pair, owner in pairs:
                    for schema in schemas(pair):
                        connection.execute(SCHEMA.format(s=schema, owner=owner, everybody=everybody(owner)))


def everybody(owner):
    return ", ".join(user for user in PASSWORDS if user != owner)


def make_pair(cluster, pair, databases, owner):
    """What is in the pair's schemas, new, in both databases: the same on both sides."""
    for name in databases:
        with cluster.primary.connect(dbname=name) as connection, connection.transaction():
            connection.execute("set local client_min_messages = error")
            for schema in schemas(pair):
                connection.execute((EMPTY + CONTENTS).format(s=schema, owner=owner, everybody=everybody(owner)))


def catch_up(cluster):
    cluster.catch_up(60)
