"""Make a finished trace small and neutral, so that it can be given to others: what `make samples` does to each.

Owns what is taken out, and that nothing measured is touched: names of folders and of the machine, the recorder's own
bookkeeping, and of stretches whose calls were folded the finest level of detail. Knows nothing of how it was recorded.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from .store import translated_errors

_PAGE_BYTES = 1024
"""A trace has some forty tables and indexes, of which most hold a few rows: SQLite gives each a page."""
_BOOKKEEPING = ("output", "tape", "tapes", "tape_key", "recorder")
"""Settings that serve to finish a trace whose recorder died."""

# In a stretch that was folded, 8 ms are fine enough: what a picture draws below is spread evenly over them.
_COARSEN = """
DELETE FROM levels WHERE level = 0 AND class = 'fruitless' AND thread_id IN (SELECT thread_id FROM folds)
"""


def make_shippable(path: Path, folder: Path) -> None:
    """Rewrite a finished trace in place.

    Args:
        path: the trace; nobody may have it open.
        folder: where the recorded scripts were: names of files lose it.

    Raises:
        TraceError: it cannot be read or written.
    """
    with translated_errors(path), closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=DELETE")
        database.execute("BEGIN")
        for id_, settings in database.execute("SELECT id, settings FROM runs").fetchall():
            kept = {name: value for name, value in json.loads(settings).items() if name not in _BOOKKEEPING}
            database.execute("UPDATE runs SET settings = ?, directory = NULL, host = NULL WHERE id = ?", (json.dumps(kept), id_))
        for table, column in (("sites", "file"), ("sources", "file"), ("runs", "command"), ("processes", "command")):
            for begins in (folder, folder.resolve()):
                database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, '')", (f"{begins}/",))
        database.execute(_COARSEN)
        database.execute("COMMIT")
        database.execute(f"PRAGMA page_size={_PAGE_BYTES}")
        database.execute("VACUUM")
