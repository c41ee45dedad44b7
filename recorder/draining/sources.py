"""Where calls were made, and the program's text around it.

Owns what a note of a site becomes. Knows the writer, not the tape.
"""

from __future__ import annotations

import hashlib
import linecache
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...traces.writer import RunWriter
    from .process import Process

_LARGEST_SOURCE = 4_000_000


def write_site(writer: RunWriter, process: Process, number: int, file: str, line: str, function: str, text: str) -> None:
    """Write the row of a site, and once the text of its file (given where that is no file)."""
    if not text:
        text = read_source(file)
    lines = text.splitlines()
    at = int(line) - 1
    code = lines[at].strip() if 0 <= at < len(lines) else None
    writer.insert("sites", id=process.bases.site + number, file=file, line=int(line), function=function, code=code)
    if text and file not in process.sites_of_files:
        process.sites_of_files.add(file)
        writer.source(file, hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest(), text)


def read_source(file: str) -> str:
    """Return a program's text as Python reads it, or "" where it is none."""
    try:
        found = os.stat(file)
        # A program may call its text as it likes: a pipe, or /dev/zero.
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST_SOURCE:
            return ""
    except OSError:
        return ""
    linecache.checkcache(file)
    return "".join(linecache.getlines(file))
