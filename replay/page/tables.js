"use strict";
// The tables below the timeline: what is in view, the runs, the comparison. They say in numbers what the canvas shows in colours.

const Tables = (() => {
  const {make} = Details;
  const cell = (text, attributes = {}) => make("td", attributes, text);

  function table(caption, heads, rows) {
    const holder = make("div", {class: "scrolled", tabindex: "0", role: "region", "aria-label": visibleText(caption)});
    const element = make("table", {}, make("caption", {}, visibleText(caption)));
    element.append(make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", {scope: "col"}, head)))));
    element.append(make("tbody", {}, ...rows.map(([first, ...rest]) =>
      make("tr", {}, make("th", {scope: "row"}, visibleText(first)), ...rest.map((value) => value instanceof Node ? value : cell(visibleText(value)))))));
    holder.append(element);
    return holder;
  }

  /** Show the time per lane and class of what is in view. */
  function view() {
    const holder = document.getElementById("view-table");
    const heads = [Words.say("lane"), Words.say("calls"), ...KINDS.map((kind) => Words.say(kind)), Words.say("outside")];
    const rows = [];
    for (const run of State.runs) {
      if (!run.columns) continue;
      const [from, to] = [State.from + State.offset(run), State.to + State.offset(run)];
      for (const lane of run.threads) {
        const spent = lane.spent(from, to, State.filter);
        const calls = lane.begun(from, to, State.filter).reduce((sum, one) => sum + one, 0);
        const outside = Math.max(0, to - from - spent.reduce((sum, one) => sum + one, 0));
        rows.push([State.runs.length > 1 ? `${run.name} · ${lane.name}` : lane.name, Format.count(calls),
          ...[...spent, outside].map((ns) => `${Format.percent(ns / (to - from))} · ${Format.duration(ns)}`)]);
      }
    }
    holder.replaceChildren(table(`${Words.say("summary")} · ${rangeWords()}`, heads, rows.slice(0, 200)), ...buffers());
  }

  /** Return a table of what lay in the kernel's buffers in view; none where nothing is known of them. */
  function buffers() {
    const rows = [];
    for (const run of State.runs) {
      const [from, to] = [State.from + State.offset(run), State.to + State.offset(run)];
      for (const buffer of run.buffers) {
        const found = buffer.within(from, to);
        if (!found) continue;
        rows.push([State.runs.length > 1 ? `${run.name} · ${buffer.name}` : buffer.name, Format.size(found.most), Format.size(found.mean),
          Format.size(buffer.level(to) ?? 0), Words.say(buffer.source)]);
      }
    }
    const heads = [Words.say("socket"), ...["buffer_most", "buffer_mean", "buffer_end", "known_from"].map((word) => Words.say(word))];
    return rows.length ? [table(`${Words.say("buffers")} · ${rangeWords()}`, heads, rows.slice(0, 200))] : [];
  }

  /** Say in words how much time is in view. */
  function rangeWords() {
    return Words.say("range", Format.duration(State.to - State.from), Format.moment(State.from, (State.to - State.from) / 1e3));
  }

  /** Show what is known of each run as a whole, and the comparison. */
  function whole() {
    const holder = document.getElementById("whole");
    holder.replaceChildren();
    const heads = [Words.say("run"), Words.say("program"), Words.say("model"), Words.say("calls"), ...KINDS.map((kind) => Words.say(kind)), Words.say("cpu"), Words.say("ended")];
    holder.append(table(Words.say("runs_table"), heads, State.runs.map(({name, known: {facts}}) => [
      name, facts.command, facts.model ?? "–", Format.count(facts.calls) + (facts.lost ? ` (${Words.say("lost")}: ${Format.count(facts.lost)})` : ""),
      ...facts.kind_ns.map((ns, kind) => `${Format.duration(ns)} · ${Format.count(facts.kind_calls[kind])}`),
      facts.cpu_ns === null ? "–" : Format.duration(facts.cpu_ns), Words.own(facts.ended)])));
    for (const {name, known} of State.runs) {
      if (!known.facts.blind_spots.length) continue;
      holder.append(make("h3", {}, `${Words.say("blind")} · ${visibleText(name)}`),
        make("ul", {}, ...known.facts.blind_spots.map((said) => make("li", {}, visibleText(Words.own(said))))));
    }
    if (State.runs.length > 1) compared(holder, State.doc.comparison);
  }

  /** Return a share of a run's time in words, over a bar of that length. */
  function bar(ns, whole, kind) {
    const filled = make("span", {class: `bar-fill ${kind}`});
    filled.style.width = `${whole ? Math.min(100, 100 * (ns ?? 0) / whole) : 0}%`;
    return make("td", {}, ns === null ? "–" : `${Format.percent(whole ? ns / whole : NaN)} · ${Format.duration(ns)}`, make("span", {class: "bar-box", "aria-hidden": "true"}, filled));
  }

  function phases(comparison) {
    const rows = {asleep: "blocked", polling: "fruitless", both: "blocked", copying: "moved", by_kernel: "moved", elsewhere: "other"};
    return table(Words.say("phases"), [Words.say("share"), ...comparison.titles.map(visibleText)], Object.entries(rows)
      .filter(([row]) => comparison.phases.some((one) => one[row]))
      .map(([row, kind]) => [Words.say(row), ...comparison.phases.map((one) => bar(one[row], one.threads, kind))]));
  }

  function compared(holder, comparison) {
    holder.append(phases(comparison));
    holder.append(table(Words.say("comparison"), ["", ...comparison.titles.map(visibleText)], comparison.figures.map((figure) =>
      [(Words.say("figure_names") ?? {})[figure.key] ?? figure.name, ...figure.values.map((value) => Format.figure(value, figure.unit))])));
    if (comparison.latencies.length) {
      holder.append(table(Words.say("latencies"), [Words.say("clients"), ...comparison.titles.map(visibleText)], comparison.latencies.map(({client, runs}) =>
        [client, ...runs.map((one) => one.median_ns === null ? `0 / ${one.asked}`
          : `${one.answers} / ${one.asked} · ${Words.say("median")} ${Format.duration(one.median_ns)} · ${Words.say("worst")} ${Format.duration(one.max_ns)}`)])));
    }
    holder.append(make("ul", {class: "sentences"}, ...Words.own(comparison.sentences).map((sentence) => make("li", {}, visibleText(sentence)))));
  }

  return {view, whole, rangeWords};
})();
