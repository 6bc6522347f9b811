// The Poller over a native backend: validates, keeps the records' array, and turns negative errnos
// into errors. One class for every primitive.
import {
  type BackendModule,
  type Capabilities,
  decodeCapabilities,
  type NativeBinding,
  type NativePoller,
} from './backend.js';
import { os } from './builtins.js';
import { PolluxError, type SystemErrorDetails, systemError } from './errors.js';
import type {
  Attachment,
  DriverName,
  Poller,
  PollerCounters,
  RegistrationOptions,
  Waker,
} from './poller.js';
import {
  checkBoolean,
  checkDriver,
  checkExclusive,
  checkFd,
  checkFunction,
  checkHandle,
  checkInteger,
  checkInterest,
  checkKey,
  checkOneOf,
  checkOptions,
  checkTimeout,
  noHandles,
} from './validate.js';
import { ALL_VNODE_CHANGES } from './vnode-changes.js';

/** Records of the first wait; doubled after each that fills it. */
const FIRST_CAPACITY = 256;
/** 128 KiB of records: more ready descriptors than this are fairly shared over several waits. */
const MAX_CAPACITY = 16_384;
/** A blocking wait passes through JavaScript this often, so that a worker can be terminated. */
const SLICE_MS = 200;

/**
 * What of `canWatch` means no. EPERM: epoll's word for a file that cannot be polled. EINVAL, ELOOP: an
 * epoll in itself. ENOTSOCK: a handle of Windows that is no socket.
 */
const UNWATCHABLE: readonly string[] = ['EPERM', 'EINVAL', 'ELOOP', 'ENOTSOCK'];

const MODES = { level: 0, oneshot: 1, edge: 2 } as const;
const MODE_NAMES = Object.keys(MODES);
const DRIVERS = { thread: 0, uv: 1 } as const;

export class SystemPoller implements Poller {
  readonly backend: string;
  readonly capabilities: Capabilities;
  readonly waker: Waker;
  readonly drivers: readonly DriverName[];
  readonly #module: BackendModule;
  readonly #native: NativePoller;
  readonly #timedOut: number;
  #events = new Uint32Array(2 * FIRST_CAPACITY);
  #full = false;
  #attachment: Attachment | undefined;
  #closed = false;

