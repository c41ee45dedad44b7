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

  /** Return {head, columns, rest} of a pack; an unknown number is NaN. A column is read when it is first asked for. */
  async function unpack(bytes) {
    const raw = await inflate(bytes);
    const size = raw[0] + raw[1] * 256 + raw[2] * 65536 + raw[3] * 16777216;
    const head = JSON.parse(new TextDecoder().decode(raw.subarray(4, 4 + size)));
    let at = 4 + size;
    const [getters, known] = [{}, []];
    head.columns.forEach(([name, count, delta, alike], n) => {
      const planes = alike.map((byte) => byte ?? raw.subarray(at, at += count));
      getters[name] = {get: () => known[n] ??= column(planes, count, delta, head.wide[name] ?? {}), enumerable: true};
    });
    return {head, columns: Object.create(Object.create(null, getters)), rest: raw.subarray(at)};
  }

  function column(planes, count, delta, wide) {
    const numbers = new Uint32Array(count);
    planes.forEach((plane, n) => {
      if (typeof plane !== "number") for (let at = 0; at < count; at++) numbers[at] |= plane[at] << 8 * n;
      else if (plane) for (let at = 0; at < count; at++) numbers[at] |= plane << 8 * n;
    });
    return delta ? summed(numbers, wide) : plain(numbers, wide);
  }

  function plain(numbers, wide) {
    const values = new Float64Array(numbers.length);
    for (let n = 0; n < values.length; n++) values[n] = numbers[n] === WIDE ? wide[n] : numbers[n] ? numbers[n] - 1 : NaN;
    return values;
  }

  function summed(numbers, wide) {
    const values = new Float64Array(numbers.length);
    for (let n = 0, before = 0; n < values.length; n++) {
      const number = numbers[n];
      if (number === WIDE) before = wide[n];
      else before += number & 1 ? number >>> 1 : -(number >>> 1);
      values[n] = before;
    }
    return values;
  }

  return {unpack, fromBase64};
})();
