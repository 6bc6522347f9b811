// @pollux/core: the reactor, the poller contract and the choice of backend.
export type {
  BackendModule,
  Capabilities,
  CapabilityName,
  NativeBinding,
  NativePoller,
} from './backend.js';
export { type Clock, systemClock } from './clock.js';
export {
  invalidType,
  invalidValue,
  outOfRange,
  PolluxError,
  type PolluxErrorCode,
  type SystemError,
  type SystemErrorDetails,
  systemError,
} from './errors.js';
export { Events, eventNames, Interest } from './interest.js';
export type {
  Attachment,
  DriverName,
  Mode,
  Poller,
  PollerCounters,
  RegistrationOptions,
  Waker,
} from './poller.js';
export { Reactor, type ReactorOptions, type TimerOptions, type WatchOptions } from './reactor.js';
export {
  BACKEND_NAMES,
  type Candidate,
  createPoller,
  explainSelection,
  type Reason,
  type ReasonCode,
  type Selection,
  type SelectionOptions,
  wake,
} from './selection.js';
export type { Timer, TimerCallback } from './timer.js';
export type { WatchCallback, Watcher } from './watcher.js';
