"""The one base error: what sockreel says when something foreseen goes wrong.

Owns the root of every room's errors. Knows nobody.
"""

from __future__ import annotations


class SockreelError(Exception):
    """A foreseen failure: its text is one clear line for the user, its exit status goes with it.

    Args:
        message: what went wrong, with which file, and what to do next. One line.
    """

    exit_status = 1

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
