// Which watchers each descriptor has, and the one registration they share.
//
// The registration's interest is the union of the active watchers'. Its mode is edge if theirs is
// (edge shares a descriptor only with edge); the kernel's oneshot if a single watcher asks for it;
// else level, and a oneshot beside others is disarmed here. A change is first tried on the poller
// and only then recorded, so a refusal leaves everything as it was.
//
// A descriptor that loses its last watcher stays in the poller until just before the next wait, where
// `Loop.waitsLater` says that there is a moment for that. One that is watched again by then costs one
// change of the kernel's set instead of two, and the change tells whether the number is still the same
// file. If it was closed meanwhile and a duplicate of it lives on, what the kernel reports of that is
// dropped by the poller, as ever.
//
// A descriptor may belong to a batch (batch.ts) instead. And one that the primitive refuses (EPERM:
// a regular file in epoll) may be served as always ready, if its watchers ask for that: then it is
// not in the poller, and each turn finds it ready.
import type { Batch, BatchedFd } from './batch.js';
import { PolluxError, type SystemError, systemError } from './errors.js';
import { Interest } from './interest.js';
import type { Mode, Poller } from './poller.js';
import type { Watcher } from './watcher.js';

/** A descriptor with its watchers, or of a batch. `key` is its place here and in the poller. */
export interface WatchedFd extends BatchedFd {
  readonly fd: number;
  readonly key: number;
  /** Replaced, never changed in place: a dispatch under way keeps the list it began with. */
  watchers: readonly Watcher[];
  /** The batch it belongs to instead. */
  readonly batch: Batch | undefined;
  /** Of a batch only: watchers say it each. */
  readonly exclusive: boolean;
  /** What the poller was last told. */
  interest: number;
  mode: Mode;
  /** The kernel's oneshot has fired: the poller must be told again before it reports anew. */
  disarmed: boolean;
  /** Not in the poller: always ready. */
  readonly always: boolean;
  /** Among those that are to leave the poller, if they still have no watcher. */
  leaving: boolean;
}

interface Wanted {
  readonly interest: number;
  readonly mode: Mode;
  readonly exclusive: boolean;
}

/** Whose a new registration is. */
interface Owner {
  readonly watchers: readonly Watcher[];
  readonly batch?: Batch;
  readonly batchKey?: number;
  readonly alwaysReady?: boolean;
}

/** What a file that never blocks is ready for, as poll(2) has it. */
const ALWAYS = Interest.readable | Interest.writable;
const ENOENT = -2;
/** So many descriptors at most that nobody watches wait for the next wait, which may be far off. */
const MOST_LEAVING = 256;

export class WatchTable {
  readonly #poller: Poller;
  readonly #byFd = new Map<number, WatchedFd>();
  readonly #byKey: (WatchedFd | undefined)[] = [];
  readonly #freeKeys: number[] = [];
  readonly #always = new Set<WatchedFd>();
  #leaving: WatchedFd[] = [];

  constructor(poller: Poller) {
    this.#poller = poller;
  }

  /** What the poller found on the descriptor with this key goes to whom it concerns. */
  collect(key: number, found: number): void {
    const entry = this.#byKey[key];
    if (entry === undefined) return;
    if (entry.batch !== undefined) entry.batch.collect(entry, found);
    else for (const watcher of entry.watchers) watcher.collect(found);
  }

