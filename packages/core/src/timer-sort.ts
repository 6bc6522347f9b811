// Sorts what is due of one millisecond by deadline, and by insertion where equal. Hundreds of timers
// that were set one after the other spread evenly over the millisecond, so they are dealt into as
// many buckets as there are timers, and only neighbours are compared.

/** What is sorted: numbers of which these are known. */
interface Keys {
  deadline(place: number): number;
  order(place: number): number;
  isBefore(one: number, other: number): boolean;
}

/** Up to here, insertion is the fastest sort. */
const FEW = 32;
/** Also: what was sorted last may leave behind so much. */
const MOST_BUCKETS = 65_536;

export class DeadlineSort {
  #moved = new Int32Array(0);
  #ends = new Int32Array(0);

  /** Sorts `places` from an index to before another. */
  sort(places: Int32Array, from: number, to: number, keys: Keys): void {
    const count = to - from;
    if (count <= FEW) {
      insertionSort(places, from, to, keys);
      return;
    }
    let least = Number.POSITIVE_INFINITY;
    let most = Number.NEGATIVE_INFINITY;
    for (let n = from; n < to; n++) {
      const deadline = keys.deadline(places[n] as number);
      least = Math.min(least, deadline);
      most = Math.max(most, deadline);
    }
    const buckets = Math.min(count, MOST_BUCKETS);
    // However it is rounded, a later deadline has no earlier bucket.
    const perMs = (buckets - 1) / (most - least);
    const factor = perMs < Number.POSITIVE_INFINITY ? perMs : 0;
    this.#reserve(count, buckets);
    const ends = this.#ends;
    const moved = this.#moved;
    for (let n = from; n < to; n++) {
      const bucket = ((keys.deadline(places[n] as number) - least) * factor) | 0;
      ends[bucket] = (ends[bucket] as number) + 1;
    }
    for (let bucket = 1; bucket < buckets; bucket++) {
      ends[bucket] = (ends[bucket] as number) + (ends[bucket - 1] as number);
    }
    // From the last on, so that equals stay in order. `ends` are then the beginnings.
    for (let n = to - 1; n >= from; n--) {
      const place = places[n] as number;
      const bucket = ((keys.deadline(place) - least) * factor) | 0;
      const at = (ends[bucket] as number) - 1;
      ends[bucket] = at;
      moved[at] = place;
    }
    for (let bucket = 0; bucket < buckets; bucket++) {
      const begin = ends[bucket] as number;
      const end = bucket + 1 < buckets ? (ends[bucket + 1] as number) : count;
      if (end - begin <= FEW) insertionSort(moved, begin, end, keys);
      else comparisonSort(moved, begin, end, keys);
    }
    for (let n = 0; n < count; n++) places[from + n] = moved[n] as number;
    if (count > MOST_BUCKETS) this.#moved = new Int32Array(0);
  }

  #reserve(count: number, buckets: number): void {
    if (this.#moved.length < count) this.#moved = new Int32Array(2 * count);
    if (this.#ends.length < buckets) this.#ends = new Int32Array(2 * buckets);
    else this.#ends.fill(0, 0, buckets);
  }
}

function insertionSort(places: Int32Array, from: number, to: number, keys: Keys): void {
  for (let i = from + 1; i < to; i++) {
    const place = places[i] as number;
    let at = i;
    for (; at > from && keys.isBefore(place, places[at - 1] as number); at--) {
      places[at] = places[at - 1] as number;
    }
    places[at] = place;
  }
}

/** For many of nearly the same deadline. */
function comparisonSort(places: Int32Array, from: number, to: number, keys: Keys): void {
  places
    .subarray(from, to)
    .sort((a, b) => keys.deadline(a) - keys.deadline(b) || keys.order(a) - keys.order(b));
}
