"use strict";
// One run, or two in step, being played: where each stands, how fast time goes, where it stops; as replay/player/deck.py does it.
// Owns every move that a key, a button or the clock can make. Knows nothing of what is drawn.

/** How fast time goes, as a share of life: from a million times slower to a thousand times faster. */
const SPEEDS = [...Array.from({length: 27}, (_, n) => Number(`${[1, 2, 5][n % 3]}e${Math.floor(n / 3) - 6}`)), 1000];
const MODES = ["clock", "exchange", "alone"];
const QUIET_S = 1.5;  // with quiet time skipped, nobody waits longer than this for something to begin or end

/** A run on the deck: where it stands, and what of its log is folded. */
class Reel {
  constructor(run, film) {
    Object.assign(this, {folded: true, wanted: null});
    this.load(run, film);
  }

  /** Take the steps of a run, or of another stretch of it, and stand at the beginning. */
  load(run, film) {
    Object.assign(this, {run, film, line: new PlayLine(run, film), turned: new Set()});
    this.play = new PlayState(this.line);
    this.head = this.line.atCall(0);
  }

  /** The moments between which the run can be played, by way of other stretches where it is long. */
  get whole() { return this.film.run ?? [this.film.from, this.line.last]; }

  /** Stand at a moment; one of another stretch is `wanted`, and somebody has to fetch it. */
  seek(at) {
    const [from, to] = this.whole;
    const there = Math.min(Math.max(Math.round(at), from), to);
    this.wanted = this.film.run && (there > this.film.to || (there < this.film.from)) ? there : null;
    this.head = this.line.atTime(there);
  }

  get state() { return this.play.at(this.head); }

  /** Return the moment from which two runs are put in step: the first client's connection, else the first call. */
  get origin() {
    const connected = this.play.exchanges.map((one) => one.connected).filter((at) => at !== null);
    return connected.length ? connected.reduce((least, at) => Math.min(least, at)) : this.line.starts[0] ?? 0;
  }

  /** Return the row of the log that a step is in: [first, behind the last]. */
  row(position) {
    const [first, behind] = this.line.stretch(position);
    return this.folded !== this.turned.has(first) ? [first, behind] : [position, position + 1];
  }

  /** Return the step that is told: one that has begun and not ended, else the last that ended; null before the first. */
  current() {
    const {line, head} = this;
    const ended = head.position ? line.ends[head.position - 1] : -1;
    let found = null;
    if (head.at > ended) {
      for (const place of line.openAt(head)) {
        if (line.starts[place] >= ended && (found === null || line.starts[place] > line.starts[found])) found = place;
      }
    }
    return found ?? (head.position ? head.position - 1 : null);
  }
}

class Deck {
  constructor(reels) {
    Object.assign(this, {reels, active: 0, mode: "clock", speed: SPEEDS.indexOf(1), playing: false, skipping: false, breaks: [], stoppedBy: null, rest: 0});
  }

  get reel() { return this.reels[this.active]; }

  /** Put the active run somewhere, and the other in step with it. */
  go(head) {
    this.reel.head = head;
    this.rest = 0;
    this.follow();
  }

  follow() {
    const mine = this.reel;
    for (const other of this.reels) {
      if (other === mine || this.mode === "alone") continue;
      if (this.mode === "clock") {
        other.seek(mine.head.at - mine.origin + other.origin);
        continue;
      }
      const passed = upperBound(mine.play.answers, mine.head.at);
      const same = passed ? other.play.answerAt.get(mine.play.answered[passed - 1]) : 0;
      if (same !== undefined) other.seek(same);
    }
  }

  /** Go so many single calls on, or back. */
  step(steps) { this.go(this.reel.line.step(this.reel.head, steps)); }

  /** Go so many rows of the log on or back: a folded spin is one. */
  stepRow(rows) {
    const {line} = this.reel;
    let {head} = this.reel;
    for (let n = 0; n < Math.abs(rows); n++) {
      if (rows > 0 && head.position < line.length) head = line.atCall(this.reel.row(head.position)[1]);
      else if (rows < 0 && head.position > 0) head = line.atCall(this.reel.row(head.position - 1)[0]);
    }
    this.go(head);
  }

  /** Go to where the next call begins, or ends. */
  stepHalf() { this.go(this.reel.line.stepHalf(this.reel.head)); }

  stepFruitful(forwards) { this.go(this.reel.line.stepFruitful(this.reel.head, forwards)); }

  /** Go to the moment at which the next exchange ends, or the one before. */
  stepExchange(forwards) {
    const {answers} = this.reel.play;
    const at = forwards ? upperBound(answers, this.reel.head.at) : lowerBound(answers, this.reel.head.at) - 1;
    if (forwards && at >= answers.length) return;
    this.seek(at >= 0 ? answers[at] : 0);
  }

