"""The languages in which a run is told: English stands in the code, others in gettext catalogues (translations/*.po).

Owns the catalogues and how a message is found in one. Knows nothing of what is told.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources

from rich.cells import cell_len, get_character_cell_size

ENGLISH = "en"
LANGUAGES = (ENGLISH, "zh")
_LINE = re.compile(r'(?:(msgid|msgid_plural|msgstr(?:\[\d\])?)\s+)?(".*")$')
_NEVER_FIRST = frozenset("，。：；、！？）」…,.:;)")
_NEVER_LAST = frozenset("（「")


@dataclass(frozen=True)
class Language:
    """One language: messages by their English text. What a catalogue does not have is said in English."""

    code: str
    messages: Mapping[str, str] = field(default_factory=dict)

    def say(self, message: str, **values: object) -> str:
        """Return a message with its {places} filled."""
        return self.messages.get(message, message).format(**values)

    def count(self, one: str, many: str, n: int, **values: object) -> str:
        """Return a message about `n` things; {n} is the number with thousands set apart."""
        return self.forms(one, many)[n != 1].format(n=f"{n:,}", **values)

    def forms(self, one: str, many: str) -> tuple[str, str]:
        """Return a message about one thing and about several, {places} as they are: a catalogue has one form for both."""
        found = self.messages.get(one)
        return (found, found) if found else (one, many)


_SPOKEN: ContextVar[Language] = ContextVar("sockreel_spoken", default=Language(ENGLISH))  # noqa: B039 - frozen


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Let `say` and `count` speak a language, as gettext does: what words a page is made of is no part of its drawing.

    Raises:
        KeyError: there is none of that code.
    """
    before = _SPOKEN.set(language(code))
    try:
        yield
    finally:
        _SPOKEN.reset(before)


def message(text: str) -> str:
    """Mark a text as one that catalogues hold, and return it as it is."""
    return text


def spoken_code() -> str:
    """Return the code of the language that is spoken now."""
    return _SPOKEN.get().code


def say(message: str, **values: object) -> str:
    """Return a message in the language that is spoken now, its {places} filled."""
    return _SPOKEN.get().say(message, **values)


def count(one: str, many: str, n: int, **values: object) -> str:
    """Return a message about `n` things in the language that is spoken now."""
    return _SPOKEN.get().count(one, many, n, **values)


@lru_cache(maxsize=8)
def language(code: str) -> Language:
    """Return a language by its code.

    Raises:
        KeyError: there is none.
    """
    if code not in LANGUAGES:
        raise KeyError(code)
    if code == ENGLISH:
        return Language(ENGLISH)
    entries = (entry for text in catalogues(code) for entry in read_catalogue(text))
    return Language(code, {entry["msgid"]: entry.get("msgstr") or entry["msgstr[0]"] for entry in entries if entry["msgid"]})


def catalogues(code: str) -> list[str]:
    """Return the texts of a language's catalogues: CODE.po, and CODE-SUBJECT.po of what has one of its own."""
    files = (resources.files(__package__) / "translations").iterdir()
    names = {file.name: file for file in files if file.name.startswith((f"{code}.", f"{code}-")) and file.name.endswith(".po")}
    return [names[name].read_text(encoding="utf-8") for name in sorted(names)]


def read_catalogue(text: str) -> list[dict[str, str]]:
    """Return the entries of a .po file: msgid, msgid_plural, msgstr or msgstr[n] of each.

    Comments are passed over, texts over several lines are joined (GNU gettext manual, "The Format of PO Files").
    """
    entries: list[dict[str, str]] = []
    key = ""
    for line in text.splitlines():
        found = _LINE.match(line.strip())
        if found is None:
            continue
        key = found.group(1) or key
        if found.group(1) == "msgid":
            entries.append({})
        entries[-1][key] = entries[-1].get(key, "") + str(ast.literal_eval(found.group(2)))
    return entries


def usual_language(environment: Mapping[str, str] = os.environ) -> str:
    """Return the code of the user's language, as far as we speak it: by LC_ALL, LC_MESSAGES, LANG."""
    told = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "zh" if told.lower().startswith("zh") else ENGLISH


def wrapped(text: str, width: int) -> list[str]:
    """Return a text in lines of at most so many columns, broken at blanks and beside wide characters; no line begins with a full stop."""
    lines, line = [], ""
    for piece in _pieces(text):
        if cell_len(line) + cell_len(piece.rstrip()) <= width:
            line += piece
            continue
        if line.strip():
            lines.append(line.rstrip())
        line = piece.lstrip()
        while cell_len(line) > width:
            cut = _columns(line, width)
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _columns(text: str, width: int) -> int:
    """Return how many characters fit in so many columns, at least one."""
    used = 0
    for at, character in enumerate(text):
        used += get_character_cell_size(character)
        if used > width:
            return max(1, at)
    return len(text)


def _pieces(text: str) -> list[str]:
    """Return the parts of a text that stay together."""
    pieces = [""]
    for character in text:
        wide = get_character_cell_size(character) == 2
        last = pieces[-1][-1:]
        breaks = last == " " or (wide or (last and get_character_cell_size(last) == 2))
        if breaks and character not in _NEVER_FIRST and character != " " and last not in _NEVER_LAST:
            pieces.append("")
        pieces[-1] += character
    return pieces
