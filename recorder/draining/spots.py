"""Blind spots: what a run cannot see, in sentences.

Owns the list. Knows nobody.
"""

from __future__ import annotations

from collections.abc import Iterable

_MOST = 500  # a program that writes on its own tape could name them without end


class BlindSpots:
    """The blind spots of a run, each said once.

    Args:
        sentences: those that are known already.
    """

    def __init__(self, sentences: Iterable[str] = ()) -> None:
        self.sentences = list(sentences)

    def add(self, sentence: str) -> None:
        """Name something that this run cannot see."""
        if sentence not in self.sentences and len(self.sentences) < _MOST:
            self.sentences.append(sentence)

    def replace(self, before: str, sentence: str) -> None:
        """Say a blind spot anew, of which more is known now."""
        self.sentences = [sentence if spot == before else spot for spot in self.sentences]
        self.add(sentence)
