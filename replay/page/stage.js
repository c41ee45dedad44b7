"use strict";
// The rows of the timeline and the frame that is drawn of them. Owns where everything stands on the canvas.

const Stage = (() => {
  const AXIS = 28;
  const HEIGHTS = {run: 26, curve: 40, group: 20, thread: 34, socket: 24, client: 18, buffer: 32, more: 20};
  const FEW = 12;
  const opened = new Map();
  let rows = [];
  let canvas, scroller, spacer, context, ratio = 1, width = 0, height = 0, gutter = 200;

  function start() {
    canvas = document.getElementById("timeline");
    scroller = document.getElementById("scroller");
    spacer = document.getElementById("spacer");
    context = canvas.getContext("2d", {alpha: false});
    new ResizeObserver(() => State.changed()).observe(scroller);
    scroller.addEventListener("scroll", () => State.changed());
  }

  /** Say whether a group of a run is open: where there are many runs, sockets are not, unless told. */
  function isOpen(run, group) {
    const key = `${run.index}.${group}`;
    return opened.get(key) ?? (group === "connections" ? State.runs.length < 4 : group !== "all");
  }

  function toggle(run, group) {
    opened.set(`${run.index}.${group}`, !isOpen(run, group));
    State.changed();
  }

  /** Lay out the rows of all runs, one below the other. */
  function layOut() {
    rows = [];
    let y = AXIS;
    const add = (type, run, more) => {
      rows.push({type, run, y, height: HEIGHTS[type], ...more});
      y += HEIGHTS[type];
    };
    for (const run of State.runs) {
      add("run", run, {name: run.name});
      if (!run.columns) continue;
      add("curve", run, {name: Words.say("curve")});
      for (const lane of run.threads) add("thread", run, {lane, name: lane.name, key: `thread${lane.id}`});
      group(add, run, "connections", run.sockets, (lane) => ["socket", {lane, name: lane.name, key: `socket${lane.id}`}]);
      group(add, run, "buffers", run.buffers, (buffer) => ["buffer", {buffer, name: buffer.name}]);
      group(add, run, "clients", [...run.clients], ([client, list]) => ["client", {list, name: client, key: `client${client}`}]);
      y += 10;
    }
    return y + 10;
  }

  function group(add, run, name, members, row) {
    if (!members.length) return;
    add("group", run, {group: name, name: `${isOpen(run, name) ? "▾" : "▸"} ${Words.say(name)} (${members.length})`});
    if (!isOpen(run, name)) return;
    const all = isOpen(run, `all ${name}`) && opened.get(`${run.index}.all ${name}`);
    const kept = all || members.length <= FEW + 2 ? members : members.slice(0, FEW);
    for (const member of kept) add(...insert(row(member), run));
    if (kept.length < members.length) add("more", run, {group: `all ${name}`, name: Words.say("more", members.length - kept.length)});
  }

  function insert([type, more], run) { return [type, run, more]; }

  function measure(whole) {
    ratio = window.devicePixelRatio || 1;
    width = scroller.clientWidth;
    height = Math.max(60, scroller.clientHeight);
    gutter = width < 640 ? 104 : 210;
    spacer.style.height = `${Math.max(0, whole - height)}px`;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide;
      canvas.height = high;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
  }

  /** Draw the frame. */
  function draw() {
    measure(layOut());
    reveal();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalAlpha = 1;
    context.fillStyle = Style.colour("paper");
    context.fillRect(0, 0, canvas.width, canvas.height);
    const top = scroller.scrollTop;
    const shown = rows.filter((row) => row.y + row.height > top + AXIS && row.y < top + height);
    grid();
    for (const row of shown) paint(row, Math.round((row.y - top) * ratio));
    picked(shown, top);
    ruler();
    for (const row of shown) title(row, (row.y - top) * ratio);
    axis();
  }

  function boxOf(row, y) {
    const x = Math.round(gutter * ratio);
    return {x, y: y + Math.round(2 * ratio), width: canvas.width - x, height: Math.round((row.height - 4) * ratio)};
  }

  function paint(row, y) {
    const {run} = row;
    const [from, to] = [State.from + State.offset(run), State.to + State.offset(run)];
    const box = boxOf(row, y);
    context.save();
    context.beginPath();
    context.rect(box.x, y, box.width, row.height * ratio);
    context.clip();
    if (row.type === "curve") row.most = Chart.draw(context, run, box, from, to, ratio);
    if (row.type === "thread" || row.type === "socket") {
      life(row, box, from, to);
      Draw.lane(context, row.lane, box, from, to, ratio, State.filter);
    }
    if (row.type === "thread") Draw.signals(context, run.known.signals.filter((signal) => signal.thread_id === row.lane.id), box, from, to);
    if (row.type === "socket") Draw.packets(context, run.packets.get(row.lane.id) ?? [], box, from, to);
    if (row.type === "buffer") Buffers.draw(context, row.buffer, box, from, to, ratio);
    if (row.type === "client") Draw.exchanges(context, row.list, box, from, to);
    context.restore();
  }

  /** Shade the time in which there was such a thing: a thread in the run, a socket while it was open. */
  function life(row, box, from, to) {
    const scale = box.width / (to - from);
    const known = row.lane.known;
    const begin = row.type === "socket" ? known.opened_ns ?? row.run.from : row.run.from;
    const end = row.type === "socket" ? known.closed_ns ?? row.run.to : row.run.to;
    const [left, right] = [Math.max(0, (begin - from) * scale), Math.min(box.width, (end - from) * scale)];
    context.fillStyle = Style.colour("life");
    if (right > left) context.fillRect(box.x + left, box.y + Draw.strip(), right - left, box.height - Draw.strip());
  }

  function title(row, y) {
    const high = row.height * ratio;
    context.fillStyle = row.type === "run" ? Style.colour("faint") : Style.colour("paper");
    context.fillRect(0, y, row.type === "run" ? canvas.width : gutter * ratio - 4, high);
    const bold = row.type === "run" ? "600 " : "";
    context.font = `${bold}${(row.type === "run" ? 14 : 12) * ratio}px system-ui, sans-serif`;
    context.fillStyle = Style.colour(["run", "thread", "socket", "client", "buffer"].includes(row.type) ? "ink" : "soft");
    context.textBaseline = "middle";
    const indent = {socket: 20, client: 20, buffer: 20, more: 20, thread: 8}[row.type] ?? 8;
    context.fillText(fit(visibleText(row.name), row.type === "run" ? canvas.width / 2 : (gutter - indent - 8) * ratio), indent * ratio, y + high / 2);
    if (row.type === "run") {
      const says = [row.run.known.facts.model, row.run.known.running ? Words.say("live") : ""].filter(Boolean).join(" · ");
      context.font = `${12 * ratio}px system-ui, sans-serif`;
      context.fillStyle = Style.colour("soft");
      context.fillText(fit(visibleText(says), canvas.width - gutter * ratio), gutter * ratio, y + high / 2);
    }
    if (State.lane && State.lane.run === row.run && State.lane.key === row.key && row.key) {
      context.strokeStyle = Style.colour("pick");
      context.lineWidth = 2 * ratio;
      context.strokeRect(2 * ratio, y + ratio, gutter * ratio - 8 * ratio, high - 2 * ratio);
    }
  }

  function fit(text, room) {
    if (context.measureText(text).width <= room) return text;
    let size = text.length;
    while (size > 1 && context.measureText(`${text.slice(0, size)}…`).width > room) size--;
    return `${text.slice(0, size)}…`;
  }

  /** Return the distance of the ticks: 1, 2 or 5 times a power of ten, some 110 pixels wide. */
  function tickStep() {
    const rough = (State.to - State.from) / Math.max(1, (width - gutter) / 110);
    const power = 10 ** Math.floor(Math.log10(rough));
    return power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  }

  function eachTick(use) {
    const step = Math.max(1, tickStep());
    for (let at = Math.ceil(State.from / step) * step; at <= State.to; at += step) use(xOf(at) * ratio, at, step);
  }

  function grid() {
    context.fillStyle = Style.colour("line");
    eachTick((x) => context.fillRect(Math.round(x), 0, 1, canvas.height));
  }

  function axis() {
    context.fillStyle = Style.colour("paper");
    context.fillRect(0, 0, canvas.width, AXIS * ratio);
    context.fillStyle = Style.colour("line");
    context.fillRect(0, AXIS * ratio - 1, canvas.width, 1);
    context.font = `${11 * ratio}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    context.fillStyle = Style.colour("soft");
    eachTick((x, at, step) => {
      context.fillRect(Math.round(x), (AXIS - 6) * ratio, 1, 6 * ratio);
      if (x + 60 * ratio < canvas.width) context.fillText(Format.tick(at, step), x + 4 * ratio, AXIS * ratio / 2);
    });
    context.fillStyle = Style.colour("ink");
    context.fillText(Format.duration(State.to - State.from), 8 * ratio, AXIS * ratio / 2);
  }

  /** Draw the frame of the selected call, and lines to what made it possible and what it made possible. */
  function picked(shown, top) {
    const call = State.selected;
    if (!call) return;
    const offset = State.offset(call.run);
    const x = (time) => xOf(time - offset) * ratio;
    context.save();
    context.beginPath();
    context.rect(gutter * ratio, 0, canvas.width, canvas.height);
    context.clip();
    for (const row of shown) {
      if (row.run !== call.run || !isOf(row, call)) continue;
      const [left, right] = [x(call.started), Math.max(x(call.started) + 3, x(call.ended))];
      context.strokeStyle = Style.colour("pick");
      context.lineWidth = 2 * ratio;
      context.strokeRect(left - ratio, (row.y - top + 1) * ratio, right - left + 2 * ratio, (row.height - 2) * ratio);
    }
    const {by, to} = call.run.links(call.id);
    for (const [links, dash] of [[by, []], [to, [5, 4]]]) for (const link of links) arrow(call, link.id, shown, top, dash, x);
    context.restore();
  }

  function isOf(row, call) {
    return (row.type === "thread" && row.lane.id === call.thread) || (row.type === "socket" && row.lane.id === call.socket);
  }

  function arrow(call, id, shown, top, dash, x) {
    const index = call.run.find(id);
    if (index < 0) return;
    const other = call.run.call(index);
    const rowOf = (one) => shown.find((row) => row.run === one.run && isOf(row, one) && (row.type === "socket" || !one.socket || !isOpen(one.run, "connections")));
    const [here, there] = [rowOf(call), rowOf(other)];
    if (!here || !there) return;
    const middle = (row) => (row.y - top + row.height / 2) * ratio;
    const forward = other.started < call.started;
    const [x1, x2] = forward ? [x(other.ended), x(call.started)] : [x(other.started), x(call.ended)];
    context.strokeStyle = Style.colour("ruler");
    context.setLineDash(dash);
    context.lineWidth = 2 * ratio;
    context.beginPath();
    context.moveTo(x1, middle(there));
    context.bezierCurveTo((x1 + x2) / 2, middle(there), (x1 + x2) / 2, middle(here), x2, middle(here));
    context.stroke();
    context.setLineDash([]);
  }

  function ruler() {
    if (!State.ruler) return;
    const [from, to] = [Math.min(...State.ruler), Math.max(...State.ruler)];
    const [left, right] = [Math.max(gutter, xOf(from)) * ratio, xOf(to) * ratio];
    if (right < left) return;
    context.fillStyle = Style.colour("ruler");
    context.globalAlpha = 0.14;
    context.fillRect(left, 0, right - left, canvas.height);
    context.globalAlpha = 1;
    for (const x of [left, right]) context.fillRect(Math.round(x), 0, Math.max(1, ratio), canvas.height);
    context.font = `600 ${12 * ratio}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    context.fillText(Format.duration(to - from), left + 4 * ratio, (AXIS + 10) * ratio);
  }

  /** Return where a moment of the axis stands, CSS pixels. */
  function xOf(time) { return gutter + (time - State.from) / (State.to - State.from) * (width - gutter); }

  /** Return the moment of the axis at a place. */
  function timeAt(x) { return State.from + (x - gutter) / Math.max(1, width - gutter) * (State.to - State.from); }

  /** Return the row at a place (CSS pixels of the canvas), or null. */
  function rowAt(y) {
    const at = y + scroller.scrollTop;
    return y < AXIS ? null : rows.find((row) => at >= row.y && at < row.y + row.height) ?? null;
  }

  /** Scroll to the lane of a call that was asked for. */
  function reveal() {
    const call = State.revealing;
    State.revealing = null;
    const lanes = call ? rows.filter((row) => row.run === call.run && isOf(row, call)) : [];
    if (lanes.length && !lanes.some((row) => row.y >= scroller.scrollTop + AXIS && row.y + row.height <= scroller.scrollTop + height)) bring(lanes[0]);
  }

  /** Scroll so that a row is seen. */
  function bring(row) {
    if (row.y < scroller.scrollTop + AXIS) scroller.scrollTop = row.y - AXIS - 8;
    else if (row.y + row.height > scroller.scrollTop + height) scroller.scrollTop = row.y + row.height - height + 8;
  }

  return {start, draw, xOf, timeAt, rowAt, bring, toggle, boxOf, rows: () => rows, gutter: () => gutter, columns: () => Math.max(100, Math.round((width - gutter) * ratio)),
    top: () => scroller.scrollTop, pixel: () => (State.to - State.from) / Math.max(1, width - gutter)};
})();
