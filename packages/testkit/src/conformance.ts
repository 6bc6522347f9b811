// What a conformance test needs beside the descriptors of the testkit.
export { type Condition, conditions, lacking } from './conformance/conditions.js';
export { DrivenPoller, describeEvents, type Found } from './conformance/driven-poller.js';
export { DrivenReactor } from './conformance/driven-reactor.js';
export { type FdKind, fdKinds } from './conformance/fd-kinds.js';
export { checkLeaks, expectOpenFds } from './conformance/leaks.js';
export { dissent, type Verdict, verdict } from './conformance/oracle.js';
export {
  type ConditionRow,
  conditionRow,
  type KindRow,
  PortabilityRecord,
} from './conformance/portability.js';
export { allPollNames, Scene, settled } from './conformance/scene.js';
export {
  attachedCases,
  backends,
  backendsWith,
  type Case,
  capabilitiesOf,
  cases,
  casesWith,
  driversOf,
  type ModeCase,
  modeCases,
  modesOf,
  tellsClosed,
  type Way,
} from './conformance/table.js';
