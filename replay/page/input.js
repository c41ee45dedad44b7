"use strict";
// Wheel, mouse, touch and keys on the timeline. Owns what each of them does.

const Input = (() => {
  const pointers = new Map();
  let canvas, scroller, press = null;

  function start() {
    canvas = document.getElementById("timeline");
    scroller = document.getElementById("scroller");
    canvas.addEventListener("wheel", wheel, {passive: false});
    canvas.addEventListener("pointerdown", down);
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", (event) => { pointers.delete(event.pointerId); press = null; });
    canvas.addEventListener("pointerleave", () => tip(null));
    canvas.addEventListener("dblclick", (event) => { if (event.offsetX > Stage.gutter()) State.zoom(0.25, Stage.timeAt(event.offsetX)); });
    canvas.addEventListener("keydown", key);
    document.addEventListener("keydown", anywhere);
  }

  function wheel(event) {
    if (event.offsetX < Stage.gutter() && !event.ctrlKey) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 200 : 1;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) State.pan(((event.deltaX || event.deltaY) * lines) / 1000);
    else State.zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY * lines / 400))), Stage.timeAt(event.offsetX));
  }

  function down(event) {
    if (event.button > 0) return;
    canvas.focus({preventScroll: true});
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, {x: event.offsetX, y: event.offsetY});
    const measuring = (State.measuring || event.shiftKey) && event.offsetX > Stage.gutter();
    press = {x: event.offsetX, y: event.offsetY, from: State.from, to: State.to, top: Stage.top(), moved: false, measuring, touches: pointers.size};
    if (pointers.size === 2) press.pinch = pinch();
    if (measuring) State.ruler = [Stage.timeAt(event.offsetX), Stage.timeAt(event.offsetX)];
  }

  function pinch() {
    const [one, other] = [...pointers.values()];
    return {distance: Math.max(20, Math.abs(one.x - other.x)), about: Stage.timeAt((one.x + other.x) / 2), from: State.from, to: State.to};
  }

  function move(event) {
    if (!press || !pointers.has(event.pointerId)) return tip(event);
    pointers.set(event.pointerId, {x: event.offsetX, y: event.offsetY});
    if (press.pinch && pointers.size === 2) {
      const {distance, about, from, to} = press.pinch;
      const [one, other] = [...pointers.values()];
      const factor = distance / Math.max(20, Math.abs(one.x - other.x));
      press.moved = true;
      return State.show(about - (about - from) * factor, about + (to - about) * factor);
    }
    const [dx, dy] = [event.offsetX - press.x, event.offsetY - press.y];
    press.moved ||= Math.abs(dx) > 3 || Math.abs(dy) > 3;
    if (!press.moved) return undefined;
    if (press.measuring) {
      State.ruler[1] = Stage.timeAt(event.offsetX);
      return State.changed();
    }
    scroller.scrollTop = press.top - dy;
    if (press.x > Stage.gutter()) {
      const shift = -dx * (press.to - press.from) / Math.max(1, canvas.clientWidth - Stage.gutter());
      State.show(press.from + shift, press.to + shift);
    }
    return undefined;
  }

  function up(event) {
    pointers.delete(event.pointerId);
    const pressed = press;
    press = null;
    if (!pressed || pressed.touches > 1) return;
    if (pressed.measuring) return measured();
    if (!pressed.moved) click(event.offsetX, event.offsetY);
  }

  function click(x, y) {
    const row = Stage.rowAt(y);
    if (!row) return;
    if (row.group) return Stage.toggle(row.run, row.group);
    if (row.key) State.lane = {run: row.run, key: row.key};
    if (row.type === "client" && x > Stage.gutter()) return clickExchange(row, Stage.timeAt(x) + State.offset(row.run));
    if (!row.lane || x < Stage.gutter()) return State.changed();
    const time = Stage.timeAt(x) + State.offset(row.run);
    const call = row.lane.at(time, 3 * Stage.pixel());
    return State.select(row.run, call);
  }

  /** Select the call with which the server took up what a client asked. */
  function clickExchange(row, time) {
    const {run} = row;
    const found = row.list.find((one) => (one.sent_ns ?? one.connected_ns) - 3 * Stage.pixel() <= time && time <= (one.answered_ns ?? time) + 3 * Stage.pixel());
    const lane = found && run.lanes.get(`socket${found.socket_id}`);
    if (!lane || found.sent_ns === null) return State.changed();
    const first = lane.calls.find((call) => run.kinds[call] !== 1 && run.ends[call] >= found.sent_ns);
    return first === undefined ? State.changed() : State.select(run, first);
  }

  function measured() {
    const [from, to] = [Math.min(...State.ruler), Math.max(...State.ruler)];
    const calls = State.runs.reduce((sum, run) => sum + (run.threads ?? []).reduce((all, lane) =>
      all + lane.begun(from + State.offset(run), to + State.offset(run)).reduce((a, b) => a + b, 0), 0), 0);
    document.getElementById("status").textContent = Words.say("ruler_words", Format.duration(to - from), Format.moment(from, to - from), Format.moment(to, to - from), Format.count(calls));
    State.changed();
  }

  /** Say beside the pointer what is under it. */
  function tip(event) {
    const box = document.getElementById("tip");
    const row = event && Stage.rowAt(event.offsetY);
    if (!(row?.lane || row?.buffer) || event.offsetX < Stage.gutter()) {
      box.hidden = true;
      return;
    }
    const time = Stage.timeAt(event.offsetX) + State.offset(row.run);
    const pixel = Stage.pixel();
    box.style.left = `${Math.min(event.offsetX + 14, canvas.clientWidth - 280)}px`;
    box.style.top = `${event.offsetY + 18}px`;
    if (row.buffer) {
      const level = row.buffer.level(time);
      box.hidden = level === null;
      box.textContent = level === null ? "" : Words.say("buffer_words", `${row.buffer.whole ? "" : "≤ "}${Format.size(level)}`, visibleText(row.name));
      return;
    }
    const begun = row.lane.begun(time - pixel, time + pixel);
    const all = begun.reduce((sum, one) => sum + one, 0);
    const call = all > 3 ? null : row.lane.at(time, pixel * 2);
    box.hidden = call === null && all < 0.5;
    box.textContent = call !== null ? Details.announce(row.run.call(call)) : Words.say("pixel", Format.count(all), Format.count(begun[1]));
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const does = {
      ArrowLeft: () => State.pan(-0.15), ArrowRight: () => State.pan(0.15), "+": () => State.zoom(0.5), "=": () => State.zoom(0.5), "-": () => State.zoom(2), _: () => State.zoom(2),
      0: State.fit, ArrowUp: () => lane(-1), ArrowDown: () => lane(1), Home: () => State.show(State.first, State.first + State.to - State.from),
      End: () => State.show(State.last - (State.to - State.from), State.last), PageUp: () => { scroller.scrollTop -= 300; }, PageDown: () => { scroller.scrollTop += 300; },
      Enter: () => first(), " ": () => first(), ".": () => next(1, false), ",": () => next(-1, false), ">": () => next(1, true), "<": () => next(-1, true),
    }[event.key];
    if (!does) return;
    event.preventDefault();
    does();
  }

  function anywhere(event) {
    if (Player.isOpen() || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const does = {
      "/": () => Find.field("text").focus(), n: () => Find.step(1), N: () => Find.step(-1), r: Main.rule, d: Main.wear, l: Main.speak, "?": Main.help,
      Escape: () => { State.ruler = null; State.measuring = false; State.select(null, null); Main.ruled(); },
    }[event.key];
    if (!does) return;
    event.preventDefault();
    does();
  }

  function lane(by) {
    const rows = Stage.rows().filter((row) => row.key);
    const now = rows.findIndex((row) => State.lane && row.run === State.lane.run && row.key === State.lane.key);
    const row = rows[Math.max(0, Math.min(rows.length - 1, now < 0 ? 0 : now + by))];
    if (!row) return;
    State.lane = {run: row.run, key: row.key};
    Stage.bring(row);
    document.getElementById("live").textContent = visibleText(Words.say("lane_words", `${row.run.name}, ${row.name}`, spentWords(row)));
    State.changed();
  }

  function spentWords(row) {
    if (!row.lane) return String(row.list.length);
    const [from, to] = [State.from + State.offset(row.run), State.to + State.offset(row.run)];
    const spent = row.lane.spent(from, to);
    return KINDS.map((kind, n) => spent[n] ? `${Words.say(kind)} ${Format.percent(spent[n] / (to - from))}` : "").filter(Boolean).join(", ") || Words.say("nothing");
  }

  function chosenLane() {
    if (!State.lane) lane(1);
    const row = Stage.rows().find((one) => State.lane && one.run === State.lane.run && one.key === State.lane.key);
    return row?.lane ?? null;
  }

  function first() {
    const one = chosenLane();
    if (!one) return;
    const [from, to] = [State.from + State.offset(one.run), State.to + State.offset(one.run)];
    const [call] = one.touching(from, to);
    if (call !== undefined) State.select(one.run, call);
  }

  /** Select the next call of the lane; only one that was not fruitless, if so wanted. */
  function next(by, fruitful) {
    const call = State.selected;
    if (!call) return first();
    if (call.index < 0) return Remote.ensure(call.run, call.id).then((index) => { if (index >= 0) State.select(call.run, index, true); }).catch(Main.fail);
    const one = State.lane?.run === call.run ? call.run.lanes.get(State.lane.key) : null;
    const within = one && (one.id === (one.kind === "thread" ? call.thread : call.socket)) ? one : call.run.lanes.get(`thread${call.thread}`);
    let n = within.position(call.started);
    while (n < within.calls.length && within.calls[n] !== call.index) n++;
    do n += by; while (fruitful && n >= 0 && n < within.calls.length && call.run.kinds[within.calls[n]] === 1);
    if (n >= 0 && n < within.calls.length) State.select(call.run, within.calls[n], true);
    return undefined;
  }

  return {start};
})();