  /** The same for what is ready without asking the poller. */
  collectAlwaysReady(): void {
    if (this.#always.size === 0) return;
    for (const { watchers } of this.#always) {
      for (const watcher of watchers) watcher.collect(ALWAYS);
    }
  }

  /** Whether one of them is wanted. */
  get hasAlwaysReady(): boolean {
    if (this.#always.size === 0) return false;
    for (const { interest } of this.#always) if ((interest & ALWAYS) !== 0) return true;
    return false;
  }

  entries(): Iterable<WatchedFd> {
    return this.#byFd.values();
  }

  *watchers(): Generator<Watcher> {
    for (const entry of this.#byFd.values()) yield* entry.watchers;
  }

  // Watchers.

  /** Registers a new watcher, wanting `interest`. */
  insert(watcher: Watcher, interest: number): void {
    const entry = this.#byFd.get(watcher.fd);
    // For one of a batch the poller says it: EEXIST, unless the number was closed and reused.
    const shared = entry !== undefined && entry.batch === undefined;
    if (shared && this.#join(entry, watcher, interest)) return;
    const { alwaysReady } = watcher;
    this.#register(watcher.fd, merge([watcher], watcher, interest), {
      watchers: [watcher],
      alwaysReady,
    });
  }

  /** Wants `interest` of an active watcher; throws, unchanged, what the system refuses. */
  change(watcher: Watcher, interest: number): void {
    const entry = this.#byFd.get(watcher.fd);
    if (entry === undefined) return;
    // Edge: told even if nothing changes, so that what is the case already is reported anew.
    this.#tell(entry, merge(entry.watchers, watcher, interest), watcher.mode === 'edge');
  }

  /** After a watcher became inactive: less is wanted. A closed descriptor is no error here. */
  settle(watcher: Watcher): void {
    const entry = this.#byFd.get(watcher.fd);
    if (entry === undefined) return;
    try {
      this.#tell(entry, merge(entry.watchers, undefined, 0), false);
    } catch (error) {
      if (!isGone(error) && !isClosed(error)) throw error;
      // Silent by now, but what the poller was last told is not what we want: say it next time.
      entry.disarmed = true;
    }
  }

  /** A oneshot watcher has been served: by an event (the kernel disarmed it), or by its timeout. */
  fired(watcher: Watcher, byEvent: boolean): void {
    const entry = this.#byFd.get(watcher.fd);
    if (entry === undefined) return;
    if (byEvent && entry.mode === 'oneshot' && !entry.always) entry.disarmed = true;
    else this.settle(watcher);
  }

  /** `later`: before the next wait, by `beforeWait`, is soon enough. */
  remove(watcher: Watcher, later: boolean): void {
    const entry = this.#byFd.get(watcher.fd);
    if (entry === undefined || !entry.watchers.includes(watcher)) return;
    entry.watchers = entry.watchers.filter((other) => other !== watcher);
    if (entry.watchers.length > 0) this.settle(watcher);
    else if (!later || entry.always) this.#drop(entry);
    else if (!entry.leaving) {
      entry.leaving = true;
      if (this.#leaving.push(entry) === MOST_LEAVING) this.beforeWait();
    }
  }

  /** The poller forgets whom nobody watches any more. */
  beforeWait(): void {
    if (this.#leaving.length === 0) return;
    const leaving = this.#leaving;
    this.#leaving = [];
    for (const entry of leaving) {
      entry.leaving = false;
      if (entry.watchers.length === 0 && this.#byKey[entry.key] === entry) this.#drop(entry);
    }
  }

  // Descriptors of a batch.

  insertBatched(
    batch: Batch,
    fd: number,
    interest: number,
    batchKey: number,
    exclusive: boolean,
  ): void {
    this.#register(fd, { interest, mode: 'level', exclusive }, { watchers: [], batch, batchKey });
  }

  changeBatched(batch: Batch, fd: number, interest: number, batchKey: number): BatchedFd {
    const entry = this.#batched(batch, fd);
    const { exclusive } = entry;
    this.#poller.modify(fd, interest, entry.key, options({ interest, mode: 'level', exclusive }));
    entry.batchKey = batchKey;
    entry.interest = interest;
    return entry;
  }

  removeBatched(batch: Batch, fd: number): BatchedFd {
    const entry = this.#batched(batch, fd);
    this.#drop(entry);
    return entry;
  }

  /** Forgets all descriptors of a batch. */
  removeBatch(batch: Batch): void {
    for (const entry of [...this.#byFd.values()]) if (entry.batch === batch) this.#drop(entry);
  }

  #batched(batch: Batch, fd: number): WatchedFd {
    const entry = this.#byFd.get(fd);
    if (entry?.batch !== batch) throw systemError(ENOENT, 'watch', { fd });
    return entry;
  }

  // The registration.

  #register(fd: number, wanted: Wanted, owner: Owner): void {
    let old = this.#byFd.get(fd);
    if (old?.leaving) {
      this.#drop(old);
      old = undefined;
    }
    const key = this.#freeKeys.pop() ?? this.#byKey.length;
    this.#byKey[key] = undefined;
    let always = false;
    try {
      this.#poller.add(fd, wanted.interest, key, options(wanted));
    } catch (error) {
      always = owner.alwaysReady === true && (error as Partial<SystemError>).code === 'EPERM';
      if (!always) {
        this.#freeKeys.push(key);
        throw error;
      }
    }
    // It took a number that we knew: the old registration was of another file.
    if (old !== undefined) this.#evict(old);
    const { watchers, batch, batchKey = 0 } = owner;
    const { interest, mode, exclusive } = wanted;
    const state = { interest, mode, exclusive, disarmed: false, always, leaving: false };
    const batched = { batch, batchKey, batchPlace: 0, batchRound: 0 };
    const entry: WatchedFd = { fd, key, watchers, ...batched, ...state };
    this.#byKey[key] = entry;
    this.#byFd.set(fd, entry);
    if (always) this.#always.add(entry);
  }

  /** One more watcher on a watched descriptor. False if its number was closed and reused. */
  #join(entry: WatchedFd, watcher: Watcher, interest: number): boolean {
    const others = entry.watchers;
    const edge = watcher.mode === 'edge';
    if (others.some((other) => (other.mode === 'edge') !== edge) && !this.#isStale(entry)) {
      throw new PolluxError(
        'ERR_POLLUX_MIXED_MODES',
        `fd ${watcher.fd} has watchers of another mode: edge shares a descriptor only with edge`,
      );
    }
    const watchers = [...others, watcher];
    const wanted = merge(watchers, watcher, interest);
    if (entry.always) {
      // A probe that finds a reused number too: then the add that follows takes it.
      if (this.#canWatch(entry.fd) || !watcher.alwaysReady) return false;
    } else {
      try {
        // Told even if nothing changes: it is how the poller finds a reused number.
        this.#poller.modify(entry.fd, wanted.interest, entry.key, options(wanted));
      } catch (error) {
        if (!isGone(error)) throw error;
        // The old watchers' file is gone; if the number is free too, the add that follows says so.
        this.#drop(entry);
        this.#closeAll(entry);
        return false;
      }
    }
    entry.watchers = watchers;
    entry.interest = wanted.interest;
    entry.mode = wanted.mode;
    entry.disarmed = false;
    return true;
  }

  /** Whether the number was closed since: it names another file by now, or none. */
  #isStale(entry: WatchedFd): boolean {
    try {
      // What it was told before; a fired oneshot is not to be armed by the question.
      if (entry.disarmed) entry.interest = 0;
      const { fd, interest, key } = entry;
      this.#poller.modify(fd, interest, key, options(merge(entry.watchers, undefined, 0)));
      return false;
    } catch (error) {
      if (!isGone(error)) throw error;
      return true;
    }
  }

  #canWatch(fd: number): boolean {
    try {
      return this.#poller.canWatch(fd);
    } catch {
      return true;
    }
  }

  #tell(entry: WatchedFd, wanted: Wanted, anew: boolean): void {
    const { interest, mode } = wanted;
    if (!entry.always) {
      if (interest === 0 && (entry.interest === 0 || entry.disarmed)) return;
      if (interest === entry.interest && mode === entry.mode && !entry.disarmed && !anew) return;
      this.#poller.modify(entry.fd, interest, entry.key, options(wanted));
    }
    entry.interest = interest;
    entry.mode = mode;
    entry.disarmed = false;
  }

  /** Forgets an entry whose number names another file by now, and closes its watchers. */
  #evict(entry: WatchedFd): void {
    if (this.#byFd.get(entry.fd) === entry) this.#byFd.delete(entry.fd);
    this.#forget(entry);
    this.#closeAll(entry);
  }

  #drop(entry: WatchedFd): void {
    this.#byFd.delete(entry.fd);
    this.#forget(entry);
    if (entry.always) return;
    try {
      this.#poller.delete(entry.fd);
    } catch (error) {
      if (!isGone(error) && !isClosed(error)) throw error;
    }
  }

  #forget(entry: WatchedFd): void {
    this.#always.delete(entry);
    this.#byKey[entry.key] = undefined;
    this.#freeKeys.push(entry.key);
  }

  /** Closes the watchers of an entry that is forgotten already. */
  #closeAll(entry: WatchedFd): void {
    for (const watcher of entry.watchers) watcher.close();
    entry.batch?.forgotten(entry);
  }
}

/** What `watchers` want together, with `changing` counted as active and wanting `interest`. */
function merge(
  watchers: readonly Watcher[],
  changing: Watcher | undefined,
  interest: number,
): Wanted {
  let union = 0;
  let active = 0;
  let mode: Mode = 'level';
  let exclusive = false;
  for (const watcher of watchers) {
    if (watcher !== changing && !watcher.active) continue;
    active++;
    union |= watcher === changing ? interest : watcher.interest;
    mode = watcher.mode;
    exclusive = exclusive || watcher.exclusive;
  }
  if (mode === 'oneshot' && active > 1) mode = 'level';
  return { interest: union, mode, exclusive };
}

function options({ mode, exclusive }: Wanted): { mode: Mode; exclusive?: boolean } {
  return exclusive ? { mode, exclusive } : { mode };
}

/** An injected poller may be closed before its reactor. */
function isClosed(error: unknown): boolean {
  return (error as Partial<PolluxError>).code === 'ERR_POLLUX_CLOSED';
}

/** EPERM too, of what was registered once: the number is a file's by now that cannot be. */
function isGone(error: unknown): boolean {
  const { code } = error as Partial<SystemError>;
  return code === 'EBADF' || code === 'ENOENT' || code === 'EPERM';
}
