"use strict";
// A run that is still recorded grows: the page asks from time to time what there is of it. Owns that clock.

const Live = (() => {
  const EVERY_MS = 1500;

  function start() { setTimeout(tick, EVERY_MS); }

  async function tick() {
    try {
      await look();
    } catch (error) {
      Main.fail(error);
    }
    if (State.runs.some((run) => run.known.running)) start();
  }

  async function look() {
    const {head} = await Remote.get("document");
    const follows = State.to >= State.last - 1;
    const whole = State.from <= State.first + 1 && follows;
    const width = State.to - State.from;
    for (const run of State.runs) {
      if (!run.known.running) continue;
      const known = head.runs[run.index];
      run.update(known);
      const window = [run.from, run.to];
      Remote.take(run, await Remote.get(`window?run=${run.index}&from=${window[0]}&to=${window[1]}&columns=${Math.min(8000, Stage.columns())}`));
    }
    State.doc = head;
    State.measure();
    if (whole) State.fit();
    else if (follows) State.show(State.last - width, State.last);
    Find.offer();
    Tables.whole();
    State.changed();
  }

  return {start};
})();
