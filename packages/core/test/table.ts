// The table of backends as this system sees it, so that tests name no backend but the one they are
// about, and a new row in the table is no change to them.
import { BACKEND_NAMES, explainSelection } from '@pollux/core';

const { candidates } = explainSelection({ ignoreEnvironment: true });

/** Those of this system, best first. All of them work where the tests run. */
export const ours: readonly string[] = candidates
  .filter(({ reason }) => reason?.code !== 'platform')
  .map(({ backend }) => backend);

/** What is taken where the best cannot be had. */
export const next = ours[1]!;

/** The reason codes of all candidates where those of this system share one. */
export const reasonsIf = (code: string): Record<string, string> =>
  Object.fromEntries(
    BACKEND_NAMES.map((name) => [name, ours.includes(name) ? code : 'platform'] as const),
  );

/** An environment that forbids these. */
export const forbidding = (names: readonly string[]): NodeJS.ProcessEnv =>
  Object.fromEntries(names.map((name) => [`POLLUX_NO_${name.toUpperCase()}`, '1']));
