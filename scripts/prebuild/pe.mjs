// Reads of a PE32+ file (Windows, 64 bits) what a check of it wants to know: its headers, its imports
// and exports by name. The layout is that of Microsoft's "PE Format", <winnt.h>.
const MACHINES = new Map([
  [0x8664, 'x64'],
  [0xaa64, 'arm64'],
]);
const PE32_PLUS = 0x20b;
const FILE_DLL = 0x2000;
const DLL = { HIGH_ENTROPY_VA: 0x20, DYNAMIC_BASE: 0x40, NX_COMPAT: 0x100 };
/** The data directories that matter, by their place. */
const [EXPORT, IMPORT, RELOCATIONS, DEBUG, DELAY_IMPORT] = [0, 1, 5, 6, 13];
const SECTION = { EXECUTE: 0x20000000, WRITE: 0x80000000 };

/** `bytes` is the whole file. Throws for what is no such file. */
export function readPe(bytes) {
  if (bytes.length < 64 || bytes.toString('latin1', 0, 2) !== 'MZ') throw new Error('no PE file');
  const header = bytes.readUInt32LE(0x3c);
  if (bytes.toString('latin1', header, header + 4) !== 'PE\0\0') throw new Error('no PE file');
  const optional = header + 24;
  if (bytes.readUInt16LE(optional) !== PE32_PLUS) throw new Error('no 64-bit PE file');
  const dll = bytes.readUInt16LE(optional + 70);
  const view = { bytes, sections: readSections(bytes, header) };
  const directory = (which) => bytes.readUInt32LE(optional + 112 + 8 * which);
  const file = {
    arch: MACHINES.get(bytes.readUInt16LE(header + 4)),
    library: (bytes.readUInt16LE(header + 22) & FILE_DLL) !== 0,
    time: bytes.readUInt32LE(header + 8),
    symbols: bytes.readUInt32LE(header + 12) !== 0,
    dynamicBase: (dll & DLL.DYNAMIC_BASE) !== 0,
    nxCompat: (dll & DLL.NX_COMPAT) !== 0,
    highEntropyVa: (dll & DLL.HIGH_ENTROPY_VA) !== 0,
    relocatable: directory(RELOCATIONS) !== 0,
    debug: directory(DEBUG) !== 0 || view.sections.some(({ name }) => name.startsWith('.debug')),
    delayed: directory(DELAY_IMPORT) !== 0,
    writableCode: view.sections.some(
      ({ flags }) => flags & SECTION.EXECUTE && flags & SECTION.WRITE,
    ),
    imports: [],
    exports: [],
  };
  if (directory(IMPORT) !== 0) readImports(view, directory(IMPORT), file.imports);
  if (directory(EXPORT) !== 0) readExports(view, directory(EXPORT), file);
  return file;
}

function readSections(bytes, header) {
  const sections = [];
  let at = header + 24 + bytes.readUInt16LE(header + 20);
  for (let i = 0; i < bytes.readUInt16LE(header + 6); i++, at += 40) {
    sections.push({
      name: bytes.toString('latin1', at, at + 8).replace(/\0+$/, ''),
      address: bytes.readUInt32LE(at + 12),
      size: bytes.readUInt32LE(at + 16),
      offset: bytes.readUInt32LE(at + 20),
      flags: bytes.readUInt32LE(at + 36),
    });
  }
  return sections;
}

function readImports(view, table, imports) {
  const { bytes } = view;
  for (let at = place(view, table); bytes.readUInt32LE(at + 12) !== 0; at += 20) {
    const library = textAt(view, bytes.readUInt32LE(at + 12));
    // The table of names; where there is none, the one that the loader writes over.
    const names = bytes.readUInt32LE(at) || bytes.readUInt32LE(at + 16);
    for (let i = place(view, names); bytes.readBigUInt64LE(i) !== 0n; i += 8) {
      const entry = bytes.readBigUInt64LE(i);
      const ordinal = entry >> 63n === 1n;
      const name = ordinal ? `#${entry & 0xffffn}` : textAt(view, Number(entry) + 2);
      imports.push({ library: library.toLowerCase(), name });
    }
  }
}

function readExports(view, table, file) {
  const { bytes } = view;
  const at = place(view, table);
  // Linkers write the time here as well.
  file.time ||= bytes.readUInt32LE(at + 4);
  const names = place(view, bytes.readUInt32LE(at + 32));
  for (let i = 0; i < bytes.readUInt32LE(at + 24); i++)
    file.exports.push(textAt(view, bytes.readUInt32LE(names + 4 * i)));
}

/** Where in the file is what the loader puts at an address. */
function place({ sections }, address) {
  const section = sections.find((each) => {
    return address >= each.address && address < each.address + each.size;
  });
  if (section === undefined) throw new Error(`nothing of the file is at ${address}`);
  return address - section.address + section.offset;
}

function textAt(view, address) {
  const at = place(view, address);
  return view.bytes.toString('latin1', at, view.bytes.indexOf(0, at));
}
