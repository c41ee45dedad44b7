"use strict";
// What people type into the player: a moment to jump to, and breakpoints; the two little languages of replay/player/breaks.py.
// Owns how they are read. Draws nothing.

const Breaks = (() => {
  const UNITS = {ns: 1, us: 1e3, "µs": 1e3, ms: 1e6, s: 1e9, min: 60e9};

  /** Return where to jump, or null where the text is no such place: `1.5s`, `200ms`; `1234`, `#1234` behind so many steps; `50%`. */
  function jump(text, line) {
    const typed = text.trim().toLowerCase();
    const time = typed.match(/^(\d+\.?\d*|\.\d+)\s*(ns|us|µs|ms|s|min)$/);
    if (time) return line.atTime(Math.min(Number(time[1]) * UNITS[time[2]], 2 ** 53));
    const call = typed.match(/^#?(\d[\d,]*)$/);
    if (call) return line.atCall(Number(call[1].replaceAll(",", "")) - line.film.base.position);
    const share = typed.match(/^(\d+\.?\d*)\s*%$/);
    return share ? line.atTime(line.film.from + (line.last - line.film.from) * Math.min(100, Number(share[1])) / 100) : null;
  }

  /** Return a breakpoint of words that must all fit a step, or null where a word fits nothing in these runs. */
  function read(text, reels) {
    const words = text.split(/\s+/).filter(Boolean);
    const tests = words.map((word) => {
      const found = new Map(reels.map((reel) => [reel, test(word, reel)]));
      return [...found.values()].some(Boolean) ? found : null;
    });
    if (!words.length || tests.includes(null)) return null;
    return {text: words.join(" "), wants: (reel, shape) => tests.every((found) => found.get(reel)?.(shape) ?? false)};
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
