"use strict";
// Runs, their lanes and calls, as the page works with them. Owns which call stands in which lane; draws nothing.

const KINDS = ["blocked", "fruitless", "moved", "other"];
const LINKS = ["readiness", "sent", "submitted", "completed", "wrapped"];
const READY_ZERO = 2 ** 31;
const FAILURES = new Set(["eof", "timeout", "reset", "broken_pipe", "refused", "aborted", "interrupted", "cancelled", "error"]);

/** One thread or socket: its calls in order, and per class the sums of their time. */
class Lane {
  constructor(run, kind, id, name, known) {
    Object.assign(this, {run, kind, id, name, known, calls: new Uint32Array(0), extra: [[], [], [], []], cache: new Map()});
  }

  /** Return per class the series of calls: all of them, or those that the filter lets pass. */
  series(filter = null) {
    const key = filter ? filter.version : 0;
    if (!this.cache.has(key)) {
      for (const old of this.cache.keys()) if (old) this.cache.delete(old);
      this.cache.set(key, this.build(filter));
    }
    return this.cache.get(key);
  }

  /** Sort the calls by class: in plain loops, for a run has millions. */
  build(filter) {
    const {run, calls, run: {starts, ends, kinds}} = this;
    const chosen = filter ? calls.filter((call) => filter.passes(run, call)) : calls;
    const sizes = new Uint32Array(KINDS.length);
    for (let n = 0; n < chosen.length; n++) sizes[kinds[chosen[n]]]++;
    const of = KINDS.map((_, kind) => [new Float64Array(sizes[kind]), new Float64Array(sizes[kind])]);
    const [begin, end, at] = [of.map((one) => one[0]), of.map((one) => one[1]), new Uint32Array(KINDS.length)];
    for (let n = 0; n < chosen.length; n++) {
      const call = chosen[n];
      const kind = kinds[call];
      const place = at[kind]++;
      begin[kind][place] = starts[call];
      end[kind][place] = ends[call];
    }
    return KINDS.map((_, kind) => [new Series(begin[kind], end[kind]),
      ...this.extra[kind].filter((extra) => !filter || filter.passesFold(run, extra)).map((extra) => extra.series)]);
  }

  /** Return the time per class in a stretch, ns. */
  spent(from, to, filter = null) {
    return this.series(filter).map((parts) => parts.reduce((sum, part) => sum + part.before(to) - part.before(from), 0));
  }

  /** Return the calls per class that begin in a stretch. */
  begun(from, to, filter = null) {
    return this.series(filter).map((parts) => parts.reduce((sum, part) => sum + part.begun(from, to), 0));
  }

  /** Return the calls that failed, in order. */
  failed() {
    if (!this.failures) {
      const {kinds, shapes, columns: {shape}} = this.run;
      const fails = shapes.map((one) => FAILURES.has(one[4]));
      this.failures = fails.includes(true) ? this.calls.filter((call) => fails[shape[call]] && kinds[call] !== 1) : new Uint32Array(0);
    }
    return this.failures;
  }

