"use strict";
// Starts the page: reads the packs, puts the parts together, and turns what is in view into an address.

const Main = (() => {
  const by = (id) => document.getElementById(id);
  let tables = null;
  let linking = null;
  let asked = null;

  async function start() {
    Words.language = (navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en";
    Style.wear(matchMedia("(prefers-color-scheme: dark)").matches);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => { Style.wear(event.matches); State.changed(); });
    Words.apply();
    if (typeof DecompressionStream === "undefined") return fail(new Error(Words.say("needs")));
    const packs = [...document.querySelectorAll("script.pack")];
    const served = !packs.length;
    const take = async (element) => {
      const bytes = Unpack.fromBase64(element.textContent);
      element.remove();
      return Unpack.unpack(bytes);
    };
    const {head} = served ? await Remote.get("document") : await take(packs.shift());
    State.doc = head;
    State.runs = head.runs.map((known, index) => new Run(known, index, head.sources[known.trace] ?? {}));
    document.title = `${visibleText(head.title)} · sockreel`;
    by("title").textContent = visibleText(head.title);
    State.measure();
    [State.from, State.to] = [State.first, State.last];
    Stage.start();
    Stage.draw();
    Input.start();
    buttons();
    for (const run of State.runs) {
      const query = `run=${run.index}&from=${run.from}&to=${run.to}&columns=${Math.min(8000, Stage.columns())}`;
      const pack = served ? await Remote.get(`window?${query}`) : await take(packs.shift());
      if (served && !run.known.running) Remote.keep(run, pack);
      run.load(pack);
    }
    State.listen(frame);
    Player.start();
    Quiz.start();
    if (served) Remote.start();
    Find.start(served ? Remote.matches : null);
    legend();
    Tables.whole();
    notes();
    await link();
    addEventListener("hashchange", () => { if (location.hash !== (Player.isOpen() ? Player.hash() : State.hash())) link().catch(fail); });
    by("loading").hidden = true;
    frame();
    document.body.dataset.ready = "yes";
    if (State.runs.some((run) => run.known.running) && served) Live.start();
    return undefined;
  }

  function frame() {
    Stage.draw();
    Details.show();
    by("range").textContent = Tables.rangeWords();
    clearTimeout(tables);
    tables = setTimeout(() => {
      Tables.view();
      by("partial").hidden = State.runs.every((run) => run.complete);
    }, 200);
    clearTimeout(linking);
    linking = setTimeout(() => { if (!Player.isOpen()) history.replaceState(null, "", State.hash()); }, 150);
  }

  /** Bring into view what the address names. */
  async function link() {
    const found = State.read(location.hash);
    if (found.play !== undefined) return Player.open(found).then(() => (found.quiz !== undefined && Player.isOpen() ? Quiz.begin() : undefined));
    Player.close();
    State.aligned = found.align !== "clock";
    State.measure();
    const [from, width] = [Number(found.t), Number(found.w)];
    if (Number.isFinite(from) && width > 0) State.show(from, from + width);
    else State.fit();
    if (["q", "operation", "outcome", "socket", "kind"].some((name) => found[name])) Find.set(found);
    if (found.call) {
      const [first, second] = found.call.split(".");
      const id = Number(second ?? first);
      const runs = second === undefined ? State.runs : State.runs.filter((run) => run.index === Number(first) - 1);
      for (const run of runs) {
        const index = Number.isInteger(id) ? await Remote.ensure(run, id) : -1;
        if (index < 0) continue;
        State.select(run, index, !found.t);
        // To find it, a served page may have gone where it is.
        if (Number.isFinite(from) && width > 0) State.show(from, from + width);
        break;
      }
    }
    return aligned();
  }

  function buttons() {
    const does = {
      fit: State.fit, "zoom-in": () => State.zoom(0.5), "zoom-out": () => State.zoom(2), ruler: rule, theme: wear, language: speak, help, close: () => State.select(null, null),
      align: () => { State.aligned = !State.aligned; State.measure(); State.fit(); aligned(); },
    };
    for (const [id, action] of Object.entries(does)) by(id).addEventListener("click", action);
    by("align").hidden = State.runs.every((run) => !run.offset);
    by("keys").addEventListener("close", () => asked.focus());
    by("keys-close").addEventListener("click", () => by("keys").close());
  }

  function aligned() { by("align").textContent = Words.say(State.aligned ? "align_exchange" : "align_clock"); }

  function rule() {
    State.measuring = !State.measuring;
    if (!State.measuring) State.ruler = null;
    ruled();
    State.changed();
  }

  function ruled() {
    by("ruler").setAttribute("aria-pressed", String(State.measuring));
    by("status").textContent = State.measuring ? Words.say("ruler_hint") : "";
  }

  function wear() {
    Style.wear(!Style.isDark());
    legend();
    State.changed();
  }

  function speak() {
    Words.language = Words.language === "en" ? "zh" : "en";
    Words.apply();
    Find.offer();
    Find.say();
    legend();
    notes();
    aligned();
    Tables.whole();
    State.changed();
  }

  /** Show keys; whoever asked for them has the focus again afterwards. */
  function help(keys, button) {
    const {make} = Details;
    asked = button ?? by("help");
    by("keys-list").replaceChildren(...(button ? keys : Words.say("keys")).flatMap(([key, does]) => [make("dt", {}, key), make("dd", {}, does)]));
    by("keys").showModal();
  }

  function notes() {
    by("partial").textContent = Words.say(State.doc.served ? "partial" : "partial_file");
    const left = State.runs.reduce((sum, run) => sum + run.head.payloads_left_out, 0);
    by("left-out").textContent = left ? Words.say("left_out", Format.count(left)) : "";
  }

  /** Explain the colours with the very patterns that the canvas uses. */
  function legend() {
    const {make} = Details;
    const entries = [...KINDS, "exchange", "copy", ...(State.runs.some((run) => run.buffers.length) ? ["queue"] : [])].map((name) => {
      const swatch = make("canvas", {width: "26", height: "14", "aria-hidden": "true"});
      const context = swatch.getContext("2d");
      context.fillStyle = Style.colour(name);
      context.fillRect(0, 0, 26, 14);
      const pattern = Style.pattern(context, name);
      if (pattern) {
        context.fillStyle = pattern;
        context.fillRect(0, 0, 26, 14);
      }
      const words = {blocked: `${Words.say("blocked")}: ${Words.say("blocked_long")}`, fruitless: `${Words.say("fruitless")}: ${Words.say("fruitless_long")}`,
        copy: Words.say("ready"), queue: Words.say("buffer_legend")}[name] ?? Words.say(name);
      return make("li", {}, swatch, ` ${words}`);
    });
    for (const word of ["mark_moved", "mark_failed", "mark_signal", ...(State.runs.some((run) => run.packets.size) ? ["mark_packet"] : [])]) entries.push(make("li", {}, Words.say(word)));
    by("legend").replaceChildren(...entries);
  }

  /** Say in one line that something went wrong. */
  function fail(error) {
    by("loading").hidden = false;
    by("loading").textContent = Words.say("failed", error.message);
  }

  return {start, fail, rule, ruled, wear, speak, help, aligned, notes};
})();

Main.start().catch(Main.fail);
