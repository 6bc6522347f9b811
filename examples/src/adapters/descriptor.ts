// A descriptor of one's own on a reactor: watched from its birth to its end, which is one call.
import { closeSync, readSync } from 'node:fs';
import { Interest, type Reactor, type Watcher } from '@pollux/core';

export class Descriptor {
  readonly fd: number;
  readonly #watcher: Watcher;
  #closed = false;

  /** Takes the descriptor over: if the reactor refuses it, it is closed. */
  constructor(reactor: Reactor, fd: number, onReady: () => void) {
    this.fd = fd;
    try {
      this.#watcher = reactor.watch(fd, Interest.readable, onReady);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** One read: how many bytes, or undefined if nothing is there. A report may be spurious. */
  read(into: Uint8Array): number | undefined {
    try {
      return readSync(this.fd, into);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      return undefined;
    }
  }

  /** Waits for room to write as well, or no longer. */
  waitWritable(wanted: boolean): void {
    this.#watcher.update(Interest.readable | (wanted ? Interest.writable : 0));
  }

  /** The watcher first, then the descriptor. A second call does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true; // the watcher may be closed already: the reactor was
    this.#watcher.close();
    closeSync(this.fd);
  }
}
