"""A trace -> something to look at, step through.

Owns the story, the comparison and the renderers. Knows `traces`, never `recorder`.
"""

from __future__ import annotations

from .compare import Comparison, Figure, Latency, Pair, compare_stories
from .cputime import cpu_words, load_cpu
from .data import comparison_json, model_json, story_json
from .evidence import load_model
from .finding import ReplayError, end_of_run, find_sockets, find_threads
from .listing import Entry, Listing, load_listing
from .look import Look
from .naming import RunModel, SocketModel
from .sentences import sentences
from .story import load_story
from .terminal import render_show
from .terminal_compare import render_compare
from .values import (
    KINDS,
    Cell,
    Count,
    Cpu,
    CpuSplit,
    Exchange,
    Facts,
    Lane,
    Mark,
    Site,
    Span,
    Spin,
    Standstill,
    Story,
    Window,
)
from .waits import Wait, find_waits

__all__ = [
    "KINDS",
    "Cell",
    "Comparison",
    "Count",
    "Cpu",
    "CpuSplit",
    "Entry",
    "Exchange",
    "Facts",
    "Figure",
    "Lane",
    "Latency",
    "Listing",
    "Look",
    "Mark",
    "Pair",
    "ReplayError",
    "RunModel",
    "Site",
    "SocketModel",
    "Span",
    "Spin",
    "Standstill",
    "Story",
    "Wait",
    "Window",
    "compare_stories",
    "comparison_json",
    "cpu_words",
    "end_of_run",
    "find_sockets",
    "find_threads",
    "find_waits",
    "load_cpu",
    "load_listing",
    "load_model",
    "load_story",
    "model_json",
    "render_compare",
    "render_show",
    "sentences",
    "story_json",
]
