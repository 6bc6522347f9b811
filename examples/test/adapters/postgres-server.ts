// A PostgreSQL server of one's own: made in a temporary directory, reached by a socket in it, and
// gone with it. It refuses to run as root; then it runs as nobody.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { foreignEnvironment } from './support.js';

const VERSIONS = '/usr/lib/postgresql';
const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;

/** The newest server's programs, or undefined if there is none. */
export const programs: string | undefined = (existsSync(VERSIONS) ? readdirSync(VERSIONS) : [])
  .sort((a, b) => Number(b) - Number(a))
  .map((version) => join(VERSIONS, version, 'bin'))
  .find((directory) => existsSync(join(directory, 'initdb')));

// The server ends with this process, should that be killed.
const setpriv = ['--pdeathsig', 'INT'];
if (isRoot) setpriv.push(`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups');

export class PostgresServer {
  /** Where its socket is: the `host` to connect to, as user `tester`. */
  readonly directory: string;
  readonly #process: ChildProcess;

  static async start(): Promise<PostgresServer> {
    const directory = mkdtempSync('/tmp/pollux-pg-'); // short: a socket's path has 107 bytes
    if (isRoot) chownSync(directory, NOBODY, NOBODY);
    const data = join(directory, 'data');
    const initdb = ['-D', data, '-U', 'tester', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N'];
    const command = [...setpriv, join(programs ?? '', 'initdb'), ...initdb];
    try {
      await promisify(execFile)('setpriv', command, { env: foreignEnvironment, cwd: directory });
      const server = new PostgresServer(directory, data);
      await server.#ready();
      return server;
    } catch (error) {
      rmSync(directory, { recursive: true });
      throw error;
    }
  }

  private constructor(directory: string, data: string) {
    this.directory = directory;
    const options = ['-D', data, '-k', directory, '-c', 'listen_addresses=', '-c', 'fsync=off'];
    this.#process = spawn('setpriv', [...setpriv, join(programs ?? '', 'postgres'), ...options], {
      env: foreignEnvironment,
      cwd: directory,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }

  async #ready(): Promise<void> {
    let log = '';
    const { stderr } = this.#process;
    await new Promise<void>((resolve, reject) => {
      stderr?.setEncoding('utf8').on('data', (text: string) => {
        log += text;
        if (/database system is ready to accept connections/.test(log)) resolve();
      });
      this.#process.once('exit', () => reject(new Error(log)));
    });
  }

  async stop(): Promise<void> {
    const exit = once(this.#process, 'exit');
    this.#process.kill('SIGINT'); // "fast": connections are ended
    await exit;
    rmSync(this.directory, { recursive: true });
  }
}
