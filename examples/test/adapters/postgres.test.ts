// libpq and a real PostgreSQL server: connecting, queries, notifications, and what can go wrong.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Notification, PgConnection } from '../../dist/adapters/postgres.js';
import { commandFor, start } from '../support.js';
import { PostgresServer, programs } from './postgres-server.js';
import { backends, closing, Inbox, lacksLibrary, newReactor } from './support.js';

const lacking =
  lacksLibrary('libpq.so.5') ??
  (programs === undefined ? 'no PostgreSQL server under /usr/lib/postgresql' : undefined);

let server: PostgresServer | undefined;
beforeAll(async () => {
  if (lacking === undefined) server = await PostgresServer.start();
}, 120_000);
afterAll(() => server?.stop(), 120_000);
beforeEach((context) => context.skip(lacking !== undefined, lacking));

const where = (more = 'dbname=postgres') => `host=${server?.directory} user=tester ${more}`;

describe.each(backends)('%s', (backend) => {
  async function connect(conninfo = where()): Promise<PgConnection> {
    const { PgConnection } = await import('../../dist/adapters/postgres.js');
    return closing(await PgConnection.connect(newReactor(backend), conninfo));
  }

  test('queries, parameters, NULL, and nothing', async () => {
    const pg = await connect();
    expect(await pg.query("select 1 + 1 as two, null as nothing, 'ü' as letter")).toEqual([
      { two: '2', nothing: null, letter: 'ü' },
    ]);
    expect(await pg.query('select $1::int * 2 as a, $2 as b', ['21', null])).toEqual([
      { a: '42', b: null },
    ]);
    expect(await pg.query('')).toEqual([]);
    expect(await pg.query('create temporary table t (a int)')).toEqual([]);
  });

  test('many queries at once are answered in order, errors among them', async () => {
    const pg = await connect();
    const answers = await Promise.allSettled([
      ...Array.from({ length: 50 }, (_, i) => pg.query('select $1 as i', [`${i}`])),
      pg.query('select 1 / 0'),
      pg.query('select nonsense'),
      pg.query('select 50 as i'),
    ]);
    const rows = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    expect(rows).toEqual(Array.from({ length: 51 }, (_, i) => ({ i: `${i}` })));
    expect(answers.slice(50, 52)).toMatchObject([
      { reason: { message: 'division by zero', code: '22012' } },
      { reason: { message: 'column "nonsense" does not exist', code: '42703' } },
    ]);
  });

  test('a parameter and a result that no socket takes at once', async () => {
    const pg = await connect();
    const long = 'pollux'.repeat(1_500_000);
    const [row] = await pg.query('select length($1) as length, $1 as same', [long]);
    expect(row?.length).toBe(`${long.length}`);
    expect(row?.same === long).toBe(true);
    const rows = await pg.query('select i from generate_series(1, 20000) as i');
    expect(rows).toHaveLength(20_000);
    expect(rows.at(-1)).toEqual({ i: '20000' });
  });

  test('the loop goes on while the server thinks', async () => {
    const pg = await connect();
    let ticks = 0;
    const clock = setInterval(() => ticks++, 1);
    await pg.query('select pg_sleep(1)');
    clearInterval(clock);
    expect(ticks).toBeGreaterThan(0);
  });

  test('LISTEN and NOTIFY', async () => {
    const [listener, notifier] = [await connect(), await connect()];
    const inbox = new Inbox<Notification>();
    listener.onNotification = inbox.add;
    await listener.query('listen news');
    const [row] = await notifier.query('select pg_backend_pid() as pid');
    await notifier.query("notify news, 'first'");
    await notifier.query('notify elsewhere');
    await notifier.query("select pg_notify('news', 'n' || i) from generate_series(1, 100) as i");
    await inbox.until((items) => items.length === 101);
    const pid = Number(row?.pid);
    const payloads = ['first', ...Array.from({ length: 100 }, (_, i) => `n${i + 1}`)];
    expect(inbox.items).toEqual(payloads.map((payload) => ({ channel: 'news', payload, pid })));
    // One's own come as well, with the answer to the query.
    await listener.query("notify news, 'own'");
    await inbox.until((items) => items.length === 102);
    // A callback may close the connection.
    listener.onNotification = () => listener.close();
    await notifier.query('notify news');
    await notifier.query('notify news');
    const others = "select from pg_stat_activity where query ilike 'notify news, ''own'''";
    while ((await notifier.query(others)).length > 0);
    await expect(listener.query('select 1')).rejects.toThrow('the connection is closed');
  });

  test('the server goes away: what waits is rejected, and the connection says so', async () => {
    const [victim, killer] = [await connect(), await connect()];
    const lost = new Inbox<Error>();
    victim.onLost = lost.add;
    const [row] = await victim.query('select pg_backend_pid() as pid');
    const sleeping = expect(victim.query('select pg_sleep(1000)')).rejects.toThrow(
      'terminating connection due to administrator command',
    );
    const waiting = expect(victim.query('select 1')).rejects.toThrow();
    await killer.query('select pg_terminate_backend($1)', [row?.pid ?? null]);
    await Promise.all([sleeping, waiting]);
    await lost.until((errors) => errors.length === 1);
    await expect(victim.query('select 1')).rejects.toThrow('the connection is closed');
  });

  test('COPY is refused, with the connection', async () => {
    const pg = await connect();
    const refused = expect(pg.query('copy (select 1) to stdout')).rejects.toThrow(
      'not for query()',
    );
    const next = expect(pg.query('select 1')).rejects.toThrow('not for query()');
    await Promise.all([refused, next]);
  });

  test('closed with a query under way', async () => {
    const pg = await connect();
    const query = expect(pg.query('select pg_sleep(1000)')).rejects.toThrow('was closed');
    pg.close();
    await query;
  });

  test('connecting: the second of two hosts, a refusal, nobody there, nonsense', async () => {
    const pg = await connect(`host=/nowhere,${server?.directory} user=tester dbname=postgres`);
    expect(await pg.query('select 1 as one')).toEqual([{ one: '1' }]);
    await expect(connect(where('dbname=none'))).rejects.toThrow('database "none" does not exist');
    await expect(connect('hostaddr=127.0.0.1 port=1')).rejects.toThrow('Connection refused');
    await expect(connect('host=/nowhere')).rejects.toThrow('No such file or directory');
    await expect(connect('nonsense=1')).rejects.toThrow('invalid connection option "nonsense"');
  });
});

test('as a program', async () => {
  const sql = ["select 'it works' as answer", 'listen news', "notify news, 'now'"];
  const program = start(commandFor('adapters/postgres', where(), ...sql));
  await program.until(/it works[\s\S]*news: now\n/);
  await program.until(/listening; Ctrl-C stops\n/);
  program.child.kill('SIGINT');
  expect(await program.ended).toEqual({ code: 0, signal: null });
  expect(program.output.stderr).toBe('');
});
