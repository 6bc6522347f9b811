// Binaries that are cut short: a full disk, a copy that broke off. The loader of ELF maps what the
// headers promise, and the process dies of SIGBUS, in the doctor too; so it looks before it loads.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { BACKEND_NAMES } from '../selection.js';

export interface Truncated {
  readonly file: string;
  readonly size: number;
  /** What the file's own header says that it takes, at least. */
  readonly expected: number;
}

/** The binaries of the packages that core finds here, if they are shorter than they say. */
export function truncatedAddons(): Truncated[] {
  return [...BACKEND_NAMES, 'net'].flatMap((name) => {
    const file = addonOf(`@pollux/${name}`);
    if (file === undefined) return [];
    const found = truncation(file);
    return found === undefined ? [] : [found];
  });
}

/** Where node-gyp-build finds it; undefined where it does not, which the selection tells better. */
function addonOf(name: string): string | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    return createRequire(manifest)('node-gyp-build').resolve(dirname(manifest));
  } catch {
    return undefined;
  }
}

/** elf(5): the table of sections is what comes last in a file. Nothing of other formats. */
function truncation(file: string): Truncated | undefined {
  const header = Buffer.alloc(64);
  let size: number;
  try {
    const fd = openSync(file, 'r');
    try {
      readSync(fd, header);
      ({ size } = fstatSync(fd));
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
  // 64-bit, least significant byte first.
  if (header.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return undefined;
  const expected =
    Number(header.readBigUInt64LE(0x28)) + header.readUInt16LE(0x3a) * header.readUInt16LE(0x3c);
  return size < expected ? { file, size, expected } : undefined;
}
