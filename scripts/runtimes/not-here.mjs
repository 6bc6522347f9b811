// What is not run on a runtime though it is on Node 20, each with the reason it is left out for: which
// runtimes, the test's file, its name, why.

const ANY = /^/;
const REPOSITORY = 'it tests a script of the repository, which is not here';

const notHere = [
  [ANY, 'poller-portability', ANY, REPOSITORY],
  [ANY, 'fuzz-short', ANY, REPOSITORY],
];

/** Why a test is not run on a runtime, if it is not. */
export function reasonAgainst(runtime, file, name) {
  return notHere.find(
    ([on, of, names]) => on.test(runtime) && file.endsWith(`/${of}.test.js`) && names.test(name),
  )?.[3];
}
