"""A trace -> something to look at, step through.

Owns the story, the comparison and the renderers. Knows `traces`, never `recorder`.
"""

from __future__ import annotations

from .data import story_json
from .finding import ReplayError, end_of_run, find_sockets, find_threads
from .listing import Entry, Listing, load_listing
from .look import Look
from .story import load_story
from .terminal import render_show
from .values import (
    KINDS,
    Cell,
    Count,
    Cpu,
    Exchange,
    Facts,
    Lane,
    Mark,
    Site,
    Span,
    Spin,
    Story,
    Window,
)

__all__ = [
    "KINDS",
    "Cell",
    "Count",
    "Cpu",
    "Entry",
    "Exchange",
    "Facts",
    "Lane",
    "Listing",
    "Look",
    "Mark",
    "ReplayError",
    "Site",
    "Span",
    "Spin",
    "Story",
    "Window",
    "end_of_run",
    "find_sockets",
    "find_threads",
    "load_listing",
    "load_story",
    "render_show",
    "story_json",
]
