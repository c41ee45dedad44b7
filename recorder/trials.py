"""The runs that the claims of tutorials are judged by: the models in silence and under a burst, and a few experiments.

Owns which runs there are and what they are called. Judges nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .launching.launch import Command
from .models import Server
from .session import Result, Settings, record
from .workloads.workload import load_workload

_FOLDER = Path(__file__).parent / "experiments"


@dataclass(frozen=True)
class Trial:
    """One run.

    Args:
        label: of the run: FILE#LABEL.
        script: what to run.
        arguments: of the script.
        workload: name of the clients that it gets; None: it makes its own.
        model: that it follows, where it is one of the five.
    """

    label: str
    script: Path
    arguments: tuple[str, ...] = ("127.0.0.1", "0")
    workload: str | None = None
    model: str | None = None


def all_trials(servers: Sequence[Server]) -> tuple[Trial, ...]:
    """Return every run that the claims need.

    Args:
        servers: of the models that can run here.
    """
    return (
        *(Trial(f"copying-{how}", _FOLDER / "copying.py", (how,)) for how in ("blocking", "nonblocking")),
        Trial("tutorial", _FOLDER / "tutorial.py", workload="lecture"),
        *(Trial(f"{workload}-{server.name}", server.script, workload=workload, model=server.model)
          for workload in ("silence", "burst") for server in servers),
    )


def run_trials(trials: Sequence[Trial], base: Settings, say: Callable[[str], None]) -> Iterator[tuple[Trial, Result]]:
    """Record trials one after the other into one trace.

    Args:
        trials: which.
        base: output, existing and what else all runs share.
        say: takes lines for the user.

    Yields:
        Each trial and how its run ended.
    """
    settings = replace(base, silent=True)
    for trial in trials:
        workload = load_workload(trial.workload) if trial.workload else None
        command = Command((sys.executable, str(trial.script), *trial.arguments), trial.label)
        yield trial, record(command, replace(settings, label=trial.label, model=trial.model, workload=workload), say)
        settings = replace(settings, existing="append")
