// Where the driver under Winsock cannot be opened (a sandbox, a system that is no Windows), iocp is not
// to be had: selection takes select, and the doctor says why.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const command = fileURLToPath(new URL('../../core/bin/pollux.js', import.meta.url));

describe.runIf(process.platform === 'win32')('on Windows', () => {
  const doctor = (env: NodeJS.ProcessEnv) => {
    const { POLLUX_BACKEND: _, ...inherited } = process.env;
    const said = execFileSync(process.execPath, [command, 'doctor', '--json'], {
      encoding: 'utf8',
      env: { ...inherited, ...env },
    });
    const { chosen, candidates } = JSON.parse(said);
    const iocp = candidates.find(({ backend }: { backend: string }) => backend === 'iocp');
    return { chosen, reason: iocp.reason };
  };

  test('iocp is chosen', () => {
    expect(doctor({})).toEqual({ chosen: 'iocp', reason: null });
  });

  test('without \\Device\\Afd, select is, and the reason is told', () => {
    expect(doctor({ POLLUX_AFD_DEVICE: '\\Device\\NoSuchDevice' })).toEqual({
      chosen: 'select',
      reason: { code: 'kernel', message: expect.stringMatching(/^ENOSYS: .*, NtCreateFile$/) },
    });
  });
});