  /** Return where in `calls` the first stands that begins at or after a moment. */
  position(time) {
    const {calls, run: {starts}} = this;
    let [low, high] = [0, calls.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (starts[calls[middle]] < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Yield the calls that touch a stretch, in order of their start. */
  touching(from, to) {
    this.reach ??= this.reachOfEnds();
    const found = [];
    for (let n = this.position(from) - 1; n >= 0 && this.reach[n] > from; n--) if (this.run.ends[this.calls[n]] > from) found.push(this.calls[n]);
    found.reverse();
    for (let n = this.position(from); n < this.calls.length && this.run.starts[this.calls[n]] < to; n++) found.push(this.calls[n]);
    return found;
  }

  /** Return the call under a moment: the innermost, else the nearest within a slack. */
  at(time, slack) {
    const near = this.touching(time - slack, time + slack);
    const {starts, ends} = this.run;
    const under = near.filter((call) => starts[call] <= time && ends[call] > time);
    if (under.length) return under[under.length - 1];
    const far = (call) => Math.min(Math.abs(starts[call] - time), Math.abs(ends[call] - time));
    return near.reduce((best, call) => best === null || far(call) < far(best) ? call : best, null);
  }

  reachOfEnds() {
    const reach = new Float64Array(this.calls.length);
    let most = -Infinity;
    for (let n = 0; n < reach.length; n++) reach[n] = most = Math.max(most, this.run.ends[this.calls[n]]);
    return reach;
  }
}

/** One run: what the document says of it, and the calls of a pack. */
class Run {
  constructor(known, index, sources) {
    Object.assign(this, {index, sources});
    this.update(known);
  }

  /** Take what the document says of the run. */
  update(known) {
    Object.assign(this, {known, from: known.from, to: known.to, offset: known.offset, name: known.name});
    this.clients = new Map();
    for (const exchange of known.exchanges) {
      if (!this.clients.has(exchange.client)) this.clients.set(exchange.client, []);
      this.clients.get(exchange.client).push(exchange);
    }
    this.packets = new Map();
    const byId = new Map();
    for (const [id, at, socket, bytes, flags, sent] of known.packets) {
      if (!this.packets.has(socket)) this.packets.set(socket, []);
      const packet = {at, bytes, flags, sent};
      this.packets.get(socket).push(packet);
      byId.set(id, packet);
    }
    this.carried = new Map();
    for (const [call, packet] of known.carried) {
      if (!this.carried.has(call)) this.carried.set(call, []);
      if (byId.has(packet)) this.carried.get(call).push(byId.get(packet));
    }
    this.socketNames = new Map(known.sockets.map((socket) => [socket.id, socket.name]));
    this.threadNames = new Map(known.threads.map((thread) => [thread.id, thread.name]));
    this.buffers = known.buffers.map((one) => new Buffer(this, one));
  }

  /** Take the calls of a pack in place of those there were. */
  load({head, columns, rest}) {
    Object.assign(this, {head, columns, rest, shapes: head.shapes, sites: head.sites, complete: head.complete});
    const count = columns.id.length;
    const {start, duration, shape} = columns;
    const [ends, kinds, kindOf] = [new Float64Array(count), new Uint8Array(count), Uint8Array.from(this.shapes, (one) => one[5])];
    for (let call = 0; call < count; call++) {
      ends[call] = Number.isNaN(duration[call]) ? Math.max(this.to, start[call]) : start[call] + duration[call];
      kinds[call] = kindOf[shape[call]];
    }
    Object.assign(this, {starts: start, ends, kinds});
    this.byId = null;
    this.payloads = null;
    this.linked = null;
    this.makeLanes();
    this.addCells(head.cells ?? []);
    this.addFolds(head.folds);
  }

  makeLanes() {
    const {known, shapes, columns} = this;
    this.threads = known.threads.map((thread) => new Lane(this, "thread", thread.id, thread.name, thread));
    this.sockets = known.sockets.filter((socket) => !socket.internal).map((socket) => new Lane(this, "socket", socket.id, socket.name, socket));
    const lanes = [...this.threads, ...this.sockets];
    const numbers = new Map(lanes.map((lane, n) => [`${lane.kind}${lane.id}`, n]));
    const ofThread = shapes.map((shape) => numbers.get(`thread${shape[0]}`) ?? -1);
    const ofSocket = shapes.map((shape) => numbers.get(`socket${shape[1]}`) ?? -1);
    const sizes = new Uint32Array(lanes.length);
    const {shape} = columns;
    const perShape = new Uint32Array(shapes.length);
    for (let call = 0; call < shape.length; call++) perShape[shape[call]]++;
    for (const of of [ofThread, ofSocket]) of.forEach((n, one) => { if (n >= 0) sizes[n] += perShape[one]; });
    const calls = lanes.map((lane, n) => lane.calls = new Uint32Array(sizes[n]));
    sizes.fill(0);
    for (const of of [ofThread, ofSocket]) {
      for (let call = 0; call < shape.length; call++) {
        const n = of[shape[call]];
        if (n >= 0) calls[n][sizes[n]++] = call;
      }
    }
    this.lanes = new Map(lanes.map((lane) => [`${lane.kind}${lane.id}`, lane]));
    this.threads = this.threads.filter((lane) => lane.calls.length || this.head.cells?.some((cell) => cell.lane === "thread" && cell.id === lane.id));
  }

  addCells(cells) {
    for (const cell of cells) {
      const lane = this.lanes.get(`${cell.lane}${cell.id}`);
      if (!lane) continue;
      cell.ns.forEach((ns, kind) => {
        const used = cell.at.map((_, n) => n).filter((n) => ns[n] || cell.calls[kind][n]);
        if (!used.length) return;
        const starts = Float64Array.from(used, (n) => cell.origin + cell.at[n] * cell.width);
        const weights = Float64Array.from(used, (n) => ns[n] / cell.width);
        const counts = Float64Array.from(used, (n) => cell.calls[kind][n]);
        lane.extra[kind].push({series: new Series(starts, starts.map((start) => start + cell.width), weights, counts)});
      });
    }
  }

  addFolds(folds) {
    for (const [thread, socket, operation, site, first, last, calls, inside] of folds) {
      const end = Math.max(last, first + 1);
      const series = new Series(Float64Array.of(first), Float64Array.of(end), Float64Array.of(inside / (end - first)), Float64Array.of(calls));
      for (const key of [`thread${thread}`, `socket${socket}`]) this.lanes.get(key)?.extra[1].push({series, thread, socket, operation, site, calls});
    }
  }

  /** Return the index of a call by its id, or -1. */
  find(id) {
    if (!this.byId) {
      this.byId = new Map();
      this.columns.id.forEach((found, call) => this.byId.set(found, call));
    }
    return this.byId.get(id) ?? -1;
  }

  /** Return all that is known of a call, in plain words and numbers. */
  call(index) {
    const {columns} = this;
    const [thread, socket, operation, layer, outcome, kind, site, errno, flags, timeout, peer, source] = this.shapes[columns.shape[index]];
    const known = (value) => Number.isNaN(value) ? null : value;
    const ready = known(columns.ready[index]);
    return {
      index, run: this, id: columns.id[index], thread, socket, operation, layer, outcome, kind, errno, flags, timeout, peer, source,
      site: site < 0 ? null : this.sites[site], started: this.starts[index], ended: this.ends[index], duration: known(columns.duration[index]),
      asked: known(columns.asked[index]), result: known(columns.result[index]), parent: known(columns.parent[index]),
      ready: ready === null ? null : this.starts[index] + ready - READY_ZERO,
    };
  }

  /** Return {size, bytes} of what a call moved, or null. */
  payload(id) {
    const {columns, rest} = this;
    if (!this.payloads) {
      this.payloads = new Map();
      columns.payload_call.forEach((call, n) => this.payloads.set(call, n));
    }
    const n = this.payloads.get(id);
    if (n === undefined) return null;
    const at = columns.payload_at[n];
    return {size: columns.payload_size[n], bytes: rest.subarray(at, at + columns.payload_bytes[n])};
  }

  /** Return the links of a call: {id, kind} of those that made it possible, and of those that it made possible. */
  links(id) {
    const {columns} = this;
    if (!this.linked) {
      this.linked = new Map();
      const add = (call, list, link) => {
        if (!this.linked.has(call)) this.linked.set(call, {by: [], to: []});
        this.linked.get(call)[list].push(link);
      };
      columns.link_from.forEach((from, n) => {
        const kind = LINKS[columns.link_kind[n]] ?? "";
        add(columns.link_to[n], "by", {id: from, kind});
        add(from, "to", {id: columns.link_to[n], kind});
      });
    }
    return this.linked.get(id) ?? {by: [], to: []};
  }

  /** Return what a readiness call registered or reported: {socket, interest, events}. */
  readiness(id) {
    const {ready_call: calls, ready_socket: sockets, ready_interest: interests, ready_events: events} = this.columns;
    const found = [];
    this.readyOrdered ??= calls.every((call, n) => !n || calls[n - 1] <= call);
    for (let n = this.readyOrdered ? lowerBound(calls, id) : 0; n < calls.length && (!this.readyOrdered || calls[n] === id); n++) {
      if (calls[n] === id) found.push({socket: sockets[n], interest: interests[n], events: events[n]});
    }
    return found;
  }

  /** Return the spin that a fruitless call is part of: {calls, from, to}; null for any other. */
  spin(index) {
    if (this.kinds[index] !== 1) return null;
    const lane = this.lanes.get(`thread${this.shapes[this.columns.shape[index]][0]}`);
    if (!lane) return null;
    let first = lane.position(this.starts[index]);
    while (first < lane.calls.length && lane.calls[first] !== index) first++;
    let last = first;
    while (first > 0 && this.kinds[lane.calls[first - 1]] === 1) first--;
    while (last + 1 < lane.calls.length && this.kinds[lane.calls[last + 1]] === 1) last++;
    const [from, to] = [this.starts[lane.calls[first]], this.ends[lane.calls[last]]];
    const folded = lane.extra[1].reduce((sum, part) => sum + (part.calls && part.series.starts[0] >= from && part.series.starts[0] < to ? part.calls : 0), 0);
    return {calls: last - first + 1 + folded, from, to};
  }

  /** Return the CPU time of all processes before a moment, ns, between two samples in proportion. */
  cpuBefore(time) {
    let sum = 0;
    for (const points of this.known.cpu) {
      let n = points.findIndex(([at]) => at > time);
      if (n < 0) n = points.length;
      if (n === 0) {
        sum += points[0][1];  // of what came before the first sample nothing is known
        continue;
      }
      const [at, spent] = points[n - 1];
      sum += n === points.length ? spent : spent + (points[n][1] - spent) * (time - at) / (points[n][0] - at);
    }
    return sum;
  }
}

/** Which calls are meant. */
class Filter {
  static versions = 0;

  constructor({text = "", operation = "", outcome = "", socket = "", kind = ""}) {
    Object.assign(this, {text: text.trim(), operation, outcome, socket, kind, version: ++Filter.versions, shapesOf: new Map()});
  }

  get empty() {
    return !(this.text || this.operation || this.outcome || this.socket || this.kind);
  }

  passes(run, call) {
    let known = this.shapesOf.get(run.head);
    if (!known) this.shapesOf.set(run.head, known = this.look(run));
    const shape = run.columns.shape[call];
    return known.plain[shape] && (!this.text || known.shapes[shape] || known.calls.has(run.columns.id[call]));
  }

  passesFold(run, part) {
    if (part.calls === undefined) return false;
    const name = run.socketNames.get(part.socket) ?? "";
    return (!this.operation || this.operation === part.operation) && (!this.outcome || this.outcome === "would_block")
      && (!this.socket || this.socket === name) && (!this.kind || this.kind === "fruitless")
      && (!this.text || `${part.operation} would_block ${part.site ?? ""} ${name}`.toLowerCase().includes(this.text.toLowerCase()));
  }

  /** Return which shapes fit the choices, which the text, and which calls the text by their number or payload. */
  look(run) {
    const wanted = this.text.toLowerCase();
    const plain = run.shapes.map(([, socket, operation, , outcome, kind]) =>
      (!this.operation || this.operation === operation) && (!this.outcome || this.outcome === (outcome ?? "unfinished"))
      && (!this.socket || this.socket === (run.socketNames.get(socket) ?? "")) && (!this.kind || this.kind === KINDS[kind]));
    const shapes = run.shapes.map((shape) => Boolean(this.text) && describeShape(run, shape).toLowerCase().includes(wanted));
    const calls = new Set();
    if (/^#\d+$/.test(this.text)) calls.add(Number(this.text.slice(1)));
    else if (this.text) this.lookIntoPayloads(run, new TextEncoder().encode(this.text), calls);
    return {plain, shapes, calls};
  }

  lookIntoPayloads(run, wanted, calls) {
    const {payload_call: ids, payload_at: places, payload_bytes: sizes} = run.columns;
    const known = new Map();
    ids.forEach((id, n) => {
      if (!known.has(places[n])) known.set(places[n], holds(run.rest.subarray(places[n], places[n] + sizes[n]), wanted));
      if (known.get(places[n])) calls.add(id);
    });
  }
}

/** Say whether bytes hold others. */
function holds(bytes, wanted) {
  for (let at = bytes.indexOf(wanted[0]); at >= 0 && at + wanted.length <= bytes.length; at = bytes.indexOf(wanted[0], at + 1)) {
    let n = 1;
    while (n < wanted.length && bytes[at + n] === wanted[n]) n++;
    if (n === wanted.length) return true;
  }
  return false;
}

/** Return what a search looks into for calls of a shape. */
function describeShape(run, [thread, socket, operation, layer, outcome, kind, site, errno, , , peer]) {
  const known = run.known.sockets.find((found) => found.id === socket);
  const where = site < 0 ? [] : run.sites[site];
  return [run.name, run.threadNames.get(thread), run.socketNames.get(socket), known?.local, known?.peer, known?.role, operation, layer,
    outcome ?? "unfinished", KINDS[kind], errno === null ? "" : Format.errno(errno), peer, where.join(":")].join("\n");
}
