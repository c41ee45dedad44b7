"use strict";
// What lay in the kernel's receive buffers: a step curve for each socket of which it is known. Owns its numbers and how it is drawn.

/** The bytes that lay in one socket's buffer, from each moment on. */
class Buffer {
  constructor(run, {socket, source, at, bytes, until, whole}) {
    Object.assign(this, {run, socket, source, whole, until, name: run.socketNames.get(socket) ?? String(socket)});
    let sum = 0;
    this.at = Float64Array.from(at, (step) => sum += step);
    this.bytes = Float64Array.from(bytes);
    this.most = bytes.reduce((most, one) => Math.max(most, one), 0);
  }

  /** Return the bytes that lay there at a moment; null before anything is known and when the socket was closed. */
  level(time) {
    const n = lowerBound(this.at, time + 1) - 1;
    return n < 0 || (this.until !== null && time >= this.until) ? null : this.bytes[n];
  }

  /** Return the least and the most bytes, and the level's mean over time, of a stretch; null where nothing is known of it. */
  within(from, to) {
    if (!this.at.length) return null;
    const end = Math.min(to, this.until ?? this.run.to);
    const start = Math.max(from, this.at[0]);
    if (end <= start) return null;
    let n = lowerBound(this.at, start + 1) - 1;
    let [least, most, sum] = [this.bytes[n], this.bytes[n], 0];
    for (let begin = start; ; n++) {
      least = Math.min(least, this.bytes[n]);
      most = Math.max(most, this.bytes[n]);
      const next = n + 1 < this.at.length ? Math.min(end, this.at[n + 1]) : end;
      sum += this.bytes[n] * (next - begin);
      begin = next;
      if (next >= end) break;
    }
    return {least, most, mean: sum / (end - start)};
  }
}

const Buffers = (() => {
  /** Return per column the heights of the least and of the most that lay there, device pixels. */
  function heights(buffer, from, to, columns, height) {
    const step = (to - from) / columns;
    const [least, most] = [new Uint16Array(columns), new Uint16Array(columns)];
    for (let n = 0; n < columns; n++) {
      const found = buffer.within(from + n * step, from + (n + 1) * step);
      if (!found || !buffer.most) continue;
      least[n] = Math.round(height * found.least / buffer.most);
      // However little and short: what lay there is seen.
      most[n] = found.most ? Math.max(1, Math.round(height * found.most / buffer.most)) : 0;
    }
    return {least, most};
  }

  /** Draw a curve into a box: solid as far as the bytes lay there all through a column, lighter up to the most of it; the line is its scale. */
  function draw(context, buffer, box, from, to, ratio) {
    const high = box.height - Math.round(3 * ratio);
    const {least, most} = heights(buffer, from, to, box.width, high);
    const floor = box.y + box.height;
    context.fillStyle = Style.colour("line");
    context.fillRect(box.x, floor - high - 1, box.width, 1);
    context.fillRect(box.x, floor - 1, box.width, 1);
    context.fillStyle = Style.colour("queue");
    for (const [rows, alpha] of [[most, 0.5], [least, 1]]) {
      context.globalAlpha = alpha;
      for (let n = 0; n < box.width;) {
        const start = n;
        while (n < box.width && rows[n] === rows[start]) n++;
        if (rows[start]) context.fillRect(box.x + start, floor - rows[start], n - start, rows[start]);
      }
    }
    context.globalAlpha = 1;
    scale(context, buffer, box, ratio);
  }

  function scale(context, buffer, box, ratio) {
    const text = `${buffer.whole ? "" : "≤ "}${Format.size(buffer.most)}`;
    context.font = `${10 * ratio}px system-ui, sans-serif`;
    context.textBaseline = "top";
    const wide = context.measureText(text).width + 6 * ratio;
    context.fillStyle = Style.colour("paper");
    context.globalAlpha = 0.8;
    context.fillRect(box.x + box.width - wide, box.y + 3 * ratio, wide, 12 * ratio);
    context.globalAlpha = 1;
    context.fillStyle = Style.colour("soft");
    context.fillText(text, box.x + box.width - wide + 3 * ratio, box.y + 4 * ratio);
  }

  return {draw, heights};
})();
