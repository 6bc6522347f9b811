// The kqueue backend: which addon, and what its system calls are called. @pollux/core chooses and
// loads this package at run time; everything else is in native/ and in core.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { BackendModule, NativeBinding } from '@pollux/core';

const require = createRequire(import.meta.url);

export const backend: BackendModule = {
  name: 'kqueue',
  syscalls: { open: 'kqueue', change: 'kevent', wait: 'kevent' },
  load(): NativeBinding {
    return require('node-gyp-build')(fileURLToPath(new URL('..', import.meta.url)));
  },
};
