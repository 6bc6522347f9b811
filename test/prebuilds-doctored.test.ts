// The checks of prebuilt binaries see what they are there for: each file here is a real one with one thing
// wrong, and has exactly the fault that the right one has not. `npm run build:native` makes that of this
// machine; those for other systems are there after `npm run build:all`.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

type Doctor = (bytes: Buffer) => Buffer;
type Listed = { target: string };

const root = fileURLToPath(new URL('..', import.meta.url));
const { checkAddon, listOf, readList } = await import(join(root, 'scripts/prebuild/check.mjs'));
const { readManifest } = await import(join(root, 'scripts/prebuild/manifest.mjs'));
const { pathOf, select, targetsOf } = await import(join(root, 'scripts/prebuild/targets.mjs'));

const common: [string, Doctor, RegExp][] = [
  ['a path of the builder', (bytes) => append(bytes, '/tmp/a.cc'), /"\/tmp\/" is in it/],
  ['too large', (bytes) => append(bytes, 'x'.repeat(200_000)), /[23]\d{5} bytes are more than/],
  ['cut off', (bytes) => bytes.subarray(0, 600), /cannot be read|list of/],
  ['another kind of file', (bytes) => Buffer.alloc(bytes.length), /cannot be read/],
  [
    'an export more',
    (bytes) => rename(bytes, 'register_module_v1', 'register_module_v2'),
    /exports/,
  ],
  ['a newer Node-API', (bytes) => rename(bytes, 'napi_throw\0', 'napi_thraw\0'), /not in Node-API/],
];

const elf: [string, Doctor, RegExp][] = [
  ['another processor', (bytes) => patch16(bytes, 18, 8), /the processor/],
  ['a library', (bytes) => rename(bytes, 'libc.so', 'libm.so'), /it needs libm\.so/],
  [
    'a function',
    (bytes) => rename(bytes, '\0select\0', '\0splice\0'),
    /splice is not in .*imports/,
  ],
  ['an executable stack', (bytes) => segment(bytes, 0x6474e551, 4, 7), /executable stack/],
  ['no relro', (bytes) => segment(bytes, 0x6474e552, 0, 0), /relro/],
  ['writable code', (bytes) => segment(bytes, 1, 4, 7), /code that can be written/],
  ['thread-local data', (bytes) => segment(bytes, 0x6474e552, 0, 7), /thread-local data/],
];
const glibc: [string, Doctor, RegExp][] = [
  ['a newer glibc', (bytes) => rename(bytes, 'GLIBC_2.17', 'GLIBC_2.34'), /needs GLIBC_2\.34/],
];
const macho: [string, Doctor, RegExp][] = [
  ['another processor', (bytes) => patch32(bytes, 4, 7), /the processor/],
  ['a library', (bytes) => rename(bytes, 'libSystem.B', 'libSystem.C'), /list of libraries/],
  [
    'a function',
    (bytes) => rename(bytes, '_select$DARWIN', '_splice$DARWIN'),
    /splice.* is not in/,
  ],
  ['an executable stack', (bytes) => patch32(bytes, 24, 0x20000), /executable stack/],
  ['a newer macOS', (bytes) => command(bytes, 0x32, 12, 0x000e0000), /the oldest macOS is 14\.0/],
  ['another name', (bytes) => rename(bytes, '@rpath/', '@xpath/'), /install name/],
  ['writable code', (bytes) => command(bytes, 0x19, 60, 7), /code that can be written/],
];
const pe: [string, Doctor, RegExp][] = [
  ['another processor', (bytes) => patch16(bytes, header(bytes) + 4, 0x14c), /the processor/],
  ['a library', (bytes) => rename(bytes, 'WS2_32.dll', 'WS2_33.dll'), /it needs ws2_33\.dll/i],
  ['a function', (bytes) => rename(bytes, '\0select\0', '\0splice\0'), /!splice is not in/],
  ['the time', (bytes) => patch32(bytes, header(bytes) + 8, 1), /the time of linking/],
  ['no DYNAMIC_BASE', (bytes) => characteristics(bytes, 0x40), /DYNAMIC_BASE/],
  ['no NX_COMPAT', (bytes) => characteristics(bytes, 0x100), /NX_COMPAT/],
  ['no HIGH_ENTROPY_VA', (bytes) => characteristics(bytes, 0x20), /HIGH_ENTROPY_VA/],
];

for (const target of targetsOf('select')) {
  const path = join(root, 'packages/select', pathOf('select', target));
  const cases = { linux: elf, darwin: macho, win32: pe }[target.platform as 'linux'];
  const all = [...common, ...cases, ...(target.libc === 'glibc' ? glibc : [])];
  // Skipped: npm run build:all has not been run here. That of gcc on glibc will do as well.
  const listed = readManifest('select').some((each: Listed) => each.target === target.id);
  const there = existsSync(path) && (listed || target.libc === 'glibc');
  describe.skipIf(!there)(`the addon for ${target.id}`, () => {
    it.each(all)('%s', (_, doctor, fault) => {
      const bytes = readFileSync(path);
      expect(faultsOf(target, bytes).filter((text) => fault.test(text))).toEqual([]);
      expect(faultsOf(target, doctor(bytes)).join('\n')).toMatch(fault);
    });
  });
}

it('a target that is not there is refused by name', () => {
  expect(() => select('linux,plan9')).toThrow(/no such target: plan9/);
});

function faultsOf(target: object, bytes: Buffer): string[] {
  return checkAddon('select', target, bytes, readList(listOf(target))).faults;
}

function append(bytes: Buffer, text: string): Buffer {
  return Buffer.concat([bytes, Buffer.from(text)]);
}

/** Everywhere; of the same length. */
function rename(bytes: Buffer, from: string, to: string): Buffer {
  expect(to).toHaveLength(from.length);
  const copy = Buffer.from(bytes);
  expect(copy.includes(from)).toBe(true);
  for (let at = copy.indexOf(from); at !== -1; at = copy.indexOf(from, at + 1))
    copy.write(to, at, 'latin1');
  return copy;
}

function patch16(bytes: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt16LE(value, at);
  return copy;
}

function patch32(bytes: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt32LE(value, at);
  return copy;
}

/** ELF: sets a word of the first segment of this type. */
function segment(bytes: Buffer, type: number, offset: number, value: number): Buffer {
  const table = Number(bytes.readBigUInt64LE(32));
  const at = Array.from({ length: bytes.readUInt16LE(56) }, (_, i) => table + 56 * i).find(
    (each) => bytes.readUInt32LE(each) === type,
  );
  expect(at).toBeDefined();
  return patch32(bytes, (at as number) + offset, value);
}

/** Mach-O: sets a word of the first load command of this kind. */
function command(bytes: Buffer, kind: number, offset: number, value: number): Buffer {
  let at = 32;
  for (let i = bytes.readUInt32LE(16); i > 0 && bytes.readUInt32LE(at) !== kind; i--)
    at += bytes.readUInt32LE(at + 4);
  expect(bytes.readUInt32LE(at)).toBe(kind);
  return patch32(bytes, at + offset, value);
}

function header(bytes: Buffer): number {
  return bytes.readUInt32LE(0x3c);
}

/** PE: takes a flag out of DllCharacteristics. */
function characteristics(bytes: Buffer, flag: number): Buffer {
  const at = header(bytes) + 24 + 70;
  return patch16(bytes, at, bytes.readUInt16LE(at) & ~flag);
}
