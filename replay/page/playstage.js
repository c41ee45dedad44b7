"use strict";
// Program and kernel: the calls that cross between them, the phases of a call as they fill, the kernel's queues, and the clients with what
// they said. Owns that drawing (SVG); draws a view as playpanes.js has it, and changes nothing.

const CONNECTIONS = /^(accepted|connected|pair|datagram)$/;

class PlayStage {
  static CALL = 64;
  static LINE = 26;
  static ROW = 36;
  static HEAD = 30;

  constructor() {
    this.element = document.createElement("div");
    this.element.className = "play-drawing";
    this.svg = this.make("svg", {role: "img"});
    this.element.append(this.svg);
    this.pen = document.createElement("canvas").getContext("2d");
    new ResizeObserver(() => Player.draw()).observe(this.element);
  }

  make(name, attributes = {}, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
    element.append(...children);
    return element;
  }

  /** Return a text cut to a width. */
  text(x, y, words, {look = "", size = 14, weight = 400, width = Infinity} = {}) {
    const family = look === "said" ? 'ui-monospace, "DejaVu Sans Mono", monospace' : 'system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif';
    this.pen.font = `${weight} ${size}px ${family}`;
    let shown = visibleText(words);
    if (this.pen.measureText(shown).width > width) {
      const letters = [...shown];
      while (letters.length && this.pen.measureText(`${letters.join("")}…`).width > width) letters.pop();
      shown = `${letters.join("")}…`;
    }
    return this.make("text", {x, y, class: look, "font-size": size, "font-weight": weight}, shown);
  }

  box(x, y, width, height, look, radius = 6) { return this.make("rect", {x, y, width: Math.max(0, width), height, rx: radius, class: look}); }

