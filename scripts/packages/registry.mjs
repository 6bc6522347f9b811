// A package registry on 127.0.0.1, of as much as npm and pnpm need to publish to it and to install from
// it: packuments, tarballs, and PUT of a new version. It lives in memory. Like the real one it refuses
// a version that is there already (403), and it knows no other package than those it was given.
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../lib.mjs';
import { npmPack } from './pack.mjs';

/** Old enough for a package manager that shuns what came out today. */
const SINCE = '2026-01-01T00:00:00.000Z';

/**
 * Starts one. `url` has no slash at its end; `versions` lists what it has, as name@version, in the order
 * in which it came; `add` puts a tarball there without asking; `refuse` has it refuse one package's
 * versions (503), until it is called again.
 */
export async function startRegistry() {
  const packages = new Map(); // name -> { 'dist-tags', versions }
  const tarballs = new Map(); // path of the address -> bytes
  const versions = [];
  let refused;
  // Who installs may be busy between two requests: a connection that it keeps is not ended meanwhile.
  const server = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
    answer(request)
      .catch((error) => [500, { error: String(error) }])
      .then(([status, body]) => {
        const raw = Buffer.isBuffer(body);
        const type = raw ? 'application/octet-stream' : 'application/json';
        response.writeHead(status, { 'content-type': type });
        response.end(raw ? body : JSON.stringify(body));
      });
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${server.address().port}`;

  async function answer(request) {
    const path = decodeURIComponent(new URL(request.url, url).pathname);
    if (request.method === 'PUT') return put(path.slice(1), await bodyOf(request));
    if (request.method !== 'GET') return [405, { error: `${request.method} is not known` }];
    if (tarballs.has(path)) return [200, tarballs.get(path)];
    const known = packages.get(path.slice(1));
    return known === undefined ? [404, { error: 'not_found' }] : [200, known];
  }

  function put(name, { versions: manifests, 'dist-tags': tags, _attachments: attachments }) {
    if (name === refused) return [503, { error: 'not now' }];
    const [[version, manifest]] = Object.entries(manifests);
    const [{ data }] = Object.values(attachments);
    if (packages.get(name)?.versions[version] !== undefined)
      return [403, { error: `${name}@${version} is there already` }];
    store(manifest, Buffer.from(data, 'base64'), Object.keys(tags)[0]);
    return [201, { ok: true }];
  }

  function store(manifest, bytes, tag = 'latest') {
    const { name, version } = manifest;
    const known = packages.get(name) ?? { name, 'dist-tags': {}, versions: {}, time: {} };
    packages.set(name, known);
    const path = `/${name}/-/${name.replace(/^.*\//, '')}-${version}.tgz`;
    tarballs.set(path, bytes);
    const dist = {
      tarball: `${url}${path}`,
      integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
      shasum: createHash('sha1').update(bytes).digest('hex'),
    };
    known.versions[version] = { ...manifest, dist };
    known['dist-tags'][tag] = version;
    Object.assign(known.time, { created: SINCE, modified: SINCE, [version]: SINCE });
    versions.push(`${name}@${version}`);
  }

  return {
    url,
    versions,
    add: (manifest, tarball) => store(manifest, readFileSync(tarball)),
    refuse: (name) => {
      refused = name;
    },
    close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  };
}

/** Starts one that has what packAll() returned, and what that depends on. */
export async function registryOf(packages) {
  const registry = await startRegistry();
  for (const { path, manifest } of packages) registry.add(manifest, path);
  const temporary = mkdtempSync(join(tmpdir(), 'pollux-outside-'));
  try {
    const outside = npmPack(join(root, 'node_modules/node-gyp-build'), temporary);
    registry.add(outside.manifest, outside.path);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return registry;
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}
