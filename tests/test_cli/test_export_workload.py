"""`sockreel export --format workload`: a run's clients, played again against another server."""

from __future__ import annotations

from pathlib import Path

import pytest
from sockreel.recorder.models import SERVERS
from sockreel.recorder.workloads.workload import load_workload
from sockreel.tests.commandline import CommandLine

CLIENTS = """
[[clients]]
name = "ada"
say = ["hello\\n", { text = "again", after = "60ms" }, { bytes = "00ff0a41", after = "20ms" }]
[[clients]]
name = "bob"
connect = "30ms"
say = [{ size = 200, repeat = 3 }]
"""


def _said(path: Path) -> list[list[bytes]]:
    made = []
    for group in load_workload(str(path)).groups:
        said = [message for message in group.messages for _ in range(message.repeat)]
        made.append([(one.payload.pattern * one.payload.size_bytes)[: one.payload.size_bytes] for one in said])
    return made


def _record(sockreel: CommandLine, trace: Path, server: str, workload: Path, payload: str = "4096") -> None:
    said = sockreel("lab", "-q", "--models", f"{server},poll", "--workload", workload, "--payload", payload, "-o", trace)
    assert trace.exists(), said


def test_a_run_played_again_says_the_same_bytes_in_the_same_order_and_thinks_as_long(tmp_path: Path, sockreel: CommandLine) -> None:
    assert "epoll_level" in SERVERS
    (tmp_path / "first.toml").write_text(CLIENTS)
    _record(sockreel, tmp_path / "first.db", "blocking_threads", tmp_path / "first.toml")
    again, third = tmp_path / "again.toml", tmp_path / "third.toml"
    assert sockreel("export", f"{tmp_path / 'first.db'}#blocking_threads", "--format", "workload", "-o", again).status == 0
    assert sorted(_said(again)) == sorted(_said(tmp_path / "first.toml"))
    ada = next(group for group in load_workload(str(again)).groups if group.messages[0].payload.pattern == b"hello\n")
    assert ada.messages[1].after_ns >= 60_000_000
    assert ada.leave == "close"
    _record(sockreel, tmp_path / "second.db", "epoll_level", again)
    assert sockreel("export", f"{tmp_path / 'second.db'}#epoll_level", "--format", "workload", "-o", third).status == 0
    assert sorted(_said(third)) == sorted(_said(again))


@pytest.mark.parametrize("payload", ["0", "10"])
def test_bytes_that_the_trace_does_not_hold_are_said(payload: str, tmp_path: Path, sockreel: CommandLine) -> None:
    (tmp_path / "first.toml").write_text(CLIENTS)
    _record(sockreel, tmp_path / "t.db", "epoll_level", tmp_path / "first.toml", payload)
    said = sockreel("export", f"{tmp_path / 't.db'}#epoll_level", "--format", "workload", "-o", "-")
    if payload == "0":
        assert "holds no payloads" in said.failure
    else:
        assert said.out.startswith("# 570 bytes are not in the trace")
