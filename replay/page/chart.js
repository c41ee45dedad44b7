"use strict";
// The curve below a run: how much of its threads' time went into fruitless calls (area), and how much CPU it used (line).

const Chart = (() => {
  /** Return per column the fruitless share of the busiest thread's time, and the CPU used per second (1: one processor). */
  function curves(run, from, to, columns) {
    const step = (to - from) / columns;
    const fruitless = new Float64Array(columns);
    for (const lane of run.threads) {
      const parts = lane.series()[1];
      let before = parts.reduce((sum, part) => sum + part.before(from), 0);
      for (let n = 0; n < columns; n++) {
        const sum = parts.reduce((total, part) => total + part.before(from + (n + 1) * step), 0);
        fruitless[n] = Math.max(fruitless[n], Math.min(1, (sum - before) / step));
        before = sum;
      }
    }
    const cpu = new Float64Array(columns);
    let before = run.cpuBefore(from);
    for (let n = 0; n < columns; n++) {
      const spent = run.cpuBefore(from + (n + 1) * step);
      cpu[n] = Math.max(0, spent - before) / step;
      before = spent;
    }
    return {fruitless, cpu};
  }

  /** Draw both into a box. */
  function draw(context, run, box, from, to, ratio) {
    const columns = Math.max(1, Math.floor(box.width / 2));
    const {fruitless, cpu} = curves(run, from, to, columns);
    const most = Math.max(1, ...cpu);
    const high = box.height - 4;
    const x = (n) => box.x + n * box.width / columns;
    context.fillStyle = Style.colour("faint");
    context.fillRect(box.x, box.y + 2, box.width, box.height - 2);
    context.fillStyle = Style.colour("fruitless");
    for (let n = 0; n < columns; n++) {
      const height = Math.round(high * fruitless[n] / most);
      if (height) context.fillRect(x(n), box.y + box.height - height, box.width / columns + 0.5, height);
    }
    context.strokeStyle = Style.colour("ink");
    context.lineWidth = 1.5 * ratio;
    context.beginPath();
    for (let n = 0; n < columns; n++) context[n ? "lineTo" : "moveTo"](x(n + 0.5), box.y + box.height - 1 - (high - 1) * cpu[n] / most);
    if (run.known.cpu.length) context.stroke();
    return most;
  }

  return {draw, curves};
})();
