"use strict";
// What is typed into the player and what its keys do: jumps, breakpoints, every key. Owns the fields and the list of breakpoints that is
// shown; the moves are the deck's.

const PlayAsk = (() => {
  const by = (id) => document.getElementById(id);
  let looking = 0;
  const note = (text) => { by("play-note").textContent = visibleText(text); };

  function start() {
    const field = (id) => by(id).querySelector("input");
    by("play-jump").addEventListener("submit", (event) => {
      event.preventDefault();
      const deck = Player.deck();
      const text = field("play-jump").value;
      const there = Breaks.jump(text, deck.reel);
      if (!there) return note(Words.say("play_misread", text));
      field("play-jump").value = "";
      note("");
      by("player").focus({preventScroll: true});
      if (there.step !== undefined) return Player.toStep(there.step).catch(Main.fail);
      return Player.move((one) => one.seek(there.at), true);
    });
    by("play-break").addEventListener("submit", (event) => {
      event.preventDefault();
      if (add(field("play-break").value)) {
        field("play-break").value = "";
        by("player").focus({preventScroll: true});
      }
    });
    document.addEventListener("keydown", key);
  }

  /** Set a breakpoint; say where it means nothing. */
  function add(text) {
    const deck = Player.deck();
    const found = Breaks.read(text, deck.reels);
    note(found ? "" : Words.say("play_misread", text));
    if (found && !deck.breaks.some((one) => one.text === found.text)) deck.breaks.push(found);
    show();
    return Boolean(found);
  }

  /** Set a breakpoint on a line of the program, or take it away. */
  function stopAt(reel, file, line) {
    const deck = Player.deck();
    const text = `${file.split("/").pop().replace(/\s/g, "")}:${line}`;
    const kept = deck.breaks.filter((one) => one.text !== text);
    if (kept.length < deck.breaks.length) {
      deck.breaks = kept;
      show();
    } else add(text);
  }

  /** Show the breakpoints, each with a button that removes it. */
  function show() {
    const deck = Player.deck();
    const {make} = Details;
    // Read anew: other runs may be on the deck by now.
    deck.breaks = deck.breaks.map(({text}) => Breaks.read(text, deck.reels)).filter(Boolean);
    by("play-breaks").replaceChildren(...deck.breaks.map((one) => make("button", {type: "button", class: "play-stop", "aria-label": Words.say("play_remove", visibleText(one.text)),
      onclick: () => { deck.breaks = deck.breaks.filter((other) => other !== one); show(); }}, `● ${visibleText(one.text)} ×`)));
    if (deck.breaks.length) by("play-breaks").append(make("button", {type: "button", id: "play-next-stop", onclick: () => on(true).catch(Main.fail)}, Words.say("play_next_stop")));
    Player.draw();
  }

  /** Go on to the next breakpoint, or back to the one before; in a long run, from stretch to stretch. */
  async function on(forwards) {
    const deck = Player.deck();
    const {reel} = deck;
    if (!deck.breaks.length) return note(Told.say(reel.film, "no breakpoint is set: b sets one"));
    let found = false;
    const look = (one) => { found = one.runToBreak(forwards); };
    const mine = ++looking;
    Player.move(look, true);
    while (!found && reel.film.run && mine === looking && Player.deck() === deck && Player.isOpen()) {
      const {film} = reel;
      if (forwards ? film.to >= film.run[1] : film.from <= film.run[0]) break;
      note(`${Words.say("play_reading")} ${Format.percent((forwards ? film.to : film.from) / film.run[1])}`);
      await Films.shift(reel, {at: forwards ? film.to + 1 : film.from});
      deck.go(reel.line.atCall(forwards ? 0 : reel.line.length));
      Player.move(look, true);
    }
    return found ? stopped() : note(Told.say(reel.film, "no further step is one to stop at"));
  }

  /** Say which breakpoint it came to. */
  function stopped() {
    const deck = Player.deck();
    note(Told.say(deck.reel.film, "stopped at {what}", {what: deck.stoppedBy ?? ""}));
    deck.stoppedBy = null;
  }

  const MOVES = {
    ArrowRight: [(deck) => deck.stepRow(1)], ArrowLeft: [(deck) => deck.stepRow(-1)], "shift ArrowRight": [(deck) => deck.step(1)], "shift ArrowLeft": [(deck) => deck.step(-1)],
    ".": [(deck) => deck.stepHalf()], ArrowDown: [(deck) => deck.stepFruitful(true)], ArrowUp: [(deck) => deck.stepFruitful(false)],
    n: [(deck) => deck.stepExchange(true)], p: [(deck) => deck.stepExchange(false)], PageDown: [(deck) => deck.stepRow(10)], PageUp: [(deck) => deck.stepRow(-10)],
    Home: [(deck) => deck.toEnd(false), true], End: [(deck) => deck.toEnd(true), true], "+": [(deck) => deck.faster(1), true], "=": [(deck) => deck.faster(1), true],
    "-": [(deck) => deck.faster(-1), true], _: [(deck) => deck.faster(-1), true], f: [(deck) => deck.turnAll(), true], m: [(deck) => deck.nextMode(), true],
    Enter: [(deck) => deck.turnSpin(), true], x: [(deck) => { deck.breaks = []; }, true],
    o: [(deck) => { if (deck.reels.length > 1) Player.activate(deck.reels[1 - deck.active]); }, true],
  };

  function key(event) {
    if (!Player.isOpen() || !Player.deck() || event.ctrlKey || event.metaKey || event.altKey || by("keys").open) return;
    const typing = /^(TEXTAREA|SELECT)$/.test(event.target.tagName) || (event.target.tagName === "INPUT" && event.target.type !== "range");
    if (typing && event.key !== "Escape") return;
    if (typing) return by("player").focus({preventScroll: true});
    const pressing = event.target.tagName === "BUTTON" && /^( |Enter)$/.test(event.key);
    // The slider of the speed keeps the keys that move sliders; on the line of time they step, as everywhere.
    if (pressing || (event.target.id === "play-speed" && /^(Arrow|Page|Home|End)/.test(event.key))) return undefined;
    const does = {" ": Player.toggle, s: Player.skip, g: () => by("play-jump").querySelector("input").focus(), b: () => by("play-break").querySelector("input").focus(),
      c: () => on(true).catch(Main.fail), C: () => on(false).catch(Main.fail), d: Main.wear, l: Main.speak, "?": Player.help, Escape: Player.leave}[event.key];
    const moves = MOVES[`${event.shiftKey && event.key.startsWith("Arrow") ? "shift " : ""}${event.key}`];
    if (!does && !moves) return undefined;
    event.preventDefault();
    if (does) return does();
    Player.move(...moves);
    if (event.key === "m") by("play-mode").value = Player.deck().mode;
    if (event.key === "x") show();
    return undefined;
  }

  return {start, show, stopAt, stopped, add};
})();
