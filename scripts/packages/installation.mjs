// An empty folder in which a package manager installs from a local registry, as on a machine that has
// nothing else: a home and a cache of its own, no settings of ours, and no command in PATH but node, so
// that whatever would be compiled or downloaded fails.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, run } from '../lib.mjs';

const toolsHome = fileURLToPath(new URL('tools', import.meta.url));
const modules = join(toolsHome, 'node_modules');
const node22 = join(modules, `node-linux-${process.arch}/bin/node`);

/** The package managers, as the words that a command begins with. npm 12 does not run on Node 20. */
const managers = {
  'npm 11': { node: process.execPath, command: [join(modules, 'npm-11/bin/npm-cli.js')] },
  'npm 12': { node: node22, command: [join(modules, 'npm-12/bin/npm-cli.js')] },
  'pnpm 10': { node: process.execPath, command: [join(modules, 'pnpm-10/bin/pnpm.cjs')] },
  'pnpm 12': {
    node: process.execPath,
    native: join(modules, `@pnpm/exe.linux-${process.arch}/pnpm`),
    command: [],
  },
};

/** Installs the package managers and compilers of tools/, if they are not there. */
export function ensurePackageTools() {
  const done = join(modules, '.package-lock.json');
  const lock = join(toolsHome, 'package-lock.json');
  if (existsSync(done) && statSync(done).mtimeMs > statSync(lock).mtimeMs) return modules;
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error'], {
    cwd: toolsHome,
  });
  return modules;
}

/** Makes the folder `directory` ready for a manager of the above and the registry at `url`. */
export class Installation {
  constructor(directory, manager, url) {
    this.directory = join(directory, 'project');
    this.manager = managers[manager];
    this.home = join(directory, 'home');
    const bin = join(directory, 'bin');
    for (const each of [this.directory, this.home, bin]) mkdirSync(each, { recursive: true });
    symlinkSync(this.manager.node, join(bin, 'node'));
    writeFileSync(join(this.home, '.npmrc'), `registry=${url}/\n`);
    writeFileSync(join(this.directory, 'package.json'), '{ "private": true }\n');
    this.env = {
      HOME: this.home,
      PATH: bin,
      TMPDIR: directory,
      npm_config_update_notifier: 'false',
      npm_config_audit: 'false',
      npm_config_fund: 'false',
    };
  }

  /** Runs the manager; resolves with status and all that it said. */
  install(...args) {
    const { node, native, command } = this.manager;
    return execute(native ?? node, [...command, ...args], this.directory, this.env);
  }

  /** Runs a program with the manager's node in the folder. */
  node(...args) {
    return execute(this.manager.node, args, this.directory, this.env);
  }

  /** Every package that lies in node_modules, and its bytes. */
  packages() {
    const found = new Map();
    for (const entry of walk(join(this.directory, 'node_modules'))) {
      const [, name] = /node_modules\/((?:@[^/]+\/)?[^/@.][^/]*)\/[^/]+/.exec(last(entry)) ?? [];
      if (name === undefined) continue;
      found.set(name, (found.get(name) ?? 0) + statSync(entry).size);
    }
    return found;
  }
}

/** From the last node_modules of a path on: pnpm nests them. */
function last(path) {
  return path.slice(path.lastIndexOf('/node_modules/') + 1);
}

/** The files below a directory, without following links. */
function walk(directory) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function execute(command, args, cwd, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const heard = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'])
      child[name].setEncoding('utf8').on('data', (text) => {
        heard[name] += text;
      });
    const limit = setTimeout(() => child.kill('SIGKILL'), 120_000);
    child.once('error', reject);
    child.once('close', (status, signal) => {
      clearTimeout(limit);
      const words = [command, ...args].map((word) => relative(root, word) || word).join(' ');
      resolve({ status: status ?? signal, ...heard, words });
    });
  });
}
