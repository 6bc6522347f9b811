// Which HANDLEs of Windows are watched, each by one watcher (handle-watcher.ts), and under which keys.
// Their keys in the poller lie above those of descriptors (watch-table.ts), so that one compare tells
// which table a record is for.
import { type PolluxError, type SystemError, systemError } from './errors.js';
import type { HandleWatcher } from './handle-watcher.js';
import type { Poller } from './poller.js';
import { noHandles } from './validate.js';

/** The first key here. There are fewer descriptors than this, for a descriptor is an int. */
export const FIRST_WAITABLE_KEY = 0x8000_0000;
const EEXIST = -17;

export class WaitableTable {
  readonly #poller: Poller;
  /** Handles, and the places of their watchers. */
  readonly #places = new Map<number, number>();
  readonly #watchers: (HandleWatcher | undefined)[] = [];
  readonly #freePlaces: number[] = [];
  /** Called in level mode, and not watched since. */
  #called: HandleWatcher[] = [];

  constructor(poller: Poller) {
    this.#poller = poller;
  }

  /** The poller found the object with this key signalled. It has to be armed again. */
  collect(key: number): void {
    const watcher = this.#watchers[key - FIRST_WAITABLE_KEY];
    if (watcher === undefined) return;
    watcher.armed = false;
    watcher.collect();
  }

  /** Throws, having changed nothing, what `arm` throws, and EEXIST. */
  insert(watcher: HandleWatcher): void {
    const { handle } = watcher;
    // The poller would take it anew once it has told of it.
    if (this.#places.has(handle)) throw systemError(EEXIST, 'watchHandle');
    const place = this.#freePlaces.pop() ?? this.#watchers.length;
    this.#watchers[place] = watcher;
    this.#places.set(handle, place);
    try {
      this.arm(watcher);
    } catch (error) {
      this.#forget(handle, place);
      throw error;
    }
  }

  /** Has the poller tell once more; throws what it refuses. */
  arm(watcher: HandleWatcher): void {
    const { handle } = watcher;
    if (this.#poller.watchHandle === undefined) throw noHandles(this.#poller.backend);
    this.#poller.watchHandle(handle, FIRST_WAITABLE_KEY + (this.#places.get(handle) as number));
    watcher.armed = true;
  }

  /** The poller says no more of it. */
  disarm(watcher: HandleWatcher): void {
    watcher.armed = false;
    try {
      this.#poller.unwatchHandle?.(watcher.handle);
    } catch (error) {
      // Not watched is what we want; and an injected poller may be closed before its reactor.
      const { code } = error as Partial<PolluxError | SystemError>;
      if (code !== 'ENOENT' && code !== 'ERR_POLLUX_CLOSED') throw error;
    }
  }

  remove(watcher: HandleWatcher): void {
    const { handle } = watcher;
    const place = this.#places.get(handle);
    // Not so of one that was refused.
    if (place === undefined || this.#watchers[place] !== watcher) return;
    this.disarm(watcher);
    this.#forget(handle, place);
  }

  /** To be armed by `beforeWait`. */
  again(watcher: HandleWatcher): void {
    this.#called.push(watcher);
  }

  /** Arms those in level mode that were called since. May leave work: a refusal to be told of. */
  beforeWait(): void {
    if (this.#called.length === 0) return;
    const called = this.#called;
    this.#called = [];
    for (const watcher of called) {
      if (!watcher.active || watcher.armed || watcher.wanted) continue;
      try {
        this.arm(watcher);
      } catch (error) {
        if ((error as Partial<PolluxError>).code !== 'ERR_POLLUX_CLOSED') watcher.refuse(error);
      }
    }
  }

  #forget(handle: number, place: number): void {
    this.#places.delete(handle);
    this.#watchers[place] = undefined;
    this.#freePlaces.push(place);
  }
}
