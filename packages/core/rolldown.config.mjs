// A few files instead of thirty: most of the time that an import of Pollux took went into finding,
// reading and linking small modules (bench: startup). Declarations are tsc's, one for each source.
import { defineConfig } from 'rolldown';

export default defineConfig({
  input: {
    index: 'src/index.ts',
    testing: 'src/testing.ts',
    'cli/main': 'src/cli/main.ts',
    // Alone, for its own tests.
    'timer-wheel': 'src/timer-wheel.ts',
  },
  platform: 'node',
  external: [/^node:/, /^@pollux\//],
  output: {
    dir: 'dist',
    format: 'esm',
    sourcemap: true,
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    minify: false,
    // What a name is for stands in the declarations.
    comments: { jsdoc: false },
    // What entries share is in one chunk, not in one for each combination of them.
    codeSplitting: { groups: [{ name: 'core', test: /src\/(?!cli|testing|index)/ }] },
  },
});
