"""Fixtures for every room: the command line in this process, and traces to try it on.

Owns no test. Traces come from tests/synthetic.py: what they hold is known to the call. Property tests judge what comes out,
never how long an example or its making took, and try the same examples everywhere: `pytest --hypothesis-profile=hunt` tries others.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sockreel.tests.commandline import CommandLine
from sockreel.tests.examples import write_lab

_UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
settings.register_profile("hunt", _UNHURRIED, derandomize=False)
settings.register_profile("sockreel", _UNHURRIED, derandomize=True)
settings.load_profile("sockreel")

# What a shell starts behind itself, or nohup, ignores these, and so would every program that a test interrupts.
for _number in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(_number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def sockreel(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line; what it says is not for a terminal, and as wide as it likes."""
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    return CommandLine(capsys)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished trace of two runs, blocking and nonblocking. For reading: all tests share it."""
    return write_lab(tmp_path_factory.mktemp("lab") / "lab.db")
