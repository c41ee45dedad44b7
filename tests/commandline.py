"""The command line as tests use it: in this process, so that a traceback is a failed test.

Owns how a command is called and what it said.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sockreel.cli import run


@dataclass(frozen=True)
class Said:
    """What a command said, and the exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output, read as JSON."""
        return json.loads(self.out)

    @property
    def failure(self) -> str:
        """The one line of a foreseen failure; anything else than one line on stderr and status 1 is an error."""
        assert self.status == 1, self
        assert self.out == "", self
        assert self.err.count("\n") == 1 and self.err.endswith("\n"), self
        assert self.err.startswith("sockreel: "), self
        return self.err.removeprefix("sockreel: ").removesuffix("\n")


class CommandLine:
    """Calls `sockreel ARGUMENTS`."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str | Path) -> Said:
        """Run one command line, and return what it said."""
        self._capture.readouterr()
        status = run([str(argument) for argument in arguments])
        said = self._capture.readouterr()
        return Said(status, said.out, said.err)
