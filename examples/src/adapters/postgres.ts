// PostgreSQL on a reactor, by libpq's own nonblocking calls: connecting, queries, LISTEN/NOTIFY.
//
//   node examples/dist/adapters/postgres.js "host=/run/postgresql dbname=postgres" "select version()"
//   node examples/dist/adapters/postgres.js dbname=postgres "listen news"        until Ctrl-C
//
// libpq does all the reading and writing; all it needs is to be told when. libpq's manual, chapters
// "Database Connection Control Functions" and "Asynchronous Command Processing", is what this does.
// One thing may block: the name of a host is looked up. `hostaddr=` and socket directories are not.
import { Interest, Reactor, type Watcher } from '@pollux/core';
import koffi, { type LibraryHandle } from 'koffi';
import { isProgram } from './libc.js';

type Pointer = bigint | null;
const pq: LibraryHandle = koffi.load('libpq.so.5');
const PGnotify = koffi.struct({ relname: 'str', be_pid: 'int', extra: 'str' });
const PQconnectStartParams: (names: unknown[], values: unknown[], expand: number) => Pointer =
  pq.func('void *PQconnectStartParams(const char **names, const char **values, int expand)');
const PQconnectPoll: (conn: Pointer) => number = pq.func('int PQconnectPoll(void *conn)');
const PQstatus: (conn: Pointer) => number = pq.func('int PQstatus(void *conn)');
const PQsocket: (conn: Pointer) => number = pq.func('int PQsocket(void *conn)');
const PQerrorMessage: (conn: Pointer) => string = pq.func('const char *PQerrorMessage(void *conn)');
const PQfinish: (conn: Pointer) => void = pq.func('void PQfinish(void *conn)');
const PQsetnonblocking: (conn: Pointer, on: number) => number = pq.func(
  'int PQsetnonblocking(void *conn, int on)',
);
const PQsendQueryParams: (
  conn: Pointer,
  sql: string,
  count: number,
  types: null,
  values: Parameter[],
  lengths: null,
  formats: null,
  resultFormat: number,
) => number = pq.func(
  'int PQsendQueryParams(void *conn, const char *sql, int count, const uint32_t *types, ' +
    'const char **values, const int *lengths, const int *formats, int resultFormat)',
);
const PQflush: (conn: Pointer) => number = pq.func('int PQflush(void *conn)');
const PQconsumeInput: (conn: Pointer) => number = pq.func('int PQconsumeInput(void *conn)');
const PQisBusy: (conn: Pointer) => number = pq.func('int PQisBusy(void *conn)');
const PQgetResult: (conn: Pointer) => Pointer = pq.func('void *PQgetResult(void *conn)');
const PQnotifies: (conn: Pointer) => Pointer = pq.func('void *PQnotifies(void *conn)');
const PQfreemem: (memory: Pointer) => void = pq.func('void PQfreemem(void *memory)');
const PQresultStatus: (result: Pointer) => number = pq.func('int PQresultStatus(void *result)');
const PQresultErrorField: (result: Pointer, field: number) => string | null = pq.func(
  'const char *PQresultErrorField(void *result, int field)',
);
const PQntuples: (result: Pointer) => number = pq.func('int PQntuples(void *result)');
const PQnfields: (result: Pointer) => number = pq.func('int PQnfields(void *result)');
const PQfname: (result: Pointer, column: number) => string = pq.func(
  'const char *PQfname(void *result, int column)',
);
const PQgetisnull: (result: Pointer, row: number, column: number) => number = pq.func(
  'int PQgetisnull(void *result, int row, int column)',
);
const PQgetvalue: (result: Pointer, row: number, column: number) => string = pq.func(
  'const char *PQgetvalue(void *result, int row, int column)',
);
const PQclear: (result: Pointer) => void = pq.func('void PQclear(void *result)');

const CONNECTION_BAD = 1;
const PGRES_POLLING_READING = 1;
const PGRES_POLLING_WRITING = 2;
const PGRES_POLLING_OK = 3;
const PGRES_COMMAND_OK = 1; // 0 is an empty query
const PGRES_TUPLES_OK = 2;
const PGRES_FATAL_ERROR = 7;
const PG_DIAG_SQLSTATE = 67; // 'C'
const PG_DIAG_MESSAGE_PRIMARY = 77; // 'M'

/** Values as PostgreSQL writes them, whatever their type. */
export type Row = Record<string, string | null>;
export type Parameter = string | null;
export interface Notification {
  channel: string;
  payload: string;
  /** The server process of whoever sent it. */
  pid: number;
}

interface Query {
  sql: string;
  parameters: Parameter[];
  rows: Row[];
  error?: Error;
  resolve(rows: Row[]): void;
  reject(error: Error): void;
}

export class PgConnection {
  /** Called for what comes by NOTIFY on a channel that this connection listens to. */
  onNotification: (notification: Notification) => void = () => {};
  /** Called when the connection is lost, rather than closed. */
  onLost: (error: Error) => void = () => {};
  readonly #conn: Pointer;
  readonly #watcher: Watcher;
  readonly #waiting: Query[] = [];
  #current: Query | undefined;
  #closed = false;

