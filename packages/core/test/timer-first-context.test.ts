// The context of timers in a process that comes to use AsyncLocalStorage or async hooks only then: a
// timer has the stores of the moment it was set, and none if there was none, in whatever context the
// loop is.
import { expect, test } from 'vitest';
import { fixture, runNode } from './support.js';

const none = (count: number): string[] => new Array(count).fill('none');

const cases: Record<string, unknown[]> = {
  run: ['mine'],
  enterWith: ['mine'],
  before: none(8),
  inside: ['none', 'inside', 'none', 'inside', 'none', 'inside', 'none', 'inside', 'none'],
  awaits: ['a', 'b', 'none'],
  hook: [true, true],
  throws: ['one', 'two', 'none'],
};

test.each(
  Object.keys(cases).flatMap((name) => ['attached', 'blocking'].map((mode) => [name, mode])),
)('%s, %s', async (name, mode) => {
  const ended = await runNode([fixture('first-context.mjs'), name as string, mode as string]);
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  expect(JSON.parse(ended.stdout)).toEqual(cases[name as string]);
});
