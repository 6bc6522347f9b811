// The check of the binaries for macOS, on bytes made here: it has nothing to say of a sound library, and
// says of each thing that is done to it what it is. No compiler takes part.
import { describe, expect, it } from 'vitest';

interface Checks {
  checkAddon(
    name: string,
    target: { platform: string; arch: string },
    bytes: Buffer,
    allowed: Set<string>,
  ): { faults: string[]; imports: string[] };
  readList(list: string): Set<string>;
}
const scripts = new URL('../scripts/prebuild/', import.meta.url).href;
const { checkAddon, readList }: Checks = await import(`${scripts}check.mjs`);
const { ENTRY_POINTS }: { ENTRY_POINTS: string[] } = await import(`${scripts}macho.mjs`);

const LIBSYSTEM = '/usr/lib/libSystem.B.dylib';
const DYNAMIC_LOOKUP = 0xfe;
const target = { platform: 'darwin', arch: 'arm64' };
const allowed = readList('darwin');

/** [the name, the place of its library in the list of these, from 1] */
type Import = [string, number];
const sound = {
  cpu: 0x0100000c,
  type: 6,
  flags: 0,
  oldest: 11 << 16,
  name: '@rpath/kqueue.node',
  libraries: [[0xc, LIBSYSTEM]] as [command: number, path: string][],
  runPaths: [] as string[],
  exports: ENTRY_POINTS,
  imports: [
    ['_kqueue', 1],
    ['_kevent', 1],
    ['___stack_chk_fail', 1],
    ['_napi_create_object', DYNAMIC_LOOKUP],
  ] as Import[],
  locals: 0,
  protection: 5,
  signed: true,
  text: '',
};

/** A Mach-O library as small as it can be: what <mach-o/loader.h> and <mach-o/nlist.h> say. */
function library(changes: Partial<typeof sound>): Buffer {
  const file = { ...sound, ...changes };
  const words = (...values: number[]) => {
    const bytes = Buffer.alloc(4 * values.length);
    for (const [i, value] of values.entries()) bytes.writeUInt32LE(value >>> 0, 4 * i);
    return bytes;
  };
  const command = (kind: number, body: Buffer) =>
    Buffer.concat([words(kind, 8 + body.length), body]);
  const named = (kind: number, fixed: number[], text: string) => {
    const padded = Buffer.alloc((text.length + 8) & ~7);
    padded.write(text);
    return command(kind, Buffer.concat([words(8 + 4 * (fixed.length + 1), ...fixed), padded]));
  };
  const segment = Buffer.alloc(64);
  segment.writeUInt32LE(file.protection, 52);
  const commandsOf = (symbols: number, strings: number, trie: number, trieSize: number) => [
    command(0x19, segment),
    named(0xd, [0, 0, 0], file.name),
    command(0x32, words(1, file.oldest, file.oldest, 0)),
    ...file.libraries.map(([kind, path]) => named(kind, [0, 0, 0], path)),
    ...file.runPaths.map((path) => named(0x8000001c, [], path)),
    command(0x2, words(symbols, file.imports.length + file.locals, strings, 0)),
    command(0x80000033, words(trie, trieSize)),
    ...(file.signed ? [command(0x1d, words(0, 0))] : []),
  ];

  // Every export is an edge of the root, with its whole name.
  const leaf = Buffer.from([2, 0, 0, 0]);
  const rootSize = file.exports.reduce((size, name) => size + name.length + 3, 2);
  const edges = file.exports.map((name, i) => {
    const at = rootSize + i * leaf.length;
    return Buffer.from([...Buffer.from(name), 0, (at & 0x7f) | 0x80, at >> 7]);
  });
  const leaves = file.exports.map(() => leaf);
  const trie = Buffer.concat([Buffer.from([0, file.exports.length]), ...edges, ...leaves]);

  const strings = Buffer.from(`\0${file.imports.map(([name]) => `${name}\0`).join('')}`);
  let place = 1;
  const symbols = file.imports.map(([name, ordinal]) => {
    const entry = Buffer.alloc(16);
    entry.writeUInt32LE(place);
    entry[4] = 0x01; // N_EXT, of no section
    entry.writeUInt16LE(ordinal << 8, 6);
    place += name.length + 1;
    return entry;
  });
  for (let i = 0; i < file.locals; i++) symbols.push(Buffer.alloc(16));

  const size = Buffer.concat(commandsOf(0, 0, 0, 0)).length;
  const table = Buffer.concat(symbols);
  const [first, second] = [32 + size, 32 + size + table.length];
  const commands = commandsOf(first, second, second + strings.length, trie.length);
  const header = words(0xfeedfacf, file.cpu, 0, file.type, commands.length, size, file.flags, 0);
  return Buffer.concat([header, ...commands, table, strings, trie, Buffer.from(file.text)]);
}

