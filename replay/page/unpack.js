"use strict";
// Packs -> columns of numbers. The layout is drawn in replay/page/packing.py.

const Unpack = (() => {
  const WIDE = 0xffffffff;

  /** Return what a zlib stream holds. */
  async function inflate(bytes) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  function fromBase64(text) {
    const raw = atob(text.trim());
    const bytes = new Uint8Array(raw.length);
    for (let at = 0; at < raw.length; at++) bytes[at] = raw.charCodeAt(at);
    return bytes;
  }

  /** Return {head, columns, rest} of a pack; an unknown number is NaN. */
  async function unpack(bytes) {
    const raw = await inflate(bytes);
    const size = raw[0] + raw[1] * 256 + raw[2] * 65536 + raw[3] * 16777216;
    const head = JSON.parse(new TextDecoder().decode(raw.subarray(4, 4 + size)));
    let at = 4 + size;
    const columns = {};
    for (const [name, count, delta] of head.columns) {
      columns[name] = column(raw.subarray(at, at + 4 * count), count, delta, head.wide[name] ?? {});
      at += 4 * count;
    }
    return {head, columns, rest: raw.subarray(at)};
  }

  function column(planes, count, delta, wide) {
    const values = new Float64Array(count);
    const [second, third, fourth] = [count, 2 * count, 3 * count];
    let before = 0;
    for (let n = 0; n < count; n++) {
      const number = planes[n] + planes[second + n] * 256 + planes[third + n] * 65536 + planes[fourth + n] * 16777216;
      let value;
      if (number === WIDE) value = wide[n];
      else if (delta) value = before + ((number - 1) % 2 ? -number / 2 : (number - 1) / 2);
      else value = number ? number - 1 : NaN;
      values[n] = value;
      before = value;
    }
    return values;
  }

  return {unpack, fromBase64};
})();
