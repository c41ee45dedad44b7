"use strict";
// All steps of a run in the order in which they came to an end, as replay/player/timeline.py has them: any moment is a search by
// halves. Owns that order, and what is summed along it. Positions count from the first step that the page has; the film's base
// says what lay before. Draws nothing.

/** Return the first index whose value is above `wanted`. */
function upperBound(values, wanted) {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] <= wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Sums that grow at some positions. */
class Sums {
  constructor(amounts) {
    this.positions = [];
    this.totals = Array.from({length: amounts}, () => []);
  }

  add(position, ...amounts) {
    amounts.forEach((amount, n) => this.totals[n].push((this.totals[n].at(-1) ?? 0) + amount));
    this.positions.push(position);
  }

  /** Return the sum of all before a position. */
  upTo(position, which = 0) {
    const at = lowerBound(this.positions, position);
    return at ? this.totals[which][at - 1] : 0;
  }

  /** Return the last position before one where a sum grew, or null. */
  lastBefore(position, which) {
    let at = lowerBound(this.positions, position);
    const total = this.totals[which];
    while (at && total[at - 1] === (at > 1 ? total[at - 2] : 0)) at--;
    return at ? this.positions[at - 1] : null;
  }
}

/** The steps of one socket, or of the run. */
class Track {
  constructor() { Object.assign(this, {positions: [], fruitful: [], moved: new Sums(2), folded: new Sums(1)}); }

  calls(position) { return lowerBound(this.positions, position) + this.folded.upTo(position); }

  fruitless(position) { return this.calls(position) - lowerBound(this.fruitful, position); }

  lastBefore(position) {
    const at = lowerBound(this.positions, position);
    return at ? this.positions[at - 1] : null;
  }
}

/** The steps of a run. A playhead is {position, at}: so many have come to an end, and the clock shows so many ns. */
class PlayLine {
  static BLOCK = 64;

  constructor(run, film) {
    Object.assign(this, {run, film, end: film.end, shapes: [...run.shapes], folds: [], whole: new Track(), sockets: new Map(), threads: new Map()});
    this.wrapped = new Map(film.wrapped);
    this.order();
    this.index();
    // What ends after the stretch that is shown is known to be in progress, and no step.
    this.length = film.to < film.end ? upperBound(this.ends, film.to) : this.calls.length;
    this.last = film.to < film.end ? film.to : Math.max(film.end, this.ends[this.length - 1] ?? 0);
  }

  /** Put calls, and stretches that were only counted, in the order of their ends: those that end together in that of the tape. */
  order() {
    const {run, film} = this;
    const {columns, head: {folds}} = run;
    const size = run.starts.length + folds.length;
    Object.assign(this, {calls: new Int32Array(size), starts: new Float64Array(size), ends: new Float64Array(size), kinds: new Uint32Array(size)});
    let count = 0;
    const add = (...values) => {
      [this.calls[count], this.starts[count], this.ends[count], this.kinds[count]] = values;
      if (!film.from || this.ends[count] > film.from) count++;
    };
    for (let call = 0; call < run.starts.length; call++) {
      add(call, run.starts[call], Number.isNaN(columns.duration[call]) ? Math.max(run.starts[call], film.end) : run.ends[call], columns.shape[call]);
    }
    for (const [thread, socket, operation, site, first, last, calls] of folds) {
      this.folds.push({thread, socket, operation, site, first, last, calls});
      this.shapes.push([thread, socket, operation, "", "would_block", 1, -1, null, null, 0, null, null]);
      add(-this.folds.length, first, Math.max(first, last), this.shapes.length - 1);
    }
    this.sort(count);
  }

  sort(count) {
    const {calls, ends, run: {columns: {id}}} = this;
    const tape = (n) => calls[n] < 0 ? Infinity : id[calls[n]];
    const before = (n, other) => ends[n] - ends[other] || (tape(n) === tape(other) ? calls[other] - calls[n] : tape(n) - tape(other));
    let order = null;
    for (let n = 1; n < count && !order; n++) if (before(n - 1, n) > 0) order = Array.from({length: count}, (_, at) => at).sort(before);
    for (const name of ["calls", "starts", "ends", "kinds"]) {
      const old = this[name];
      this[name] = order ? old.constructor.from(order, (n) => old[n]) : old.slice(0, count);
    }
  }

