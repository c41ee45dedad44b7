"""How long the player takes to show another moment, and how much memory it has, in a run of a million calls.

Usage: python -m sockreel.tests.bench.stepping [--calls 1000000] [--sockets 2000] [--jumps 200] [TRACE]

Makes a run in which every socket has a client that asks and is answered (or takes TRACE, its last run), opens the
player on a screen of 80x24 and of 200x60, jumps to random moments in it, and prints the median and the worst time of
what a person waits for: the state reckoned and every pane drawn, by the clock and in CPU time, which other programs on the
machine do not lengthen. Prints the peak of memory last.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import tempfile
import time
from pathlib import Path

from sockreel.replay.language import language
from sockreel.replay.player.app import Player
from sockreel.replay.player.deck import Deck, Reel
from sockreel.replay.player.state import Play
from sockreel.replay.reading import Reader
from sockreel.tests.synthetic import Recording
from sockreel.traces import open_trace

MS = 1_000_000


def crowd(path: Path, calls: int, clients: int) -> None:
    """Make a nonblocking run: one thread asks so many sockets in turn, one call in 50 finds something."""
    with Recording(path) as recording:
        run = recording.run("nonblocking")
        thread = run.thread()
        listener = run.socket(3, "listener", local="127.0.0.1:8000")
        length_ns = calls * 1000
        sockets = [run.socket(4 + n, peer=f"127.0.0.1:{20_000 + n}", parent_id=listener, opened_ns=n * length_ns // (4 * clients),
                              closed_ns=length_ns - (clients - n) * length_ns // (8 * clients), closed_by="close") for n in range(clients)]
        recv, send = recording.operation("recv"), recording.operation("send")
        none, ok = recording.outcome("would_block"), recording.outcome("ok")
        recording.connection.executemany(
            "INSERT INTO calls (run_id, thread_id, socket_id, operation_id, outcome_id, started_ns, duration_ns, result, timeout_ns) "
            "VALUES (?, ?, ?, ?, ?, ?, 800, ?, 0)",
            ((run.id, thread, sockets[n % clients], recv if n % 50 else send, ok if n % 50 < 2 else none, n * 1000,
              7 if n % 50 < 2 else None) for n in range(calls)))
        for n, socket in enumerate(sockets):
            for k in range(5):
                at_ns = n * length_ns // (4 * clients) + k * length_ns // 8
                run.exchange(f"c{n}", k + 1, socket, local_port=20_000 + n, connected_ns=max(0, at_ns - MS), sent_ns=at_ns,
                             answered_ns=at_ns + 3 * MS, sent_bytes=7, answered_bytes=7)
        run.finish(length_ns)


async def _measured(deck: Deck, size: tuple[int, int], jumps: int) -> list[tuple[float, float]]:
    line = deck.reel.play.line
    chance = random.Random(1)
    took_s = []
    player = Player(deck, language("en"))
    async with player.run_test(size=size) as pilot:
        await pilot.pause()
        for _ in range(jumps):
            head = line.at_time(chance.randrange(line.end_ns))
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            deck.go(head)
            player.redraw()
            player.screen._compositor.render_strips()
            took_s.append((time.perf_counter() - began_s, time.process_time() - began_cpu_s))
            await pilot.pause()
    return took_s


def _told(took_s: list[float]) -> str:
    ordered = sorted(took_s)
    return f"{ordered[len(ordered) // 2] * 1e3:.1f} ms in the median, {ordered[-1] * 1e3:.1f} ms at worst"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("trace", nargs="?", type=Path)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--sockets", type=int, default=2_000)
    parser.add_argument("--jumps", type=int, default=200)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = told.trace or Path(folder) / "crowd.db"
        if told.trace is None:
            crowd(path, told.calls, told.sockets)
        with open_trace(path) as trace:
            before_s = time.perf_counter()
            play = Play(Reader(trace, trace.find_run()), language("en"))
            print(f"{len(play.line):,} steps, {len(play.reader.sockets):,} sockets: ready after {time.perf_counter() - before_s:.2f} s")
            for size in ((80, 24), (200, 60)):
                took_s = asyncio.run(_measured(Deck([Reel(play, "bench")]), size, told.jumps))
                print(f"{size[0]}x{size[1]}, {told.jumps} jumps: {_told([wall for wall, _ in took_s])}; "
                      f"CPU {_told([cpu for _, cpu in took_s])}")
    print(f"memory at its peak: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB")


if __name__ == "__main__":
    main()
