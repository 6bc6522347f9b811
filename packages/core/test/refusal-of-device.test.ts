// poll takes any file, and yet refuses a device on macOS: the message names select alone then. Linux has
// no such device, so it is the addon that is made to refuse.
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { evaluate } from './support.js';

const here = { cwd: fileURLToPath(new URL('.', import.meta.url)) };

// Windows has no poll.
test.skipIf(process.platform === 'win32')('EPERM of poll: select may', async () => {
  const refusal = await evaluate(
    `import { constants } from 'node:os';
     import { createPoller, Interest, provideAddon } from '@pollux/core';
     import { backend } from '@pollux/poll';
     const addon = backend.load();
     class NativePoller extends addon.NativePoller {
       add() { return -constants.errno.EPERM; }
     }
     provideAddon(backend, { ...addon, NativePoller });
     const poller = createPoller({ backend: 'poll' });
     try { poller.add(0, Interest.readable, 1); }
     catch ({ code, message }) { console.log(JSON.stringify({ code, message })); }
     poller.close();`,
    here,
  );
  expect(refusal).toEqual({
    code: 'EPERM',
    message: expect.stringContaining('kind of file, the select backend may'),
  });
});
