"use strict";
// The panes of the player beside the stage: source, sentence, log, sockets, counters. Owns their elements; each draws a view, which is
// {reel, state, current, call, running, turns, veiled}, and changes nothing. Knows no keys.

/** Return how a reel stands, reckoned once for all panes. */
function viewOf(reel, veiled = false) {
  const [current, state] = [reel.current(), reel.state];
  const running = current !== null && current >= reel.head.position;
  return {reel, state, current, call: current === null ? null : reel.line.call(current), running, turns: running ? reel.line.turns(current, state.open) : [], veiled};
}

class PlayPanes {
  /** @param on: what clicks do: {go(reel, position), stop(reel, file, line), choose(reel)}. */
  constructor(reel, on) {
    Object.assign(this, {reel, on, shown: null});
    const {make} = Details;
    const pane = (name, ...children) => make("section", {class: `play-${name}`}, ...children);
    this.title = make("h3", {class: "play-name"});
    this.source = make("ol", {class: "code", tabindex: "0"});
    this.sourceTitle = make("h4");
    this.sentence = make("p", {class: "play-sentence"});
    this.log = make("ol", {class: "play-rows"});
    this.sockets = make("table");
    this.counts = make("dl", {class: "play-counts"});
    this.stage = new PlayStage();
    this.logBox = make("div", {class: "play-log-box"}, this.log);
    this.element = make("article", {class: "play-run"}, this.title, pane("source", this.sourceTitle, this.source), pane("stage", this.stage.element), this.sentence,
      pane("log", make("h4", {"data-word": "play_log"}), this.logBox), pane("sockets", this.counts, make("div", {class: "play-table", tabindex: "0", role: "region", "data-label": "play_sockets"}, this.sockets)));
    this.element.addEventListener("pointerdown", () => on.choose(reel));
  }

  /** Draw all. */
  draw(view, active) {
    const {reel} = this;
    this.title.textContent = visibleText(reel.run.name);
    this.element.classList.toggle("active", active);
    this.drawSource(view);
    this.stage.draw(view);
    this.sentence.textContent = view.veiled ? Words.say("play_veiled") : Told.sentence(reel);
    this.sentence.lang = Words.language === "zh" ? "zh-Hans" : "en";
    this.drawLog(view);
    this.drawCounts(view);
    this.drawSockets(view);
  }

  drawSource({reel, call, running}) {
    const site = call?.site ?? null;
    this.sourceTitle.textContent = visibleText(`${Words.say("play_source")}${site ? ` · ${site[0].split("/").pop()}:${site[1]}` : ""}`);
    this.source.setAttribute("aria-label", Words.say("play_source"));
    const file = site ? site[0] : this.file ?? null;
    const key = `${file}.${Words.language}.${call === null}.${site === null}`;
    if (site !== null && file !== this.file || this.sourceKey === undefined || (file === null && key !== this.sourceKey)) this.fillSource(reel, file, call, site);
    this.sourceKey = key;
    this.here?.classList.remove("here", "running");
    this.here?.removeAttribute("aria-current");
    this.here = site ? this.source.children[this.whole ? site[1] - 1 : 0] : null;
    if (!this.here) return;
    this.here.classList.add("here");
    this.here.classList.toggle("running", running);
    this.here.setAttribute("aria-current", "true");
    const [top, height] = [this.here.offsetTop, this.source.clientHeight];
    if (this.sawLine !== site[1] || this.sawHeight !== height) this.source.scrollTop = top - height / 2 + this.here.offsetHeight / 2;
    [this.sawLine, this.sawHeight] = [site[1], height];
  }

  fillSource(reel, file, call, site) {
    const {make} = Details;
    const text = file === null ? null : reel.run.sources[file] ?? null;
    this.file = file;
    this.whole = text !== null;
    this.here = this.sawLine = null;
    const {film} = reel;
    const lines = text !== null ? text.split("\n").slice(0, 20000) : [site?.[3] ?? Told.say(film, call === null ? "the program has called nothing yet" : "the line of this call is not known")];
    this.source.replaceChildren(...lines.map((line, n) => make("li", {}, visibleText(line.replace(/\t/g, "    ")) || " ")));
    if (text === null && site) this.source.append(make("li", {class: "soft"}, Told.say(film, "(the trace does not hold this file)")));
    this.source.start = text === null && site ? site[1] : 1;
    this.source.onclick = (event) => {
      const line = event.target.closest("li");
      if (line && this.whole) this.on.stop(reel, file, [...this.source.children].indexOf(line) + 1);
    };
    this.source.classList.toggle("plain", file === null);
  }

