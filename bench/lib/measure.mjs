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
  return { samples, absent };
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

/** The median over the rounds of every number in the samples. */
export function medians(samples) {
  const keys = Object.keys(samples[0] ?? {}).filter((key) => typeof samples[0][key] === 'number');
  return Object.fromEntries(
    keys.map((key) => [key, round(median(samples.map((sample) => sample[key])))]),
  );
}

/**
 * The object of one scenario and variant. `key` names the number of a sample that is compared; where
 * more is better, `rate` turns the ratio round, so that smaller is better always. `also` are contestants
 * of ours that only `detail` shows.
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
  rate,
  also = [],
  detail,
}) {
  const values = (name) => samples[name].map((sample) => sample[key]);
  const pollux = values(ours);
  const present = peers.filter((peer) => samples[peer] !== undefined);
  const ratio = (peer) =>
    median(values(peer).map((theirs, i) => (rate ? theirs / pollux[i] : pollux[i] / theirs)));
  const missing = Object.entries(absent).filter(([name]) => peers.includes(name));
  return {
    scenario,
    variant,
    metric,
    rounds: pollux.length,
    pollux: round(median(pollux)),
    peers: Object.fromEntries(present.map((peer) => [peer, round(median(values(peer)))])),
    ratios: Object.fromEntries(present.map((peer) => [peer, round(ratio(peer))])),
    detail: {
      pollux: medians(samples[ours]),
      ...Object.fromEntries([...present, ...also].map((name) => [name, medians(samples[name])])),
      ...detail,
      ...(missing.length > 0 && { absent: Object.fromEntries(missing) }),
    },
  };
}
