"use strict";
// The panel about one call. Owns what is said of it; changes nothing but the selection.

const Details = (() => {
  // A client notes when it sent after it has: the server may have received by then.
  const CLIENTS_CLOCK = 1e6;
  let asHex = false;
  let shown = null;

  /** Make an element with text and attributes; children may be texts. */
  function make(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "onclick") element.addEventListener("click", value);
      else element.setAttribute(key, value);
    }
    element.append(...children.map((child) => child instanceof Node ? child : document.createTextNode(String(child))));
    return element;
  }

  /** Show the selected call. */
  function show() {
    const panel = document.getElementById("details");
    const call = State.selected;
    const known = call && `${call.run.index}.${call.id}.${Words.language}.${asHex}.`;
    const key = call && `${known}${call.run.version ?? 0}`;
    // What is known of a call beside its own numbers is gone with the calls around it: it stays as it was told.
    if (key === shown || (call && call.index < 0 && shown?.startsWith(known))) return;
    shown = key;
    panel.replaceChildren();
    document.getElementById("main").classList.toggle("with-details", Boolean(call));
    document.getElementById("aside").hidden = !call;
    if (!call) return;
    panel.append(make("h3", {}, visibleText(title(call))), facts(call), relations(call), payload(call), source(call));
    document.getElementById("live").textContent = announce(call);
  }

  function title(call) {
    const socket = call.run.socketNames.get(call.socket);
    return `${call.operation}${socket ? ` · ${socket}` : ""}`;
  }

  /** Return one sentence about a call. */
  function announce(call) {
    return visibleText(Words.say("selected", title(call), call.outcome ?? Words.say("unfinished"), Format.moment(call.started),
      call.duration === null ? "–" : Format.duration(call.duration)));
  }

  function list(entries) {
    const holder = make("dl");
    for (const [name, value] of entries) {
      if (value === null || value === undefined || value === "") continue;
      holder.append(make("dt", {}, name), make("dd", {}, value instanceof Node ? value : visibleText(value)));
    }
    return holder;
  }

  function facts(call) {
    const socket = call.run.known.sockets.find((one) => one.id === call.socket);
    const kind = make("span", {class: `chip ${KINDS[call.kind]}`}, Words.say(KINDS[call.kind]));
    const wait = call.ready === null || call.duration === null ? null : Math.max(0, call.ready - call.started);
    return list([
      [Words.say("call"), `#${call.id}`], [Words.say("run"), call.run.name], [Words.say("thread"), call.run.threadNames.get(call.thread)],
      [Words.say("kind"), kind], [Words.say("outcome"), call.outcome ?? Words.say("unfinished")],
      [Words.say("started"), Format.moment(call.started, 1)], [Words.say("duration"), call.duration === null ? Words.say("unfinished") : Format.duration(call.duration)],
      [Words.say("wait_phase"), wait === null ? null : Format.duration(wait)],
      [Words.say("copy_phase"), wait === null ? null : Format.duration(call.ended - Math.max(call.ready, call.started))],
      [Words.say("sat"), call.ready !== null && call.ready < call.started ? Format.duration(call.started - call.ready) : null],
      [Words.say("ready_source"), call.source],
      [Words.say("asked"), call.asked], [Words.say("result"), call.result], [Words.say("errno"), call.errno === null ? null : Format.errno(call.errno)],
      [Words.say("flags"), call.flags ? `0x${call.flags.toString(16)}` : null],
      [Words.say("timeout"), call.timeout === null ? Words.say("forever") : call.timeout === 0 ? Words.say("never") : Format.duration(call.timeout)],
      [Words.say("socket"), socket ? [`fd ${socket.fd}`, socket.kind, socket.role].filter(Boolean).join(", ") : null],
      [Words.say("local"), socket?.local], [Words.say("peer"), call.peer ?? socket?.peer],
      [Words.say("site"), call.site ? `${call.site[2]}, ${call.site[0].split("/").pop()}:${call.site[1]}` : null],
    ]);
  }

  /** Return a button that leads to another call. */
  function button(run, id, more = "") {
    const index = run.find(id);
    if (index < 0 && !State.doc.served) return make("span", {}, `#${id}${more}`);
    const go = () => Remote.ensure(run, id).then((found) => { if (found >= 0) State.select(run, found, true); }).catch(Main.fail);
    return make("button", {type: "button", class: "link", onclick: go}, visibleText(`${index < 0 ? "" : `${run.call(index).operation} `}#${id}${more}`));
  }

  function buttons(run, links) {
    const holder = make("span");
    links.slice(0, 50).forEach((link, n) => holder.append(...(n ? [", "] : []), button(run, link.id, link.kind && link.kind !== "readiness" ? ` (${link.kind})` : "")));
    if (links.length > 50) holder.append(` … ${Words.say("more", links.length - 50)}`);
    return holder;
  }

  function relations(call) {
    const {run} = call;
    const {by, to} = run.links(call.id);
    const spin = run.spin(call.index);
    const ready = run.readiness(call.id);
    const [question, answer] = talk(call);
    return list([
      [Words.say("parent"), call.parent === null ? null : button(run, call.parent)],
      [Words.say("spin"), spin && spin.calls > 1 ? Words.say("spin_words", Format.count(spin.calls), Format.duration(spin.to - spin.from)) : null],
      [Words.say("enabled_by"), by.length ? buttons(run, by) : null], [Words.say("enables"), to.length ? buttons(run, to) : null],
      [Words.say("reported"), ready.length ? ready.slice(0, 30).map((one) =>
        `${run.socketNames.get(one.socket) ?? one.socket}: ${Format.events(Number.isNaN(one.events) ? one.interest : one.events)}`).join("; ") : null],
      [Words.say("question"), question === null ? null : button(run, run.columns.id[question])],
      [Words.say("answer"), answer === null ? null : button(run, run.columns.id[answer])],
      [Words.say("client_saw"), exchangeWords(call)], [Words.say("packets"), packetWords(call)],
      [Words.say("signals"), run.known.signals.filter((signal) => signal.during_call_id === call.id).map((signal) => signal.signal).join(", ")],
    ]);
  }

  /** Return the receive that a send answers, and the send that answers a receive: the nearest on the same socket that moved bytes. */
  function talk(call) {
    if (call.kind === 1 || call.outcome !== "ok") return [null, null];
    const lane = call.run.lanes.get(`socket${call.socket}`);
    const sends = /send|write/, receives = /recv|read/;
    if (!lane || !(sends.test(call.operation) || receives.test(call.operation))) return [null, null];
    const [step, wanted] = sends.test(call.operation) ? [-1, receives] : [1, sends];
    for (let n = lane.position(call.started) + step; n >= 0 && n < lane.calls.length; n += step) {
      const other = lane.calls[n];
      const [, , operation, , outcome] = call.run.shapes[call.run.columns.shape[other]];
      if (wanted.test(operation) && outcome === "ok" && call.run.columns.result[other] > 0) return step < 0 ? [other, null] : [null, other];
    }
    return [null, null];
  }

  function exchangeWords(call) {
    if (!call.socket || (call.kind === 1) || call.outcome !== "ok") return null;
    // A receive takes up a question when it returns; a send may return after its answer has been read.
    const at = /send|write/.test(call.operation) ? call.started : call.ended;
    const found = call.run.known.exchanges.find((one) => one.socket_id === call.socket && one.answered_ns !== null && at <= one.answered_ns
      && at >= (one.sent_ns ?? 0) - CLIENTS_CLOCK && call.operation !== "accept");
    return found ? Words.say("client_words", found.client, found.n, found.result, Format.duration(found.answered_ns - (found.sent_ns ?? found.answered_ns))) : null;
  }

  /** Say which packets carried what a call moved, and when, seen from its start. */
  function packetWords(call) {
    const list = call.run.carried.get(call.id) ?? [];
    return list.slice(0, 20).map(({at, bytes, flags, sent}) =>
      `${sent ? "→" : "←"} ${flags ?? ""} ${bytes} B, ${at < call.started ? "−" : "+"}${Format.duration(Math.abs(at - call.started))}`).join("; ")
      + (list.length > 20 ? ` … ${Words.say("more", list.length - 20)}` : "");
  }

  function payload(call) {
    const found = call.run.payload(call.id) ?? call.bytes;
    if (!found) return make("p", {class: "soft"}, call.kind === 2 ? Words.say("no_payload") : "");
    const head = make("h4", {}, `${Words.say("payload")} · ${Words.say("payload_words", Format.count(found.bytes.length), Format.count(found.size))}`);
    const tabs = make("div", {class: "tabs"}, ...[["as_text", false], ["as_hex", true]].map(([word, hex]) =>
      make("button", {type: "button", "aria-pressed": String(asHex === hex), onclick: () => { asHex = hex; show(); }}, Words.say(word))));
    return make("section", {class: "payload"}, head, tabs, Bytes.show(found.bytes, asHex));
  }

  function source(call) {
    if (!call.site) return make("span");
    const [file, line, , code] = call.site;
    const text = call.run.sources[file] ?? null;
    const holder = make("section", {class: "source"}, make("h4", {}, visibleText(`${Words.say("source")} · ${file.split("/").pop()}:${line}`)));
    const table = make("ol", {class: "code", tabindex: "0", "aria-label": Words.say("source")});
    const lines = text === null ? [code ?? ""] : text.split("\n").slice(0, 20000);
    const first = text === null ? line : 1;
    lines.forEach((one, n) => {
      const number = first + n;
      const row = make("li", number === line ? {class: "here", "aria-current": "true"} : {}, visibleText(one.replace(/\t/g, "    ")) || " ");
      row.value = number;
      table.append(row);
    });
    holder.append(table);
    requestAnimationFrame(() => {
      const here = table.querySelector(".here");
      if (here) table.scrollTop = here.offsetTop - table.offsetTop - table.clientHeight / 2;
    });
    return holder;
  }

  return {show, make, announce, title};
})();
