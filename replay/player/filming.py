"""The player's screen without a terminal: what it shows while time goes on, frame by frame.

Owns the way from a deck to screens. Knows no format; where the deck goes is told to it.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable

from rich.console import Console

from ..language import Language
from .app import Player
from .deck import Deck

Screen = tuple[str, ...]
"""Lines of a screen, from the top, with the ANSI sequences of their colours."""


def film(deck: Deck, spoken: Language, width: int, height: int, onwards: Callable[[Deck], bool]) -> list[Screen]:
    """Return what the player shows, first as the deck stands, then each time after it went on.

    The same deck gives the same screens: no clock is looked at.

    Args:
        width, height: of the screen, in cells.
        onwards: lets the deck go on by a frame; False: it was the last.

    Raises:
        SockreelError: the trace is damaged.
    """
    return asyncio.run(_film(deck, spoken, width, height, onwards))


class _Filmed(Player):
    """A player in which time goes on only as it is told to."""

    def tick(self) -> None:
        """Leave the deck where it is."""


async def _film(deck: Deck, spoken: Language, width: int, height: int, onwards: Callable[[Deck], bool]) -> list[Screen]:
    player = _Filmed(deck, spoken, clock=lambda: 0.0)
    # Lines get their colours here, whatever terminal this runs in.
    console = Console(file=io.StringIO(), color_system="truecolor", force_terminal=True, no_color=False, width=width, height=height)
    screens: list[Screen] = []
    async with player.run_test(size=(width, height)) as pilot:
        await pilot.pause()
        more = True
        while more and player.failed is None:
            screens.append(_screen(player, console))
            more = onwards(deck)
            # What is dirty is drawn when it is asked for: nothing here moves a pane, so there is nothing to wait for.
            player.redraw()
            await asyncio.sleep(0)
        screens.append(_screen(player, console))
    if player.failed is not None:
        raise player.failed
    return screens


def _screen(player: Player, console: Console) -> Screen:
    # Textual has no public name for it; its own pictures of a screen are made of the same.
    return tuple(strip.render(console) for strip in player.screen._compositor.render_strips())
