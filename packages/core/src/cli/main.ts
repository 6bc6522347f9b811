// The `pollux` command: `pollux doctor [--json]`.
import { parseArgs } from 'node:util';
import { diagnose, formatDiagnosis } from './doctor.js';
import { truncatedAddons } from './truncated.js';

const USAGE = `Usage: pollux doctor [--json]

  doctor   Tells which backend would be chosen here, and why the others would not.
           Exit status 0 if there is one, 1 if there is none.
`;

function main(): number {
  let command: string | undefined;
  let json: boolean;
  let help: boolean;
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    [command] = positionals;
    ({ json, help } = values);
    if (positionals.length > 1) throw new Error(`Unexpected argument '${positionals[1]}'`);
  } catch (error) {
    process.stderr.write(`pollux: ${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  if (help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (command !== 'doctor') {
    const problem = command === undefined ? '' : `pollux: unknown command '${command}'\n`;
    process.stderr.write(`${problem}${USAGE}`);
    return 2;
  }
  const truncated = truncatedAddons();
  for (const { file, size, expected } of truncated) {
    process.stderr.write(
      `pollux: ${file} is cut short: it has ${size} bytes of ${expected}, and would end the process (SIGBUS). Remove its package and install it again\n`,
    );
  }
  if (truncated.length > 0) return 1;
  try {
    const diagnosis = diagnose();
    process.stdout.write(
      json ? `${JSON.stringify(diagnosis, null, 2)}\n` : formatDiagnosis(diagnosis),
    );
    return diagnosis.chosen === null ? 1 : 0;
  } catch (error) {
    // A wrong name in POLLUX_BACKEND.
    process.stderr.write(`pollux: ${(error as Error).message}\n`);
    return 1;
  }
}

process.exitCode = main();
