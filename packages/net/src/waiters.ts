// Promises that a stream has given, and what each waits for. When the stream closes, those that have
// not been kept are broken.

export class Waiters<What extends string> {
  readonly #waiting: { what: What; resolve(): void; reject(reason: unknown): void }[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  wait(what: What): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ what, resolve, reject });
    });
  }

  /** It has come to pass. */
  resolve(what: What): void {
    for (let i = this.#waiting.length; i-- > 0; ) {
      if (this.#waiting[i]?.what === what) this.#waiting.splice(i, 1)[0]?.resolve();
    }
  }

  /** Nothing of what is still waited for will come. */
  reject(reason: unknown): void {
    for (const { reject } of this.#waiting.splice(0)) reject(reason);
  }
}
