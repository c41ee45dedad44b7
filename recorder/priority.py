"""The program and its clients come first: the thread of a process that is there to record gives way to them.

Owns the priority of our threads. On Linux it belongs to a thread, and a child inherits that of the thread
that started it; nobody but root may raise it again. So what we start is started by a thread of its own, which
keeps the priority that we were given: the second program of a `lab` runs like the first.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

_NICENESS = 5
_Made = TypeVar("_Made")


@lru_cache(maxsize=1)
def _starter() -> ThreadPoolExecutor:
    starter = ThreadPoolExecutor(1, thread_name_prefix="sockreel-starter")
    starter.submit(int).result()  # begins the thread now, while our priority is still what it was
    return starter


@lru_cache(maxsize=1)
def _lowest() -> int:
    return min(os.getpriority(os.PRIO_PROCESS, 0) + _NICENESS, 19)


def at_our_first(make: Callable[[], _Made]) -> _Made:
    """Return what `make` returns, called at the priority that we ourselves were started with."""
    return _starter().submit(make).result()


def give_way() -> None:
    """Lower the priority of this thread, once; what `at_our_first` starts is not concerned."""
    _starter()
    os.setpriority(os.PRIO_PROCESS, 0, _lowest())
