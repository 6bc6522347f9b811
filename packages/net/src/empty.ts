/**
 * Empties an array that is filled again soon. `length = 0` would give its memory back, for the next
 * push to allocate anew: once for each message.
 */
export function empty(array: unknown[]): void {
  while (array.length > 0) array.pop();
}
