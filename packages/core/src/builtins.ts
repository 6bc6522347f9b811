// Those of Node's own modules that are needed now and then, fetched when they are, and not as ES
// modules: an `import` of node:fs, node:util or node:module reads every property of it to export it,
// and so loads what is behind the lazy ones, all of node:stream among it. That was a fifth of what
// it took to import Pollux and open a poller (bench: startup).
import type * as Fs from 'node:fs';
import type { createRequire as CreateRequire } from 'node:module';
import type * as Os from 'node:os';
import type * as Util from 'node:util';
import type * as Workers from 'node:worker_threads';

export const fs = (): typeof Fs => process.getBuiltinModule('node:fs');
export const createRequire: typeof CreateRequire = (path) =>
  process.getBuiltinModule('node:module').createRequire(path);
export const os = (): typeof Os => process.getBuiltinModule('node:os');
export const util = (): typeof Util => process.getBuiltinModule('node:util');
export const workers = (): typeof Workers => process.getBuiltinModule('node:worker_threads');
