"use strict";
// The quiz in the page: stops before a step and asks what it will do, hides what comes until there is an answer, then says why and shows
// it. Owns the panel, what was answered, the score. The questions are made by replay/page/quizzed.py, in both languages.

const Quiz = (() => {
  const by = (id) => document.getElementById(id);
  const known = new Map();  // run index -> {asked: {en, zh}, places, given: Map of number -> option, null: passed}
  let on = false, now = null, shown = "", opening = 0;

  const isAsking = () => now !== null && !now.of.given.has(now.number);

  function start() {
    by("quiz").hidden = by("play").hidden;
    by("quiz").addEventListener("click", () => begin().catch(Main.fail));
    by("play-quiz").addEventListener("click", () => (on ? end() : begin().catch(Main.fail)));
    Player.gate = {wants: (reel, position) => on && waiting(reel, position) !== null, ask: (reel, position) => ask(reel, waiting(reel, position))};
    Player.listen(follow);
    State.listen(() => { if (on) draw(); });
    // Before the player hears of a key: while a question stands, digits answer it, and nothing moves.
    document.addEventListener("keydown", key, true);
  }

  /** Return the questions about a run, read when they are first asked for; null where there are none. */
  async function load(run) {
    if (known.has(run.index)) return known.get(run.index);
    let head = null;
    if (State.doc.served) head = (await Remote.get(`quiz?run=${run.index}`)).head;
    else {
      const element = document.querySelector(`script.quiz[data-run="${run.index}"]`);
      if (element) head = (await Unpack.unpack(Unpack.fromBase64(element.textContent))).head;
    }
    const asked = head?.quiz ?? {en: []};
    known.set(run.index, asked.en.length ? {asked, places: null, given: new Map()} : null);
    return known.get(run.index);
  }

  const questions = (of) => of.asked[Words.language] ?? of.asked.en;

  /** Return before which step each question is asked, -1 where that step is not in the page. */
  function places(reel, of) {
    of.places ??= of.asked.en.map(({call}) => {
      if (call === null) return 0;
      const index = reel.run.find(call);
      return index < 0 ? -1 : reel.line.calls.indexOf(index);
    });
    return of.places;
  }

  /** Return the number of the first unanswered question before a step, or null. */
  function waiting(reel, position) {
    const of = known.get(reel.run.index);
    if (!of) return null;
    const number = places(reel, of).findIndex((place, one) => place === position && !of.given.has(one));
    return number < 0 ? null : number;
  }

  /** Open the player, and ask the first question that is not answered. */
  async function begin() {
    const mine = ++opening;
    if (!Player.isOpen()) await Player.open({}, true);
    if (!Player.isOpen()) return;
    const {reel} = Player.deck();
    const of = await load(reel.run);
    if (mine !== opening || !Player.isOpen()) return;
    on = true;
    if (of) next();
    else {
      now = null;
      draw();
    }
  }

  /** Ask the next question that is not answered, wherever in the run it is. */
  function next() {
    const {reel} = Player.deck();
    const of = known.get(reel.run.index);
    if (!of) return begin().catch(Main.fail);
    const number = places(reel, of).findIndex((place, one) => place >= 0 && !of.given.has(one));
    if (number >= 0) return ask(reel, number);
    now = null;
    draw();
    return by("quiz-next")?.focus({preventScroll: true});
  }

  function ask(reel, number) {
    const of = known.get(reel.run.index);
    now = {reel, of, number};
    Player.deck().playing = false;
    const {at} = of.asked.en[number];
    Player.veil(true);
    Player.go(reel, at === null ? reel.line.atCall(of.places[number]) : reel.line.atTime(at));
    draw();
    by("quiz-ask").focus({preventScroll: true});
  }

  /** Take an answer, or null for none, and show what the step did. */
  function answer(choice) {
    const {reel, of, number} = now;
    of.given.set(number, choice);
    Player.veil(false);
    const place = of.places[number];
    if (of.asked.en[number].call !== null) Player.go(reel, reel.line.atCall(place + 1));
    draw();
    by("quiz-next")?.focus({preventScroll: true});
  }

  function end() {
    on = false;
    now = null;
    Player.veil(false);
    draw();
    if (Player.isOpen()) by("play-quiz").focus({preventScroll: true});
  }

  /** Where another run is played, or the player is put away, its questions are asked, or none. */
  function follow() {
    if (!on) return;
    const {reel} = Player.deck();
    if (now && now.reel !== reel) now = null;
    if (!known.has(reel.run.index)) load(reel.run).then(() => { if (on) draw(); }).catch(Main.fail);
    draw();
  }

  function key(event) {
    if (!on || !Player.isOpen() || event.ctrlKey || event.metaKey || event.altKey || by("keys").open) return;
    if (event.target.closest?.("#play-head input, #play-head select")) return;
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopImmediatePropagation();
      end();
    } else if (isAsking()) {
      const choice = Number(event.key) - 1;
      if (!/^(Tab|Enter| |Shift|PageUp|PageDown|ArrowUp|ArrowDown)$/.test(event.key)) event.preventDefault();
      event.stopImmediatePropagation();
      if (/^[1-9]$/.test(event.key) && choice < questions(now.of)[now.number].options.length) answer(choice);
    }
  }

  const score = (of) => [[...of.given].filter(([number, choice]) => of.asked.en[number].answer === choice).length, of.given.size];

  /** Draw the panel as things now are; what did not change stays, with the focus in it. */
  function draw() {
    const open = on && Player.isOpen();
    const asking = open && isAsking();
    by("quiz-panel").hidden = !open;
    by("player").classList.toggle("asking", asking);
    by("play-bar").inert = asking;
    by("play-quiz").setAttribute("aria-pressed", String(open));
    const of = open ? known.get(Player.deck().reel.run.index) : null;
    const says = JSON.stringify([open, Words.language, now?.number, now?.of.given.get(now.number), of?.given.size, Player.deck()?.reel.run.index]);
    if (says === shown) return;
    shown = says;
    if (open) by("quiz-panel").replaceChildren(...(now ? question() : closing(of)));
  }

  function question() {
    const {make} = Details;
    const {of, number} = now;
    const all = questions(of);
    const one = all[number];
    const answered = of.given.has(number);
    const when = one.at === null ? "" : ` · ${Format.moment(one.at, 1e6)}`;
    const head = make("div", {class: "quiz-head"}, make("span", {}, Words.say("quiz_question", number + 1, all.length) + when),
      make("span", {class: "soft"}, of.given.size ? Words.say("quiz_score", ...score(of)) : ""), ender());
    const text = make("h3", {id: "quiz-ask", tabindex: "-1"}, visibleText(one.ask));
    if (answered) return [head, text, verdict(one), make("p", {id: "quiz-why"}, visibleText(one.because)), onward()];
    const options = make("ol", {class: one.lines ? "quiz-options lines" : "quiz-options"}, ...one.options.map((words, n) =>
      make("li", {}, make("button", {type: "button", onclick: () => answer(n)}, make("b", {"aria-hidden": "true"}, n + 1), make("span", {}, visibleText(words))))));
    const scene = make("ul", {class: "quiz-scene"}, ...one.scene.map((words) => make("li", {}, visibleText(words))));
    const below = make("p", {class: "soft"}, Words.say("quiz_keys", one.options.length), " ", make("button", {type: "button", class: "link", onclick: () => answer(null)}, Words.say("quiz_pass")));
    return [head, make("div", {class: "quiz-body"}, ...code(one), make("div", {class: "quiz-facts"}, scene, text, options, below))];
  }

  function code(one) {
    const {make} = Details;
    if (!one.code.length) return [];
    const rows = one.code.map(([number, words, here]) => make("li", {value: String(number), ...(here ? {class: "here", "aria-current": "step"} : {})}, visibleText(words) || " "));
    return [make("figure", {class: "quiz-code"}, make("figcaption", {class: "soft"}, visibleText(one.file)), make("ol", {class: "code", tabindex: "0", "aria-label": visibleText(one.file)}, ...rows))];
  }

  function verdict(one) {
    const choice = now.of.given.get(now.number);
    const right = [one.answer + 1, visibleText(one.options[one.answer])];
    const words = choice === one.answer ? Words.say("quiz_right") : Words.say(choice === null ? "quiz_passed" : "quiz_wrong", ...right);
    return Details.make("p", {role: "status", class: choice === one.answer ? "quiz-good" : "quiz-bad"}, `${choice === one.answer ? "✓" : "✗"} ${words}`);
  }

  function onward() {
    const {make} = Details;
    return make("p", {class: "quiz-onward"}, make("button", {type: "button", id: "quiz-next", class: "primary", onclick: () => next()}, Words.say("quiz_next")), " ", make("span", {class: "soft"}, Words.say("quiz_look")));
  }

  /** What is shown where no question stands: all are answered, or there are none. */
  function closing(of) {
    const {make} = Details;
    if (!of) return [make("div", {class: "quiz-head"}, make("span", {}, Words.say("quiz_none")), ender())];
    const left = of.places?.some((place, number) => place >= 0 && !of.given.has(number)) ?? true;
    const head = make("div", {class: "quiz-head"}, make("span", {role: "status"}, left ? Words.say("quiz_look") : Words.say("quiz_done", ...score(of))), ender());
    const again = () => { of.given.clear(); next(); };
    return [head, make("p", {class: "quiz-onward"}, make("button", {type: "button", id: "quiz-next", class: "primary", onclick: left ? () => next() : again}, Words.say(left ? "quiz_next" : "quiz_again")))];
  }

  const ender = () => Details.make("button", {type: "button", onclick: () => end()}, Words.say("quiz_end"));

  return {start, begin, end, isAsking};
})();