  /** What to connect to is a libpq connection string or URI. */
  static connect(reactor: Reactor, conninfo: string): Promise<PgConnection> {
    const names = ['dbname', 'client_encoding', null];
    const conn = PQconnectStartParams(names, [conninfo, 'UTF8', null], 1);
    return new Promise((resolve, reject) => {
      const fail = (): void => {
        reject(new Error(PQerrorMessage(conn).trim()));
        PQfinish(conn);
      };
      const wait = (interest: number): void => {
        const watcher = reactor.watch(PQsocket(conn), interest, () => {
          watcher.close(); // PQconnectPoll may close this socket and go on with another one
          const next = PQconnectPoll(conn);
          if (next === PGRES_POLLING_READING) wait(Interest.readable);
          else if (next === PGRES_POLLING_WRITING) wait(Interest.writable);
          else if (next === PGRES_POLLING_OK) resolve(new PgConnection(reactor, conn));
          else fail();
        });
      };
      if (PQstatus(conn) === CONNECTION_BAD) fail();
      else wait(Interest.writable);
    });
  }

  private constructor(reactor: Reactor, conn: Pointer) {
    this.#conn = conn;
    PQsetnonblocking(conn, 1);
    this.#watcher = reactor.watch(PQsocket(conn), Interest.readable, () => this.#onReady());
  }

  /** One statement; $1, $2 ... in it are the parameters. Later queries wait for earlier ones. */
  query(sql: string, parameters: Parameter[] = []): Promise<Row[]> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new Error('the connection is closed'));
      this.#waiting.push({ sql, parameters, rows: [], resolve, reject });
      if (this.#current === undefined) this.#sendNext();
    });
  }

  /** Queries without an answer are rejected. */
  close(): void {
    this.#end(new Error('the connection was closed'));
  }

  #end(error: Error): void {
    if (this.#closed) return;
    this.#closed = true; // the watcher may be closed already: the reactor was
    this.#watcher.close();
    PQfinish(this.#conn);
    for (const query of [this.#current, ...this.#waiting.splice(0)]) query?.reject(error);
    this.#current = undefined;
  }

  #lose(): void {
    const error = new Error(PQerrorMessage(this.#conn).trim());
    this.#end(error);
    this.onLost(error);
  }

  #sendNext(): void {
    const query = this.#waiting.shift();
    this.#current = query;
    if (query === undefined) return;
    const { sql, parameters } = query;
    const sent = PQsendQueryParams(
      this.#conn,
      sql,
      parameters.length,
      null,
      parameters,
      null,
      null,
      0,
    );
    if (sent === 1) this.#flush();
    else this.#settle(new Error(PQerrorMessage(this.#conn).trim()));
  }

  /** Sends what libpq holds. Until all of it is out, room to write is waited for as well. */
  #flush(): void {
    const left = PQflush(this.#conn);
    if (left === -1) this.#lose();
    else this.#watcher.update(Interest.readable | (left === 1 ? Interest.writable : 0));
  }

  #onReady(): void {
    // Room to write is an answer to PQflush; with nothing to read PQconsumeInput does nothing.
    if (PQconsumeInput(this.#conn) === 1) this.#flush();
    else this.#lose();
    while (!this.#closed && this.#current && PQisBusy(this.#conn) === 0) {
      const result = PQgetResult(this.#conn);
      if (result === null) this.#settle(this.#current.error);
      else this.#take(result, this.#current);
    }
    while (!this.#closed && this.#notify());
  }

  #notify(): boolean {
    const pointer = PQnotifies(this.#conn);
    if (pointer === null) return false;
    const { relname, extra, be_pid } = koffi.decode(pointer, PGnotify);
    PQfreemem(pointer);
    this.onNotification({ channel: relname, payload: extra, pid: be_pid });
    return true;
  }

  #take(result: Pointer, query: Query): void {
    const status = PQresultStatus(result);
    if (status === PGRES_TUPLES_OK) {
      for (let row = 0; row < PQntuples(result); row++) query.rows.push(readRow(result, row));
    } else if (status > PGRES_COMMAND_OK) {
      const code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
      const message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
      query.error = Object.assign(
        new Error(message ?? `not for query(): result status ${status}`),
        { code },
      );
    }
    PQclear(result);
    // COPY, say: it would go on for ever, and is not for here.
    if (query.error !== undefined && status < PGRES_FATAL_ERROR) this.#end(query.error);
  }

  /** The answer to the current query is complete. */
  #settle(error: Error | undefined): void {
    const query = this.#current;
    if (error !== undefined) query?.reject(error);
    else query?.resolve(query.rows);
    this.#sendNext();
  }
}

function readRow(result: Pointer, row: number): Row {
  const values: Row = {};
  for (let column = 0; column < PQnfields(result); column++) {
    const isNull = PQgetisnull(result, row, column) === 1;
    values[PQfname(result, column)] = isNull ? null : PQgetvalue(result, row, column);
  }
  return values;
}

if (isProgram(import.meta.url)) {
  const [conninfo = 'dbname=postgres', ...statements] = process.argv.slice(2);
  const connection = await PgConnection.connect(new Reactor(), conninfo);
  connection.onNotification = ({ channel, payload }) => console.log(`${channel}: ${payload}`);
  connection.onLost = ({ message }) => console.error(message);
  for (const sql of statements) {
    const rows = await connection.query(sql);
    if (rows.length > 0) console.table(rows);
  }
  if (statements.some((sql) => /^\s*listen\b/i.test(sql))) {
    process.once('SIGINT', () => connection.close());
    console.log('listening; Ctrl-C stops');
  } else {
    connection.close();
  }
}
