// The poll backend: which addon, and what its system calls are called. @pollux/core chooses and
// loads this package at run time; everything else is in native/ and in core.
import type { BackendModule, NativeBinding } from '@pollux/core';

export const backend: BackendModule = {
  name: 'poll',
  syscalls: { open: 'pipe', change: 'poll', wait: 'ppoll' },
  load(): NativeBinding {
    // Not an `import` of it, which costs a millisecond: it loads what it exports lazily.
    const { createRequire } = process.getBuiltinModule('node:module');
    const require = createRequire(import.meta.url);
    return require('node-gyp-build')(`${import.meta.dirname}/..`);
  },
};
