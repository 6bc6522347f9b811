// Reads of an ELF file what a check of it wants to know: a 64-bit little-endian library, what it needs
// and shows by name, and what protects it. The layout is that of <elf.h>, elf(5).
const MACHINES = new Map([
  [62, 'x64'],
  [183, 'arm64'],
]);
const ET_DYN = 3;
const PT = { LOAD: 1, DYNAMIC: 2, TLS: 7, GNU_STACK: 0x6474e551, GNU_RELRO: 0x6474e552 };
const [PF_X, PF_W] = [1, 2];
const DT = {
  NEEDED: 1,
  STRTAB: 5,
  SONAME: 14,
  RPATH: 15,
  TEXTREL: 22,
  FLAGS: 30,
  RUNPATH: 29,
  FLAGS_1: 0x6ffffffb,
};
const DF = { TEXTREL: 4, BIND_NOW: 8 };
const DF_1_NOW = 1;
const SHT = { SYMTAB: 2, DYNSYM: 11, VERNEED: 0x6ffffffe, VERSYM: 0x6fffffff };
const [STB_LOCAL, STB_WEAK] = [0, 2];

/** `bytes` is the whole file. Throws for what is no such file. */
export function readElf(bytes) {
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes.readUInt16BE(4) !== 0x0201)
    throw new Error('no 64-bit little-endian ELF file');
  if (bytes.readUInt16LE(16) !== ET_DYN) throw new Error('no dynamic library');
  const file = {
    arch: MACHINES.get(bytes.readUInt16LE(18)),
    needed: [],
    runPaths: [],
    now: false,
    relro: false,
    executableStack: true, // the kernel's answer where GNU_STACK is missing
    writableCode: false,
    threadLocal: false,
    textRelocations: false,
    symbolTable: false,
    debug: false,
    imports: [],
    exports: [],
  };
  const sections = readSections(bytes);
  readSegments(bytes, file);
  file.symbolTable = sections.some(({ type }) => type === SHT.SYMTAB);
  file.debug = sections.some(({ name }) =>
    /^\.z?debug|^\.gnu_debug|^\.note\.gnu\.build/.test(name),
  );
  readDynamic(bytes, sections, file);
  readSymbols(bytes, sections, file);
  return file;
}

function readSegments(bytes, file) {
  const table = number(bytes, 32);
  const size = bytes.readUInt16LE(54);
  for (let i = 0; i < bytes.readUInt16LE(56); i++) {
    const at = table + i * size;
    const flags = bytes.readUInt32LE(at + 4);
    switch (bytes.readUInt32LE(at)) {
      case PT.LOAD:
        if (flags & PF_X && flags & PF_W) file.writableCode = true;
        break;
      case PT.TLS:
        file.threadLocal = true;
        break;
      case PT.GNU_STACK:
        file.executableStack = (flags & PF_X) !== 0;
        break;
      case PT.GNU_RELRO:
        file.relro = true;
        break;
    }
  }
}

function readSections(bytes) {
  const table = number(bytes, 40);
  const size = bytes.readUInt16LE(58);
  const sections = [];
  for (let i = 0; i < bytes.readUInt16LE(60); i++) {
    const at = table + i * size;
    sections.push({
      nameAt: bytes.readUInt32LE(at),
      type: bytes.readUInt32LE(at + 4),
      offset: number(bytes, at + 24),
      size: number(bytes, at + 32),
      link: bytes.readUInt32LE(at + 40),
      info: bytes.readUInt32LE(at + 44),
    });
  }
  const names = sections[bytes.readUInt16LE(62)];
  for (const section of sections) section.name = textAt(bytes, names.offset + section.nameAt);
  return sections;
}

function readDynamic(bytes, sections, file) {
  const dynamic = sections.find(({ name }) => name === '.dynamic');
  if (dynamic === undefined) throw new Error('no dynamic section');
  const strings = sections[dynamic.link].offset;
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16) {
    const value = number(bytes, at + 8);
    switch (number(bytes, at)) {
      case DT.NEEDED:
        file.needed.push(textAt(bytes, strings + value));
        break;
      case DT.RPATH:
      case DT.RUNPATH:
        file.runPaths.push(textAt(bytes, strings + value));
        break;
      case DT.TEXTREL:
        file.textRelocations = true;
        break;
      case DT.FLAGS:
        if (value & DF.BIND_NOW) file.now = true;
        if (value & DF.TEXTREL) file.textRelocations = true;
        break;
      case DT.FLAGS_1:
        if (value & DF_1_NOW) file.now = true;
        break;
    }
  }
}

function readSymbols(bytes, sections, file) {
  const table = sections.find(({ type }) => type === SHT.DYNSYM);
  if (table === undefined) throw new Error('no dynamic symbols');
  const strings = sections[table.link].offset;
  const versions = readVersions(bytes, sections);
  const versionOf = sections.find(({ type }) => type === SHT.VERSYM);
  for (let i = 1; i < table.size / 24; i++) {
    const at = table.offset + 24 * i;
    const name = textAt(bytes, strings + bytes.readUInt32LE(at));
    const binding = bytes[at + 4] >> 4;
    if (binding === STB_LOCAL) continue;
    if (bytes.readUInt16LE(at + 6) !== 0) {
      file.exports.push(name);
      continue;
    }
    // The uppermost bit says that the version is hidden.
    const index = versionOf && bytes.readUInt16LE(versionOf.offset + 2 * i) & 0x7fff;
    file.imports.push({ name, weak: binding === STB_WEAK, version: versions.get(index) });
  }
}

/** By its index, the version that a symbol is wanted in; a chain of libraries, each with a chain. */
function readVersions(bytes, sections) {
  const versions = new Map();
  const section = sections.find(({ type }) => type === SHT.VERNEED);
  if (section === undefined) return versions;
  const strings = sections[section.link].offset;
  let library = section.offset;
  for (let i = 0; i < section.info; i++) {
    let one = library + bytes.readUInt32LE(library + 8);
    for (let n = bytes.readUInt16LE(library + 2); n > 0; n--) {
      const name = textAt(bytes, strings + bytes.readUInt32LE(one + 8));
      versions.set(bytes.readUInt16LE(one + 6), name);
      one += bytes.readUInt32LE(one + 12);
    }
    library += bytes.readUInt32LE(library + 12);
  }
  return versions;
}

/** No file of ours has offsets beyond 2 ** 53. */
function number(bytes, at) {
  return Number(bytes.readBigUInt64LE(at));
}

function textAt(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
}
