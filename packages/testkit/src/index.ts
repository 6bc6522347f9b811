// Native helpers for tests: what tests need from the system and Node does not offer.
export * from './descriptors.js';
export * from './kinds.js';
export { macrotask } from './macrotask.js';
export { passOnLacking, requires } from './native.js';
export * from './process.js';
export { FdScope } from './scope.js';
export * from './sockets.js';
export * from './threads.js';
