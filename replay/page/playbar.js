"use strict";
// The bar of the player: its buttons, the speed, the line of time with its marks. Owns these elements; what they do is the player's.

const PlayBar = (() => {
  const by = (id) => document.getElementById(id);
  const SEEK = 10000;
  const ICONS = {
    start: "M5 4h3v16H5zM20 4v16L9 12z", end: "M16 4h3v16h-3zM4 4v16l11-8z", "exchange-back": "M12 4v16L2 12zM22 4v16L12 12z", exchange: "M12 4v16l10-8zM2 4v16l10-8z",
    "fruitful-back": "M20 5v14L9 12zM7 9h-4v6h4z", fruitful: "M4 5v14l11-7zM17 9h4v6h-4z", "step-back": "M16 5v14L5 12z", step: "M8 5v14l11-7z",
    go: "M6 3v18l15-9z", pause: "M6 4h4v16H6zM14 4h4v16h-4z",
  };
  const BUTTONS = [["start", (deck) => deck.toEnd(false)], ["exchange-back", (deck) => deck.stepExchange(false)], ["fruitful-back", (deck) => deck.stepFruitful(false)],
    ["step-back", (deck) => deck.stepRow(-1)], ["go", null], ["step", (deck) => deck.stepRow(1)], ["fruitful", (deck) => deck.stepFruitful(true)],
    ["exchange", (deck) => deck.stepExchange(true)], ["end", (deck) => deck.toEnd(true)]];
  const FREE = new Set(["start", "end"]);
  let go = null;

  function icon(name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", ICONS[name]);
    svg.append(path);
    return svg;
  }

  /** Make the bar. @param does: {move(action, free), toggle(), seek(share), speed(n)}. */
  function start(does) {
    for (const [name, action] of BUTTONS) {
      const button = Details.make("button", {type: "button", id: `play-${name}`, "data-label": `play_${name.replace("-", "_")}`}, icon(name));
      button.addEventListener("click", (event) => {
        // The space bar is to play on after a click; who came by the keyboard keeps the focus.
        if (event.detail > 0) by("player").focus({preventScroll: true});
        if (action) does.move(action, FREE.has(name));
        else does.toggle();
      });
      if (name === "go") go = button;
      by("play-buttons").append(button);
    }
    by("play-seek").addEventListener("input", () => does.seek(Number(by("play-seek").value) / SEEK));
    by("play-speed").addEventListener("input", () => does.speed(Number(by("play-speed").value)));
    new ResizeObserver(() => { if (!by("player").hidden) does.resized(); }).observe(by("play-track"));
  }

  /** Show how a deck stands. */
  function draw(deck) {
    const {reel} = deck;
    const {line, film} = reel;
    const [first, last] = reel.whole;
    const span = Math.max(1, last - first);
    const moment = Format.moment(reel.head.at, Math.max(1e3, film.end / 1e6));
    const place = Words.say("play_step_of", Format.count(film.base.position + reel.head.position), Format.count(Math.max(film.total, film.base.position + line.length)));
    by("play-seek").value = String(Math.round(SEEK * (reel.head.at - first) / span));
    by("play-seek").setAttribute("aria-valuetext", `${moment}, ${place}`);
    by("play-clock").textContent = `${moment} / ${Format.moment(last, 1e7)} · ${place}`;
    by("play-speed").value = String(deck.speed);
    const speed = SPEEDS[deck.speed];
    by("play-pace").textContent = speed >= 1 ? `${Format.count(speed)} ×` : `1/${Format.count(1 / speed)} ×`;
    by("play-speed").setAttribute("aria-valuetext", speed === 1 ? Words.say("play_life") : speed > 1 ? Words.say("play_faster", Format.count(speed)) : Words.say("play_slower", Format.count(1 / speed)));
    by("play-skip").setAttribute("aria-pressed", String(deck.skipping));
    by("play-fold").setAttribute("aria-pressed", String(reel.folded));
    const name = deck.playing ? "pause" : "go";
    if (go.dataset.shows !== name) go.replaceChildren(icon(name));
    go.dataset.shows = name;
    go.dataset.label = `play_${name}`;
    go.setAttribute("aria-label", Words.say(`play_${name}`));
  }

  /** Draw the marks below the line of time: what the run's time went into, and the ends of exchanges. */
  function marks(deck) {
    const {reel} = deck;
    // Of the run as the timeline shows it: of a long one the player has a stretch only.
    const run = State.runs[reel.run.index];
    const canvas = by("play-marks");
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.max(1, Math.round(canvas.clientWidth * ratio)), Math.round(canvas.clientHeight * ratio)];
    Object.assign(canvas, {width, height});
    const context = canvas.getContext("2d");
    const [first, last] = reel.whole;
    const span = Math.max(1, last - first);
    const x = (at) => (at - first) / span * width;
    context.fillStyle = Style.colour("faint");
    context.fillRect(0, 0, width, height);
    const middle = Math.round(height * 0.36);
    const lanes = run.threads;
    for (let column = 0; column < width; column++) {
      const [from, to] = [first + span * column / width, first + span * (column + 1) / width];
      const spent = lanes.reduce((sum, lane) => lane.spent(from, to).map((ns, n) => ns + sum[n]), [0, 0, 0, 0]);
      let y = middle;
      KINDS.forEach((kind, n) => {
        const high = spent[n] / ((to - from) * Math.max(1, lanes.length)) * (height - middle);
        context.fillStyle = Style.colour(kind);
        context.fillRect(column, y, 1, high);
        y += high;
      });
    }
    context.fillStyle = Style.colour("exchange");
    for (const at of reel.play.answers) context.fillRect(Math.round(x(at) - ratio), 0, 2 * ratio, middle);
  }

  return {start, draw, marks};
})();
