"""Write what commands print into the pages that quote them: the lesson, in both languages.

    python tools/excerpts.py            # docs/lesson.md and docs/lesson.zh.md
    python tools/excerpts.py --check    # say whether they are as they would be written

A page quotes a command in a block that begins with `$ sockreel ...`. A comment before the block, `<!-- lines: REGEX -->`, says which
lines of its output are kept; what is left out between them becomes one line with an ellipsis.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = [DOCS / "lesson.md", DOCS / "lesson.zh.md"]
COLUMNS = 96
_BLOCK = re.compile(r"(<!-- lines: (?P<wanted>.*?) -->\n)?```console\n\$ (?P<command>sockreel .*)\n(?P<shown>(?:.*\n)*?)```\n")


@cache
def output_of(command: str) -> str:
    """Return what a command line prints, redirected, at a width of COLUMNS."""
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "PYTHONIOENCODING": "utf-8"}
    environment.pop("FORCE_COLOR", None)
    done = subprocess.run([sys.executable, "-m", *shlex.split(command)], env=environment, capture_output=True, check=True)
    return done.stdout.decode("utf-8")


def excerpt(output: str, wanted: str | None) -> str:
    """Return the lines of an output that a regular expression finds; all of them for None."""
    kept: list[str] = []
    left_out = False
    for line in output.splitlines():
        if wanted is None or re.search(wanted, line):
            kept += ["…"] if left_out and kept else []
            kept.append(line.rstrip())
            left_out = False
        else:
            left_out = True
    return "".join(f"{line}\n" for line in kept)


def refreshed(page: str, output_of: Callable[[str], str]) -> str:
    """Return a page with its blocks as the commands print them now.

    Args:
        output_of: tells what a command line prints at a width of COLUMNS.
    """

    def block(found: re.Match[str]) -> str:
        shown = excerpt(output_of(found["command"]), found["wanted"])
        return f"{found[1] or ''}```console\n$ {found['command']}\n{shown}```\n"

    return _BLOCK.sub(block, page)


def main(arguments: list[str]) -> int:
    """Refresh the pages, or look at them."""
    stale = 0
    for path in PAGES:
        page = path.read_text(encoding="utf-8")
        fresh = refreshed(page, output_of)
        if fresh != page:
            stale += 1
            print(f"docs/{path.name} {'quotes what is not printed any more: make pictures' if '--check' in arguments else 'is new'}")
        if "--check" not in arguments:
            path.write_text(fresh, encoding="utf-8")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
