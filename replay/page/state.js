"use strict";
// What is in view and what is chosen. Owns it, and the part of it that stands in the address. Times are those of the shared axis, ns.

const State = {
  runs: [], doc: null, from: 0, to: 1, first: 0, last: 1, aligned: true,
  selected: null, lane: null, filter: null, ruler: null, measuring: false, listeners: [],

  /** Call back after every change. */
  listen(listener) { State.listeners.push(listener); },

  /** Tell everybody once per frame. */
  changed() {
    if (State.waiting) return;
    State.waiting = true;
    requestAnimationFrame(() => {
      State.waiting = false;
      for (const listener of State.listeners) listener();
    });
  },

  /** Return how far a run's own time is ahead of the axis. */
  offset(run) { return State.aligned ? run.offset : 0; },

  /** Take the axis from the runs there are. */
  measure() {
    State.first = Math.min(...State.runs.map((run) => run.from - State.offset(run)));
    State.last = Math.max(State.first + 1, ...State.runs.map((run) => run.to - State.offset(run)));
  },

  /** Put a stretch into view, within what there is. */
  show(from, to) {
    const whole = State.last - State.first;
    const width = Math.min(Math.max(to - from, 10), whole);
    const start = Math.min(Math.max(from, State.first), State.last - width);
    State.from = start;
    State.to = start + width;
    State.changed();
  },

  fit() { State.show(State.first, State.last); },

  /** Zoom by a factor (below 1: in) about a moment. */
  zoom(factor, about = (State.from + State.to) / 2) {
    State.show(about - (about - State.from) * factor, about + (State.to - about) * factor);
  },

  pan(share) {
    const step = (State.to - State.from) * share;
    State.show(State.from + step, State.to + step);
  },

  /** Select a call; bring it into view where it is not. */
  select(run, index, bring = false) {
    State.selected = index === null ? null : run.call(index);
    State.revealing = bring ? State.selected : null;
    if (State.selected && bring) {
      const {started, ended} = State.selected;
      const [start, end] = [started - State.offset(run), ended - State.offset(run)];
      const width = State.to - State.from;
      if (end < State.from || start > State.to || (end - start < width / 2000)) {
        const span = Math.min(width, Math.max((end - start) * 20, 2e4));
        State.show((start + end) / 2 - span / 2, (start + end) / 2 + span / 2);
      } else if (start < State.from || end > State.to) State.show(start - (end - start) / 10, end + (end - start) / 10);
    }
    State.changed();
  },

  /** Return the part of the address that names what is in view. */
  hash() {
    const parts = [`t=${Math.round(State.from)}`, `w=${Math.round(State.to - State.from)}`];
    if (State.selected) parts.push(`call=${State.runs.length > 1 ? `${State.selected.run.index + 1}.` : ""}${State.selected.id}`);
    if (!State.aligned) parts.push("align=clock");
    const {text, operation, outcome, socket, kind} = State.filter ?? {};
    for (const [name, value] of Object.entries({q: text, operation, outcome, socket, kind})) if (value) parts.push(`${name}=${encodeURIComponent(value)}`);
    return `#${parts.join("&")}`;
  },

  /** Return what an address names. */
  read(hash) {
    const found = {};
    for (const part of hash.replace(/^#/, "").split("&")) {
      const [name, value = ""] = part.split(/=(.*)/s);
      try { found[name] = decodeURIComponent(value); } catch { /* no text: as if it were not there */ }
    }
    return found;
  },
};