  /** Mark the lines that a breakpoint stands on: numbers of lines of the file that is shown. */
  markStops(lines) {
    for (const line of this.source.querySelectorAll(".stop")) if (!lines.has([...this.source.children].indexOf(line) + 1)) line.classList.remove("stop");
    if (this.whole) for (const number of lines) this.source.children[number - 1]?.classList.add("stop");
  }

  /** Return the rows of the log that fit, the current one about in the middle. */
  rows({reel, current}, room) {
    const {length} = reel.line;
    if (!length || room <= 0) return [];
    const rows = [reel.row(Math.min(current ?? 0, length - 1))];
    while (rows.length < Math.floor(room / 2) + 1 && rows[0][0] > 0) rows.unshift(reel.row(rows[0][0] - 1));
    while (rows.length < room && rows.at(-1)[1] < length) rows.push(reel.row(rows.at(-1)[1]));
    while (rows.length < room && rows[0][0] > 0) rows.unshift(reel.row(rows[0][0] - 1));
    return rows;
  }

  drawLog(view) {
    const {make} = Details;
    const {reel, current, running, veiled} = view;
    const {film, line, head} = reel;
    const room = Math.max(3, Math.floor(this.logBox.clientHeight / (this.log.firstElementChild?.offsetHeight || 24)));
    this.log.replaceChildren(...this.rows(view, room).map(([first, behind]) => {
      const call = line.call(first);
      const many = line.count(behind) - line.count(first);
      const here = current !== null && first <= current && current < behind;
      const toCome = first >= head.position;
      const spun = many > 1 && !toCome ? line.spun(first, behind) : [call];
      const name = visibleText(Told.several(film, spun.map((one) => Told.calledShort(film, one)), 2));
      const came = toCome ? "" : many > 1 ? Told.say(film, "for nothing") : Told.came(film, call);
      const kind = toCome ? "to-come" : FAILURES.has(call.outcome) && call.kind !== 1 ? "failed" : KINDS[call.kind];
      const button = make("button", {type: "button", class: `play-row ${kind}${here ? " here" : ""}`, ...(here ? {"aria-current": "step"} : {})},
        make("span", {class: "play-sign", "aria-hidden": "true"}, here ? (running ? "▶" : "▷") : ""), make("span", {class: "play-at"}, Format.moment(call.started, Math.max(1e3, film.end / 1e6))),
        make("span", {class: "play-call"}, many > 1 && !toCome ? `${Format.count(many)} × ${name}` : name),
        make("span", {class: "play-came"}, visibleText(came)), make("span", {class: "play-took"}, toCome ? "" : Told.duration(line.ends[behind - 1] - call.started)));
      button.addEventListener("click", () => this.on.go(reel, first + 1));
      if (veiled && toCome) button.replaceChildren(Words.say("play_veiled"));
      return make("li", {}, button);
    }));
  }

  drawCounts({reel, state}) {
    const {make} = Details;
    const share = state.cpu === null || !state.at ? "" : ` (${Format.percent(Math.min(1, state.cpu / state.at))})`;
    const entries = [["play_calls", Format.count(state.calls)], ["play_useless", Format.count(state.fruitless), state.fruitless ? "fruitless" : ""],
      ...(state.cpu === null ? [] : [["play_cpu", `${Told.duration(state.cpu)}${share}`]]), ["play_in", Told.size(state.received)], ["play_out", Told.size(state.sent)],
      ["play_open", Format.count(state.sockets.filter((one) => one.open).length)]];
    this.counts.replaceChildren(...entries.map(([word, value, look = ""]) => make("div", look ? {class: look} : {}, make("dt", {}, Words.say(word)), make("dd", {}, value))));
    this.counts.setAttribute("aria-label", visibleText(reel.run.name));
  }

  drawSockets({reel, state, call, turns}) {
    const {make} = Details;
    const ordered = [...state.sockets].sort((one, other) => Number(other.open) - Number(one.open) || (other.last ?? -1) - (one.last ?? -1)).slice(0, 40);
    ordered.sort((one, other) => Number(other.open) - Number(one.open) || one.id - other.id);
    const busy = new Set([call, ...turns].map((one) => one?.socket));
    const heads = ["socket", "play_calls", "play_useless", "play_in", "play_out"].map((word) => make("th", {scope: "col"}, Words.say(word)));
    const rows = ordered.map((one) => {
      const name = visibleText(Told.name(reel.film, one.id, true));
      return make("tr", {class: `${one.open ? "" : "closed"}${busy.has(one.id) ? " here" : ""}`},
        make("th", {scope: "row"}, one.open ? name : make("s", {}, name)), ...[Format.count(one.calls), Format.count(one.fruitless), Told.size(one.received), Told.size(one.sent)].map((text) => make("td", {}, text)));
    });
    this.sockets.replaceChildren(make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
  }
}
