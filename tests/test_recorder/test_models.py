"""Which teaching servers there are, and what is said of one that this machine cannot run."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sockreel.recorder import models
from sockreel.recorder.models import SERVERS, ModelError, Server, able, choose, why_not

WITHOUT_URING = Path(__file__).parent / "programs" / "without_uring.py"
URING = SERVERS["io_uring"]


def forbidden(how: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a script where io_uring is refused, or kills who asks for it."""
    return subprocess.run([sys.executable, str(WITHOUT_URING), how, *words], capture_output=True, text=True, timeout=60)


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The probe of io_uring, to be written anew."""
    monkeypatch.setattr(models, "_FOLDER", tmp_path)
    return tmp_path / f"{URING.probe}.py"


def test_all_servers_are_chosen_unless_some_are_named() -> None:
    assert [server.name for server in choose(None)] == list(SERVERS)
    assert [server.name for server in choose(" poll, blocking,poll ")] == ["poll", "blocking"]
    with pytest.raises(ModelError, match="there is no model pol; there are blocking, "):
        choose("pol")


@pytest.mark.parametrize("words", [("ring.py",), ("io_uring.py", "127.0.0.1", "0")])
def test_where_io_uring_is_refused_the_scripts_say_so_in_one_line(words: tuple[str, ...]) -> None:
    done = forbidden("refuse", str(URING.script.parent / words[0]), *words[1:])
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "no io_uring here: Operation not permitted\n")


def test_a_probe_runs_in_a_process_of_its_own_which_may_be_killed(probed: Path) -> None:
    ring = Path(models.__file__).parent / "servers" / "ring.py"
    for how, said in (("refuse", "no io_uring here: Operation not permitted"), ("kill", f"trying it ended with status {-signal.SIGSYS}")):
        command = [sys.executable, str(WITHOUT_URING), how, str(ring)]
        probed.write_text(f"import os; os.execv({sys.executable!r}, {command!r})")
        assert why_not(URING) == said


def test_what_cannot_run_here_is_left_out_with_a_word_and_the_others_run(probed: Path) -> None:
    probed.write_text("raise SystemExit('not on a Tuesday')")
    said: list[str] = []
    blocking = SERVERS["blocking"]
    assert able([blocking, URING], said.append) == (blocking,)
    assert said == ["io_uring is left out: not on a Tuesday"]
    with pytest.raises(ModelError, match="none of them"):
        able([URING], said.append)


def test_a_server_without_a_probe_runs_anywhere() -> None:
    assert why_not(Server("any", "blocking", "waits")) is None


def test_the_documentation_names_every_server() -> None:
    page = (Path(models.__file__).parent.parent / "docs" / "commands.md").read_text(encoding="utf-8")
    assert [name for name in SERVERS if f"`{name}`" not in page] == []
