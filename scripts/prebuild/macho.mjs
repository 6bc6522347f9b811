// Reads of a Mach-O file what a check of it wants to know: a thin 64-bit dynamic library, its load
// commands, its symbols and what protects it. The layout is that of <mach-o/loader.h> and <mach-o/nlist.h>.
/** What Node looks for in an addon, as Mach-O spells it. */
export const ENTRY_POINTS = ['_napi_register_module_v1', '_node_api_module_get_api_version_v1'];

const MAGIC = 0xfeedfacf;
const MH_DYLIB = 6;
const MH_ALLOW_STACK_EXECUTION = 0x20000;
const [VM_PROT_WRITE, VM_PROT_EXECUTE] = [2, 4];
const CPUS = new Map([
  [0x01000007, 'x64'],
  [0x0100000c, 'arm64'],
]);
const LC = {
  SYMTAB: 0x2,
  SEGMENT_64: 0x19,
  DYLD_INFO: 0x22,
  DYLD_INFO_ONLY: 0x80000022,
  DYLD_EXPORTS_TRIE: 0x80000033,
  LOAD_DYLIB: 0xc,
  ID_DYLIB: 0xd,
  CODE_SIGNATURE: 0x1d,
  VERSION_MIN_MACOSX: 0x24,
  BUILD_VERSION: 0x32,
  LAZY_LOAD_DYLIB: 0x20,
  LOAD_WEAK_DYLIB: 0x80000018,
  LOAD_UPWARD_DYLIB: 0x80000023,
  RPATH: 0x8000001c,
  REEXPORT_DYLIB: 0x8000001f,
};
/** n_type: debugging, external, and the kind. */
const [N_STAB, N_EXT, N_TYPE, N_UNDF] = [0xe0, 0x01, 0x0e, 0];
/** The library of an undefined symbol, in the upper byte of n_desc: whoever has it. */
const DYNAMIC_LOOKUP = 0xfe;

/** `bytes` is the whole file. Throws for what is no such file. */
export function readMachO(bytes) {
  if (bytes.length < 32 || bytes.readUInt32LE(0) !== MAGIC)
    throw new Error('no 64-bit Mach-O file');
  const file = {
    arch: CPUS.get(bytes.readUInt32LE(4)),
    name: undefined,
    libraries: [],
    runPaths: [],
    oldest: undefined,
    signed: false,
    library: bytes.readUInt32LE(12) === MH_DYLIB,
    executableStack: (bytes.readUInt32LE(24) & MH_ALLOW_STACK_EXECUTION) !== 0,
    writableCode: false,
    /** How many names of local functions, and of debugging, are left. */
    locals: 0,
    imports: [],
    exports: [],
  };
  const count = bytes.readUInt32LE(16);
  let symbols;
  let exported;
  for (let i = 0, at = 32; i < count; i++) {
    const command = bytes.readUInt32LE(at);
    const text = () => textAt(bytes, at + bytes.readUInt32LE(at + 8));
    switch (command) {
      case LC.SEGMENT_64: {
        const both = VM_PROT_WRITE | VM_PROT_EXECUTE;
        if ((bytes.readUInt32LE(at + 60) & both) === both) file.writableCode = true;
        break;
      }
      case LC.ID_DYLIB:
        file.name = text();
        break;
      case LC.LOAD_DYLIB:
      case LC.LOAD_WEAK_DYLIB:
      case LC.LOAD_UPWARD_DYLIB:
      case LC.LAZY_LOAD_DYLIB:
      case LC.REEXPORT_DYLIB:
        file.libraries.push(text());
        break;
      case LC.RPATH:
        file.runPaths.push(text());
        break;
      case LC.VERSION_MIN_MACOSX:
        file.oldest = version(bytes.readUInt32LE(at + 8));
        break;
      case LC.BUILD_VERSION:
        file.oldest = version(bytes.readUInt32LE(at + 12));
        break;
      case LC.CODE_SIGNATURE:
        file.signed = true;
        break;
      case LC.DYLD_INFO:
      case LC.DYLD_INFO_ONLY:
        exported = [bytes.readUInt32LE(at + 40), bytes.readUInt32LE(at + 44)];
        break;
      case LC.DYLD_EXPORTS_TRIE:
        exported = [bytes.readUInt32LE(at + 8), bytes.readUInt32LE(at + 12)];
        break;
      case LC.SYMTAB:
        symbols = at;
        break;
    }
    at += bytes.readUInt32LE(at + 4);
  }
  if (symbols !== undefined) readSymbols(bytes, symbols, file);
  if (exported?.[1] > 0) {
    const [start, size] = exported;
    readTrie(bytes.subarray(start, start + size), 0, '', file.exports);
  }
  return file;
}

function readSymbols(bytes, command, file) {
  const table = bytes.readUInt32LE(command + 8);
  const count = bytes.readUInt32LE(command + 12);
  const strings = bytes.readUInt32LE(command + 16);
  for (let i = 0; i < count; i++) {
    const at = table + 16 * i;
    const type = bytes[at + 4];
    if (type & N_STAB || !(type & N_EXT)) {
      file.locals++;
      continue;
    }
    const name = textAt(bytes, strings + bytes.readUInt32LE(at));
    if ((type & N_TYPE) !== N_UNDF) continue;
    const ordinal = bytes.readUInt16LE(at + 6) >> 8;
    const library = ordinal === DYNAMIC_LOOKUP ? undefined : file.libraries[ordinal - 1];
    file.imports.push({ name, library });
  }
}

/** What dyld shows others is a trie: a node has the rest of a name, and edges to longer ones. */
function readTrie(trie, at, name, names) {
  const [terminal, body] = uleb(trie, at);
  if (terminal > 0) names.push(name);
  let edge = body + terminal;
  const children = trie[edge++];
  for (let i = 0; i < children; i++) {
    const label = textAt(trie, edge);
    const [child, next] = uleb(trie, edge + label.length + 1);
    readTrie(trie, child, name + label, names);
    edge = next;
  }
}

/** [number, where it ends] */
function uleb(bytes, at) {
  let value = 0;
  for (let shift = 0, next = at; ; shift += 7) {
    const byte = bytes[next++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, next];
  }
}

function version(packed) {
  return `${packed >> 16}.${(packed >> 8) & 0xff}`;
}

function textAt(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
}
