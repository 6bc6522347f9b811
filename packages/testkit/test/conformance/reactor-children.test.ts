// reactor.child, on real processes: children of node:child_process, which Node reaps too, children
// that nobody reaps, and other people's.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { release } from 'node:os';
import { type ChildExit, Reactor } from '@pollux/core';
import { forkChild, isCloexec, openFds, processState, requires } from '@pollux/testkit';
import { backends, cases, DrivenReactor } from '@pollux/testkit/conformance';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { countedFds, macrotask, runFixture, thrownBy } from './reactor-support.js';

const [major = 0, minor = 0] = release().split('.').map(Number);
/** Whether this kernel tells the status of a process that was reaped (PIDFD_GET_INFO). */
const tellsOfReaped = major > 6 || (major === 6 && minor >= 15);
const unknown = { code: undefined, signal: undefined };
const running = new Set<number>();

/** A child that waits to be killed; it is after the test, if not before. */
function sleeper(): number {
  const pid = forkChild();
  running.add(pid);
  return pid;
}

/** Waits until it is a zombie, on this thread, so that Node cannot reap it. */
function untilZombie(pid: number): void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let tries = 0; processState(pid) !== 'Z'; tries++) {
    if (tries === 5000) throw new Error(`${pid} does not end: ${processState(pid)}`);
    Atomics.wait(cell, 0, 0, 1);
  }
}

/** Its end, once it is told. */
async function endOf(
  driven: DrivenReactor,
  pid: number,
  options: { reap?: boolean } = {},
): Promise<ChildExit> {
  let exit: ChildExit | undefined;
  driven.reactor.child(
    pid,
    (told) => {
      exit = told;
    },
    options,
  );
  await driven.until(() => exit !== undefined);
  return exit as ChildExit;
}

function pidfds(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).includes('pidfd');
      } catch {
        return false; // that of this listing
      }
    });
}

/** A shell; fd 3 is a pipe from here. */
function shell(script: string): ChildProcess {
  requires('pidfd');
  const child = spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
  const pid = child.pid as number;
  running.add(pid);
  child.on('exit', () => running.delete(pid));
  return child;
}

/** The first line that a shell says: the pid of its own child. */
async function childOf(parent: ChildProcess): Promise<number> {
  const [line] = await once(parent.stdout as NodeJS.ReadableStream, 'data');
  return Number(line);
}

/** Ends the `read line <&3` of a shell. */
function poke(child: ChildProcess): void {
  (child.stdio[3] as NodeJS.WritableStream).end('\n');
}

/** A process of ours may be reaped before the reactor comes to ask. */
const known = (exit: ChildExit, code: number | null, signal: NodeJS.Signals | null): void => {
  const lost = !tellsOfReaped && exit.code === undefined;
  expect(exit).toEqual({ pid: exit.pid, ...(lost ? unknown : { code, signal }) });
};

afterEach(() => {
  for (const pid of running) {
    if (processState(pid) !== undefined) process.kill(pid, 'SIGKILL');
  }
  running.clear();
});

beforeAll(async () => {
  // What the first child of a process opens stays open.
  if (process.platform === 'linux') await once(shell(''), 'close');
});

