// What this machine can do for Pollux: the selection, explained, and where it was made.
import { arch, release } from 'node:os';
import type { Capabilities } from '../backend.js';
import { explainSelection, type Reason } from '../selection.js';

/** What `pollux doctor --json` prints. */
export interface Diagnosis {
  /** The backend that would be used, or null. */
  readonly chosen: string | null;
  readonly candidates: readonly {
    readonly backend: string;
    /** Whether it works here, whatever the environment forbids. */
    readonly available: boolean;
    /** Why it would not be used; null for the chosen one. */
    readonly reason: Reason | null;
    readonly capabilities: Capabilities | null;
  }[];
  readonly platform: string;
  readonly arch: string;
  /** `'glibc 2.36'`, `'musl'`, or null where the question has no meaning. */
  readonly libc: string | null;
  readonly kernel: string;
  /** `'node 20.20.2'`, `'bun 1.3.0'`, `'deno 2.5.0'`. */
  readonly runtime: string;
  /** The POLLUX_* variables that are set. */
  readonly environment: Readonly<Record<string, string>>;
}

export function diagnose(): Diagnosis {
  const { chosen, candidates } = explainSelection();
  return {
    chosen: chosen ?? null,
    candidates: candidates.map(({ backend, available, reason, capabilities }) => ({
      backend,
      available: available ?? false,
      reason: reason ?? null,
      capabilities: capabilities ?? null,
    })),
    platform: process.platform,
    arch: arch(),
    libc: libc(),
    kernel: release(),
    runtime: runtime(),
    environment: Object.fromEntries(
      Object.entries(process.env).filter(
        (entry): entry is [string, string] => entry[0].startsWith('POLLUX_') && !!entry[1],
      ),
    ),
  };
}

export function formatDiagnosis(diagnosis: Diagnosis): string {
  const { chosen, platform, libc } = diagnosis;
  const lines = [
    chosen === null ? 'No backend can be used here.' : `Chosen backend: ${chosen}`,
    '',
    `${diagnosis.runtime} on ${platform} ${diagnosis.arch}, kernel ${diagnosis.kernel}${libc === null ? '' : `, ${libc}`}`,
    ...Object.entries(diagnosis.environment).map(([name, value]) => `${name}=${value}`),
    '',
  ];
  for (const { backend, available, reason, capabilities } of diagnosis.candidates) {
    const verdict = reason === null ? 'chosen' : `${reason.code}: ${reason.message}`;
    lines.push(`  ${backend.padEnd(8)}${available ? 'works here' : 'not here  '}  ${verdict}`);
    if (capabilities !== null) lines.push(`          ${describe(capabilities)}`);
  }
  return `${lines.join('\n')}\n`;
}

function describe({ timeoutResolutionMs, ...flags }: Capabilities): string {
  const names = Object.entries(flags)
    .filter(([, has]) => has)
    .map(([name]) => name);
  return `${names.join(', ')}; timeouts in steps of ${timeoutResolutionMs} ms`;
}

function libc(): string | null {
  if (process.platform !== 'linux') return null;
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  const version = header?.glibcVersionRuntime;
  return version === undefined ? 'musl' : `glibc ${version}`;
}

function runtime(): string {
  const { bun, deno, node } = process.versions as NodeJS.ProcessVersions & {
    bun?: string;
    deno?: string;
  };
  if (bun !== undefined) return `bun ${bun}`;
  if (deno !== undefined) return `deno ${deno}`;
  return `node ${node}`;
}
