"""A trace that somebody changed by hand, to everything that reads one: an answer or one clear line, and nothing raw on the screen.

The commands of test_broken_files.py are asked there; here are those that draw, tell, export, play and serve.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sockreel.commands._formats import FORMATS
from sockreel.errors import SockreelError
from sockreel.replay.language import language
from sockreel.replay.page.serving import NoSuchPage, PageServer
from sockreel.replay.player.deck import Reel
from sockreel.replay.player.state import Play
from sockreel.replay.reading import Reader
from sockreel.tests.commandline import CommandLine
from sockreel.traces import open_trace

ODD = (None, "", "x", "\x1b[31m\nX\x07", "\u202egnp.exe", "</script><script>", "[[]]", '{"99999999": 7}', "[" * 3000, "a#b/c d",
       "[::1]:99999", -1, 0, 7, 2**53, 2**62, 2**63 - 1, -(2**63), 1e300, -0.5, float("inf"), b"\xff\x00", "9" * 400)  # fmt: skip
# Drawing pixels takes longer than all the rest, and draws the same picture as svg.
DRAWN = [name for name in FORMATS if name not in ("png", "gif", "apng", "webp")]
ASKED: dict[str, tuple[str, ...]] = {
    "explain": (), "explain as JSON": ("--json",), "figure": (), "figure in Chinese": ("--lang", "zh"), "figure as SVG": ("--svg", "-"),
    "tell": (), "tell as JSON": ("--json",), "packets": (), "show": ("--calls",), "show as JSON": ("--json",), "stats": ("--phases",),
    "compare": ("--align", "clock"), "check": (), "recover": (),
    **{f"export {name}": ("--format", name, "-o") for name in DRAWN},
}  # fmt: skip
ON_SCREEN = [name for name in ASKED if not name.startswith(("export", "figure as"))]
CONTROLS = {chr(code) for code in (*range(10), *range(11, 32), *range(127, 160), 0x200F, 0x202D, 0x202E, 0x2066, 0x2067)}
ADDRESSES: tuple[tuple[str, dict[str, str]], ...] = (
    ("/document", {}), ("/window", {"run": "0", "from": "0", "to": "2000000000", "columns": "400"}), ("/call", {"id": "2"}),
    ("/find", {"text": "r"}), ("/film", {"at": "5"}),
)  # fmt: skip


def _mutate(path: Path, table: str, column: str, value: object, one: bool) -> None:
    connection = sqlite3.connect(path)
    try:
        if value is None:
            # NULL where none should be: SQLite enforces what the file says, and the file is not ours.
            connection.execute("PRAGMA writable_schema=1")
            connection.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE name = ?", [table])
            connection.commit()
            connection.close()
            connection = sqlite3.connect(path)
        few = f"WHERE {column} IN (SELECT {column} FROM {table} LIMIT 1)" if one else ""
        connection.execute(f"UPDATE OR IGNORE {table} SET {column} = ? {few}", [value])
        connection.commit()
    except sqlite3.DatabaseError:
        pass  # what SQLite itself refuses needs no reader to be careful
    finally:
        connection.close()


def _columns(path: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(path)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    filled = [table for table in tables if connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]]
    columns = [(table, row[1]) for table in filled for row in connection.execute(f"PRAGMA table_info({table})")]
    connection.close()
    return columns


def _draw_column(path: Path, data: st.DataObject) -> None:
    table, column = data.draw(st.sampled_from(_columns(path)), label="column")
    value, one = data.draw(st.sampled_from(ODD), label="value"), data.draw(st.booleans(), label="one")
    _mutate(path, table, column, value, one)


fast = settings(max_examples=40)


@fast
@given(data=st.data())
def test_what_nobody_could_have_recorded_is_drawn_told_and_exported_or_refused_in_one_line(
    tmp_path: Path, lab: Path, sockreel: CommandLine, data: st.DataObject
) -> None:
    odd = tmp_path / "odd.db"
    shutil.copyfile(lab, odd)
    _draw_column(odd, data)
    name = data.draw(st.sampled_from(list(ASKED)), label="asked")
    options = (*ASKED[name], str(tmp_path / "out"), "--force") if name.startswith("export") else ASKED[name]
    said = sockreel(name.partition(" ")[0], odd, *options)
    assert said.status in (0, 1)
    assert said.err.count("\n") <= 2  # one that a run waits to be recovered, one of the failure
    assert said.status == 0 or said.err or name == "check"
    assert not CONTROLS & set(said.err)
    if name in ON_SCREEN:
        assert not CONTROLS & set(said.out)


def _play(path: Path) -> None:
    with open_trace(path) as trace:
        play = Play(Reader(trace, trace.find_run("blocking")), language("en"))
        Reel(play, "blocking")
        for position in range(0, len(play.line), 7):
            play.state(play.line.at_call(position))


def _serve(address: str, asked: dict[str, str]) -> Callable[[Path], None]:
    def served(path: Path) -> None:
        with PageServer(path, lambda trace: trace.runs()) as server:
            server.answer(address, asked)

    return served


@settings(fast, max_examples=12)
@given(data=st.data())
@pytest.mark.parametrize("look", [_play, *(_serve(address, asked) for address, asked in ADDRESSES)])
def test_the_player_and_the_page_know_one_way_only_to_fail(
    look: Callable[[Path], None], tmp_path: Path, lab: Path, data: st.DataObject
) -> None:
    odd = tmp_path / "odd.db"
    shutil.copyfile(lab, odd)
    _draw_column(odd, data)
    try:
        look(odd)
    except (SockreelError, NoSuchPage) as error:
        assert str(error).isprintable()


@pytest.mark.parametrize("name", [name for name in ASKED if name.startswith("export")])
def test_a_call_that_moved_more_than_there_is_fills_neither_memory_nor_disk(
    name: str, lab: Path, tmp_path: Path, sockreel: CommandLine
) -> None:
    large = tmp_path / "large.db"
    shutil.copyfile(lab, large)
    _mutate(large, "calls", "result", 2**62, one=False)
    said = sockreel("export", large, *ASKED[name], tmp_path / "out", "--force")
    assert said.status in (0, 1)
    assert said.err.count("\n") == 1
    assert not (tmp_path / "out").exists() or (tmp_path / "out").stat().st_size < 3_000_000
