// A turn of Node's loop that is no promise's.

/**
 * Calls `body` in a macrotask of its own: V8 runs no promise reactions inside a promise reaction, and
 * what follows an `await` is one.
 */
export function macrotask<T>(body: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(body());
      } catch (error) {
        reject(error);
      }
    });
  });
}
