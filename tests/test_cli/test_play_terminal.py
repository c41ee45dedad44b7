"""The player in a real terminal: tmux, keys, a change of size, and what it leaves behind."""

from __future__ import annotations

import os
import select
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sockreel.tests.test_replay.scenes import lecture

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")]
LIMIT_S = 60.0


class Terminal:
    """A terminal of tmux on a server of its own, whose output wakes up whoever waits for a picture."""

    def __init__(self, folder: Path) -> None:
        self._socket = str(folder / "tmux")
        self.fifo = folder / "output"
        os.mkfifo(self.fifo)
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "sh")
        self._tmux("set-option", "-g", "remain-on-exit", "on")
        self._output = os.open(self.fifo, os.O_RDWR | os.O_NONBLOCK)
        self._tmux("pipe-pane", "-O", f"cat > '{self.fifo}'")

    def _tmux(self, *words: str) -> str:
        # Whoever runs the tests may have exported a size, or not: here it always is, as in some people's shells.
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
        done = subprocess.run(["tmux", "-S", self._socket, *words], check=True, capture_output=True, text=True, env=environment)
        return done.stdout

    def keys(self, *keys: str) -> None:
        """Press keys, by the names that tmux gives them."""
        self._tmux("send-keys", *keys)

    def resize(self, width: int, height: int) -> None:
        """Change the size of the window."""
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return self._tmux("capture-pane", "-p")

    def until(self, right: Callable[[str], bool]) -> str:
        """Wait until the screen is right: looked at whenever something was written to it."""
        while not right(text := self.text):
            ready, _, _ = select.select([self._output], [], [], LIMIT_S)
            assert ready, f"nothing more came, and the screen is not right:\n{text}"
            os.read(self._output, 1 << 16)
        return text

    def close(self) -> None:
        """End the server."""
        self._tmux("kill-server")
        os.close(self._output)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal of 80x24."""
    made = Terminal(tmp_path)
    yield made
    made.close()


def test_a_person_steps_through_a_run_and_leaves(terminal: Terminal, tmp_path: Path) -> None:
    trace = lecture(tmp_path / "lecture.db")
    terminal.keys(f"{shlex.quote(sys.executable)} -m sockreel play {trace}#blocking --lang en; echo left with $?", "Enter")
    first = terminal.until(lambda text: "step 0 of 18" in text and "b break" in text)  # the last line of the picture
    terminal.keys("Right", "Right", "Right")
    terminal.until(lambda text: "accept on the listener stood still for 50.0 ms" in text)
    terminal.keys("Left", "Left", "Left")
    terminal.until(lambda text: text == first)
    terminal.keys("g")
    terminal.until(lambda text: "jump to" in text)
    terminal.keys("1s", "Enter")
    terminal.until(lambda text: "accept queue: 2 (ben, cyd)" in text)
    terminal.resize(120, 40)  # although COLUMNS says 80
    terminal.until(lambda text: max(map(len, text.splitlines())) > 100 and "accept queue: 2 (ben, cyd)" in text)
    terminal.keys("?")
    terminal.until(lambda text: "forget all" in text)
    terminal.keys("?")
    terminal.until(lambda text: "forget all" not in text)
    terminal.keys("q")
    terminal.until(lambda text: "left with 0" in text)
    terminal.keys("echo still $((40 + 2))", "Enter")  # the terminal echoes and obeys as before
    terminal.until(lambda text: "echo still $((" in text and "still 42" in text)


def test_without_colour_the_same_is_told(terminal: Terminal, tmp_path: Path) -> None:
    trace = lecture(tmp_path / "lecture.db")
    terminal.keys(f"NO_COLOR=1 {shlex.quote(sys.executable)} -m sockreel play {trace}#blocking {trace}#nonblocking --lang zh", "Enter")
    terminal.until(lambda text: "按时钟同步" in text)
    terminal.keys("n", "n")
    terminal.until(lambda text: text.count("▶18 ") == 2)
    terminal.keys("m")
    terminal.until(lambda text: "按问答同步" in text)
    terminal.keys("q")


def play_command(trace: Path, told: str, pid_file: Path | None = None) -> str:
    """Return the line that starts the player and says at the end how it ended."""
    command = f"{shlex.quote(sys.executable)} -m sockreel play {trace}#blocking --lang en"
    if pid_file is not None:
        command = f"sh -c {shlex.quote(f'echo $$ > {pid_file}; exec {command}')}"
    return f"stty -g > {told}.before; {command}; echo left with $?; stty -g > {told}.after"


def test_sent_away_for_a_while_it_comes_back_as_it_was(terminal: Terminal, tmp_path: Path) -> None:
    trace = lecture(tmp_path / "lecture.db")
    terminal.keys(play_command(trace, str(tmp_path / "modes")), "Enter")
    terminal.until(lambda text: "step 0 of 18" in text)
    terminal.keys("Right", "Right")
    there = terminal.until(lambda text: "step 2 of 18" in text)
    terminal.keys("C-z")
    terminal.until(lambda text: "step 2 of 18" not in text and "left with" in text)
    terminal.keys("echo still $((40 + 2))", "Enter")
    terminal.until(lambda text: "still 42" in text)
    terminal.keys("fg", "Enter")
    assert terminal.until(lambda text: "step 2 of 18" in text and "b break" in text) == there
    terminal.keys("Left")
    terminal.until(lambda text: "step 1 of 18" in text)
    terminal.keys("q")
    terminal.until(lambda text: "step 1 of 18" not in text)
    terminal.keys("echo over $((1 + 1))", "Enter")
    terminal.until(lambda text: "over 2" in text)


def test_ended_by_a_signal_it_leaves_the_terminal_as_it_was(terminal: Terminal, tmp_path: Path) -> None:
    trace = lecture(tmp_path / "lecture.db")
    terminal.keys(play_command(trace, str(tmp_path / "modes"), tmp_path / "pid"), "Enter")
    terminal.until(lambda text: "step 0 of 18" in text)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
    terminal.until(lambda text: "left with 143" in text and "step 0" not in text)
    terminal.keys("echo over $((1 + 1))", "Enter")
    terminal.until(lambda text: "over 2" in text)
    assert (tmp_path / "modes.after").read_text() == (tmp_path / "modes.before").read_text()


def test_a_trace_that_is_damaged_further_on_ends_it_with_one_line(terminal: Terminal, tmp_path: Path) -> None:
    trace = lecture(tmp_path / "lecture.db")
    with closing(sqlite3.connect(trace)) as connection, connection:
        connection.execute("DROP TABLE payloads")
    terminal.keys(play_command(trace, str(tmp_path / "modes")), "Enter")
    terminal.until(lambda text: "step 0 of 18" in text or "left with" in text)
    terminal.keys("End")
    assert "payloads" in terminal.until(lambda text: "left with 1" in text)
    assert "Traceback" not in terminal.text
