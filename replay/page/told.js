"use strict";
// What is said of a step, of a call in progress, of a client. The sentences and all messages come from the film, made in every language
// by replay/page/film.py; here their places are filled, with numbers as replay/words.py writes them. Draws nothing.

const Told = (() => {
  const UNITS = [[86400e9, 86400e9, "d"], [3600e9, 3600e9, "h"], [120e9, 60e9, "min"], [1e9, 1e9, "s"], [1e6, 1e6, "ms"], [1e3, 1e3, "µs"]];
  const SIZES = [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]];
  const WHERE = "\0";

  function digits(value) {
    if (Math.abs(value) >= 999.5) return Format.count(value);
    return value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(Math.max(Math.abs(value), 1)))));
  }

  /** Return a duration in three digits and a unit that suits it. */
  function duration(ns) {
    const unit = UNITS.find(([from]) => Math.abs(ns) >= from * 0.9995);
    return unit ? `${digits(ns / unit[1])} ${unit[2]}` : `${Math.round(ns)} ns`;
  }

  /** Return a size in bytes. */
  function size(count) {
    const unit = SIZES.find(([from]) => count >= from * 0.9995);
    return unit ? `${digits(count / unit[0])} ${unit[1]}` : `${count} B`;
  }

  /** Return a name for use within a line: cut in its middle where it is long. */
  function brief(text, width = 32) {
    const shown = [...visibleText(text)];
    const half = Math.floor((width - 3) / 2);
    return shown.length <= width ? shown.join("") : `${shown.slice(0, width - 3 - half).join("")}...${shown.slice(-half).join("")}`;
  }

  const spoken = (film) => Math.max(0, film.languages.indexOf(Words.language));

  /** Return a message of the film in the page's language, its {places} filled. */
  function say(film, text, values = {}) {
    const message = film.said[Words.language]?.[text] ?? text;
    return message.replace(/\{(\w+)\}/g, (place, name) => name in values ? String(values[name]) : place);
  }

  /** Return a socket's name in a sentence, or a short one. */
  function name(film, socket, short = false) {
    film.byId ??= new Map(film.names.map((row) => [row[0], row.slice(1)]));
    return film.byId.get(socket)?.[2 * spoken(film) + (short ? 1 : 0)] ?? (short || !socket ? "" : `socket ${socket}`);
  }

  /** Return what was called, on what: `recv on client anna`. */
  function called(film, call) {
    let operation = brief(call.operation.replace(/^ring_/, ""));
    if (call.operation.startsWith("ring_")) operation = say(film, "{operation} (by the ring)", {operation});
    return call.socket ? say(film, "{operation} on {where}", {operation, where: name(film, call.socket)}) : operation;
  }

  /** Return the same where there is little room: `recv(fd 4 anna)`. */
  const calledShort = (film, call) => `${brief(call.operation, 16)}(${call.socket ? name(film, call.socket, true) : ""})`;

  /** Return the sentence of a fruitless call as it stands alone. */
  function alone(film, call) {
    const fits = film.alone.filter(([operation, , on]) => operation === call.operation && on === Boolean(call.socket));
    const found = fits.find(([, outcome]) => outcome === call.outcome) ?? fits[0];
    return found ? found[3 + spoken(film)].replaceAll(WHERE, name(film, call.socket)) : plain(film, call);
  }

  /** Return what is said of a step that nobody made a sentence for. */
  function plain(film, call) {
    const came = call.outcome === null ? say(film, "never returned") : call.outcome + (call.result > 0 ? ` ${Format.count(call.result)}` : "");
    return `${called(film, call)}: ${came}, ${duration(call.ended - call.started)}`;
  }

  /** Return the sentence of a row of the log, as `sockreel tell` has it. */
  function ofRow(reel, first, behind) {
    const {film, line} = reel;
    const call = line.call(first);
    const [start, end] = line.stretch(first);
    if (start === first && end === behind) {
      const number = line.rowNumber(first);
      const told = film.told[spoken(film)][number];
      if (told !== undefined) return told;
      if (behind - first > 1 || call.counted > 1) return `${alone(film, call)} · ${Format.count(line.count(behind) - line.count(first))} ×`;
    }
    if (call.kind !== 1) return plain(film, call);
    return call.counted > 1 ? say(film, "{one}; {more}", {one: alone(film, call), more: more(film, call)}) : alone(film, call);
  }

  /** Return how many calls were counted after the first, in words. */
  function more(film, call) {
    const forms = ["{n} more like it follows in {time}, for nothing", "{n} more like it follow in {time}, all of them for nothing"];
    const n = call.counted - 1;
    return say(film, forms[Number(n > 1)], {n: Format.count(n), time: duration(call.ended - call.started)});
  }

  /** Return the mean time between calls that were only counted, ns. */
  function each(calls) {
    const length = Math.max(...calls.map((call) => call.ended)) - Math.min(...calls.map((call) => call.started));
    return Math.floor(length / calls.reduce((sum, call) => sum + call.counted, 0));
  }

  /** Return names in a row, the last ones left out. */
  function several(film, names, most) {
    const told = names.slice(0, most).join(say(film, ", "));
    return names.length > most ? say(film, "{names}, …", {names: told}) : told;
  }

  /** Return what goes on where calls came back at once, each time for nothing, and were made again. */
  function taking({film, head}, calls) {
    const known = {calls: several(film, calls.map((call) => called(film, call)), 3), each: duration(each(calls))};
    const time = head.at - Math.min(...calls.map((call) => call.started));
    return time ? say(film, "{calls}: again and again, each time at once and for nothing, {time} so far, a look every {each}", {...known, time: duration(time)})
      : say(film, "{calls}: again and again from here on, each time at once and for nothing", known);
  }

  /** Return the sentence of the step at which a reel stands. */
  function sentence(reel) {
    const {film, line, head} = reel;
    const current = reel.current();
    if (current === null) return say(film, "Nothing has been called yet.");
    const call = line.call(current);
    if (current >= head.position) {
      const turns = line.turns(current, line.openAt(head));
      if (turns.length) return taking(reel, turns);
      const known = {call: called(film, call), time: duration(head.at - call.started)};
      return say(film, head.at === call.started ? "{call} begins" : "{call} has begun and has not come back: {time} so far", known);
    }
    const [first, behind] = reel.row(current);
    const all = line.count(behind) - line.count(first);
    if (all > 1 && current > first) {
      const done = line.count(current + 1) - line.count(first);
      return say(film, "{sentence} ({n} of {all} in a row)", {sentence: alone(film, call), n: Format.count(done), all: Format.count(all)});
    }
    return ofRow(reel, first, behind);
  }

  const sends = (operation) => /^(tls_|ring_)?(send|write)/.test(operation);

  /** Return what the kernel does for a call in progress. */
  function phase(reel, call) {
    const {film, head} = reel;
    if (call.operation.startsWith("ring_") && call.operation !== "ring_wait") return say(film, "the kernel does it by itself");
    if (call.timeout === 0) return say(film, "looks, does not wait");
    if (call.ready !== null && call.ready <= head.at) return say(film, "has it: wakes up, copies");
    if (sends(call.operation)) return say(film, "waits for room");
    if (call.operation.replace(/^ring_/, "") === "accept") return say(film, "waits for a client");
    const operation = call.operation.replace(/^(tls_|ring_)/, "");
    if (call.layer === "wait" || operation === "wait") return say(film, "waits for any of them");
    if (/^(connect|connect_ex|do_handshake|handshake|unwrap)$/.test(operation)) return say(film, "waits for the other side");
    return say(film, /^(recv|read)/.test(operation) ? "waits for data" : "does it");
  }

  /** Return what came of a call, in a word or two. */
  function came(film, call) {
    if (call.kind === 1) return say(film, "has nothing");
    if (call.outcome === "ok" && call.result > 0 && PlayLine.side(call.operation)) return size(call.result);
    return call.outcome === null ? say(film, "never returned") : brief(call.outcome, 24);
  }

  const SOURCES = {packet: "packets", sender: "its sender", client: "the client"};

  /** Return how much lies in a socket's queue, and how that is known. */
  function queue(film, {queued, by}) {
    return `${size(queued)} ${say(film, "(by {source})", {source: say(film, SOURCES[by] ?? by)})}`;
  }

  /** Return how a client stands, in words. */
  function client(film, one, at) {
    const counts = `${one.answered}/${one.asked}`;
    if (one.failed) return say(film, "{counts} answered, then {result}", {counts, result: brief(one.failed)});
    if (one.waiting !== null) return say(film, "{counts} answered, waits {time}", {counts, time: duration(at - one.waiting)});
    if (!one.connected) return say(film, "not here yet");
    return one.asked ? say(film, "{counts} answered", {counts}) : say(film, "connected, silent");
  }

  /** Return the first bytes of a payload in quotes; what is no text, as escapes. */
  function bytes({size: whole, bytes: data}, most = 40) {
    const text = Bytes.pieces(data.subarray(0, most)).map(([piece]) => piece.replace(/\n/g, "")).join("");
    return `'${text}'${whole > most ? "…" : ""}`;
  }

  /** Return what was last heard from a socket and said to it: {heard, said}, texts or null. */
  function last(reel, socket) {
    const track = reel.line.sockets.get(socket);
    const text = (which) => {
      const place = track?.moved.lastBefore(reel.head.position, which) ?? null;
      const found = place === null ? null : reel.run.payload(reel.line.call(place).id);
      return found ? bytes(found, 32) : null;
    };
    return {heard: text(0), said: text(1)};
  }

  return {say, name, sentence, ofRow, queue, called, calledShort, each, several, phase, came, client, last, bytes, duration, size, brief, sends, plain};
})();
