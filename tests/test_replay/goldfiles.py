"""Compares rendered text with a file kept beside the tests. How to accept a new one: README.md here."""

from __future__ import annotations

import os
from pathlib import Path

GOLD = Path(__file__).parent / "gold"


def assert_like_gold(name: str, text: str) -> None:
    """Compare a text with gold/NAME; on mismatch save it beside as NAME.new and fail."""
    wanted = GOLD / name
    if os.environ.get("ACCEPT_GOLD"):
        wanted.write_text(text, encoding="utf-8")
    new = GOLD / f"{name}.new"
    found = wanted.read_text(encoding="utf-8") if wanted.exists() else None
    if text != found:
        new.write_text(text, encoding="utf-8")
        raise AssertionError(f"{name} differs from what was accepted: compare it with {new.name} beside it (tests/test_replay/README.md)")
    new.unlink(missing_ok=True)
