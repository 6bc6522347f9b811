// Descriptors that a test must not leak. This file knows the scopes only; closing by hand is
// descriptors.ts, which tells every scope to forget the number, for the next open may reuse it.
import { check, native } from './native.js';

const scopes = new Set<FdScope>();

/** Makes every scope forget a number that is no longer theirs to close. */
export function forget(fd: number): void {
  for (const scope of scopes) scope.forget(fd);
}

/** What all scopes track, in no order. */
export function trackedFds(): number[] {
  return [...scopes].flatMap((scope) => scope.tracked());
}

/** Closes what it tracks when it is left: `using fds = new FdScope()`. */
export class FdScope implements Disposable {
  readonly #fds = new Set<number>();

  /** Tracks a descriptor and gives it back. */
  track(fd: number): number {
    scopes.add(this);
    this.#fds.add(fd);
    return fd;
  }

  /** Tracks a pair or list of descriptors and gives it back. */
  trackAll<const T extends readonly number[]>(fds: T): T {
    for (const fd of fds) this.track(fd);
    return fds;
  }

  /** Tracks the `fd` of what has one (a listener or UDP socket with its port) and gives it back. */
  trackFd<T extends { readonly fd: number }>(owner: T): T {
    this.track(owner.fd);
    return owner;
  }

  /** What it tracks now. */
  tracked(): number[] {
    return [...this.#fds];
  }

  /** No longer tracks a descriptor that something else has closed or will close. */
  forget(fd: number): void {
    this.#fds.delete(fd);
  }

  /** Closes everything that is still tracked. */
  closeAll(): void {
    const fds = [...this.#fds];
    scopes.delete(this);
    for (const fd of fds) forget(fd);
    this.#fds.clear();
    const failed = fds.map((fd) => native.close(fd)).find((result) => result < 0);
    // EBADF is a test that closed the number behind our back: better told than kept quiet.
    if (failed !== undefined) check(failed, 'close');
  }

  [Symbol.dispose](): void {
    this.closeAll();
  }
}