  /**
   * `drivers` are those of a primitive with a descriptor. Throws the system's error if the primitive
   * is not to be had.
   */
  constructor(module: BackendModule, binding: NativeBinding, drivers: readonly DriverName[]) {
    this.#module = module;
    this.#timedOut = binding.timedOut;
    this.#native = new binding.NativePoller();
    const opened = this.#native.open();
    if (opened < 0) throw systemError(opened, module.syscalls.open);
    this.backend = module.name;
    this.capabilities = decodeCapabilities(binding.capabilities, this.#native.resolutionNs() / 1e6);
    this.drivers = this.fd === undefined ? ['thread'] : drivers;
    this.waker = Object.freeze({ backend: module.name, id: this.#native.wakerId() });
  }

  get events(): Uint32Array {
    return this.#events;
  }

  get fd(): number | undefined {
    this.#assertOpen();
    const fd = this.#native.pollableFd();
    return fd < 0 ? undefined : fd;
  }

  add(fd: number, interest: number, key: number, options?: RegistrationOptions): void {
    this.#checkRegistration(fd, interest, key, options);
    const mode = MODES[options?.mode ?? 'level'];
    const exclusive = options?.exclusive ? 1 : 0;
    this.#changed(this.#native.add(fd, interest, key, mode, exclusive), fd);
  }

  modify(fd: number, interest: number, key: number, options?: RegistrationOptions): void {
    this.#checkRegistration(fd, interest, key, options);
    const mode = MODES[options?.mode ?? 'level'];
    const exclusive = options?.exclusive ? 1 : 0;
    this.#changed(this.#native.modify(fd, interest, key, mode, exclusive), fd);
  }

  delete(fd: number): void {
    this.#assertOpen();
    checkFd(fd);
    this.#changed(this.#native.delete(fd), fd);
  }

  wait(timeoutMs?: number): number {
    this.#assertOpen();
    const timeout = checkTimeout('timeoutMs', timeoutMs);
    if (this.#attachment !== undefined) {
      throw new PolluxError('ERR_POLLUX_ATTACHED', 'An attached poller waits on its own thread');
    }
    if (this.#renewEvents()) {
      throw new PolluxError(
        'ERR_POLLUX_EVENTS_DETACHED',
        'poller.events was transferred away; read it anew before the next wait',
      );
    }
    // One slice is enough for a short one, and none for one without end.
    const isSliced = timeout > SLICE_MS && timeout < Number.POSITIVE_INFINITY;
    const deadline = isSliced ? performance.now() + timeout : timeout;
    for (let left = timeout; ; left = deadline - performance.now()) {
      const result = this.#native.wait(Math.max(0, Math.min(left, SLICE_MS)), this.#events);
      if (result !== this.#timedOut) return this.#counted(result);
      if (left <= SLICE_MS) return 0;
    }
  }

  notify(): void {
    this.#assertOpen();
    this.#native.notify();
  }

  canWatch(fd: number): boolean {
    this.#assertOpen();
    checkFd(fd);
    const result = this.#native.canWatch(fd);
    if (result >= 0) return true;
    const error = systemError(result, this.#module.syscalls.change, { fd });
    if (UNWATCHABLE.includes(error.code)) return false;
    throw error;
  }

  watchHandle(handle: number, key: number): void {
    this.#assertOpen();
    checkHandle(handle);
    checkKey(key);
    this.#handled(this.#native.watchHandle(handle, key), this.#module.syscalls.watchHandle);
  }

  unwatchHandle(handle: number): void {
    this.#assertOpen();
    checkHandle(handle);
    this.#handled(this.#native.unwatchHandle(handle), this.#module.syscalls.unwatchHandle);
  }

  watchProcess(pid: number, key: number): void {
    this.#assertOpen();
    checkInteger('pid', pid, 1, 0x7fff_ffff);
    checkKey(key);
    this.#watched(this.#native.watchProcess(pid, key), { pid });
  }

  unwatchProcess(pid: number): void {
    this.#assertOpen();
    checkInteger('pid', pid, 1, 0x7fff_ffff);
    this.#watched(this.#native.unwatchProcess(pid), { pid });
  }

  watchVnode(fd: number, changes: number, key: number): void {
    this.#assertOpen();
    checkFd(fd);
    checkInteger('changes', changes, 1, ALL_VNODE_CHANGES);
    checkKey(key);
    this.#watched(this.#native.watchVnode(fd, changes, key), { fd });
  }

  unwatchVnode(fd: number): void {
    this.#assertOpen();
    checkFd(fd);
    this.#watched(this.#native.unwatchVnode(fd), { fd });
  }

  counters(): PollerCounters {
    this.#assertOpen();
    const values = new Float64Array(3);
    this.#native.readCounters(values);
    const [stale = 0, rebuilds = 0, wakeups = 0] = values;
    return { stale, rebuilds, wakeups };
  }

  attach(onReady: () => void, driver: DriverName = this.drivers[0] ?? 'thread'): Attachment {
    this.#assertOpen();
    checkFunction('onReady', onReady);
    if (this.#attachment !== undefined) {
      throw new PolluxError('ERR_POLLUX_ATTACHED', 'This poller is attached already');
    }
    checkDriver('driver', driver, this);
    const result = this.#native.attach(onReady, DRIVERS[driver]);
    // The `init` hooks of node:async_hooks were called meanwhile.
    this.#assertOpen();
    this.#check(result, 'attach');
    const native = this.#native;
    const use = (result: number) => this.#check(result, this.#module.syscalls.wait);
    // One of an earlier life does nothing.
    const attached = () => this.#attachment === attachment;
    const attachment: Attachment = {
      driver,
      arm: (timeoutMs) => {
        checkTimeout('timeoutMs', timeoutMs);
        if (!attached()) return;
        this.#renewEvents();
        use(native.arm(timeoutMs, this.#events.length / 2));
      },
      retime: (timeoutMs) => {
        checkTimeout('timeoutMs', timeoutMs);
        if (attached()) use(native.retime(timeoutMs));
      },
      harvest: () => {
        if (!attached()) return 0;
        // A batch was prepared for the array's old size; a transferred one is replaced by its like.
        if (this.#events.length === 0) this.#events = new Uint32Array(this.#capacity * 2);
        return this.#counted(native.harvest(this.#events));
      },
      keepAlive: (keep) => {
        if (attached()) native.keepAlive(keep);
      },
      detach: () => {
        if (!attached()) return;
        native.detach();
        this.#attachment = undefined;
      },
    };
    this.#attachment = attachment;
    return attachment;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#attachment = undefined;
    this.#native.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #capacity = FIRST_CAPACITY;

  #assertOpen(): void {
    if (this.#closed) throw new PolluxError('ERR_POLLUX_CLOSED', 'The poller is closed');
  }

  #checkRegistration(
    fd: number,
    interest: number,
    key: number,
    options: RegistrationOptions | undefined,
  ): void {
    this.#assertOpen();
    checkFd(fd);
    checkInterest(interest);
    checkKey(key);
    if (options === undefined) return;
    checkOptions('options', options);
    checkOneOf('options.mode', options.mode, MODE_NAMES);
    checkBoolean('options.exclusive', options.exclusive);
    if (options.mode === 'edge' && !this.capabilities.edge) {
      throw new PolluxError(
        'ERR_POLLUX_UNSUPPORTED',
        `The ${this.backend} backend has no edge-triggered mode (options.mode)`,
      );
    }
    if (!options.exclusive) return;
    if (!this.capabilities.exclusive) {
      throw new PolluxError(
        'ERR_POLLUX_UNSUPPORTED',
        `The ${this.backend} backend has no exclusive wakeup (options.exclusive)`,
      );
    }
    checkExclusive(interest, options);
  }

  /** The result of add, modify or delete: the record it made void, plus one, or 0. */
  #changed(result: number, fd: number): void {
    if (result < 0)
      throw systemError(result, this.#module.syscalls.change, { fd }, this.#hint(result));
    if (result > 0) this.#events[2 * result - 1] = 0;
  }

  /**
   * Who is refused for the kind of its file is told who would take it: poll and select take any file,
   * but for a device that poll refuses (macOS). select refuses none.
   */
  #hint(result: number): string | undefined {
    if (-result !== os().constants.errno.EPERM) return undefined;
    const others = this.capabilities.anyFd ? 'select' : 'poll or the select';
    return `${this.backend} cannot watch this kind of file, the ${others} backend may`;
  }

  /** The result of watchHandle or unwatchHandle, as that of `#changed`; ENOSYS from who has none. */
  #handled(result: number, syscall: string = this.#module.syscalls.change): void {
    if (result > 0) this.#events[2 * result - 1] = 0;
    if (result >= 0) return;
    const error = systemError(result, syscall);
    throw error.code === 'ENOSYS' ? noHandles(this.backend) : error;
  }

  /** The same of what only kqueue watches. */
  #watched(result: number, details: SystemErrorDetails): void {
    if (result > 0) this.#events[2 * result - 1] = 0;
    if (result >= 0) return;
    const error = systemError(result, this.#module.syscalls.change, details);
    if (error.code !== 'ENOSYS') throw error;
    throw new PolluxError(
      'ERR_POLLUX_UNSUPPORTED',
      `The ${this.backend} backend watches descriptors only`,
    );
  }

  /** The number of records just written. */
  #counted(result: number): number {
    if (result < 0) throw systemError(result, this.#module.syscalls.wait);
    this.#full = 2 * result === this.#events.length;
    return result;
  }

  #check(result: number, syscall: string): void {
    if (result < 0) throw systemError(result, syscall);
  }

  /**
   * Before a wait: a larger array if the last wait filled it. True if the array had been transferred
   * away and was replaced.
   */
  #renewEvents(): boolean {
    const detached = this.#events.length === 0;
    if (this.#full && this.#capacity < MAX_CAPACITY) this.#capacity *= 2;
    if (detached || this.#events.length !== this.#capacity * 2) {
      this.#events = new Uint32Array(this.#capacity * 2);
    }
    this.#full = false;
    return detached;
  }
}
