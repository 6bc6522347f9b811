// @pollux/core: the reactor, the poller contract and the choice of backend.

export { type Abortable, checkSignal, followSignal, unfollowSignal } from './abort.js';
export { loadNetAddon, provideAddon } from './addons.js';
export type {
  BackendModule,
  Capabilities,
  CapabilityName,
  NativeBinding,
  NativePoller,
} from './backend.js';
export type { Batch, BatchCallback } from './batch.js';
export type { ChildCallback, ChildExit, ChildWatcher } from './child-watcher.js';
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
export type { Budget } from './event-loop.js';
export type { EventStream } from './event-stream.js';
export type { Handle } from './handle.js';
export type { HandleCallback, HandleWatcher } from './handle-watcher.js';
export type { Hook, HookCallback, HookKind } from './hook.js';
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
export { Reactor } from './reactor.js';
export type {
  BatchOptions,
  ChildOptions,
  DeadlineOptions,
  HandleOptions,
  HookOptions,
  ReactorOptions,
  SignalOptions,
  StreamOptions,
  TimerOptions,
  WatchOptions,
} from './reactor-options.js';
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
export type { SignalCallback, SignalWatcher } from './signal-watcher.js';
export type { ReactorStats } from './stats.js';
export type { Timer, TimerCallback } from './timer.js';
export { VnodeChanges, vnodeChanges } from './vnode-changes.js';
export type { WatchCallback, Watcher } from './watcher.js';
