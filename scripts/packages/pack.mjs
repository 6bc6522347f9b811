// Makes the tarballs that are published. npm decides what is in one (`files` of package.json); that is
// unpacked, loses its source maps, which are more than half of the JavaScript and serve who works on
// Pollux, gets the manifest of published.mjs, and is packed again. Nothing in the repository changes
// meanwhile. npm writes no time and no owner, so the same files give the same bytes.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { manifestFaults, publishedFrom, publishedManifest } from './published.mjs';

/**
 * Packs what is built in the repository at `root` into the directory `out`. Returns, in the order in
 * which they are to be published: name (without scope), manifest, version, path of the tarball,
 * integrity, bytes packed and unpacked, files.
 */
export function packAll(root, out, names = publishedFrom(root)) {
  mkdirSync(out, { recursive: true });
  const directories = names.map((name) => join(root, 'packages', name));
  names.forEach((name, at) => {
    const faults = manifestFaults(name, readManifest(directories[at]), { packed: false });
    if (faults.length > 0) throw new Error(`@pollux/${name}: ${faults.join('; ')}`);
  });
  const temporary = mkdtempSync(join(tmpdir(), 'pollux-pack-'));
  try {
    const staged = packEach(directories, temporary).map(({ path }, at) => {
      const directory = unpack(path, join(temporary, names[at]));
      removeSourceMaps(join(directory, 'dist'));
      writeManifest(directory, publishedManifest(names[at], readManifest(directory)));
      return directory;
    });
    return packEach(staged, out).map((packed, at) => ({ name: names[at], ...packed }));
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function removeSourceMaps(directory) {
  for (const file of readdirSync(directory, { recursive: true })) {
    const path = join(directory, file);
    if (file.endsWith('.map')) rmSync(path);
    if (!/\.(js|d\.ts)$/.test(file)) continue;
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace(/\n\/\/# sourceMappingURL=\S+\s*$/, '\n'));
  }
}

/** Unpacks a tarball of npm into a directory, which is made. */
export function unpack(tarball, directory) {
  mkdirSync(directory, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', directory, '--strip-components=1']);
  return directory;
}

/** Packs any package's directory, as it is. */
export function npmPack(directory, out) {
  return packEach([directory], out)[0];
}

/** By one npm, which takes longer to start than to pack. */
function packEach(directories, out) {
  const packing = ['pack', '--json', '--ignore-scripts', '--pack-destination', out];
  const text = execFileSync('npm', [...packing, ...directories], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const told = Object.values(JSON.parse(text)); // an array, or keyed by name (npm 12)
  return directories.map((directory) => {
    const manifest = readManifest(directory);
    const { filename, integrity, version, size, unpackedSize, files } = told.find(
      ({ name }) => name === manifest.name,
    );
    return {
      path: join(out, filename),
      manifest,
      version,
      integrity,
      size,
      unpackedSize,
      files: files.map((file) => file.path),
    };
  });
}

function readManifest(directory) {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
}

function writeManifest(directory, manifest) {
  writeFileSync(join(directory, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
}
