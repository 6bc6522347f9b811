// Lines from standard input while a clock ticks: something Node's loop and any descriptor share.
//
//   node examples/dist/stdin-monitor.js [tick in ms]         from a terminal; Ctrl-D ends it
//   ping localhost | node examples/dist/stdin-monitor.js     from a pipe
//
// The reactor says when there is something, so one read per report never waits, and the descriptor
// can stay as it is: O_NONBLOCK would hold for every process that shares the terminal. Some things
// epoll cannot watch, since reading them never waits anyway: files, /dev/null. With `alwaysReady`
// they are read too, a piece per turn, so that the clock goes on ticking.
import { readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { Interest, Reactor } from '@pollux/core';

const STDIN = 0;
const reactor = new Reactor();
const chunk = Buffer.allocUnsafe(65_536);
const decoder = new StringDecoder('utf8');
let unfinished = '';
let lines = 0;
let ticks = 0;

const tickMs = Number(process.argv[2] ?? 1000);
reactor.timer(tickMs, () => console.log(`tick ${++ticks}`), { repeat: true });

reactor.watch(STDIN, Interest.readable, readOnce, { alwaysReady: true });

/** Reads what there is, once. */
function readOnce(): void {
  let length: number;
  try {
    length = readSync(STDIN, chunk);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EAGAIN') return; // somebody else's O_NONBLOCK, and a spurious report
    if (code !== 'EIO') throw error;
    length = 0; // the terminal was hung up
  }
  if (length === 0) {
    end();
    return;
  }
  const pieces = (unfinished + decoder.write(chunk.subarray(0, length))).split('\n');
  unfinished = pieces.pop() ?? '';
  for (const line of pieces) show(line);
}

function show(line: string): void {
  console.log(`line ${++lines}: ${line}`);
}

function end(): void {
  unfinished += decoder.end();
  if (unfinished !== '') show(unfinished);
  console.log(`end of input after ${lines} line${lines === 1 ? '' : 's'}`);
  reactor.close(); // nothing is left to wait for: the process ends
}