describe.each(cases)('$backend, $way', (row) => {
  const { way } = row;
  countedFds();

  test.each([
    ['exit 0', 0, null],
    ['exit 3', 3, null],
    ['exit 255', 255, null],
    ['kill -TERM $$', null, 'SIGTERM'],
    ['kill -KILL $$', null, 'SIGKILL'],
    ['kill -ABRT $$', null, 'SIGABRT'],
  ] as const)('a child of node:child_process: %s', async (script, code, signal) => {
    using driven = new DrivenReactor(row);
    const child = shell(`ulimit -c 0; ${script}`);
    const closed = once(child, 'close');
    const exit = await endOf(driven, child.pid as number);
    known(exit, code, signal);
    expect(exit.pid).toBe(child.pid);
    // And Node still has it.
    expect(await closed).toEqual([code, signal]);
    expect(processState(child.pid as number)).toBeUndefined();
  });

  test('one that is a zombie already', async () => {
    using driven = new DrivenReactor(row);
    let exit: ChildExit | undefined;
    const closed = await macrotask(() => {
      const child = shell('exit 5');
      untilZombie(child.pid as number);
      driven.reactor.child(child.pid as number, (told) => {
        exit = told;
      });
      return { now: once(child, 'close') };
    });
    await driven.until(() => exit !== undefined);
    known(exit as ChildExit, 5, null);
    expect(await closed.now).toEqual([5, null]);
  });

  test('one that Node has reaped before the reactor looks', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const ends: ChildExit[] = [];
    reactor.stop();
    const children = [shell('exit 6'), shell('kill -TERM $$')];
    for (const { pid } of children) reactor.child(pid as number, (exit) => ends.push(exit));
    await Promise.all(children.map((child) => once(child, 'close')));
    for (const { pid } of children) expect(processState(pid as number)).toBeUndefined();
    expect(ends).toEqual([]);
    if (way !== 'blocking') reactor.run();
    await driven.until(() => ends.length === 2);
    const expected = tellsOfReaped
      ? [
          { code: 6, signal: null },
          { code: null, signal: 'SIGTERM' },
        ]
      : [unknown, unknown];
    ends.sort((a, b) => a.pid - b.pid);
    children.sort((a, b) => (a.pid as number) - (b.pid as number));
    expect(ends).toEqual(
      children.map(({ pid }) => ({ pid, ...expected[pid === children[0]?.pid ? 0 : 1] })),
    );
  });

  test('not a child: unknown while its parent has not reaped it', async () => {
    using driven = new DrivenReactor(row);
    // The sleep that the shell becomes never waits for anybody.
    const parent = shell('(read line <&3; exit 4) & echo $!; exec sleep 1000');
    const closed = once(parent, 'close');
    const pid = await childOf(parent);
    const comm = `/proc/${parent.pid}/comm`;
    await driven.until(() => readFileSync(comm, 'latin1') === 'sleep\n');
    poke(parent);
    expect(await endOf(driven, pid)).toEqual({ pid, ...unknown });
    parent.kill('SIGKILL');
    await closed;
  });

  test.skipIf(!tellsOfReaped)('not a child: known once its parent has (Linux 6.15)', async () => {
    using driven = new DrivenReactor(row);
    const parent = shell('(read line <&3; exit 4) & echo $!; wait');
    const closed = once(parent, 'close');
    const pid = await childOf(parent);
    const ends: ChildExit[] = [];
    driven.reactor.stop();
    driven.reactor.child(pid, (exit) => ends.push(exit));
    poke(parent);
    await closed;
    if (way !== 'blocking') driven.reactor.run();
    await driven.until(() => ends.length > 0);
    expect(ends).toEqual([{ pid, code: 4, signal: null }]);
  });

  test('many at once, each with its own end', async () => {
    using driven = new DrivenReactor(row);
    const ends = new Map<number, ChildExit>();
    const pids = Array.from({ length: 100 }, (_, n) => {
      const pid = forkChild(n);
      driven.reactor.child(
        pid,
        (exit) => {
          expect(ends.has(pid)).toBe(false);
          ends.set(pid, exit);
        },
        { reap: true },
      );
      return pid;
    });
    await driven.until(() => ends.size === pids.length);
    expect(pids.map((pid) => ends.get(pid))).toEqual(
      pids.map((pid, code) => ({ pid, code, signal: null })),
    );
    expect(pids.map(processState)).toEqual(pids.map(() => undefined));
  });

  test('several watchers of one process', async () => {
    using driven = new DrivenReactor(row);
    const pid = forkChild(9);
    const ends: ChildExit[] = [];
    for (let n = 0; n < 3; n++) driven.reactor.child(pid, (exit) => ends.push(exit));
    await driven.until(() => ends.length === 3);
    expect(ends).toEqual(Array(3).fill({ pid, code: 9, signal: null }));
    // They have left it where it was.
    expect(processState(pid)).toBe('Z');
    expect(await endOf(driven, pid, { reap: true })).toEqual({ pid, code: 9, signal: null });
    expect(processState(pid)).toBeUndefined();
    expect(thrownBy(() => driven.reactor.child(pid, () => {}))).toMatchObject({ code: 'ESRCH' });
  });

  test('nothing before the end', async () => {
    using driven = new DrivenReactor(row);
    const pid = sleeper();
    const ends: ChildExit[] = [];
    const watcher = driven.reactor.child(pid, (exit) => ends.push(exit), { reap: true });
    await driven.during(30);
    expect([ends, watcher.closed, watcher.pid]).toEqual([[], false, pid]);
    process.kill(pid, 'SIGUSR1');
    await driven.until(() => ends.length > 0);
    expect(ends).toEqual([{ pid, code: null, signal: 'SIGUSR1' }]);
    expect(watcher.closed).toBe(true);
  });

  test('closed before the end', async () => {
    using driven = new DrivenReactor(row);
    const controller = new AbortController();
    const never = (): void => expect.unreachable();
    const pid = sleeper();
    const before = pidfds();
    const watchers = [
      driven.reactor.child(pid, never),
      driven.reactor.child(pid, never, { signal: controller.signal }),
      driven.reactor.child(pid, never),
    ];
    const opened = pidfds().filter((fd) => !before.includes(fd));
    expect(opened.map(isCloexec)).toEqual([true, true, true]);
    await driven.during(5);
    watchers[0]?.close();
    controller.abort();
    expect(watchers.map(({ closed }) => closed)).toEqual([true, true, false]);
    expect(pidfds()).toHaveLength(before.length + 1);
    await macrotask(() => {
      // In the very moment it would be told.
      process.kill(pid, 'SIGKILL');
      untilZombie(pid);
      watchers[2]?.[Symbol.dispose]();
      watchers[0]?.close();
    });
    expect(pidfds()).toEqual(before);
    await driven.during(10);
    await endOf(driven, pid, { reap: true });
  });

  test('closed by another’s callback in the same turn', async () => {
    using driven = new DrivenReactor(row);
    const pid = forkChild(1);
    untilZombie(pid);
    let calls = 0;
    const watchers = Array.from({ length: 3 }, () =>
      driven.reactor.child(pid, () => {
        calls++;
        for (const watcher of watchers) watcher.close();
      }),
    );
    await driven.until(() => calls > 0);
    await driven.during(10);
    expect(calls).toBe(1);
    expect(pidfds()).toEqual([]);
    await endOf(driven, pid, { reap: true });
  });

  test('the end of the reactor closes them, in a callback too', async () => {
    const driven = new DrivenReactor(row);
    const pid = forkChild(2);
    const other = sleeper();
    const idle = driven.reactor.child(other, () => expect.unreachable());
    let told: ChildExit | undefined;
    driven.reactor.child(pid, (exit, watcher) => {
      told = exit;
      expect(watcher.closed).toBe(true);
      driven.reactor.close();
      expect(idle.closed).toBe(true);
    });
    await driven.until(() => told !== undefined);
    expect(pidfds()).toEqual([]);
    process.kill(other, 'SIGKILL');
    using next = new DrivenReactor(row);
    await endOf(next, pid, { reap: true });
    await endOf(next, other, { reap: true });
  });

  test('what the callback throws is reported, and nothing stays open', async () => {
    using driven = new DrivenReactor(row);
    const pid = forkChild(1);
    const uncaught: string[] = [];
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', ({ message }) => uncaught.push(message));
    const watcher = driven.reactor.child(
      pid,
      () => {
        throw new Error('in the callback');
      },
      { reap: true },
    );
    await driven.until(() => uncaught.length > 0);
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
    expect([uncaught, watcher.closed, pidfds()]).toEqual([['in the callback'], true, []]);
  });

  test('ref and unref', async () => {
    using driven = new DrivenReactor(row);
    const pid = sleeper();
    const watcher = driven.reactor.child(pid, () => {}, { reap: true });
    expect([watcher.hasRef(), driven.reactor.alive]).toEqual([true, true]);
    expect(watcher.unref()).toBe(watcher);
    expect([watcher.hasRef(), driven.reactor.alive]).toEqual([false, false]);
    expect(watcher.ref()).toBe(watcher);
    expect(driven.reactor.alive).toBe(true);
    process.kill(pid, 'SIGKILL');
    await driven.until(() => watcher.closed);
    expect(driven.reactor.alive).toBe(false);
  });

  test('refused: what is no process', () => {
    requires('pidfd');
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const gone = (pid: number) => ({
      code: 'ESRCH',
      syscall: 'pidfd_open',
      pid,
      message: `ESRCH: no such process, pidfd_open (pid ${pid})`,
    });
    const before = openFds();
    // Above the greatest that there may be (4194304).
    expect(thrownBy(() => reactor.child(0x7fff_ffff, () => {}))).toMatchObject(gone(0x7fff_ffff));
    const thread = readdirSync('/proc/self/task')
      .map(Number)
      .find((id) => id !== process.pid);
    // EINVAL, and ENOENT since Linux 6.16.
    expect(['EINVAL', 'ENOENT']).toContain(
      thrownBy(() => reactor.child(thread as number, () => {})).code,
    );
    expect(openFds()).toEqual(before);
    expect(reactor.alive).toBe(false);
  });

  test('refused: arguments, before anything is opened', () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const pid = process.pid;
    const ignore = (): void => {};
    const codes = (...args: unknown[]): unknown =>
      thrownBy(() => Reflect.apply(reactor.child, reactor, args)).code;
    const before = openFds();
    expect(codes()).toBe('ERR_INVALID_ARG_TYPE');
    expect(codes('1', ignore)).toBe('ERR_INVALID_ARG_TYPE');
    for (const wrong of [0, -1, 1.5, Number.NaN, 2 ** 31]) {
      expect(codes(wrong, ignore)).toBe('ERR_OUT_OF_RANGE');
    }
    expect(codes(pid)).toBe('ERR_INVALID_ARG_TYPE');
    expect(codes(pid, ignore, null)).toBe('ERR_INVALID_ARG_TYPE');
    expect(codes(pid, ignore, { reap: 1 })).toBe('ERR_INVALID_ARG_TYPE');
    expect(codes(pid, ignore, { signal: {} })).toBe('ERR_INVALID_ARG_TYPE');
    const reason = Object.assign(new Error('enough'), { code: 'ENOUGH' });
    expect(codes(pid, ignore, { signal: AbortSignal.abort(reason) })).toBe('ENOUGH');
    expect(openFds()).toEqual(before);
    reactor.close();
    expect(codes(pid, ignore)).toBe('ERR_POLLUX_CLOSED');
  });
});

