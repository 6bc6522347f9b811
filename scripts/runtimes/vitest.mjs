// What stands in for the module 'vitest' in a stage (stage.mjs): its own runner, expect and spy, which
// are plain JavaScript, without vite, which neither Bun nor Deno nor an emulated machine can carry.
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
} from '@vitest/expect';
import { restoreAllMocks, spyOn } from '@vitest/spy';

export {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  onTestFinished,
  test,
  test as it,
} from '@vitest/runner';

for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin);

export const expect = Object.assign(
  (value, message) => chai.expect(value, message),
  chai.expect,
  globalThis[ASYMMETRIC_MATCHERS_OBJECT],
  {
    fail: chai.assert.fail,
    unreachable: (message = '') => chai.assert.fail(`expected ${message} not to be reached`),
  },
);

export const vi = { restoreAllMocks, spyOn };
