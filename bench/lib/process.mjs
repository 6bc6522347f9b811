// Servers and load generators as the harness sees them: processes that answer a line with a line of
// JSON. The end of their input ends them, so none outlives the harness.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { pinned } from './machine.mjs';

const TIMEOUT_MS = 120_000;

export class Program {
  #child;
  #name;
  #lines = [];
  #waiting;
  #ended;

  /** `side` is 'server', 'load' or 'any': the core it runs on. */
  constructor(side, command, args, env = {}) {
    const [file, list] = pinned(side, command, args.map(String));
    this.#name = [command, ...args].join(' ');
    this.#child = spawn(file, list, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#lines.push(line);
      this.#waiting?.();
    });
    this.#child.stdin.on('error', () => {}); // it ended before we asked
    this.exited = new Promise((resolve) => {
      const end = (why) => {
        this.#ended ??= why;
        this.#waiting?.();
        resolve();
      };
      this.#child.on('error', (error) => end(error.message));
      this.#child.on('close', (code, signal) => end(`ended (${signal ?? code})`));
    });
  }

  get pid() {
    return this.#child.pid;
  }

  /** The next line that it prints, parsed. */
  async next() {
    const deadline = Date.now() + TIMEOUT_MS;
    while (this.#lines.length === 0) {
      if (this.#ended !== undefined) throw new Error(`${this.#name}: ${this.#ended}`);
      if (Date.now() >= deadline) throw new Error(`${this.#name}: no answer`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, deadline - Date.now());
        this.#waiting = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#waiting = undefined;
    }
    return parse(this.#lines.shift());
  }

  ask(line = '') {
    this.#child.stdin.write(`${line}\n`);
    return this.next();
  }

  async stop() {
    this.#child.stdin.end();
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), 2000);
    await this.exited;
    clearTimeout(patience);
  }
}

/** JSON; or an example's greeting, of which the port matters. */
function parse(line) {
  const [, port] = /^listening on http:\/\/[\d.]+:(\d+)\//.exec(line) ?? [];
  return port === undefined ? JSON.parse(line) : { port: Number(port) };
}

/** What a server has used between two of its answers, in microseconds of its processor time. */
export function used(before, after) {
  return { user: after.user - before.user, system: after.system - before.system };
}
