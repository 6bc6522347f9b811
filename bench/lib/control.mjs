// How a server in JavaScript answers the harness: each line on standard input is a question, which it
// answers with what it has used and done; the end of the input ends it. peers/server.h does it in C.
import { readSync, writeSync } from 'node:fs';

export function say(object) {
  writeSync(1, `${JSON.stringify(object)}\n`);
}

function answer(served, line, onLine) {
  onLine?.(line.trim());
  const { user, system } = process.cpuUsage();
  say({ user, system, served: served() });
}

/** For a server on Node's own loop. `onLine` may act upon the line before it is answered. */
export function answerOnNode(served, onLine) {
  process.stdin.on('data', (data) => answer(served, data.toString(), onLine));
  process.stdin.on('end', () => process.exit(0));
}

/** For a server on a reactor, blocking or attached. */
export function answerOnReactor(reactor, readable, served, onLine) {
  const data = Buffer.alloc(256);
  reactor.watch(0, readable, () => {
    const got = readSync(0, data);
    if (got === 0) process.exit(0);
    answer(served, data.toString('latin1', 0, got), onLine);
  });
}
