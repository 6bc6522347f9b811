// Preloaded by scripts/kqueue-model.mjs: points node-gyp-build at the kqueue addon that is built on
// the model. It is done here and not in the environment, because sh drops variables with names such
// as this.
const { join } = require('node:path');

process.env['@POLLUX/KQUEUE_PREBUILD'] ??= join(
  ...[__dirname, '..', '.kqueue-model', 'packages', 'kqueue', 'native'],
);
