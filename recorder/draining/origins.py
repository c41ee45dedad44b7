"""Which socket of another process a socket is.

Owns that rule: the kernel gives each socket one inode number, which stays the same in whatever process
its descriptor arrives, by fork, exec or SCM_RIGHTS. Knows rows by id, neither tape nor trace.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

_MOST_INODES = 65_536
_MOST_LIVES = 16  # of one inode: a server may fork for ever


@dataclass(frozen=True, slots=True)
class Life:
    """A row of `sockets`, as far as it matters here. `origin_id` is None where its process could not tell."""

    id: int
    process_id: int
    fd: int
    opened_ns: int
    origin: str
    origin_id: int | None


class Origins:
    """The sockets of a run by inode; the oldest inodes are forgotten where there are very many."""

    def __init__(self) -> None:
        self._lives: OrderedDict[int, list[Life]] = OrderedDict()

    def trace_back(self, inode: int, life: Life) -> Life:
        """Return a socket with the one it came from in another process, where one is known that was there before.

        Args:
            inode: of the socket; it is remembered.
            life: as its own process told of it.
        """
        if not inode:
            return life
        others = [other for other in self._lives.get(inode, ()) if other.opened_ns <= life.opened_ns]
        found = _with_origin(life, others)
        lives = self._lives.setdefault(inode, [])
        lives.append(found)
        del lives[1:-_MOST_LIVES]  # the first made it
        if len(self._lives) > _MOST_INODES:
            self._lives.popitem(last=False)
        return found

    def children_of(self, inode: int, life: Life) -> Iterator[Life]:
        """Yield the sockets that came from this one and were told of before it: tapes are read one after the other."""
        lives = self._lives.get(inode, [])
        for at, other in enumerate(lives):
            if other.opened_ns > life.opened_ns:
                found = _with_origin(other, [life])
                if found is not other:
                    lives[at] = found
                    yield found


def _with_origin(life: Life, others: list[Life]) -> Life:
    others = [other for other in others if other.process_id != life.process_id]
    if life.origin_id is not None or life.origin not in ("created", "inherited", "passed") or not others:
        return life
    same_number = [other for other in others if other.fd == life.fd]
    source = (same_number if life.origin == "inherited" and same_number else others)[0]
    # A process that met it as if it were new got it in a way that nobody saw.
    origin = "passed" if life.origin == "created" else life.origin
    return Life(life.id, life.process_id, life.fd, life.opened_ns, origin, source.id)
