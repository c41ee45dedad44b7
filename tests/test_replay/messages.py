"""The messages that stand in the code, found by reading it: first arguments of say, count and message.

Owns how they are found. Used by the test of the catalogues.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from sockreel.replay.diagnosis import RULES
from sockreel.replay.diagnosis.rules import looks_for

ROOT = Path(__file__).resolve().parent.parent.parent


def messages_in_code() -> dict[str, str | None]:
    """Return every message in English, and its plural where it has one."""
    found: dict[str, str | None] = {}
    for path in sorted([*(ROOT / "replay").rglob("*.py"), *(ROOT / "commands").glob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                found.update(_of_call(node))
    return found | {looks_for(name): None for name in RULES}


def _of_call(node: ast.Call) -> Iterator[tuple[str, str | None]]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
    if name in ("say", "message"):
        yield from ((text, None) for text in _texts(node.args[0]))
    elif name == "map" and isinstance(node.args[0], ast.Name) and node.args[0].id == "message":
        yield from ((text, None) for value in getattr(node.args[1], "elts", ()) for text in _texts(value))
    elif name == "counted" and len(node.args) == 2:
        yield from (_counted(noun) for noun in _texts(node.args[1]))
    elif name == "count" and len(node.args) >= 3:
        yield from zip(_texts(node.args[0]), _texts(node.args[1]), strict=True)


def _counted(noun: str) -> tuple[str, str]:
    """Return what `words.counted` makes of a noun."""
    return f"{{n}} {noun}", f"{{n}} {noun}{'es' if noun.endswith(('s', 'ch', 'sh', 'x')) else 's'}"


def _texts(node: ast.expr) -> list[str]:
    """Return the texts that an argument may be: a constant, or either side of a choice."""
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body), *_texts(node.orelse)]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []
