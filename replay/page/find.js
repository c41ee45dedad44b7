"use strict";
// Search and filter. Owns which calls are meant, the list of them, and the step from one to the next.

const Find = (() => {
  const LISTED = 100;
  const FIELDS = ["operation", "outcome", "socket", "kind"];
  let matches = [];
  let at = -1;
  let fetchMatches = null;

  const field = (name) => document.getElementById(`find-${name}`);

  /** Offer what there is to choose from. @param remote: asks the server for matches, or null. */
  function start(remote) {
    fetchMatches = remote;
    offer();
    let waiting = null;
    field("text").addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(take, 150);
    });
    field("text").addEventListener("keydown", async (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      clearTimeout(waiting);
      if (field("text").value.trim() !== (State.filter?.text ?? "")) await take();
      step(event.shiftKey ? -1 : 1);
    });
    for (const name of FIELDS) field(name).addEventListener("change", take);
    document.getElementById("find-clear").addEventListener("click", clear);
    document.getElementById("find-next").addEventListener("click", () => step(1));
    document.getElementById("find-previous").addEventListener("click", () => step(-1));
  }

  /** Fill the choices with the words of the runs. */
  function offer() {
    const words = {operation: new Set(), outcome: new Set(), socket: new Set(), kind: new Set(KINDS)};
    for (const run of State.runs) {
      for (const count of run.known.counts) {
        words.operation.add(count.operation);
        words.outcome.add(count.outcome ?? "unfinished");
      }
      for (const socket of run.known.sockets) if (!socket.internal) words.socket.add(socket.name);
    }
    for (const name of FIELDS) {
      const select = field(name);
      const before = select.value;
      const values = [...words[name]];
      if (name !== "kind") values.sort();
      select.replaceChildren(new Option(Words.say("any"), ""), ...values.slice(0, 2000).map((value) =>
        new Option(name === "kind" ? Words.say(value) : visibleText(value), value)));
      select.value = before;
    }
  }

  function choices() {
    const found = {text: field("text").value};
    for (const name of FIELDS) found[name] = field(name).value;
    return found;
  }

  /** Take what the fields say. */
  async function take() {
    const filter = new Filter(choices());
    State.filter = filter.empty ? null : filter;
    at = -1;
    State.changed();
    await refresh();
  }

  /** Look for the matches anew. */
  async function refresh() {
    matches = [];
    if (State.filter && fetchMatches) {
      const filter = State.filter;
      const found = await fetchMatches(filter);
      if (filter !== State.filter) return;
      matches = found;
    } else if (State.filter) {
      for (const run of State.runs) {
        if (!run.columns) continue;
        for (let call = 0; call < run.starts.length; call++) if (State.filter.passes(run, call)) matches.push([run, run.columns.id[call]]);
      }
    }
    say();
  }

  /** Put words from an address into the fields. */
  function set(found) {
    field("text").value = found.q ?? "";
    for (const name of FIELDS) field(name).value = found[name] ?? "";
    take();
  }

  function clear() {
    set({});
    field("text").focus();
  }

  async function step(by) {
    if (!matches.length) return;
    at = (at + by + matches.length) % matches.length;
    await go(matches[at]);
    say();
  }

  async function go([run, id]) {
    const index = await Remote.ensure(run, id);
    if (index >= 0) State.select(run, index, true);
  }

  function say() {
    const {make} = Details;
    document.getElementById("found").textContent = !State.filter ? "" : !matches.length ? Words.say("no_match")
      : Words.say("matches", Format.count(matches.length)) + (at >= 0 ? ` · ${Words.say("match_at", at + 1, Format.count(matches.length))}` : "");
    const list = document.getElementById("found-list");
    list.replaceChildren(...matches.slice(0, LISTED).filter(([run, id]) => run.find(id) >= 0).map((match) => {
      const call = match[0].call(match[0].find(match[1]));
      return make("li", {}, make("button", {type: "button", class: "link", onclick: () => go(match)},
        visibleText(`#${call.id} ${Details.title(call)} ${call.outcome ?? "unfinished"} ${Format.moment(call.started)}`)));
    }));
    document.getElementById("found-box").hidden = !matches.length;
    document.getElementById("found-more").textContent = matches.length > LISTED ? Words.say("more_matches", LISTED) : "";
  }

  return {start, offer, take, set, step, say, refresh, field};
})();
