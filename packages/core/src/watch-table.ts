// Which watchers each descriptor has, and the one registration they share.
//
// The registration's interest is the union of the active watchers'. Its mode is edge if theirs is
// (edge shares a descriptor only with edge); the kernel's oneshot if a single watcher asks for it;
// else level, and a oneshot beside others is disarmed here. A change is first tried on the poller
// and only then recorded, so a refusal leaves everything as it was.
import { PolluxError, type SystemError } from './errors.js';
import type { Mode, Poller } from './poller.js';
import type { Watcher } from './watcher.js';

/** A descriptor with its watchers. `key` is its place in the table and its key in the poller. */
export interface WatchedFd {
  readonly fd: number;
  readonly key: number;
  /** Replaced, never changed in place: a dispatch under way keeps the list it began with. */
  watchers: readonly Watcher[];
  /** What the poller was last told. */
  interest: number;
  mode: Mode;
  /** The kernel's oneshot has fired: the poller must be told again before it reports anew. */
  disarmed: boolean;
}

interface Wanted {
  readonly interest: number;
  readonly mode: Mode;
  readonly exclusive: boolean;
}

export class WatchTable {
  readonly #poller: Poller;
  readonly #byFd = new Map<number, WatchedFd>();
  readonly #byKey: (WatchedFd | undefined)[] = [];
  readonly #freeKeys: number[] = [];

  constructor(poller: Poller) {
    this.#poller = poller;
  }

  get(key: number): WatchedFd | undefined {
    return this.#byKey[key];
  }

  *watchers(): Generator<Watcher> {
    for (const entry of this.#byFd.values()) yield* entry.watchers;
  }

  /** Registers a new watcher. */
  insert(watcher: Watcher): void {
    const entry = this.#byFd.get(watcher.fd);
    if (entry !== undefined && this.#join(entry, watcher)) return;
    const wanted = merge([watcher], watcher, watcher.interest);
    const key = this.#freeKeys.pop() ?? this.#byKey.length;
    try {
      this.#poller.add(watcher.fd, wanted.interest, key, options(wanted));
    } catch (error) {
      this.#freeKey(key);
      throw error;
    }
    const { fd } = watcher;
    const { interest, mode } = wanted;
    const added = { fd, key, watchers: [watcher], interest, mode, disarmed: false };
    this.#byKey[key] = added;
    this.#byFd.set(fd, added);
  }

  /** Wants `interest` of an active watcher; throws, unchanged, what the system refuses. */
  change(watcher: Watcher, interest: number): void {
    const entry = this.#byFd.get(watcher.fd);
    if (entry === undefined) return;
    this.#tell(entry, merge(entry.watchers, watcher, interest));
  }

  /** After a watcher became inactive: less is wanted. A closed descriptor is no error here. */
  settle(watcher: Watcher): void {
    const entry = this.#byFd.get(watcher.fd);
    if (entry === undefined) return;
    try {
      this.#tell(entry, merge(entry.watchers, undefined, 0));
    } catch (error) {
      if (!isGone(error) && !isClosed(error)) throw error;
      // Silent by now, but what the poller was last told is not what we want: say it next time.
      entry.disarmed = true;
    }
  }

  /** A oneshot watcher has been served. */
  fired(watcher: Watcher): void {
    const entry = this.#byFd.get(watcher.fd);
    if (entry === undefined) return;
    if (entry.mode === 'oneshot') entry.disarmed = true;
    else this.settle(watcher);
  }

  remove(watcher: Watcher): void {
    const entry = this.#byFd.get(watcher.fd);
    if (entry === undefined || !entry.watchers.includes(watcher)) return;
    entry.watchers = entry.watchers.filter((other) => other !== watcher);
    if (entry.watchers.length > 0) this.settle(watcher);
    else this.#drop(entry);
  }

  /** One more watcher on a watched descriptor. False if its number was closed and reused. */
  #join(entry: WatchedFd, watcher: Watcher): boolean {
    const others = entry.watchers;
    const edge = watcher.mode === 'edge';
    if (others.some((other) => (other.mode === 'edge') !== edge) && !this.#isStale(entry)) {
      throw new PolluxError(
        'ERR_POLLUX_MIXED_MODES',
        `fd ${watcher.fd} has watchers of another mode: edge shares a descriptor only with edge`,
      );
    }
    const watchers = [...others, watcher];
    const wanted = merge(watchers, watcher, watcher.interest);
    try {
      // Told even if nothing changes: it is how the poller finds a reused number.
      this.#poller.modify(entry.fd, wanted.interest, entry.key, options(wanted));
    } catch (error) {
      if (!isGone(error)) throw error;
      // The old watchers' file is gone; if the number is free too, the add that follows says so.
      for (const other of others) other.forget();
      this.#drop(entry);
      return false;
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

  #tell(entry: WatchedFd, wanted: Wanted): void {
    const { interest, mode } = wanted;
    if (interest === 0 && (entry.interest === 0 || entry.disarmed)) return;
    if (interest === entry.interest && mode === entry.mode && !entry.disarmed) return;
    this.#poller.modify(entry.fd, interest, entry.key, options(wanted));
    entry.interest = interest;
    entry.mode = mode;
    entry.disarmed = false;
  }

  #drop(entry: WatchedFd): void {
    this.#byFd.delete(entry.fd);
    this.#freeKey(entry.key);
    try {
      this.#poller.delete(entry.fd);
    } catch (error) {
      if (!isGone(error) && !isClosed(error)) throw error;
    }
  }

  #freeKey(key: number): void {
    this.#byKey[key] = undefined;
    this.#freeKeys.push(key);
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

function isGone(error: unknown): boolean {
  const { code } = error as Partial<SystemError>;
  return code === 'EBADF' || code === 'ENOENT';
}
