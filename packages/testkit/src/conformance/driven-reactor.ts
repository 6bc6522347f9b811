// A reactor that a test can run until something is the case, whichever way it waits.
import { strict as assert } from 'node:assert';
import { Reactor, type ReactorOptions } from '@pollux/core';
import type { Case } from './table.js';

export class DrivenReactor implements Disposable {
  readonly reactor: Reactor;
  readonly #blocking: boolean;

  constructor({ backend, way }: Case, options: ReactorOptions = {}) {
    this.#blocking = way === 'blocking';
    const mode = this.#blocking ? 'blocking' : 'attached';
    const driver = this.#blocking ? {} : ({ driver: way } as ReactorOptions);
    this.reactor = new Reactor({
      ignoreEnvironment: true,
      backend,
      mode,
      ...driver,
      ...options,
    });
    assert.equal(this.reactor.backend, backend);
    assert.equal(this.reactor.driver, way);
  }

  /** Turns until `done()` holds; fails after `timeoutMs`. */
  async until(done: () => boolean, timeoutMs = 5000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!done()) {
      if (performance.now() > deadline) throw new Error(`not done after ${timeoutMs} ms`);
      await this.#step();
    }
  }

  /** Turns for so long. */
  async during(ms: number): Promise<void> {
    const deadline = performance.now() + ms;
    while (performance.now() < deadline) await this.#step();
  }

  close(): void {
    this.reactor.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Always through Node's loop too, so that a blocking turn is not taken inside a promise. */
  #step(): Promise<void> {
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        try {
          if (this.#blocking && !this.reactor.closed) this.reactor.turn(5);
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
  }
}
