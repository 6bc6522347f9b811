// The worker of the example blocks in its reactor, yet it obeys messages and ends when it is told.
import { expect, test } from 'vitest';
import { backends, commandFor, start } from './support.js';

test.each(backends)('on %s it greets as it is told, and ends', async (backend) => {
  const run = start(commandFor('worker-messages'), { env: { POLLUX_BACKEND: backend } });
  expect(await run.ended).toEqual({ code: 0, signal: null });
  expect(run.output).toEqual({
    stdout: 'hello, Castor\ngood night, Castor\nthe worker is gone\n',
    stderr: '',
  });
});
