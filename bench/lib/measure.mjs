// Rounds, pairs and ratios. All contestants run once in each round, the first of one round being the
// second of the next, so that what else the machine does falls on all alike. A ratio is taken within
// a round; what is reported is the median of these.
import { Absent } from './build.mjs';

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Runs `measure(contestant)` for each, round by round. `contestants` maps a name to a function that
 * prepares it (compiles, looks for a package) and returns what `measure` gets; one that throws Absent,
 * there or when it is measured, is left out. Returns the samples by name, and the reasons of those that were left out.
 */
export async function alternate(contestants, { rounds, log }, measure) {
  const samples = {};
  const absent = {};
  const ready = [];
  const leaveOut = (name, error) => {
    if (!(error instanceof Absent)) throw error;
    absent[name] = error.message;
    delete samples[name];
    log(`${name}: absent: ${error.message}`);
  };
  for (const [name, prepare] of Object.entries(contestants)) {
    try {
      ready.push([name, await prepare()]);
    } catch (error) {
      leaveOut(name, error);
    }
  }
  for (const [name] of ready) samples[name] = [];
  for (let round = 0; round < rounds; round++) {
    const shift = round % ready.length;
    for (const [name, contestant] of [...ready.slice(shift), ...ready.slice(0, shift)]) {
      if (absent[name] !== undefined) continue;
      let sample;
      try {
        sample = await measure(contestant);
      } catch (error) {
        leaveOut(name, error);
        continue;
      }
      samples[name].push(sample);
      log(`round ${round + 1}/${rounds} ${name}: ${describe(sample)}`);
    }
  }
  return { samples, absent, rounds };
}

function describe(sample) {
  return Object.entries(sample)
    .filter(([, value]) => typeof value === 'number')
    .map(([key, value]) => `${key} ${round(value)}`)
    .join(', ');
}

/** Four significant digits. */
export function round(value) {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : null;
}

/** The median over the rounds of every number in the samples; words are the same in all. */
export function medians(samples) {
  return Object.fromEntries(
    Object.entries(samples[0]).map(([key, first]) => [
      key,
      typeof first === 'number' ? round(median(samples.map((sample) => sample[key]))) : first,
    ]),
  );
}

/**
 * The object of one scenario and variant. `key` names the number of a sample that is compared, smaller
 * being better; `detail.spread` has the least and the greatest ratio of the rounds; `also` are contestants of ours that only `detail` shows.
 */
export function compare({
  scenario,
  variant,
  metric,
  key,
  samples,
  ours,
  peers,
  absent,
  rounds,
  also = [],
  detail,
}) {
  const values = (name) => samples[name].map((sample) => sample[key]);
  const missing = Object.entries(absent)
    .map(([name, why]) => [name === ours ? 'pollux' : name, why])
    .filter(([name]) => name === 'pollux' || peers.includes(name));
  const present = peers.filter((peer) => samples[peer] !== undefined);
  const pollux = samples[ours] === undefined ? undefined : values(ours);
  const ratiosTo = (peer) => values(peer).map((theirs, i) => pollux[i] / theirs);
  const spread = (ratios) => `${round(Math.min(...ratios))} to ${round(Math.max(...ratios))}`;
  const mapped = (names, value) => Object.fromEntries(names.map((name) => [name, value(name)]));
  return {
    scenario,
    variant,
    metric,
    rounds,
    pollux: pollux === undefined ? null : round(median(pollux)),
    peers: mapped(present, (peer) => round(median(values(peer)))),
    ratios: pollux === undefined ? {} : mapped(present, (peer) => round(median(ratiosTo(peer)))),
    detail: {
      ...(pollux !== undefined && { pollux: medians(samples[ours]) }),
      ...mapped([...present, ...also], (name) => medians(samples[name])),
      ...(pollux !== undefined && {
        spread: mapped(present, (peer) => spread(ratiosTo(peer))),
      }),
      ...detail,
      ...(missing.length > 0 && { absent: Object.fromEntries(missing) }),
    },
  };
}
