// A vitest runner for systems that lack what a test needs: where the testkit has no such descriptor or
// call (LackingHere), the test is skipped with that as its reason, and not failed. So the suite needs
// no list of what which system has not.
import { TestRunner } from 'vitest';

export default class LackingRunner extends TestRunner {
  async runTask(test) {
    try {
      await TestRunner.getTestFn(test)();
    } catch (error) {
      if (error?.lackingHere !== undefined) test.context.skip(error.lackingHere);
      throw error;
    }
  }
}
