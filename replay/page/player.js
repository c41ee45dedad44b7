"use strict";
// The player in the page: opens on one run or two, moves them by buttons, keys and the clock, and shows every moment. Owns what is open,
// the clock and the address of a moment (#play&run=1&at=1400000000). Every move is the deck's, everything drawn the panes'.
//
// For other parts of the page:
//   Player.open({play: "", run: "1", at: "1400000000"}), Player.close(), Player.isOpen(), Player.deck()
//   Player.go(reel, head)      put a run somewhere: reel.line.atCall(n) stands behind n steps, reel.line.atTime(ns) at a moment
//   Player.gate = {wants(reel, position), ask(reel, position)}
//                              before a step is shown: where `wants` says true, stepping and playing come to stand before that step, at its
//                              beginning, and `ask` is called; on they go once `wants` says false. Jumps are not held.
//   Player.veil(true)          hide what comes: the sentence, what comes of calls in progress, the rows of the log to come
//   Player.listen(heard)       call back whenever another moment is shown

const Player = (() => {
  const by = (id) => document.getElementById(id);
  const SAYS_MS = 1500;  // while time goes on, a screen reader is told a sentence no more often than this
  const CALM_MS = 250;  // and where less motion is wanted, the picture changes no more often than this
  const listeners = [];
  let deck = null, panes = [], veiled = false, drawing = false, marked = null, last = 0, drawn = 0, told = {at: 0, text: ""}, linking = null, opening = 0, settling = 0, reading = 0, ticking = 0;

  const isOpen = () => !by("player").hidden;

  /** Make the player's controls work. */
  function start() {
    by("play").addEventListener("click", () => open({}, true).catch(Main.fail));
    by("play").hidden = State.runs.every((run) => !run.known.facts.calls);
    PlayBar.start({move, toggle, seek, resized: () => { marked = null; draw(); }, speed: (n) => { deck.speed = n; draw(); }});
    const does = {"play-close": () => leave(), "play-language": Main.speak, "play-theme": Main.wear, "play-help": help, "play-skip": skip, "play-fold": () => move((one) => one.turnAll(), true)};
    for (const [id, action] of Object.entries(does)) by(id).addEventListener("click", action);
    by("play-run").addEventListener("change", () => choose());
    by("play-beside").addEventListener("change", () => choose());
    by("play-mode").addEventListener("change", () => { deck.mode = by("play-mode").value; deck.follow(); draw(); });
    PlayAsk.start();
    State.listen(() => { if (isOpen()) { marked = null; relabel(); draw(); } });
  }

  /** Open on what an address names; without one, at the selected call, or where it was left. */
  async function open(found, byHand = false) {
    const mine = ++opening;
    const chosen = (found.run ?? "").split(",").map((number) => State.runs[Number(number) - 1]).filter(Boolean).slice(0, 2);
    const runs = chosen.length ? [...new Set(chosen)] : byHand && !State.selected && deck ? deck.reels.map((reel) => State.runs[reel.run.index]) : [State.selected?.run ?? State.runs[0]];
    by("player").hidden = false;
    document.body.classList.add("with-player");
    by("play-note").textContent = Words.say("play_reading");
    let reels;
    try {
      reels = [];
      for (const run of runs) reels.push(await Films.reel(run));
    } catch (error) {
      if (mine === opening) {
        hide();
        document.getElementById("status").textContent = error.message;
      }
      return;
    }
    if (mine !== opening) return;
    put(reels, found);
    if (byHand) {
      if (State.selected) await goToCall(State.selected);
      history.pushState(null, "", hash());
    }
    by("player").focus({preventScroll: true});
  }

  function put(reels, found) {
    const before = deck;
    deck = new Deck(reels);
    if (before) Object.assign(deck, {speed: before.speed, breaks: before.breaks, mode: before.mode, skipping: before.skipping});
    if (MODES.includes(found.mode)) deck.mode = found.mode;
    if (found.speed && SPEEDS[Number(found.speed)] !== undefined) deck.speed = Number(found.speed);
    panes = reels.map((reel) => new PlayPanes(reel, {go: (one, position) => { activate(one); go(one, one.line.atCall(position)); }, stop: PlayAsk.stopAt, choose: activate}));
    by("play-runs").replaceChildren(...panes.map((pane) => pane.element));
    by("play-runs").classList.toggle("several", panes.length > 1);
    by("play-note").textContent = "";
    marked = null;
    if (found.step !== undefined && Number.isInteger(Number(found.step))) toStep(Number(found.step)).catch(Main.fail);
    else if (Number.isFinite(Number(found.at ?? NaN))) deck.seek(Number(found.at));
    else deck.follow();
    settle().catch(Main.fail);
    relabel();
    Words.apply();
    PlayAsk.show();
    draw();
  }

  /** Stand behind so many steps of the run. */
  async function toStep(number) {
    const {reel} = deck;
    const {film} = reel;
    if (film.run && (number < film.base.position || number > film.base.position + reel.line.length)) {
      busy(true);
      await Films.shift(reel, {step: number}).finally(() => busy(false));
      marked = null;
    }
    deck.go(reel.line.atCall(number - reel.film.base.position));
    draw();
  }

  /** Stand behind a call that was selected in the timeline. */
  async function goToCall(call) {
    const {reel} = deck;
    if (call.run.index !== reel.run.index) return;
    deck.seek(call.ended);
    await settle();
    const position = reel.line.calls.indexOf(reel.run.find(call.id));
    if (position >= 0) deck.go(reel.line.atCall(position + 1));
    draw();
  }

  function hide() {
    by("player").hidden = true;
    document.body.classList.remove("with-player");
    if (deck) deck.playing = false;
  }

  /** Put the player away. */
  function close() {
    if (!isOpen()) return;
    opening++;
    hide();
    State.changed();
  }

  /** Go back to the timeline, to the call that was told. */
  function leave() {
    const call = deck?.reel.line.calls.length ? deck.reel.line.call(deck.reel.current() ?? 0) : null;
    const run = deck && State.runs[deck.reel.run.index];
    close();
    history.pushState(null, "", State.hash());
    if (call?.id) Remote.ensure(run, call.id).then((index) => { if (index >= 0 && !isOpen()) State.select(run, index, true); }).catch(Main.fail);
    by("play").focus({preventScroll: true});
  }

  /** Take the runs that are chosen in the head. */
  function choose() {
    const [first, second] = [by("play-run").value, by("play-beside").value];
    const at = deck.reel.run.index === Number(first) - 1 ? {at: String(deck.reel.head.at)} : {};
    open({run: second && second !== first ? `${first},${second}` : first, ...at}).catch(Main.fail);
  }

  /** Fill the choices with what there is, in the page's language. */
  function relabel() {
    if (!deck) return;
    const shown = deck.reels.map((reel) => reel.run.index + 1);
    const option = (run) => new Option(visibleText(run.name), String(run.index + 1));
    by("play-run").replaceChildren(...State.runs.map(option));
    by("play-run").value = String(shown[0]);
    by("play-beside").replaceChildren(new Option(Words.say("play_nobody"), ""), ...State.runs.filter((run) => run.index + 1 !== shown[0]).map(option));
    by("play-beside").value = String(shown[1] ?? "");
    by("play-mode").replaceChildren(...MODES.map((mode) => new Option(Words.say(`play_mode_${mode}`), mode)));
    by("play-mode").value = deck.mode;
    by("play-run-label").hidden = by("play-beside-label").hidden = State.runs.length < 2;
    by("play-mode-label").hidden = deck.reels.length < 2;
    by("play-title").textContent = visibleText(deck.reels[0].run.name);
    by("play-title").hidden = State.runs.length > 1;
  }

  function activate(reel) {
    if (deck.reel === reel) return;
    deck.active = deck.reels.indexOf(reel);
    marked = null;
    draw();
  }

  /** Do something to the deck; what goes forwards is held at the gate, unless it is free. */
  function move(action, free = false) {
    const {reel} = deck;
    const {head} = reel;
    by("play-note").textContent = "";
    action(deck);
    if (!free) hold(reel, head);
    settle(free ? null : action, reel, head).catch(Main.fail);
    draw();
  }

  /** Fetch the stretches of long runs that are wanted, and go on over the border of one where an action stopped at it. */
  async function settle(action = null, reel = deck.reel, head = reel.head) {
    const mine = ++settling;
    const {film, line} = reel;
    const stuck = action && film.run && reel.wanted === null && reel.head.position === head.position && reel.head.at === head.at;
    const on = stuck && head.position >= line.length && film.to < film.run[1], back = stuck && head.position === 0 && film.from > film.run[0];
    if (!on && !back && deck.reels.every((one) => one.wanted === null)) return;
    busy(true);
    try {
      if (on || back) {
        await Films.shift(reel, on ? {at: film.to + 1} : {at: film.from});
        if (back) reel.head = reel.line.atCall(reel.line.length);
        if (mine === settling) action(deck);
      }
      for (const one of deck.reels) {
        const at = one.wanted;
        if (at === null || mine !== settling) continue;
        await Films.shift(one, {at});
        one.seek(at);
      }
    } finally {
      busy(false);
    }
    marked = null;
    draw();
  }

  function busy(is) {
    reading += is ? 1 : -1;  // another may have begun before the first had come to its end
    by("player").toggleAttribute("aria-busy", reading > 0);
    by("play-note").textContent = reading > 0 ? Words.say("play_reading") : "";
  }

  /** Come to stand before the first step that the gate wants to ask about, if there is one between a head and where its run now is. */
  function hold(reel, head) {
    const {gate} = Player;
    if (!gate) return;
    for (let position = head.position; position < reel.head.position; position++) {
      if (!gate.wants(reel, position)) continue;
      deck.playing = false;
      deck.go({position, at: Math.max(head.at, Math.min(reel.line.starts[position], reel.line.ends[position]), position ? reel.line.ends[position - 1] : 0)});
      draw();
      gate.ask(reel, position);
      return;
    }
  }

  function go(reel, head) {
    activate(reel);
    deck.go(head);
    draw();
  }

  function seek(share) {
    const [first, last] = deck.reel.whole;
    deck.seek(first + share * (last - first));
    settle().catch(Main.fail);
    draw();
  }

  /** Let time go, or hold it; at the end begin anew. */
  function toggle() {
    if (!deck.playing && deck.reel.head.position >= deck.reel.line.length && deck.reel.head.at >= deck.reel.whole[1]) move((one) => one.toEnd(false), true);
    deck.playing = !deck.playing;
    by("play-note").textContent = "";
    last = performance.now();
    draw();
    if (deck.playing) nextTick();
  }

  function nextTick() {
    cancelAnimationFrame(ticking);
    ticking = requestAnimationFrame(tick);
  }

  function tick(now) {
    if (!deck.playing || !isOpen()) return;
    const {reel} = deck;
    const {head} = reel;
    deck.advance(Math.min(1000, Math.max(0, now - last)) / 1000);
    last = now;
    hold(reel, head);
    if (!deck.playing && deck.stoppedBy === null && reel.film.run && reel.head.position >= reel.line.length && reel.film.to < reel.film.run[1]) {
      deck.playing = true;  // it is only read on: who stops it meanwhile has stopped it
      settle(() => {}, reel, reel.head).then(() => {
        last = performance.now();
        if (deck.playing) nextTick();
      }).catch(Main.fail);
      return;
    }
    if (!deck.playing) {
      if (deck.stoppedBy !== null) PlayAsk.stopped();
      draw();
      return;
    }
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches || now - drawn > CALM_MS) {
      drawn = now;
      paint();
    }
    nextTick();
  }

  function skip() {
    deck.skipping = !deck.skipping;
    draw();
  }

  function veil(on) {
    veiled = on;
    draw();
  }

  /** Draw at the next frame. */
  function draw() {
    if (drawing || !deck || !isOpen()) return;
    drawing = true;
    requestAnimationFrame(() => {
      drawing = false;
      if (isOpen()) paint();
    });
  }

  function paint() {
    panes.forEach((pane, n) => {
      const view = viewOf(deck.reels[n], veiled);
      pane.draw(view, n === deck.active && panes.length > 1);
      pane.markStops(Breaks.lines(deck.breaks, pane.file));
    });
    PlayBar.draw(deck);
    if (marked !== deck.reel) PlayBar.marks(deck);
    marked = deck.reel;
    tell();
    for (const heard of listeners) heard(deck);
    clearTimeout(linking);
    linking = setTimeout(() => { if (isOpen() && !deck.playing) history.replaceState(null, "", hash()); }, 200);
  }

  /** Tell a screen reader the sentence, not while time flies. */
  function tell() {
    const text = veiled ? "" : Told.sentence(deck.reel);
    const now = performance.now();
    if (text === told.text || (deck.playing && now - told.at < SAYS_MS)) return;
    told = {at: now, text};
    by("play-told").textContent = text;
  }

  /** Return the address of the moment that is shown. */
  function hash() {
    const {reel} = deck;
    const parts = ["play", `run=${[reel, ...deck.reels.filter((one) => one !== reel)].map((one) => one.run.index + 1).join(",")}`, `at=${Math.round(reel.head.at)}`];
    if (reel.line.atTime(reel.head.at).position !== reel.head.position) parts.push(`step=${reel.film.base.position + reel.head.position}`);
    if (deck.reels.length > 1 && deck.mode !== "clock") parts.push(`mode=${deck.mode}`);
    return `#${parts.join("&")}`;
  }

  function help() {
    Main.help(Words.say("play_keys"), by("play-help"));
  }

  return {start, open, close, leave, isOpen, deck: () => deck, move, go, toggle, skip, draw, help, veil, hash, activate, toStep, seek, gate: null, listen: (heard) => listeners.push(heard)};
})();
