"use strict";
// What people type into the player: a moment to jump to, and breakpoints; the two little languages of replay/player/breaks.py.
// Owns how they are read. Draws nothing.

const Breaks = (() => {
  const UNITS = {ns: 1, us: 1e3, "µs": 1e3, ms: 1e6, s: 1e9, min: 60e9};

  /** Return where to jump, {at} or {step}, or null where the text is no such place: `1.5s`, `200ms`; `1234`, `#1234` behind so many steps; `50%`. */
  function jump(text, reel) {
    const typed = text.trim().toLowerCase();
    const time = typed.match(/^(\d+\.?\d*|\.\d+)\s*(ns|us|µs|ms|s|min)$/);
    if (time) return {at: Math.min(Math.round(Number(time[1]) * UNITS[time[2]]), 2 ** 53)};
    const call = typed.match(/^#?(\d[\d,]*)$/);
    if (call) return {step: Number(call[1].replaceAll(",", ""))};
    const share = typed.match(/^(\d+\.?\d*)\s*%$/);
    const [first, last] = reel.whole;
    return share ? {at: first + (last - first) * Math.min(100, Number(share[1])) / 100} : null;
  }

  /** Return a breakpoint of words that must all fit a step, or null where a word fits nothing in these runs. */
  function read(text, reels) {
    const words = text.split(/\s+/).filter(Boolean);
    if (!words.length || !words.every((word) => reels.some((reel) => means(word, reel)))) return null;
    const tests = new WeakMap();  // by the steps that are there: of a long run other ones come
    const testsOf = (reel) => {
      if (!tests.has(reel.line)) tests.set(reel.line, words.map((word) => test(word, reel)));
      return tests.get(reel.line);
    };
    return {text: words.join(" "), wants: (reel, shape) => testsOf(reel).every((fits) => fits !== null && fits(shape))};
  }

  /** Say whether a word may fit a step of a run, be it of another stretch. */
  function means(word, reel) {
    if (test(word, reel) !== null) return true;
    return Boolean(reel.film.run) && (/:\d+$/.test(word) || reel.run.known.counts.some((one) => one.operation === word || one.outcome === word));
  }

  /** Return what says whether a shape fits a word in a run; null where nothing in the run does. */
  function test(word, reel) {
    const {shapes} = reel.line;
    const kept = (fits) => shapes.some(fits) ? fits : null;
    const line = word.match(/^(.*):(\d+)$/);
    const sites = line ? new Set(reel.run.sites.flatMap(([file, number], n) => number === Number(line[2]) && file.endsWith(line[1]) ? [n] : [])) : new Set();
    if (sites.size) return (shape) => sites.has(shape[6]);
    const sockets = socketsOf(word, reel);
    if (sockets.size) return (shape) => sockets.has(shape[1]);
    return kept((shape) => shape[2] === word) ?? kept((shape) => shape[4] === word);
  }

  function socketsOf(word, reel) {
    const lowered = word.toLowerCase();
    const {known} = reel.run;
    if (lowered.startsWith("fd=")) return new Set(known.sockets.filter((one) => String(one.fd) === lowered.slice(3)).map((one) => one.id));
    const clients = new Set(reel.play.exchanges.filter((one) => one.client === word).map((one) => one.socket));
    return new Set(known.sockets.filter((one) => clients.has(one.id) || one.role === lowered || (one.peer && one.peer === word)).map((one) => one.id));
  }

  /** Return the lines of a file at which breakpoints stop in a run. */
  function lines(breaks, file) {
    return new Set(breaks.flatMap(({text}) => text.split(" ")).map((word) => word.match(/^(.*):(\d+)$/)).filter((found) => found && file?.endsWith(found[1])).map((found) => Number(found[2])));
  }

  return {jump, read, lines};
})();
