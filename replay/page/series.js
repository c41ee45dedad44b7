"use strict";
// Cumulative sums of time: how much of any stretch lies inside of some intervals, exactly and quickly at every zoom.

/** Return the first index whose value is not below `wanted`. */
function lowerBound(values, wanted, low = 0, high = values.length) {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Intervals that may overlap, each with a weight (time inside per time passed) and a number of calls that begin in it. */
class Series {
  /**
   * @param starts, ends: of the intervals, ns; starts in order.
   * @param weights: one each, or null: each is all inside.
   * @param counts: calls in each, spread evenly, or null: one call that begins at its start.
   */
  constructor(starts, ends, weights = null, counts = null) {
    Object.assign(this, {starts, ends, weights, apart: areApart(starts, ends)});
    if (this.apart) this.sum();
    else this.sweep();
    this.counted = counts && new Series(starts, ends, counts.map((count, n) => count / Math.max(1, ends[n] - starts[n])));
  }

  /** Sum intervals that lie apart, as the calls of one thread do: what lies inside of those before each. */
  sum() {
    const {starts, ends, weights} = this;
    this.totals = new Float64Array(starts.length);
    for (let n = 1, total = 0; n < starts.length; n++) this.totals[n] = total += (ends[n - 1] - starts[n - 1]) * (weights ? weights[n - 1] : 1);
  }

  /** Sum intervals that overlap: at every start and every end, what lies inside before it, and how it grows from there. */
  sweep() {
    const {starts, ends, weights} = this;
    const order = endOrder(ends);
    const size = 2 * starts.length;
    this.times = new Float64Array(size);
    this.totals = new Float64Array(size);
    this.rates = new Float64Array(size);
    let [start, end, total, rate, before] = [0, 0, 0, 0, 0];
    for (let n = 0; n < size; n++) {
      const closing = order ? order[end] : end;
      const opens = start < starts.length && (end >= ends.length || starts[start] <= ends[closing]);
      const time = opens ? starts[start] : ends[closing];
      const weight = weights ? weights[opens ? start : closing] : 1;
      if (n) total += rate * (time - before);
      rate += opens ? weight : -weight;
      if (opens) start++;
      else end++;
      this.times[n] = before = time;
      this.totals[n] = total;
      // Sums of weights that are no whole numbers leave a trace of themselves behind.
      this.rates[n] = Math.abs(rate) < 1e-9 ? 0 : rate;
    }
  }

  /** Return the time inside of the intervals before a moment. */
  before(time) {
    const {starts, ends, weights, totals} = this;
    const n = lowerBound(this.apart ? starts : this.times, time) - 1;
    if (n < 0) return 0;
    if (!this.apart) return totals[n] + this.rates[n] * (time - this.times[n]);
    return totals[n] + (Math.min(time, ends[n]) - starts[n]) * (weights ? weights[n] : 1);
  }

  /** Return how many calls begin in [from, to). */
  begun(from, to) {
    if (this.counted) return this.counted.before(to) - this.counted.before(from);
    return lowerBound(this.starts, to) - lowerBound(this.starts, from);
  }
}

/** Say whether each interval ends before the next one starts. */
function areApart(starts, ends) {
  for (let n = 1; n < starts.length; n++) if (ends[n - 1] > starts[n]) return false;
  return true;
}

/** Return the indices of ends in their order, or null where they are in order. */
function endOrder(ends) {
  for (let n = 1; n < ends.length; n++) {
    if (ends[n] < ends[n - 1]) return Uint32Array.from(ends.keys()).sort((a, b) => ends[a] - ends[b]);
  }
  return null;
}
