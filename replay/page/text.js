"use strict";
// Bytes and texts that strangers sent, made visible. Nothing of them is ever markup: all goes through text nodes, and what would
// drive a terminal, turn the line around or be seen as nothing is shown as its number.

const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udfff]/g;

/** Return what stands for a character that is not to be seen. */
function escapeOf(character) {
  const names = {"\n": "\\n", "\r": "\\r", "\t": "\\t"};
  const code = character.codePointAt(0);
  return names[character] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`);
}

/** Return a text of one line with nothing in it that acts. */
function visibleText(text) { return String(text ?? "").replace(UNSEEN, escapeOf); }

const Bytes = (() => {
  const PIECE = 16384;

  /** Return bytes as UTF-8 where they are, and \xNN where not: a list of [text, whether it stands for something unseen]. */
  function pieces(bytes) {
    const list = [];
    const add = (text, unseen) => {
      const last = list[list.length - 1];
      if (last && last[1] === unseen) last[0] += text;
      else list.push([text, unseen]);
    };
    const decoder = new TextDecoder("utf-8", {fatal: true});
    let at = 0;
    while (at < bytes.length) {
      const size = bytes[at] < 0x80 ? 1 : bytes[at] >= 0xf0 ? 4 : bytes[at] >= 0xe0 ? 3 : bytes[at] >= 0xc0 ? 2 : 1;
      let character = null;
      if (bytes[at] < 0x80) character = String.fromCharCode(bytes[at]);
      else if (size > 1) try { character = decoder.decode(bytes.subarray(at, at + size)); } catch { character = null; }
      if (character === null || character === "") {
        add(`\\x${bytes[at].toString(16).padStart(2, "0")}`, true);
        at += 1;
        continue;
      }
      UNSEEN.lastIndex = 0;
      const unseen = UNSEEN.test(character);
      add(unseen ? escapeOf(character) + (character === "\n" ? "\n" : "") : character, unseen);
      at += size;
    }
    return list;
  }

  function fillText(element, bytes) {
    for (const [text, unseen] of pieces(bytes)) {
      if (!unseen) element.append(document.createTextNode(text));
      else {
        const mark = document.createElement("span");
        mark.className = "unseen";
        mark.textContent = text;
        element.append(mark);
      }
    }
  }

  function fillHex(element, bytes, from) {
    const lines = [];
    for (let at = 0; at < bytes.length; at += 16) {
      const row = [...bytes.subarray(at, at + 16)];
      const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ").padEnd(47);
      lines.push(`${(from + at).toString(16).padStart(6, "0")}  ${hex}  ${row.map((byte) => byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·").join("")}`);
    }
    element.append(document.createTextNode(`${lines.join("\n")}\n`));
  }

  /** Return an element that shows bytes as text or in hexadecimal, a piece at a time. */
  function show(bytes, asHex) {
    const holder = document.createElement("div");
    const text = document.createElement("pre");
    text.className = "bytes";
    text.tabIndex = 0;
    text.dir = "ltr";
    text.setAttribute("aria-label", Words.say("payload"));
    holder.append(text);
    let at = 0;
    const more = document.createElement("button");
    const go = () => {
      const end = Math.min(bytes.length, at + PIECE);
      (asHex ? (part) => fillHex(text, part, at) : (part) => fillText(text, part))(bytes.subarray(at, end));
      at = end;
      more.textContent = `${Words.say("show_more")} (${Format.count(bytes.length - at)})`;
      if (at >= bytes.length) more.remove();
    };
    more.type = "button";
    more.addEventListener("click", go);
    holder.append(more);
    go();
    return holder;
  }

  return {show, pieces};
})();