  index() {
    const sides = this.shapes.map((shape) => PlayLine.side(shape[2]));
    const track = (map, id) => {
      if (!map.has(id)) map.set(id, new Track());
      return map.get(id);
    };
    const tracks = this.shapes.map(([thread, socket]) => [track(this.threads, thread), socket ? track(this.sockets, socket) : null]);
    const results = this.run.columns.result;
    for (let position = 0; position < this.calls.length; position++) {
      const shape = this.kinds[position];
      const [thread, socket] = tracks[shape];
      thread.positions.push(position);
      socket?.positions.push(position);
      if (this.shapes[shape][5] !== 1) {
        this.whole.fruitful.push(position);
        socket?.fruitful.push(position);
      }
      const call = this.calls[position];
      if (call < 0) for (const one of [this.whole, socket]) one?.folded.add(position, this.folds[-call - 1].calls - 1);
      else if (sides[shape] && results[call] > 0 && this.shapes[shape][4] === "ok" && this.counts(call, this.shapes[shape])) {
        const moved = sides[shape] > 0 ? [results[call], 0] : [0, results[call]];
        for (const one of [this.whole, socket]) one?.moved.add(position, ...moved);
      }
    }
  }

  /** Return 1 for operations that receive, -1 for those that send, 0 for others. */
  static side(operation) {
    if (/^(recv|read|ring_recv|tls_recv|tls_read)/.test(operation)) return 1;
    return /^(send|write|ring_send|tls_send|tls_write)/.test(operation) ? -1 : 0;
  }

  /** Say whether bytes of a call count: peeks do not, nor what carries TLS, nor parts of a greater call (traces/queries/steps_of_run.sql). */
  counts(call, [, socket, operation, , , , , , flags]) {
    if (/^tls_(recv|read|send|write)$/.test(operation)) return true;
    if (/^tls_/.test(operation) || /^ring_(?!recv$|send$)/.test(operation)) return false;
    const {columns} = this.run;
    if (this.wrapped.has(socket) && columns.id[call] >= this.wrapped.get(socket)) return false;
    return PlayLine.side(operation) > 0 ? !((flags ?? 0) & 2) : Number.isNaN(columns.parent[call]);
  }

  /** Return how many calls came to an end before a position, those only counted among them. */
  count(position) { return position + this.whole.folded.upTo(position); }

  fruitless(position) { return this.count(position) - lowerBound(this.whole.fruitful, position); }

  isFruitless(position) { return this.shapes[this.kinds[position]][5] === 1; }

  /** Return the moment at which so many steps had just come to an end. */
  atCall(position) {
    const here = Math.min(Math.max(position, 0), this.length);
    return {position: here, at: here ? this.ends[here - 1] : this.film.from};
  }

  /** Return a moment of the clock. */
  atTime(time) {
    const at = Math.min(Math.max(Math.round(time), this.film.from), this.last);
    return {position: Math.min(this.length, upperBound(this.ends, at)), at};
  }

  /** Return the playhead so many calls on, or back (below 0); from between two calls, back is to the last end. */
  step(head, steps) {
    if (steps < 0 && head.at > this.atCall(head.position).at) return this.atCall(head.position + steps + 1);
    return this.atCall(head.position + steps);
  }

  /** Return the next moment at which a call begins or ends. */
  stepHalf(head) {
    if (head.position >= this.length) return head;
    const start = this.starts[head.position];
    return start > head.at ? {position: head.position, at: start} : this.atCall(head.position + 1);
  }

  /** Return the moment after the next call that came to something, or after the one before. */
  stepFruitful(head, forwards) {
    const {fruitful} = this.whole;
    if (forwards) {
      const at = lowerBound(fruitful, head.position);
      return this.atCall(at < fruitful.length ? fruitful[at] + 1 : this.length);
    }
    const aligned = head.at === this.atCall(head.position).at;
    const at = lowerBound(fruitful, aligned ? head.position - 1 : head.position) - 1;
    return this.atCall(at >= 0 ? fruitful[at] + 1 : 0);
  }

