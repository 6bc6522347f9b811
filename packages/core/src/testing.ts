// @pollux/core/testing: for tests of code that uses a reactor.
export { ManualClock, MemoryPoller } from './testing/memory-poller.js';
