"""How a trace is named: FILE, FILE#LABEL, FILE#ID, or sample:NAME for one that came with sockreel.

Owns the words of a reference and where the samples are. Opens nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

from .store import SAMPLES, TraceError

SAMPLE_PREFIX = "sample:"


def split_reference(reference: str) -> tuple[Path, str | None]:
    """Split FILE, FILE#LABEL or FILE#ID; sample:NAME stands for the file of a sample. A file whose own name it is is found first.

    Returns:
        The path, and the selector or None.

    Raises:
        TraceError: no sample has that name.
    """
    # Not Path.exists, which raises for names that are too long or may not be looked at.
    if os.path.exists(reference):
        return Path(reference), None
    file, _, selector = reference.rpartition("#") if "#" in reference else (reference, "", "")
    if file.startswith(SAMPLE_PREFIX) and not os.path.exists(file):
        return sample_path(file.removeprefix(SAMPLE_PREFIX)), selector or None
    return Path(file), selector or None


def sample_names() -> list[str]:
    """Return the names of the samples that are here, sorted."""
    return sorted(path.stem for path in SAMPLES.glob("*.db"))


def sample_path(name: str) -> Path:
    """Return the file of a sample.

    Args:
        name: `nonblocking`, `nonblocking-reset`; `_` and `-` are alike in it.

    Raises:
        TraceError: there is none of that name.
    """
    known = {_plain(one): one for one in sample_names()}
    found = known.get(_plain(name.removesuffix(".db")))
    if found is None:
        shown = "".join(letter if letter.isprintable() else "?" for letter in name[:60])
        wrong = f"there is no sample {shown}; there are" if name else "which sample? There are"
        raise TraceError(f"{wrong}: {', '.join(sample_names()) or 'none in this installation'}")
    return SAMPLES / f"{found}.db"


def called(path: Path, *, short: bool = False) -> str:
    """Return how to name a file on the command line: sample:NAME for a sample, else its path, or where that is long enough its name."""
    if path.parent == SAMPLES:
        return f"{SAMPLE_PREFIX}{path.stem}"
    return path.name if short else str(path)


def _plain(name: str) -> str:
    return name.replace("-", "_").lower()