  /** Return the spin that a step belongs to: [first, behind the last]; a fruitful step is one by itself. */
  stretch(position) {
    const {fruitful} = this.whole;
    const at = lowerBound(fruitful, position);
    if (fruitful[at] === position) return [position, position + 1];
    return [at ? fruitful[at - 1] + 1 : 0, Math.min(this.length, at < fruitful.length ? fruitful[at] : this.length)];
  }

  /** Return which row of the log a step is in where all spins are folded. */
  rowNumber(position) {
    if (!this.rows) {
      this.rows = [];
      for (let at = 0; at < this.length; [, at] = this.stretch(at)) this.rows.push(at);
    }
    return upperBound(this.rows, position) - 1;
  }

  /** Return the next step from a position on whose shape is wanted, or the last one before it; null where there is none. */
  find(position, wanted, forwards = true, stop = this.length) {
    const chosen = this.shapes.map(wanted);
    if (!chosen.includes(true)) return null;
    if (forwards) for (let at = position; at < Math.min(stop, this.length); at++) if (chosen[this.kinds[at]]) return at;
    if (!forwards) for (let at = position - 1; at >= 0; at--) if (chosen[this.kinds[at]]) return at;
    return null;
  }

  /** Return the positions of all steps that have begun and not come to an end. */
  openAt(head) {
    if (!this.least) {
      // The least start of every block of steps, of every block of blocks, and so on: where none has begun nobody needs to look.
      this.least = [];
      for (let values = this.starts; values.length > PlayLine.BLOCK; this.least.push(values)) {
        const below = values;
        values = Float64Array.from({length: Math.ceil(below.length / PlayLine.BLOCK)}, (_, n) =>
          below.subarray(n * PlayLine.BLOCK, (n + 1) * PlayLine.BLOCK).reduce((least, start) => Math.min(least, start), Infinity));
      }
    }
    return this.begun(head.position, this.starts.length, head.at, this.least.length - 1);
  }

  begun(first, behind, at, level) {
    const values = level >= 0 ? this.least[level] : this.starts;
    const width = PlayLine.BLOCK ** (level + 1);
    const found = [];
    for (let place = Math.floor(first / width); place < Math.ceil(behind / width); place++) {
      if (values[place] > at) continue;
      if (level < 0) found.push(place);
      else found.push(...this.begun(Math.max(first, place * width), Math.min(behind, (place + 1) * width), at, level - 1));
    }
    return found;
  }

  /** Return steps in progress: each call by itself, what of a stretch of one thread was only counted together, for it took turns. */
  underWay(places) {
    const groups = new Map();
    for (const place of places) {
      const call = this.calls[place];
      const key = call < 0 ? -this.folds[-call - 1].thread - 1 : place;
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(place);
    }
    return [...groups.values()];
  }

  /** Return, where a step in progress stands for calls that were only counted, all whose turn it is again and again, as calls. */
  turns(place, places) {
    return this.calls[place] < 0 ? this.underWay(places).find((group) => group.includes(place)).map((one) => this.call(one)) : [];
  }

  /** Return what steps of a spin are made of, as calls: of a long one as far as its first steps tell. */
  spun(first, behind) {
    const found = new Map();
    for (let place = first; place < Math.min(behind, first + PlayLine.BLOCK); place++) {
      const [, socket, operation] = this.shapes[this.kinds[place]];
      if (!found.has(`${socket} ${operation}`)) found.set(`${socket} ${operation}`, this.call(place));
    }
    return [...found.values()];
  }

  /** Return the step at a position as a call; of a fold, one that stands for all it counts. */
  call(position) {
    const call = this.calls[position];
    if (call >= 0) return {...this.run.call(call), ended: this.ends[position], counted: 1};
    const {thread, socket, operation, site, first, last, calls} = this.folds[-call - 1];
    const known = this.run.sites.find((one) => `${one[0].split("/").pop()}:${one[1]}` === site) ?? null;
    return {index: -1, run: this.run, id: 0, thread, socket, operation, layer: "", outcome: "would_block", kind: 1, errno: null, flags: null,
      timeout: 0, peer: null, source: null, site: known, started: first, ended: last, duration: last - first, asked: null, result: null,
      parent: null, ready: null, counted: calls};
  }
}
