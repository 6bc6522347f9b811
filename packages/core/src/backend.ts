// What a backend package gives to core, and what its addon looks like from TypeScript.
//
// The native face is private: its functions return a count or a negative errno and check nothing
// beyond what keeps the process alive. SystemPoller (system-poller.ts) is the only user.

/** What a primitive can do, in libevent's terms (event_method_feature). */
export interface Capabilities {
  /** Edge-triggered mode (EV_FEATURE_ET). */
  readonly edge: boolean;
  /** The cost of a wait grows with what is ready, not with what is watched (EV_FEATURE_O1). */
  readonly constantTime: boolean;
  /** Any kind of descriptor can be watched, regular files too (EV_FEATURE_FDS). */
  readonly anyFd: boolean;
  /** A peer's half-close is reported without reading: the hint `readClosed` (EV_FEATURE_EARLY_CLOSE). */
  readonly earlyClose: boolean;
  /** The hint `error` is given. */
  readonly errorHint: boolean;
  /** The hint `hangup` is given. */
  readonly hangupHint: boolean;
  /** EPOLLEXCLUSIVE can be asked for. */
  readonly exclusive: boolean;
  /** The finest step of a timeout, in milliseconds. */
  readonly timeoutResolutionMs: number;
}

/** The capabilities that a caller may require of a backend. */
export type CapabilityName = Exclude<keyof Capabilities, 'timeoutResolutionMs'>;

// The bits of the addon's `capabilities`, in the order of packages/addon/include/pollux/backend.h.
const CAPABILITY_BITS: Readonly<Record<CapabilityName, number>> = {
  edge: 1,
  constantTime: 2,
  anyFd: 4,
  earlyClose: 8,
  errorHint: 16,
  hangupHint: 32,
  exclusive: 64,
};

export const CAPABILITY_NAMES: readonly CapabilityName[] = Object.keys(
  CAPABILITY_BITS,
) as CapabilityName[];

export function decodeCapabilities(bits: number, timeoutResolutionMs: number): Capabilities {
  const flags = Object.fromEntries(
    CAPABILITY_NAMES.map((name) => [name, (bits & CAPABILITY_BITS[name]) !== 0]),
  ) as Record<CapabilityName, boolean>;
  return Object.freeze({ ...flags, timeoutResolutionMs });
}

/** The default export shape of a backend package: `export const backend: BackendModule`. */
export interface BackendModule {
  readonly name: string;
  /** Which system call is named in an error of each verb. */
  readonly syscalls: {
    readonly open: string;
    readonly change: string;
    readonly wait: string;
    /** Of a primitive that watches handles only, as the next. */
    readonly watchHandle?: string;
    readonly unwatchHandle?: string;
  };
  /** Loads the addon; throws what require or dlopen throw. */
  load(): NativeBinding;
}

/** Whether it is what a backend package exports, as far as that can be told without loading it. */
export function isBackendModule(value: unknown): value is BackendModule {
  if (typeof value !== 'object' || value === null) return false;
  const { name, syscalls, load } = value as Partial<BackendModule>;
  return typeof name === 'string' && typeof syscalls === 'object' && typeof load === 'function';
}

export interface NativeBinding {
  readonly name: string;
  readonly capabilities: number;
  /** What `wait` returns when the time is over: -ETIMEDOUT of this system. */
  readonly timedOut: number;
  readonly NativePoller: new () => NativePoller;
  wake(id: number): boolean;
  report(error: unknown): void;
  /** Calls; what it throws is reported, and true returned. */
  call(callback: () => void): boolean;
  /** A descriptor of a process, or a negative errno. */
  pidfdOpen(pid: number): number;
  /** How the process of a pidfd ended: 0x10000 and a status of wait(2), 0 if it cannot be told. */
  pidfdStatus(fd: number, reap: boolean): number;
  /** Closes what pidfdOpen opened; what is left is closed when this thread ends. */
  pidfdClose(fd: number): number;
}

export interface NativePoller {
  open(): number;
  close(): number;
  add(fd: number, interest: number, key: number, mode: number, exclusive: number): number;
  modify(fd: number, interest: number, key: number, mode: number, exclusive: number): number;
  delete(fd: number): number;
  canWatch(fd: number): number;
  watchHandle(handle: number, key: number): number;
  unwatchHandle(handle: number): number;
  watchProcess(pid: number, key: number): number;
  unwatchProcess(pid: number): number;
  watchVnode(fd: number, changes: number, key: number): number;
  unwatchVnode(fd: number): number;
  wait(timeoutMs: number, events: Uint32Array): number;
  notify(): number;
  attach(onReady: () => void, driver: number): number;
  detach(): number;
  arm(timeoutMs: number, capacity: number): number;
  retime(timeoutMs: number): number;
  harvest(events: Uint32Array): number;
  keepAlive(keep: boolean): number;
  wakerId(): number;
  pollableFd(): number;
  resolutionNs(): number;
  readCounters(out: Float64Array): number;
}
