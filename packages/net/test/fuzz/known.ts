// What @pollux/net is known to do wrong, so that the fuzz can look for the rest. A fix takes its line
// from here with it.
export const KNOWN = {
  /**
   * A datagram listener that throws, and throws again in the rest of the batch, is given datagrams
   * of the next batch before the rest of that rest.
   */
  overtakesAfterThrow: true,
} as const;
