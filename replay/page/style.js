"use strict";
// Colours and patterns of the canvas, for light and dark. The palette is Okabe and Ito's, told apart by the colour-blind; patterns
// say the same again without any colour.

const Style = (() => {
  const LIGHT = {paper: "#ffffff", line: "#d9dce1", faint: "#f3f4f6", ink: "#1c2128", soft: "#57606a", blocked: "#56b4e9", fruitless: "#e69f00",
    moved: "#009e73", other: "#a0a6ad", exchange: "#cc79a7", failed: "#d55e00", copy: "#003a5c", pick: "#111111", life: "#eceff3", ruler: "#6639ba", queue: "#0072b2"};
  const DARK = {...LIGHT, paper: "#12161c", line: "#333b46", faint: "#191f27", ink: "#e6edf3", soft: "#9aa5b1", other: "#768390", copy: "#e8f6ff",
    pick: "#ffffff", life: "#1f2731", ruler: "#b392f0", queue: "#3e95cd"};
  let dark = false;
  let patterns = {};

  /** Return the colour of something. */
  const colour = (name) => (dark ? DARK : LIGHT)[name];

  function tile(size, draw) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = size;
    const context = canvas.getContext("2d");
    context.strokeStyle = context.fillStyle = "rgba(0, 0, 0, 0.30)";
    context.lineWidth = 1;
    draw(context);
    return canvas;
  }

  const TILES = {
    blocked: () => tile(8, (on) => { on.beginPath(); on.moveTo(-2, 10); on.lineTo(10, -2); on.moveTo(-2, 2); on.lineTo(2, -2); on.moveTo(6, 10); on.lineTo(10, 6); on.stroke(); }),
    fruitless: () => tile(5, (on) => { on.fillRect(1, 1, 1.5, 1.5); }),
    other: () => tile(4, (on) => { on.beginPath(); on.moveTo(0, 2); on.lineTo(4, 2); on.stroke(); }),
  };

  /** Return the pattern that lies over a class, or null. */
  function pattern(context, name) {
    if (!TILES[name]) return null;
    patterns[name] ??= context.createPattern(TILES[name](), "repeat");
    return patterns[name];
  }

  /** Take light or dark. */
  function wear(isDark) {
    dark = isDark;
    patterns = {};
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  }

  return {colour, pattern, wear, isDark: () => dark};
})();
