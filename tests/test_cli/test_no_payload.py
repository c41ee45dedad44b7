"""`--no-payload`: whatever draws, lists or exports a run can leave out what was said, wholly."""

from __future__ import annotations

import base64
import re
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import click
import pytest
from sockreel.cli import COMMANDS, front_door
from sockreel.commands._formats import FORMATS
from sockreel.recorder.capture.making import make_tcp
from sockreel.tests.commandline import CommandLine
from sockreel.tests.synthetic import MS, Recording
from sockreel.tests.test_replay.test_player import Screen, perform

ASKED, ANSWERED = b"open-sesame", b"forty-thieves"


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of a server that is asked and answers; both in calls and in packets."""
    path = tmp_path_factory.mktemp("said") / "t.db"
    with Recording(path) as recording:
        for label in ("one", "two"):
            run = recording.run(label)
            thread, listener = run.thread(), run.socket(3, "listener", local="127.0.0.1:8000")
            ada = run.socket(4, peer="127.0.0.1:50001", local="127.0.0.1:8000", parent_id=listener, opened_ns=MS)
            run.call(thread, "accept", listener, at_ns=MS, result=ada)
            first = run.call(thread, "recv", ada, at_ns=2 * MS, asked=100, payload=ASKED, ready_ns=2 * MS, ready_source="packet")
            run.call(thread, "sendall", ada, at_ns=3 * MS, asked=len(ANSWERED), payload=ANSWERED)
            run.exchange("ada", 1, ada, local_port=50001, connected_ns=MS, sent_ns=MS, answered_ns=4 * MS, sent_bytes=len(ASKED),
                         answered_bytes=len(ANSWERED), first_call_id=first)
            run.finish(5 * MS)
    client, server = bytes((127, 0, 0, 1, 0xC3, 0x51)), bytes((127, 0, 0, 1, 0x1F, 0x40))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE runs SET packets_captured = 1, packets_lost = 0")
        connection.executemany(
            "INSERT INTO packets (run_id, at_ns, source, destination, seq, flags, payload_bytes, socket_id, frame) VALUES "
            "(?, 2000000, '127.0.0.1:50001', '127.0.0.1:8000', 7, 'PA', ?, ?, ?)",
            [(run, len(ASKED), 2 * run, make_tcp(client, server, 7, 9, 24, ASKED, len(ASKED))[0]) for run in (1, 2)])
    return path


def said_in(data: bytes) -> bool:
    """Whether anything that was said stands in some bytes: plainly, in hexadecimal, or packed as pages have it."""
    packed = [zlib.decompressobj().decompress(base64.b64decode(text)) for text in re.findall(rb"[A-Za-z0-9+/]{60,}={0,2}", data)
              if len(text) % 4 == 0 and base64.b64decode(text[:4])[:1] == b"\x78"]
    return any(word in place or word.hex().encode() in place for word in (ASKED, ANSWERED) for place in (data, *packed))


COMMAND_LINES = [
    ["show", "{t}#one", "--calls"], ["tell", "{t}#one", "--lang", "en"], ["tell", "{t}#one", "--json"],
    ["figure", "{t}#one"], ["figure", "{t}#one", "--svg", "-"], ["packets", "{t}#one", "--json"],
    ["packets", "{t}#one", "--dissect"],
]


@pytest.mark.parametrize("words", COMMAND_LINES, ids=" ".join)
def test_a_command_says_it_unless_told_otherwise(trace: Path, sockreel: CommandLine, words: list[str]) -> None:
    told = [word.replace("{t}", str(trace)) for word in words]
    said = sockreel(*told)
    assert said.status == 0
    assert said_in(said.out.encode())
    without = sockreel(*told, "--no-payload")
    assert without.status == 0 and without.out
    assert not said_in(without.out.encode())


@pytest.mark.parametrize("name", [name for name, one in FORMATS.items() if one.payload and name != "workload"])
def test_an_export_holds_it_unless_told_otherwise(trace: Path, sockreel: CommandLine, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    assert sockreel("export", f"{trace}#one", "--format", name, "-o", out).status == 0
    assert said_in(out.read_bytes())
    assert sockreel("export", f"{trace}#one", "--format", name, "-o", out, "--force", "--no-payload").status == 0
    assert not said_in(out.read_bytes())


def test_a_format_that_says_it_holds_no_payload_holds_none(trace: Path, sockreel: CommandLine, tmp_path: Path) -> None:
    for name in ("svg", "png", "apng"):
        out = tmp_path / name
        assert sockreel("export", f"{trace}#one", "--format", name, "-o", out).status == 0
        assert not said_in(out.read_bytes())


def test_clients_cannot_be_played_again_without_what_they_said(trace: Path, sockreel: CommandLine) -> None:
    assert said_in(sockreel("export", f"{trace}#one", "--format", "workload", "-o", "-").out.encode())
    assert "holds no payloads" in sockreel("export", f"{trace}#one", "--format", "workload", "-o", "-", "--no-payload").failure


def test_a_page_that_compares_holds_it_unless_told_otherwise(trace: Path, sockreel: CommandLine, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert sockreel("compare", trace, "--html", page).status == 0
    assert said_in(page.read_bytes())
    assert sockreel("compare", trace, "--html", page, "--force", "--no-payload").status == 0
    assert not said_in(page.read_bytes())


@pytest.mark.parametrize("payloads", [True, False])
def test_the_player_shows_it_unless_told_otherwise(trace: Path, payloads: bool) -> None:
    async def act(screen: Screen) -> None:
        seen = screen.text
        for _ in range(3):
            await screen.press("right")
            seen += screen.text
        assert said_in(seen.encode()) == payloads
        assert "11 B" in seen

    perform(trace, act, "one", size=(140, 40), payloads=payloads)


@pytest.mark.parametrize("words", [["explain", "{t}#one"], ["stats", "{t}#one"], ["stats", "{t}#one", "--phases"], ["runs", "{t}"],
                                   ["compare", "{t}#one", "{t}#two"], ["show", "{t}#one", "--json"], ["check", "{t}"]], ids=" ".join)
def test_what_has_no_such_option_needs_none(trace: Path, sockreel: CommandLine, words: list[str]) -> None:
    said = sockreel(*(word.replace("{t}", str(trace)) for word in words))
    assert said.out and not said_in(said.out.encode())


def test_every_command_was_thought_of() -> None:
    """A new command either takes --no-payload or stands here, since it shows nothing that was said."""
    needs_none = {"record", "lab", "claims", "sweep", "runs", "stats", "explain", "query", "import", "check", "verify", "recover", "strip",
                  "doctor", "quiz"}
    for name in COMMANDS:
        found = front_door.get_command(click.Context(front_door), name)
        assert found is not None
        takes = "--no-payload" in {flag for parameter in found.params for flag in parameter.opts}
        assert takes != (name in needs_none), name