function faultsOf(changes: Partial<typeof sound>): string[] {
  return checkAddon('kqueue', target, library(changes), allowed).faults;
}

it('says nothing of a sound one, and names what it takes', () => {
  const report = checkAddon('kqueue', target, library({}), allowed);
  expect(report).toEqual({ faults: [], imports: ['_kqueue', '_kevent', '___stack_chk_fail'] });
});

const { imports } = sound;
const also = (command: number, path: string) =>
  [...sound.libraries, [command, path]] as typeof sound.libraries;

describe('says one thing of', () => {
  it.each<[string, Partial<typeof sound>, string]>([
    ['a new import', { imports: [...imports, ['_sendmsg_x', 1]] }, '_sendmsg_x is not in'],
    ['one of nowhere', { imports: [...imports, ['_malloc', 0xfe]] }, '_malloc is looked for'],
    ['libuv', { imports: [...imports, ['_uv_run', 0xfe]] }, '_uv_run is looked for'],
    ['a Node-API too new', { imports: [...imports, ['_napi_new', 0xfe]] }, 'napi_new is not in'],
    ['a primitive that is missing', { imports: imports.slice(1) }, 'no _kqueue'],
    ['another export', { exports: [...ENTRY_POINTS, '_helper'] }, 'the list of exports is'],
    ['an entry point less', { exports: ENTRY_POINTS.slice(1) }, 'the list of exports is'],
    ['a newer macOS', { oldest: 12 << 16 }, 'the oldest macOS is 12.0'],
    ['a path as the name', { name: '/build/kqueue.node' }, 'the install name is /build'],
    ['another library', { libraries: also(0xc, '/usr/lib/libc++.1.dylib') }, 'the list of libr'],
    ['a weak one', { libraries: also(0x80000018, '/usr/lib/libz.dylib') }, 'the list of libraries'],
    ['one upward', { libraries: also(0x80000023, '/usr/lib/libz.dylib') }, 'the list of libraries'],
    ['a lazy one', { libraries: also(0x20, '/usr/lib/libz.dylib') }, 'the list of libraries'],
    ['a run path', { runPaths: ['@loader_path'] }, 'the list of run paths is'],
    ['a path of the builder', { text: '/Users/who/x.cc' }, '"/Users/" is in it'],
    ['a temporary one', { text: '/tmp/x.cc' }, '"/tmp/" is in it'],
    ['the other processor', { cpu: 0x01000007 }, 'the processor is x64'],
    ['no signature', { signed: false }, 'being signed is false'],
    ['a program', { type: 2 }, 'being a library is false'],
    ['an executable stack', { flags: 0x20000 }, 'an executable stack is true'],
    ['code that can be written', { protection: 7 }, 'code that can be written is true'],
    ['a name of its own', { locals: 1 }, 'the number of local names is 1'],
    ['a size', { text: '.'.repeat(200 * 1024) }, 'bytes are more than'],
  ])('%s', (_, changes, fault) => {
    expect(faultsOf(changes)).toEqual([expect.stringContaining(fault)]);
  });
});

it('is not taken in by what is no such file, or half of one', () => {
  const bytes = library({});
  for (const broken of [Buffer.alloc(0), Buffer.from('\x7fELF'), bytes.subarray(0, 100)]) {
    const { faults } = checkAddon('kqueue', target, broken, allowed);
    expect(faults).toEqual([expect.stringMatching(/^it cannot be read: /)]);
  }
});