  /** Draw a view into the room there is. */
  draw(view) {
    // The drawing grows into the room there is, to be read from the back of a lecture hall, and shrinks a little before it leaves things out.
    this.view = view;
    this.busy = new Set([view.call, ...view.turns].map((one) => one?.socket));
    const rows = this.rows();
    const others = view.reel.line.underWay(view.state.open).filter((places) => !places.includes(view.current));
    const high = PlayStage.HEAD + PlayStage.CALL + 10 + (rows.length + 0.5) * PlayStage.ROW + others.length * PlayStage.LINE;
    const grown = Math.min(1.7, Math.max(0.82, Math.min(this.element.clientWidth / 700, this.element.clientHeight / high)));
    const width = Math.max(280, this.element.clientWidth / grown);
    const room = Math.max(180, this.element.clientHeight / grown);
    const clients = view.state.clients.length > 0 || view.state.sockets.some((one) => one.role === "accepted" || one.role === "connected");
    const wide = width >= 560 && clients;
    const kernel = Math.round(width * (wide ? 0.32 : 0.42));
    Object.assign(this, {width, room, kernel, wide, clients: wide ? Math.round(width * 0.69) : width});
    const parts = [];
    let y = this.heads(parts, room);
    y = this.calls(parts, y, room);
    this.queues(parts, y + 6, room, rows);
    this.svg.replaceChildren(...parts);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${room}`);
    this.svg.setAttribute("aria-label", Words.say("play_stage"));
  }

  heads(parts, room) {
    const {width, kernel, clients, wide} = this;
    parts.push(this.box(0, 0, kernel - 14, room, "side program", 8), this.box(kernel + 14, 0, clients - kernel - (wide ? 26 : 14), room, "side kernel", 8));
    if (wide) parts.push(this.box(clients, 0, width - clients, room, "side clients", 8), this.text(clients + 12, 20, Words.say(this.view.state.clients.length ? "play_clients" : "play_connections"), {weight: 700, look: "title"}));
    parts.push(this.text(12, 20, Words.say("play_program"), {weight: 700, look: "title"}), this.text(kernel + 26, 20, Words.say("play_kernel"), {weight: 700, look: "title"}),
      this.make("line", {x1: kernel, x2: kernel, y1: 0, y2: room, class: "border"}));
    return PlayStage.HEAD;
  }

  /** Draw the call that is told, then the others in progress, a line for each. */
  calls(parts, y, room) {
    const {view: {reel, state, current, call, running, turns}} = this;
    const others = reel.line.underWay(state.open).filter((places) => !places.includes(current));
    if (turns.length) y = this.turns(parts, y, turns, others.length ? y + 3 * PlayStage.CALL : room);
    else if (call) y = this.call(parts, y, call, running);
    // Queues and clients come first: who waits is what there is to see.
    const most = Math.max(1, Math.floor((room - y - 3 * PlayStage.ROW) / PlayStage.LINE));
    const shown = others.length > most ? others.slice(0, most - 1) : others;
    for (const places of shown) y = this.line(parts, y, places.map((place) => reel.line.call(place)));
    if (shown.length < others.length) {
      const more = others.slice(shown.length).reduce((sum, places) => sum + places.length, 0);
      parts.push(this.text(20, y + 15, Words.say("play_more", Format.count(more)), {look: "quiet", size: 13}));
      y += PlayStage.LINE;
    }
    return y;
  }

  /** Draw another call in progress, or the calls of another thread that take turns. */
  line(parts, y, calls) {
    const {view: {reel, veiled}, kernel, clients, wide} = this;
    const [call] = calls;
    const again = call.index < 0;
    const look = veiled ? "other" : KINDS[call.kind];
    const [left, x] = [kernel - 26, kernel + 28];
    const names = Told.several(reel.film, calls.map((one) => Told.calledShort(reel.film, one)), 2);
    const time = Told.duration(reel.head.at - Math.min(...calls.map((one) => one.started)));
    const doing = again ? Told.say(reel.film, "again and again for {time}", {time}) : `${this.doing(call, true)} · ${time}`;
    parts.push(this.box(10, y, left - 10, 22, `call thin ${look}`, 4), this.text(18, y + 15, names, {size: 13, width: left - 22}),
      this.make("line", {x1: left + (again ? 9 : 2), x2: kernel + 18, y1: y + 11, y2: y + 11, class: `arrow thin ${look}`}), this.make("path", {d: `M${kernel + 22} ${y + 11}l-7 -5v10z`, class: `tip ${look}`}),
      ...(again ? [this.make("path", {d: `M${left + 2} ${y + 11}l7 -5v10z`, class: `tip ${look}`})] : []),
      this.text(x, y + 15, doing, {size: 13, width: clients - x - (wide ? 24 : 12)}));
    return y + PlayStage.LINE;
  }

  /** Draw calls that came back at once, each time for nothing, and were made again: arrows both ways, and a gauge of looks, for none lasts. */
  turns(parts, y, calls, end) {
    const {view: {reel: {film, head}, veiled}, kernel, clients, wide} = this;
    const look = veiled ? "other" : "fruitless";
    const left = kernel - 26;
    const room = Math.max(2, Math.floor((end - y - 50) / 20));
    const rows = calls.length > room ? calls.slice(0, room - 1) : calls;
    const high = 30 + 20 * rows.length + (rows.length < calls.length ? 18 : 0);
    parts.push(this.box(10, y, left - 10, high, `call ${look}`));
    rows.forEach((call, n) => parts.push(this.text(20, y + 20 + 20 * n, Told.calledShort(film, call), {weight: 700, size: 15, width: left - 26})));
    if (rows.length < calls.length) parts.push(this.text(20, y + 18 + 20 * rows.length, Words.say("play_more", Format.count(calls.length - rows.length)), {size: 13, look: "quiet", width: left - 26}));
    const [started, ended] = [Math.min(...calls.map((call) => call.started)), Math.max(...calls.map((call) => call.ended))];
    const time = head.at > started ? Told.say(film, "again and again for {time}", {time: Told.duration(head.at - started)}) : Told.say(film, "begins now");
    parts.push(this.text(20, y + high - 10, time, {size: 12, look: "quiet", width: left - 26}));
    const middle = y + 26;
    this.arrow(parts, left + 10, kernel + 24, middle, true, look);
    parts.push(this.make("path", {d: `M${left + 2} ${middle}l9 -7v14z`, class: `tip ${look}`}));
    const x = kernel + 28;
    const width = clients - x - (wide ? 24 : 12);
    parts.push(this.text(x, y + 15, Told.say(film, "has nothing, each time"), {weight: 700, size: 15, width}), this.box(x, y + 22, width, 12, "gauge", 3));
    const share = ended > started ? (head.at - started) / (ended - started) : 1;
    for (let at = 1; at < width * share - 2 && !veiled; at += 6) parts.push(this.box(x + at, y + 23, 3, 10, `fill ${look}`, 1));
    parts.push(this.text(x, y + 49, Told.say(film, "a look every {time}", {time: Told.duration(Told.each(calls))}), {size: 12, look: "quiet", width}));
    // The program's side is free below; other threads, if there are any, come under it.
    return y + (end < this.room ? Math.max(PlayStage.CALL, high + 12) : PlayStage.CALL);
  }

  call(parts, y, call, running) {
    const {view: {reel, veiled}, kernel} = this;
    const {film, head, run} = reel;
    const look = FAILURES.has(call.outcome) && call.kind !== 1 && !running ? "failed" : veiled && running ? "other" : KINDS[call.kind];
    const middle = y + 26;
    const left = kernel - 26;
    parts.push(this.box(10, y, left - 10, 52, `call ${look}`), this.text(20, y + 22, Told.calledShort(film, call), {weight: 700, size: 15, width: left - 26}));
    const several = run.known.threads.length > 1 ? `${run.threadNames.get(call.thread) ?? ""} · ` : "";
    const time = running ? (head.at > call.started ? Told.say(film, "for {time}", {time: Told.duration(head.at - call.started)}) : Told.say(film, "begins now"))
      : head.at > call.ended ? Told.say(film, "goes on for {time}", {time: Told.duration(head.at - call.ended)}) : Words.say("play_took", Told.duration(call.ended - call.started));
    parts.push(this.text(20, y + 42, several + time, {size: 13, look: "quiet", width: left - 26}));
    this.arrow(parts, left + 2, kernel + 24, middle, running || (Told.sends(call.operation) && call.kind !== 1 && !FAILURES.has(call.outcome)), look);
    this.phases(parts, y, call, running, look);
    return y + PlayStage.CALL;
  }

  arrow(parts, from, to, y, right, look) {
    const [tip, back] = right ? [to, -9] : [from, 9];
    parts.push(this.make("line", {x1: from, x2: to, y1: y, y2: y, class: `arrow ${look}`}),
      this.make("path", {d: `M${tip} ${y}l${back} -7v14z`, class: `tip ${look}`}));
  }

  /** Return what the kernel does for a call, or what came of it. */
  doing(call, running) {
    const {view: {reel, veiled}} = this;
    const {film, run} = reel;
    if (running) return Told.phase(reel, veiled ? {...call, ready: null} : call);
    const name = (socket) => Told.name(film, socket, true);
    const ready = call.layer === "wait" && call.outcome === "ok" ? run.readiness(call.id).map((one) => name(one.socket)).filter(Boolean) : [];
    if (ready.length) return Words.say("play_ready", ready.join(", "));
    return /^(ring_)?accept/.test(call.operation) && call.outcome === "ok" && name(call.result) || Told.came(film, call);
  }

  /** Draw the two phases of a call as far as they have come: waiting for data, then waking up and copying. */
  phases(parts, y, call, running, look) {
    const {view: {reel: {film, head}, veiled}, kernel, clients, wide} = this;
    const x = kernel + 28;
    const width = clients - x - (wide ? 24 : 12);
    const now = running ? head.at : call.ended;
    parts.push(this.text(x, y + 15, this.doing(call, running), {weight: 700, size: 15, width, look: !running && look === "failed" ? "bad" : ""}));
    const gauge = (from, room, share, kind) => parts.push(this.box(from, y + 22, room, 12, "gauge", 3), this.box(from, y + 22, room * share, 12, `fill ${kind}`, 3));
    const label = (from, room, words) => parts.push(this.text(from, y + 49, words, {size: 12, look: "quiet", width: room}));
    const share = (from, to) => to > from ? Math.min(1, Math.max(0, (now - from) / (to - from))) : Number(now >= to);
    const waits = look === "moved" ? "blocked" : look;
    if (call.ready === null || call.duration === null || veiled) {
      const end = call.duration === null ? film.end : call.ended;
      gauge(x, width, veiled && running ? 0 : share(call.started, end), waits);
      if (running && call.timeout !== 0 && !Told.sends(call.operation)) label(x, width, Words.say("play_wait"));
      return;
    }
    // Each phase has room of its own, however short it was: what is filled is the share of it that has passed.
    const ready = Math.min(Math.max(call.ready, call.started), call.ended);
    const split = Math.round(width * 0.52);
    const over = !running || now >= ready;
    gauge(x, split - 3, share(call.started, ready), waits);
    gauge(x + split, width - split, over ? share(ready, call.ended) : 0, "copy");
    label(x, split - 8, over ? Words.say("play_waited", Told.duration(ready - call.started)) : Words.say("play_wait"));
    label(x + split, width - split, over ? Words.say("play_copied", Told.duration(Math.max(0, now - ready))) : Words.say("play_copy"));
  }

  /** Return what there is to show of queues: listeners, who waits at them, connections, who has left or is to come. */
  rows() {
    const {view: {state}} = this;
    const waiting = state.clients.filter((one) => one.connected && !one.accepted);
    const open = state.sockets.filter((one) => one.open && (one.queued !== null || /^(listener|accepted|connected|pair|datagram)$/.test(one.role)));
    const bySocket = new Map(state.clients.filter((one) => one.accepted).map((one) => [one.socket, one]));
    const others = open.filter((socket) => socket.role !== "listener");
    others.sort((one, other) => Number(this.busy.has(other.id)) - Number(this.busy.has(one.id)) || (other.queued ?? 0) - (one.queued ?? 0) || (other.last ?? -1) - (one.last ?? -1));
    const ids = new Set(open.map((one) => one.id));
    return [
      ...open.filter((socket) => socket.role === "listener").map((socket) => ({socket, waiting})), ...waiting.map((client) => ({client})),
      ...others.map((socket) => ({socket, client: bySocket.get(socket.id) ?? null})),
      ...state.clients.filter((one) => one.connected && one.accepted && !ids.has(one.socket)).map((client) => ({client, gone: true})),
      ...state.clients.filter((one) => !one.connected).map((client) => ({client, gone: true})),
    ];
  }

  /** Draw the queues of listeners and connections, each with its client beside it. */
  queues(parts, y, room, rows) {
    const fit = Math.max(1, Math.floor((room - y) / PlayStage.ROW));
    const shown = rows.length > fit ? rows.slice(0, fit - 1) : rows;
    for (const row of shown) {
      this.row(parts, y, row);
      y += PlayStage.ROW;
    }
    if (shown.length < rows.length) parts.push(this.text(this.kernel + 28, y + 16, Words.say("play_more", Format.count(rows.length - shown.length)), {look: "quiet", size: 13}));
    else for (const socket of this.left(fit - shown.length)) {
      this.row(parts, y, {socket, gone: true});
      y += PlayStage.ROW;
    }
  }

  /** Return the connections closed last, where no client is known that would say what became of it. */
  left(most) {
    const {view: {state}, wide} = this;
    if (!wide || state.clients.length) return [];
    const closed = state.sockets.filter((one) => !one.open && one.last !== null && CONNECTIONS.test(one.role));
    return closed.sort((one, other) => other.last - one.last).slice(0, most);
  }

  row(parts, y, {socket = null, client = null, waiting = null, gone = false}) {
    const {view: {reel, state}, kernel, clients, wide, width} = this;
    const {film} = reel;
    const x = kernel + 22;
    const end = clients - (wide ? 18 : 6);
    if (socket && this.busy.has(socket.id)) parts.push(this.box(x - 4, y, end - x + 4, PlayStage.ROW - 4, "busy", 5));
    if (socket && gone) parts.push(this.text(x + 4, y + 15, `${Told.name(film, socket.id, true)} · ${Words.say("play_closed")}`, {size: 13, look: "quiet", width: end - x - 8}));
    else if (socket) {
      const beside = client && !wide ? ` · ${Told.client(film, client, reel.head.at)}` : "";
      parts.push(this.text(x + 4, y + 15, Told.name(film, socket.id, true) + beside, {weight: 600, size: 13, width: end - x - 8}));
      if (waiting) this.backlog(parts, x + 4, y + 19, end, socket);
      else if (socket.queued !== null) this.gauge(parts, x + 4, y + 20, end, socket.queued, "moved", socket.queued ? Told.queue(film, socket) : Words.say("play_empty"));
    } else if (client && !gone) {
      const how = wide ? Words.say("play_backlog") : Told.client(film, client, reel.head.at);
      parts.push(this.text(x + 4, y + 15, `${client.name} · ${how}`, {size: 13, width: end - x - 8}));
      if (client.sentBytes) this.gauge(parts, x + 4, y + 20, end, client.sentBytes, "exchange", Words.say("play_sent", Told.size(client.sentBytes)));
    }
    if (!wide) return undefined;
    const [from, most] = [clients + 10, width - clients - 16];
    if (socket && !state.clients.length) return this.heard(parts, from, y, most, socket);
    const said = socket && !waiting ? Told.last(reel, socket.id) : client?.socket && gone ? Told.last(reel, client.socket) : null;
    const words = said ? [said.heard ? `→ ${said.heard}` : "", said.said ? `← ${said.said}` : ""].filter(Boolean).join("  ") : "";
    if (client) {
      const look = client.failed ? "bad" : client.waiting !== null ? "waits" : "quiet";
      const name = this.text(from, y + 15, client.name, {size: 14, weight: 700, width: most});
      const used = this.pen.measureText(name.textContent).width + 8;
      parts.push(name);
      const status = Told.client(film, client, reel.head.at);
      if (words) parts.push(this.text(from + used, y + 15, status, {size: 13, width: most - used, look}));
      else parts.push(this.text(from, y + 31, status, {size: 13, width: most, look}));
    }
    if (words) parts.push(this.text(from, y + 31, words, {size: 12, width: most, look: "said"}));
    if (socket && client) parts.push(this.make("line", {x1: end, x2: clients + 6, y1: y + 26, y2: y + 26, class: "wire"}));
    return undefined;
  }

  /** Draw what was last heard from a connection, and below it what was said to it. */
  heard(parts, x, y, width, socket) {
    if (!CONNECTIONS.test(socket.role)) return;
    const {heard, said} = Told.last(this.view.reel, socket.id);
    if (heard) parts.push(this.text(x, y + 13, `→ ${heard}`, {size: 12, width, look: "said"}));
    if (said) parts.push(this.text(x, y + 29, `← ${said}`, {size: 12, width, look: "said"}));
    if (socket.open) parts.push(this.make("line", {x1: x - 28, x2: x - 4, y1: y + 26, y2: y + 26, class: "wire"}));
  }

  /** Draw the clients that wait for accept, a seat for each. */
  backlog(parts, x, y, end, socket) {
    if (socket.backlog === null) return;
    const seats = Math.max(1, Math.floor((end - x - 60) / 18));
    for (let n = 0; n < Math.min(seats, Math.max(4, socket.backlog)); n++) parts.push(this.make("circle", {cx: x + 7 + n * 18, cy: y + 7, r: 6, class: n < socket.backlog ? "seat taken" : "seat"}));
    const words = `${Words.say("play_backlog")}: ${Format.count(socket.backlog)}`;
    const used = Math.min(seats, Math.max(4, socket.backlog)) * 18;
    parts.push(this.text(x + used + 8, y + 12, words, {size: 12, look: "quiet", width: Math.max(0, end - x - used - 12)}));
  }

  /** Draw a queue that fills with the logarithm of its bytes: full at a megabyte. */
  gauge(parts, x, y, end, bytes, look, words) {
    const width = Math.max(36, (end - x - 8) * (end - x < 220 ? 0.4 : 0.5));
    parts.push(this.box(x, y, width, 11, "gauge", 3));
    if (bytes) parts.push(this.box(x, y, Math.max(4, width * Math.min(1, Math.log2(bytes + 1) / 20)), 11, `fill ${look}`, 3));
    parts.push(this.text(x + width + 8, y + 10, words, {size: 12, look: bytes ? "" : "quiet", weight: bytes ? 600 : 400, width: Math.max(20, end - x - width - 12)}));
  }
}
