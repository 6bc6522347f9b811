// A vitest runner for systems that lack what a test needs: where the testkit has no such descriptor or
// call (LackingHere), or Pollux itself refuses what the system has not got (`lacks` of @pollux/net), the
// test is skipped with that as its reason, and not failed. So the suite needs no list of what which
// system has not. What remains is in not-under-wine.mjs.
import { writeFileSync } from 'node:fs';
import { TestRunner } from 'vitest';
import { isNotStarted, NOT_STARTED, reasonAgainst } from './not-under-wine.mjs';

export default class LackingRunner extends TestRunner {
  async runTask(test) {
    writeFileSync(process.env.RUNNING_TEST, `${test.file.filepath} > ${test.name}`);
    const known = reasonAgainst(test.file.filepath.replaceAll('\\', '/'), test.name);
    if (known !== undefined) test.context.skip(known);
    try {
      await TestRunner.getTestFn(test)();
    } catch (error) {
      // Suppressed: what `using` cleaned up failed too, for want of what was not made.
      const reason = error?.lackingHere ?? error?.suppressed?.lackingHere ?? refusal(error);
      if (reason !== undefined) test.context.skip(reason);
      if (isNotStarted(error)) throw new Error(NOT_STARTED, { cause: error });
      throw error;
    }
  }
}

function refusal(error) {
  const typed = error?.code === 'ERR_POLLUX_UNSUPPORTED';
  return typed && error.message.startsWith('This system has no ') ? error.message : undefined;
}
