// What a reactor is doing, for people: `reactor.dump()`.
import type { EventLoop } from './event-loop.js';
import type { Handle } from './handle.js';
import { eventNames } from './interest.js';
import type { Watcher } from './watcher.js';

const MOST_TIMERS = 50;

/** One line for the reactor, one for each descriptor, watcher, timer and hook. */
export function dump(title: string, loop: EventLoop): string {
  const lines = [title];
  for (const entry of loop.table.entries()) {
    const { fd, interest, mode, always, batch, disarmed, watchers } = entry;
    // Its last watcher was closed in this turn.
    if (watchers.length === 0 && batch === undefined) continue;
    const where = always
      ? ', always ready'
      : disarmed && mode === 'oneshot' && watchers.some(({ active }) => !active)
        ? ', oneshot fired'
        : '';
    const whose = batch === undefined ? '' : ', in a batch';
    lines.push(`  fd ${fd}: ${names(interest)} (${mode}${where}${whose})`);
    for (const watcher of watchers) lines.push(`    ${describeWatcher(watcher)}`);
  }
  const timers = [...loop.wheel.items()].sort(
    (a, b) => loop.wheel.deadlineOf(a) - loop.wheel.deadlineOf(b),
  );
  for (const timer of timers.slice(0, MOST_TIMERS)) {
    const inMs = `in ${timer.remaining.toFixed(1)} ms`;
    const unref = timer.hasRef() ? '' : ', unref';
    lines.push(`  ${timer.label}: ${inMs}${unref}${madeAt(timer.origin)}`);
  }
  if (timers.length > MOST_TIMERS) lines.push(`  and ${timers.length - MOST_TIMERS} more timers`);
  for (const handle of loop.handles) lines.push(`  ${describe(handle)}`);
  for (const hooks of Object.values(loop.hooks)) {
    for (const hook of hooks) lines.push(`  ${describe(hook)}`);
  }
  if (loop.deferred > 0) lines.push(`  deferred calls: ${loop.deferred}`);
  if (loop.queue.size > 0) lines.push(`  ready and not yet served: ${loop.queue.size}`);
  return `${lines.join('\n')}\n`;
}

function describeWatcher(watcher: Watcher): string {
  const { mode, exclusive, priority, timeoutMs } = watcher;
  const traits: string[] = [mode];
  if (exclusive) traits.push('exclusive');
  if (priority !== 0) traits.push(`priority ${priority}`);
  if (timeoutMs !== undefined) traits.push(`timeout ${timeoutMs} ms`);
  return `watcher: ${names(watcher.interest)} (${traits.join(', ')})${state(watcher)}`;
}

function describe(handle: Handle): string {
  return `${handle.label}${state(handle)}`;
}

function state(handle: Handle): string {
  const paused = handle.active ? '' : ', not active';
  return `${paused}${handle.hasRef() ? '' : ', unref'}${madeAt(handle.origin)}`;
}

function madeAt(origin: string | undefined): string {
  return origin === undefined ? '' : `, made ${origin}`;
}

function names(bits: number): string {
  return eventNames(bits).join(' ') || 'nothing';
}
