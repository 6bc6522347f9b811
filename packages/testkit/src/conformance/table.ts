// The table that the conformance suite runs over: backend x way of waiting x mode.
//
// POLLUX_BACKEND narrows it to one backend, as it does for users; every suite asserts that the
// poller it was given is the one it asked for, so that a table cannot silently shrink to another.
import {
  BACKEND_NAMES,
  type Capabilities,
  createPoller,
  type DriverName,
  explainSelection,
  type Mode,
} from '@pollux/core';

/** How the events come: `wait` on this thread, or the callback of an attachment's driver. */
export type Way = 'blocking' | DriverName;

export interface Case {
  readonly backend: string;
  readonly way: Way;
}

export interface ModeCase extends Case {
  readonly mode: Mode;
}

const working: ReadonlyMap<string, Capabilities> = new Map(
  explainSelection({ ignoreEnvironment: true }).candidates.flatMap(
    ({ backend, available, capabilities }) =>
      available && capabilities ? [[backend, capabilities] as const] : [],
  ),
);

/** The backends under test: POLLUX_BACKEND, or all that work on this system. */
export const backends: readonly string[] = (() => {
  const wanted = process.env.POLLUX_BACKEND;
  const names = [...working.keys()];
  if (!wanted) return names;
  if (!working.has(wanted)) {
    throw new Error(`POLLUX_BACKEND=${wanted} does not work here; of ${BACKEND_NAMES}: ${names}`);
  }
  return [wanted];
})();

/** What a working backend promises. */
export function capabilitiesOf(backend: string): Capabilities {
  const capabilities = working.get(backend);
  if (capabilities === undefined) throw new Error(`${backend} does not work here`);
  return capabilities;
}

/** The backends under test that promise something, for what only they can show. */
export function backendsWith(capability: 'edge' | 'exclusive'): readonly string[] {
  return backends.filter((backend) => capabilitiesOf(backend)[capability]);
}

/**
 * Whether a backend tells of a number that was closed: a primitive that is handed all numbers with
 * each call does, one that keeps them forgets it with its file (docs/portability.md).
 */
export function tellsClosed(backend: string): boolean {
  return backend === 'poll' || backend === 'select';
}

/** The modes that a backend has. */
export function modesOf(backend: string): readonly Mode[] {
  return capabilitiesOf(backend).edge ? ['level', 'oneshot', 'edge'] : ['level', 'oneshot'];
}

/** The drivers under test that a backend has: POLLUX_DRIVER, or all. */
export function driversOf(backend: string): readonly DriverName[] {
  using poller = createPoller({ backend, ignoreEnvironment: true });
  const wanted = process.env.POLLUX_DRIVER;
  return poller.drivers.filter((driver) => !wanted || driver === wanted);
}

/** Every row, for `describe.each(cases)('$backend, $way', ({ backend, way }) => ...)`. */
export const cases: readonly Case[] = backends.flatMap((backend) =>
  (['blocking', ...driversOf(backend)] as const).map((way) => ({ backend, way })),
);

/** The rows that wait inside Node's loop. */
export const attachedCases: readonly (Case & { way: DriverName })[] = cases.filter(
  (row): row is Case & { way: DriverName } => row.way !== 'blocking',
);

/** The rows of the backends that promise something. */
export function casesWith(capability: 'edge' | 'exclusive'): readonly Case[] {
  const able = backendsWith(capability);
  return cases.filter(({ backend }) => able.includes(backend));
}

/** Every row once per mode, where the mode should make no difference to the outcome. */
export const modeCases: readonly ModeCase[] = cases.flatMap((row) =>
  modesOf(row.backend).map((mode) => ({ ...row, mode })),
);
