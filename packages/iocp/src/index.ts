// The iocp backend: which addon, and what its system calls are called. @pollux/core chooses and
// loads this package at run time; everything else is in native/ and in core.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { BackendModule, NativeBinding } from '@pollux/core';

const require = createRequire(import.meta.url);

export const backend: BackendModule = {
  name: 'iocp',
  syscalls: { open: 'NtCreateFile', change: 'IOCTL_AFD_POLL', wait: 'GetQueuedCompletionStatusEx' },
  load(): NativeBinding {
    return require('node-gyp-build')(fileURLToPath(new URL('..', import.meta.url)));
  },
};
