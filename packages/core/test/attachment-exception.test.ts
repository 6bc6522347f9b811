// What an attachment's own callback throws is not lost: it goes to uncaughtException, as from any
// callback of Node's; and without a listener the process dies of it.
import { fileURLToPath } from 'node:url';
import { backends } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { runNode } from './support.js';

const throwing = (backend: string, listen: boolean): string => `
  import { createPoller } from '@pollux/core';
  if (${listen}) {
    process.on('uncaughtException', (error) => {
      console.log('seen', error.message);
      poller.close();
    });
  }
  const poller = createPoller({ backend: '${backend}', ignoreEnvironment: true });
  const attachment = poller.attach(() => {
    throw new Error('thrown by onReady');
  });
  attachment.keepAlive(true);
  attachment.arm(0);`;

describe.each(backends)('%s', (backend) => {
  const run = (listen: boolean) =>
    runNode(['--input-type=module', '--eval', throwing(backend, listen)], {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
    });

  test('somebody listens', async () => {
    expect(await run(true)).toEqual({
      code: 0,
      signal: null,
      stdout: 'seen thrown by onReady\n',
      stderr: '',
    });
  });

  test('nobody listens', async () => {
    const ended = await run(false);
    expect(ended).toMatchObject({ code: 1, signal: null, stdout: '' });
    expect(ended.stderr).toContain('Error: thrown by onReady');
  });
});
