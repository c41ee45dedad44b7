"use strict";
// A page that is served asks for what it shows, window by window. Owns when, how far around what is in view, and what it keeps
// of it: whoever zooms out again waits for nothing. The browser's own cache stays empty: payloads are not to lie on its disk.

const Remote = (() => {
  let served = false;
  let waiting = null;
  const asked = new Map();
  const KEPT_CALLS = 400_000, KEPT = 24;
  let kept = [];  // {run, pack}, the one that was used last at the end

  async function get(path) {
    const answer = await fetch(path, {cache: "no-store"});
    if (!answer.ok) throw new Error(await answer.text());
    return Unpack.unpack(new Uint8Array(await answer.arrayBuffer()));
  }

  function start() {
    served = true;
    State.listen(() => {
      clearTimeout(waiting);
      waiting = setTimeout(look, 60);
    });
  }

  /** Ask for what is in view where it is not at hand. */
  function look() {
    for (const run of State.runs) if (run.columns && !suffices(run) && !recall(run)) load(run).catch(Main.fail);
  }

  /** Keep a pack of a run that has ended, and as many of those before it as there is room for. */
  function keep(run, pack) {
    kept = kept.filter((one) => one.pack !== pack);
    kept.push({run, pack});
    const calls = () => kept.reduce((sum, one) => sum + one.pack.columns.id.length, 0);
    while (kept.length > 1 && (kept.length > KEPT || calls() > KEPT_CALLS)) kept.shift();
  }

  /** Take the narrowest pack that was kept and suffices for what is in view; say whether there is one. */
  function recall(run) {
    const fitting = kept.filter((one) => one.run === run && suffices(run, one.pack.head)).map((one) => one.pack);
    if (!fitting.length) return false;
    const pack = fitting.reduce((best, one) => one.head.to - one.head.from < best.head.to - best.head.from ? one : best);
    asked.delete(run);
    keep(run, pack);
    take(run, pack);
    return true;
  }

  function inView(run) {
    const offset = State.offset(run);
    return [Math.max(run.from, State.from + offset), Math.min(run.to, State.to + offset)];
  }

  function suffices(run, head = run.head) {
    const [from, to] = inView(run);
    if (to <= from) return true;
    const covers = head.from <= Math.floor(from) && head.to >= Math.floor(to);
    // Cells made for a view far wider than this one are too coarse for it.
    return covers && (head.complete || (head.to - head.from) <= 2.6 * (to - from) || (head.from <= run.from && head.to >= run.to && to - from > 0.5 * (run.to - run.from)));
  }

  /** Load the window around what is in view of a run. */
  async function load(run) {
    const [from, to] = inView(run);
    const margin = (to - from) / 2;
    const window = [Math.max(run.from, Math.floor(from - margin)), Math.min(run.to, Math.ceil(to + margin))];
    const key = window.join("-");
    if (asked.get(run) === key) return;
    asked.set(run, key);
    const columns = Math.min(8000, 2 * Stage.columns());
    const {running} = run.known;
    const pack = await get(`window?run=${run.index}&from=${window[0]}&to=${Math.max(window[0] + 1, window[1])}&columns=${columns}`);
    if (asked.get(run) !== key) return;
    asked.delete(run);
    if (!running) keep(run, pack);
    take(run, pack);
  }

  function take(run, pack) {
    const chosen = State.selected?.run === run ? State.selected : null;
    if (chosen && chosen.index >= 0) chosen.bytes = run.payload(chosen.id);
    run.load(pack);
    run.version = (run.version ?? 0) + 1;
    if (chosen) {
      const index = run.find(chosen.id);
      // Seen from afar single calls are not told: what is chosen stays so, and nobody is taken back to where it is.
      State.selected = index >= 0 ? run.call(index) : {...chosen, index};
    }
    State.changed();
  }

  /** Return the index of a call, after asking for what is around it where it is not at hand; -1 where there is none. */
  async function ensure(run, id) {
    const here = run.find(id);
    if (here >= 0 || !served) return here;
    const {head} = await get(`call?run=${run.index}&id=${id}`);
    if (head.started === null) return -1;
    const middle = head.started - State.offset(run);
    const half = Math.max(5e5, (State.to - State.from) / 2000);
    State.show(middle - half, middle + half);
    asked.delete(run);
    await load(run);
    return run.find(id);
  }

  /** Return the first matches of a filter: pairs of run and call id. */
  async function matches(filter) {
    const found = [];
    for (const run of State.runs) {
      const names = ["text", "operation", "outcome", "socket", "kind"];
      const query = names.filter((name) => filter[name]).map((name) => `${name}=${encodeURIComponent(filter[name])}`);
      const {columns} = await get(`find?${[`run=${run.index}`, ...query].join("&")}`);
      found.push(...Array.from(columns.id, (id) => [run, id]));
    }
    return found;
  }

  return {start, get, ensure, matches, suffices, take, keep, kept: () => kept.map((one) => one.pack.head)};
})();