// Here the process that watches is the question: whether it stays, what its workers leave open.
describe.each(cases)('a process with a reactor on $backend, $way', ({ backend, way }) => {
  test.concurrent.each(['holds the process', 'unref’d', 'in workers', 'without pidfd_open'])(
    'in a process of its own: %s',
    async (scenario) => {
      const ended = await runFixture('reactor-children', [backend, way, scenario]);
      expect(ended.said.shift()).toEqual({ backend, driver: way });
      const said = {
        'holds the process': [{ code: null, signal: 'SIGTERM' }, 'end'],
        'unref’d': ['end'],
        'in workers': [
          { step: 'told', messages: [{ code: 3, signal: null }], code: 0, open: 0 },
          { step: 'terminated', messages: ['waiting'], code: 1, open: 0 },
          { step: 'left open', messages: ['waiting'], code: 0, open: 0 },
        ],
        'without pidfd_open': [{ code: 'ENOSYS', syscall: 'pidfd_open' }, 'end'],
      }[scenario];
      expect(ended).toEqual({ code: 0, signal: null, said, stderr: '' });
    },
  );

  test.skipIf(!tellsOfReaped).concurrent('by PIDFD_GET_INFO alone (Linux 6.15)', async () => {
    const ended = await runFixture('reactor-children', [backend, way, 'without waitid']);
    expect(ended.said.shift()).toEqual({ backend, driver: way });
    const said = [
      { code: 7, signal: null },
      { code: null, signal: 'SIGTERM' },
      { code: null, signal: 'SIGKILL' },
    ];
    expect(ended).toEqual({ code: 0, signal: null, said, stderr: '' });
  });
});

test.each(backends)('%s: a poller that is not ours has no processes, and says so', (backend) => {
  using driven = new DrivenReactor({ backend, way: 'blocking' });
  const poller = new Proxy(driven.reactor.poller, {
    get: (target, name) => (name === 'backend' ? 'foreign' : Reflect.get(target, name, target)),
  });
  using reactor = new Reactor({ poller, mode: 'blocking' });
  expect(thrownBy(() => reactor.child(process.pid, () => {}))).toMatchObject({
    code: 'ERR_POLLUX_UNSUPPORTED',
  });
});
