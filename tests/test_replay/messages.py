"""The messages that stand in the code, found by reading it: first arguments of say, count and message.

Owns how they are found. Used by the test of the catalogues.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

REPLAY = Path(__file__).resolve().parent.parent.parent / "replay"


def messages_in_code() -> dict[str, str | None]:
    """Return every message in English, and its plural where it has one."""
    found: dict[str, str | None] = {}
    for path in sorted(REPLAY.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                found.update(_of_call(node))
    return found


def _of_call(node: ast.Call) -> Iterator[tuple[str, str | None]]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
    if name in ("say", "message"):
        yield from ((text, None) for text in _texts(node.args[0]))
    elif name == "count" and len(node.args) == 3:
        (one,), (many,) = _texts(node.args[0]), _texts(node.args[1])
        yield one, many


def _texts(node: ast.expr) -> list[str]:
    """Return the texts that an argument may be: a constant, or either side of a choice."""
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body), *_texts(node.orelse)]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []
