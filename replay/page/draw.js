"use strict";
// A lane on the canvas. Owns how shares of time become pixels: what a column shows is how long the lane was in calls of each class
// during that column, exactly, however many calls that were.

const Draw = (() => {
  /** Return the height of the strip of marks above a lane, and the unit of marks, device pixels. */
  const dot = () => Math.max(1, Math.round(window.devicePixelRatio || 1));
  const strip = () => 7 * dot();

  /**
   * Return per column the heights of the classes, in device pixels, from below.
   * @param lane: its time is that of its run. @param from, to: run time, ns.
   */
  function heights(lane, from, to, columns, height, filter) {
    const step = (to - from) / columns;
    const series = lane.series(filter);
    const edges = series.map((parts) => {
      const sums = new Float64Array(columns + 1);
      for (let n = 0; n <= columns; n++) for (const part of parts) sums[n] += part.before(from + n * step);
      return sums;
    });
    const rows = KINDS.map(() => new Uint16Array(columns));
    for (let n = 0; n < columns; n++) {
      const spent = edges.map((sums) => Math.max(0, sums[n + 1] - sums[n]));
      // Several threads in calls on one socket, and calls inside of calls, fill a column more than once.
      const whole = Math.max(step, spent[0] + spent[1] + spent[2] + spent[3]);
      let [sum, below] = [0, 0];
      for (let kind = 0; kind < 4; kind++) {
        sum += spent[kind];
        const top = Math.round(height * sum / whole);
        rows[kind][n] = top - below;
        below = top;
      }
    }
    return rows;
  }

  /** Draw the classes of time of a lane into a box (device pixels). */
  function shares(context, lane, box, from, to, filter) {
    const rows = heights(lane, from, to, box.width, box.height - strip(), filter);
    const base = new Uint16Array(box.width);
    rows.forEach((row, kind) => {
      const path = new Path2D();
      let any = false;
      for (let n = 0; n < box.width;) {
        const start = n;
        while (n < box.width && row[n] === row[start] && base[n] === base[start]) n++;
        if (!row[start]) continue;
        any = true;
        path.rect(box.x + start, box.y + box.height - base[start] - row[start], n - start, row[start]);
      }
      for (let n = 0; n < box.width; n++) base[n] += row[n];
      if (!any) return;
      context.fillStyle = Style.colour(KINDS[kind]);
      context.fill(path);
      const pattern = Style.pattern(context, KINDS[kind]);
      if (pattern) {
        context.fillStyle = pattern;
        context.fill(path);
      }
    });
  }

  /** Mark columns in which bytes moved, or a call failed: they would be narrower than a pixel. */
  function marks(context, lane, box, from, to, filter) {
    const {run} = lane;
    const scale = box.width / (to - from);
    const moved = lane.series(filter)[2];
    context.fillStyle = Style.colour("moved");
    const [one, step] = [dot(), 3 * dot()];
    for (let x = 0; x < box.width; x += step) {
      const [start, end] = [from + x / scale, from + Math.min(box.width, x + step) / scale];
      if (moved.some((part) => part.begun(start, end) > 0.5)) context.fillRect(box.x + x, box.y + 3 * one, 2 * one, 3 * one);
    }
    context.fillStyle = Style.colour("failed");
    let last = -10 * one;
    for (const call of lane.failed()) {
      const x = (run.ends[call] - from) * scale;
      if (x < 0 || x > box.width || x - last < 4 * one || (filter && !filter.passes(run, call))) continue;
      last = x;
      context.beginPath();
      context.moveTo(box.x + x, box.y);
      context.lineTo(box.x + x + 3.5 * one, box.y + strip() / 2);
      context.lineTo(box.x + x, box.y + strip());
      context.lineTo(box.x + x - 3.5 * one, box.y + strip() / 2);
      context.fill();
    }
  }

  /** Outline calls that are wide enough, with their name and their second phase. */
  function outlines(context, lane, box, from, to, ratio) {
    const {run} = lane;
    const scale = box.width / (to - from);
    const most = box.width / 3;
    if (lane.position(to) - lane.position(from) > most) return;
    context.font = `${11 * ratio}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    for (const call of lane.touching(from, to)) {
      const left = Math.max(0, (run.starts[call] - from) * scale);
      const right = Math.min(box.width, (run.ends[call] - from) * scale);
      const width = right - left;
      if (width < 4 * ratio) continue;
      context.strokeStyle = Style.colour("soft");
      context.lineWidth = 1;
      context.strokeRect(Math.round(box.x + left) + 0.5, box.y + strip() + 0.5, Math.max(1, Math.round(width) - 1), box.height - strip() - 1);
      phase(context, run, call, box, left, right, from, scale);
      label(context, run.shapes[run.columns.shape[call]][2], box, left, width, ratio);
    }
  }

  function phase(context, run, call, box, left, right, from, scale) {
    const ready = run.columns.ready[call];
    if (Number.isNaN(ready)) return;
    const x = Math.max(left, (run.starts[call] + ready - READY_ZERO - from) * scale);
    if (x >= right) return;
    context.fillStyle = Style.colour("copy");
    context.fillRect(box.x + x, box.y + box.height - 5 * dot(), Math.max(1, right - x), 5 * dot());
  }

  function label(context, text, box, left, width, ratio) {
    const need = context.measureText(text).width + 8 * ratio;
    if (width < need) return;
    const y = box.y + strip() + (box.height - strip()) / 2;
    context.fillStyle = Style.colour("paper");
    context.globalAlpha *= 0.82;
    context.fillRect(box.x + left + 2 * ratio, y - 7 * ratio, need - 2 * ratio, 14 * ratio);
    context.globalAlpha /= 0.82;
    context.fillStyle = Style.colour("ink");
    context.fillText(text, box.x + left + 5 * ratio, y + ratio / 2);
  }

  /** Draw a lane of calls: all of it, or what passes a filter above the faded rest. */
  function lane(context, one, box, from, to, ratio, filter) {
    if (filter) {
      context.globalAlpha = 0.18;
      shares(context, one, box, from, to, null);
      context.globalAlpha = 1;
    }
    shares(context, one, box, from, to, filter);
    marks(context, one, box, from, to, filter);
    if (filter) context.globalAlpha = 0.5;
    outlines(context, one, box, from, to, ratio);
    context.globalAlpha = 1;
  }

  /** Draw what a client saw: a bar from each question to its answer. */
  function exchanges(context, list, box, from, to) {
    const scale = box.width / (to - from);
    for (const exchange of list) {
      const asked = exchange.sent_ns ?? exchange.connected_ns;
      if (asked === null) continue;
      const left = Math.max(0, (asked - from) * scale);
      const right = Math.min(box.width, ((exchange.answered_ns ?? asked) - from) * scale);
      if (right < 0 || left > box.width) continue;
      const good = exchange.result === "ok";
      context.fillStyle = Style.colour(good ? "exchange" : "failed");
      context.fillRect(box.x + left, box.y + 3, Math.max(2, right - left), box.height - 6);
      if (!good) {
        context.fillStyle = Style.pattern(context, "blocked");
        context.fillRect(box.x + left, box.y + 3, Math.max(2, right - left), box.height - 6);
      }
    }
  }

  /** Draw packets as ticks: above the middle those that came, below it those that the program's side sent; with data or without. */
  function packets(context, list, box, from, to) {
    const scale = box.width / (to - from);
    const [middle, half] = [box.y + strip() + (box.height - strip()) / 2, (box.height - strip()) / 2];
    const last = [-1, -1];
    let n = lowerBound(Float64Array.from(list, (packet) => packet.at), from);
    for (; n < list.length && list[n].at < to; n++) {
      const {at, bytes, sent} = list[n];
      const x = Math.round((at - from) * scale);
      const side = sent ? 1 : 0;
      if (x === last[side] && !bytes) continue;
      last[side] = x;
      context.fillStyle = Style.colour(bytes ? "pick" : "soft");
      const length = bytes ? half : half / 2;
      context.fillRect(box.x + x, sent ? middle : middle - length, (bytes ? 2 : 1) * dot(), length);
    }
  }

  /** Mark signals with triangles. */
  function signals(context, list, box, from, to) {
    const scale = box.width / (to - from);
    context.fillStyle = Style.colour("ruler");
    const one = dot();
    let last = -10 * one;
    for (const signal of list) {
      const x = (signal.started_ns - from) * scale;
      if (x < 0 || x > box.width || x - last < 3 * one) continue;
      last = x;
      context.beginPath();
      context.moveTo(box.x + x - 4 * one, box.y);
      context.lineTo(box.x + x + 4 * one, box.y);
      context.lineTo(box.x + x, box.y + strip());
      context.fill();
    }
  }

  return {lane, exchanges, signals, packets, heights, strip};
})();
