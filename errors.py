"""The one base error: what sockreel says when something foreseen goes wrong.

Owns the root of every room's errors. Knows nobody.
"""

from __future__ import annotations

_LONGEST = 8_000  # characters: a name of the system may have half as many


class SockreelError(Exception):
    """A foreseen failure: its text is one clear line for the user, its exit status goes with it.

    Args:
        message: what went wrong, with which file, and what to do next. One line.
    """

    exit_status = 1

    def __init__(self, message: str) -> None:
        # Names of files and labels of runs come from anywhere: what they hold must not reach the terminal as it is.
        line = " ".join(message[:_LONGEST].split()) + ("…" if len(message) > _LONGEST else "")
        shown = (letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in line)
        super().__init__("".join(shown))