  /** Go to a moment of the run. */
  seek(at) {
    this.reel.seek(at);
    this.rest = 0;
    this.follow();
  }

  /** Go to the end, or to the beginning. */
  toEnd(forwards) {
    const {reel} = this;
    if (reel.film.run) this.seek(reel.whole[forwards ? 1 : 0]);
    else this.go(reel.line.atCall(forwards ? reel.line.length : 0));
  }

  /** Fold the current spin, or unfold it. */
  turnSpin() {
    const position = this.reel.current();
    if (position === null) return;
    const [first] = this.reel.line.stretch(position);
    if (!this.reel.turned.delete(first)) this.reel.turned.add(first);
  }

  turnAll() {
    this.reel.folded = !this.reel.folded;
    this.reel.turned.clear();
  }

  faster(steps) { this.speed = Math.min(Math.max(this.speed + steps, 0), SPEEDS.length - 1); }

  nextMode() {
    this.mode = MODES[(MODES.indexOf(this.mode) + 1) % MODES.length];
    this.follow();
  }

  wanted(reel) { return (shape) => this.breaks.some((stop) => stop.wants(reel, shape)); }

  nameOf(place) {
    const {line} = this.reel;
    return this.breaks.find((stop) => stop.wants(this.reel, line.shapes[line.kinds[place]]))?.text ?? "";
  }

  /** Go behind the next step that a breakpoint wants, or the last one; say whether there was one. */
  runToBreak(forwards = true) {
    const {line, head} = this.reel;
    const found = line.find(forwards ? head.position : Math.max(0, head.position - 1), this.wanted(this.reel), forwards);
    if (found === null) return false;
    this.stoppedBy = this.nameOf(found);
    this.go(line.atCall(found + 1));
    return true;
  }

  /** Let time go on for so many seconds of the person who looks; stops at a breakpoint, and at the end. */
  advance(seconds) {
    if (!this.playing) return;
    const {line, head} = this.reel;
    this.rest += seconds * SPEEDS[this.speed] * 1e9;
    const whole = Math.floor(this.rest);
    const rest = this.rest - whole;
    let target = head.at + whole;
    if (this.skipping) target = Math.max(target, this.afterQuiet(head));
    let there = line.atTime(target);
    if (there.position < head.position) there = {position: head.position, at: there.at};
    const stop = this.breaks.length ? line.find(head.position, this.wanted(this.reel), true, there.position) : null;
    if (stop !== null) {
      this.stoppedBy = this.nameOf(stop);
      this.playing = false;
      there = line.atCall(stop + 1);
    } else if (target >= line.last && there.position >= line.length) this.playing = false;
    this.go(there);
    this.rest = this.playing ? rest : 0;
  }

  /** Return the moment before the next beginning or end, where it is far off. */
  afterQuiet(head) {
    const {at} = this.reel.line.stepHalf(head);
    const far = QUIET_S * SPEEDS[this.speed] * 1e9;
    return at - head.at > far ? Math.floor(at - far) : 0;
  }
}

/** The films of runs: read when they are first played; of a long run that is served, the stretch that somebody looks at. */
const Films = (() => {
  const known = new Map();

  async function take(run, asked) {
    const element = document.querySelector(`script.film[data-run="${run.index}"]`);
    if (!State.doc.served && !element) throw new Error(Words.say("play_too_many"));
    const {head, columns} = State.doc.served ? await Remote.get(`film?run=${run.index}${asked}`) : await Unpack.unpack(Unpack.fromBase64(element.textContent));
    const film = {...head, queueAt: columns.queue_at, queueBytes: columns.queue_bytes};
    if (!State.doc.served) return [run, film];
    // What is in view of the timeline changes as people look around: what is played has calls of its own.
    const own = new Run(run.known, run.index, run.sources);
    own.load(await Remote.get(`calls?run=${run.index}&from=${film.from}&to=${Math.max(film.from + 1, film.to)}`));
    return [own, film];
  }

  /** Return a run ready to be played, as it was left. */
  async function reel(run) {
    if (!known.has(run.index) || run.known.running) known.set(run.index, new Reel(...await take(run, "")));
    return known.get(run.index);
  }

  /** Put another stretch onto a reel: the one with a moment or a step in it. @param asked: {at} or {step}. */
  async function shift(reel, {at, step}) {
    const asked = step === undefined ? `&at=${Math.max(0, Math.round(at))}` : `&step=${Math.max(0, Math.round(step))}`;
    const found = await take(State.runs[reel.run.index], asked);
    reel.load(...found);
  }

  return {reel, shift};
})();
